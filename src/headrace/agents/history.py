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
        elif isinstance(message, AIMessage) and (message.tool_calls or message.invalid_tool_calls):
            waiting = {call["id"] for call in calls_of(message)}
    return bool(waiting)


def calls_of(message: AIMessage) -> list[Any]:
    """The calls of a message that can be answered."""
    return [call for call in (*message.tool_calls, *message.invalid_tool_calls) if call["id"] is not None]


def rebuilt(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """The history with each call's answer where it belongs."""
    moved: set[int] = set()
    result: list[BaseMessage] = []
    for at, message in enumerate(messages):
        if at in moved:
            continue
        result.append(message)
        for call in calls_of(message) if isinstance(message, AIMessage) else ():
            found = answers_after(messages, at, call["id"])
            moved.update(found)
            result.extend([messages[place] for place in found] or [unanswered(call)])
    return result


def answers_after(messages: Sequence[BaseMessage], at: int, id: str) -> list[int]:
    """Where the answers to a call of the message at this place stand: before the next call of that id, if one comes."""
    found = []
    for place in range(at + 1, len(messages)):
        message = messages[place]
        if isinstance(message, AIMessage) and any(call["id"] == id for call in calls_of(message)):
            break
        if isinstance(message, ToolMessage) and message.tool_call_id == id:
            found.append(place)
    return found


def unanswered(call: Any) -> ToolMessage:
    """The answer to a call that has none."""
    return ToolMessage(UNANSWERED, id=ids.unique(), name=call["name"], tool_call_id=call["id"], status="error")


def identified(message: AIMessage) -> AIMessage:
    """The message with an id of its own for each call: its answer has to name it."""
    calls: list[Any] = [*message.tool_calls, *message.invalid_tool_calls]
    if len({call["id"] for call in calls} - {None}) == len(calls):
        return message
    seen: set[Any] = {None}
    for at, call in enumerate(calls):
        if call["id"] in seen:
            calls[at] = {**call, "id": f"call_{ids.unique()}"}
        seen.add(calls[at]["id"])
    count = len(message.tool_calls)
    return message.model_copy(update={"tool_calls": calls[:count], "invalid_tool_calls": calls[count:]})


def without_tools(message: AIMessage, handled: Sequence[ToolMessage], outside: frozenset[str]) -> list[ToolMessage]:
    """Answers to the calls of a message where there is nothing to make them, and nobody outside does."""
    done = {answer.tool_call_id for answer in handled}
    return [
        ToolMessage(
            f"Error: there is no tool {call['name']!r}.", name=call["name"], tool_call_id=call["id"], status="error"
        )
        for call in message.tool_calls
        if call["id"] not in done and call["name"] not in outside
    ]


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
