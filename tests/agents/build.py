"""Tools, models and messages that the tests of agents use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.tools import tool

from headrace.testing import Reply, ScriptedChatModel

HI = {"messages": [{"role": "user", "content": "hi"}]}


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool(return_direct=True)
def direct(at: str) -> str:
    """Give the answer itself."""
    return f"directly {at}"


@tool
def fail(at: str) -> str:
    """Fail."""
    raise ValueError(f"no {at}")


def scripted(*replies: Reply, **settings: Any) -> ScriptedChatModel:
    """A model that gives these replies, and fails if it is asked for more."""
    return ScriptedChatModel(replies=list(replies), when_exhausted="raise", **settings)


def calling(*calls: tuple[str, dict[str, Any]], text: str = "", first: int = 1) -> AIMessage:
    """A model's message that calls tools; the calls have the ids c1, c2 and so on, from `first`."""
    numbered = enumerate(calls, first)
    return AIMessage(text, tool_calls=[{"name": name, "args": args, "id": f"c{at}"} for at, (name, args) in numbered])


ONE = ("add", {"a": 1, "b": 2})


def kinds(messages: Sequence[BaseMessage]) -> list[str]:
    """Who speaks; of tools, how it went."""
    return [one.status if isinstance(one, ToolMessage) else one.type for one in messages]
