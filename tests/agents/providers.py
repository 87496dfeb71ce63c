"""What providers refuse in a history: each takes messages in its own shape, and says what is wrong with them.

Rules that the providers' interfaces enforce with an error; they are stricter than each other in different places:

- OpenAI (chat completions): the messages after an assistant message with `tool_calls` answer each of its ids, once,
  before anything else comes; a tool message answers a call of the assistant message before it.
- Anthropic (messages): turns of user and assistant, the first of the user's; the user turn after `tool_use` blocks
  has one `tool_result` for each, before its text, and no other results.
- Gemini (generateContent): a turn with function calls comes after a user's or a function's turn, and the next turn has
  as many function responses, with the names of the calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage


def complaints(messages: Sequence[BaseMessage]) -> list[str]:
    """What any of the providers has to say against a history."""
    spoken = [message for message in messages if not isinstance(message, SystemMessage)]
    found = {"openai": openai(spoken), "anthropic": anthropic(spoken), "gemini": gemini(spoken)}
    return [f"{provider}: {complaint}" for provider, said in found.items() for complaint in said]


def calls_of(message: BaseMessage) -> list[Any]:
    return [*message.tool_calls, *message.invalid_tool_calls] if isinstance(message, AIMessage) else []


# OpenAI


def openai(messages: Sequence[BaseMessage]) -> list[str]:
    found: list[str] = []
    waiting: list[str] = []
    for message in messages:
        if isinstance(message, ToolMessage):
            if message.tool_call_id in waiting:
                waiting.remove(message.tool_call_id)
            else:
                found.append(f"no call for the answer to {message.tool_call_id!r}")
            continue
        found += [f"no answer to {id!r}" for id in waiting]
        waiting = [call["id"] for call in calls_of(message)]
        if len(set(waiting)) < len(waiting):
            found.append(f"an id twice in {waiting}")
        if isinstance(message, AIMessage) and not message.content and not waiting:
            found.append("an assistant message with nothing in it")
    return found + [f"no answer to {id!r}" for id in waiting]


# Anthropic


def turns(messages: Sequence[BaseMessage]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Roles with their blocks, as the integration sends them: answers of tools are the user's."""
    roles = groupby(messages, lambda message: "assistant" if isinstance(message, AIMessage) else "user")
    return [(role, [block for message in group for block in blocks(message)]) for role, group in roles]


def blocks(message: BaseMessage) -> list[tuple[str, str]]:
    if isinstance(message, ToolMessage):
        return [("tool_result", message.tool_call_id)]
    text = [("text", message.text)] if message.text else []
    return [*text, *(("tool_use", call["id"]) for call in calls_of(message))]


def anthropic(messages: Sequence[BaseMessage]) -> list[str]:
    found: list[str] = []
    uses: list[str] = []
    for place, (role, content) in enumerate(turns(messages)):
        if place == 0 and role != "user":
            found.append("the first turn is not the user's")
        if not content:
            found.append(f"turn {place} of the {role} is empty")
        results = [id for kind, id in content if kind == "tool_result"]
        if sorted(results) != sorted(uses):
            found.append(f"tool_use {uses} and tool_result {results} after it")
        if [kind for kind, _ in content[: len(results)]] != ["tool_result"] * len(results):
            found.append("text before a tool_result")
        uses = [id for kind, id in content if kind == "tool_use"]
    return found + [f"no tool_result for {uses}"] * bool(uses)


# Gemini


def gemini(messages: Sequence[BaseMessage]) -> list[str]:
    found: list[str] = []
    before: BaseMessage | None = None
    waiting: list[str] = []
    for role, group in groupby(messages, type):
        if role is ToolMessage:
            answers = [message.name for message in group]
            if sorted(map(str, answers)) != sorted(waiting):
                found.append(f"function calls {waiting} and function responses {answers} after them")
            waiting, before = [], ToolMessage("", tool_call_id="")
            continue
        if waiting:
            found.append(f"no function responses for {waiting}")
        for message in group:
            waiting = [call["name"] for call in calls_of(message)]
            if waiting and not isinstance(before, HumanMessage | ToolMessage):
                found.append("function calls after a turn of the model's own")
            before = message
    return found + [f"no function responses for {waiting}"] * bool(waiting)
