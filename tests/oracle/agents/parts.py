"""Tools and models that many agents use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.tools import BaseTool, tool


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def fail(at: str) -> str:
    """Fail."""
    raise ValueError(f"no {at}")


@tool(return_direct=True)
def direct(at: str) -> str:
    """Give the answer itself."""
    return f"directly {at}"


ONE = ("add", {"a": 1, "b": 2})
OTHER = ("add", {"a": 3, "b": 4})


def mirror(messages: list[BaseMessage]) -> str:
    """A reply that says what the model was given."""
    return "; ".join(f"{message.type}: {message.text}" for message in messages)


def tool_of(function: Callable[..., Any], **hints: Any) -> BaseTool:
    """A tool whose parameters have these types, which are known only when the kit is."""
    function.__annotations__.update(hints)
    return tool(function)
