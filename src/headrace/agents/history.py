"""Histories that every provider takes: each tool call is answered before the model speaks again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from headrace import ids

UNANSWERED = (
    "There is no answer to this call: the run was stopped, or failed, before its step was over. "
    "What it was to do may have been done or not."
)


def repaired(messages: Sequence[BaseMessage]) -> list[BaseMessage] | None:
    """The history with an answer after each call that lacks one there; None if none does, as nearly always.

    A call loses its answer when a run is stopped or dies between the model and the tools and the thread goes on with
    a new input, or when somebody edits the history. An answer that stands further down is moved up to its call.
    """
    return rebuilt(messages) if broken(messages) else None


def broken(messages: Sequence[BaseMessage]) -> bool:
    """Whether a call is not answered before the next message that is no answer."""
    waiting: set[Any] = set()
    for message in messages:
        if isinstance(message, ToolMessage):
            waiting.discard(message.tool_call_id)
        elif waiting:
            return True
        elif isinstance(message, AIMessage):
            calls = message.tool_calls
            if calls or message.invalid_tool_calls:
                waiting = {call["id"] for call in (calls_of(message) if message.invalid_tool_calls else calls)} - {None}
    return bool(waiting)


def calls_of(message: AIMessage) -> list[Any]:
    """The calls of a message that can be answered."""
    return [call for call in (*message.tool_calls, *message.invalid_tool_calls) if call["id"] is not None]


def rebuilt(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """The history with each call's answer where it belongs."""
    answers: dict[str, list[ToolMessage]] = {}
    for message in messages:
        if isinstance(message, ToolMessage):
            answers.setdefault(message.tool_call_id, []).append(message)
    asked = {call["id"] for message in messages if isinstance(message, AIMessage) for call in calls_of(message)}
    result: list[BaseMessage] = []
    for message in messages:
        if isinstance(message, ToolMessage) and message.tool_call_id in asked:
            continue
        result.append(message)
        if isinstance(message, AIMessage):
            for call in calls_of(message):
                result.extend(answers.pop(call["id"], [unanswered(call)]))
    return result


def unanswered(call: Any) -> ToolMessage:
    """The answer to a call that has none."""
    return ToolMessage(UNANSWERED, id=ids.unique(), name=call["name"], tool_call_id=call["id"], status="error")


def refused(message: AIMessage, handled: Sequence[ToolMessage]) -> list[ToolMessage]:
    """Answers to the calls of a message that cannot be made, as their arguments are no complete JSON object."""
    done = {answer.tool_call_id for answer in handled}
    return [
        ToolMessage(
            f"Error: the arguments of this call cannot be read: {call['error'] or 'they are no JSON object'}. "
            "Nothing was done; make the call again with complete arguments.",
            name=call["name"],
            tool_call_id=call["id"],
            status="error",
        )
        for call in message.invalid_tool_calls
        if call["id"] is not None and call["id"] not in done
    ]
