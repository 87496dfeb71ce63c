"""Messages that call tools, and histories written briefly."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

HI = {"messages": [("user", "hi")]}


def calling(*calls: tuple[str, dict[str, Any]], first: int = 1) -> AIMessage:
    """A model's message that calls tools; the ids are 1, 2 and so on, from `first`."""
    return AIMessage(
        "",
        tool_calls=[
            {"name": name, "args": args, "id": str(number)} for number, (name, args) in enumerate(calls, first)
        ],
    )


def outline(messages: list[BaseMessage]) -> list[str]:
    """A history without words of ours: `human`, `ai`, `ai: add#1 add#2`, `add#1 success`."""
    return [line(message) for message in messages]


def line(message: BaseMessage) -> str:
    if isinstance(message, ToolMessage):
        return f"{message.name}#{message.tool_call_id} {message.status}"
    if isinstance(message, AIMessage) and message.tool_calls:
        return "ai: " + " ".join(f"{call['name']}#{call['id']}" for call in message.tool_calls)
    return message.type


def every_call_has_one_answer(messages: list[BaseMessage]) -> bool:
    """What providers insist on."""
    asked = [call["id"] for message in messages if isinstance(message, AIMessage) for call in message.tool_calls]
    answered = [message.tool_call_id for message in messages if isinstance(message, ToolMessage)]
    return sorted(map(str, asked)) == sorted(answered)


def last_answer(messages: list[BaseMessage]) -> ToolMessage:
    """The last message of a tool."""
    return next(message for message in reversed(messages) if isinstance(message, ToolMessage))
