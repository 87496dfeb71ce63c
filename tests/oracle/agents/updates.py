"""The updates of one scripted agent of both libraries, without the words that each has of its own.

def guarded(lib: Library) -> Any:
    return lib.create_agent(scripted("ann@x.org"), middleware=[lib.PIIMiddleware("email", apply_to_output=True)])

assert told(LANGCHAIN, guarded, drive) == told(HEADRACE, guarded, drive)
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, RemoveMessage, ToolMessage

from headrace.testing import ScriptedChatModel
from tests.drive import Drive

MODULES = (
    "redaction", "pii", "summarization", "context_editing", "todo", "tool_selection", "tool_emulator",
    "provider_tool_search",
)  # fmt: skip


class Library:
    """The names of a library, wherever it has them."""

    def __init__(self, name: str, modules: Iterable[str]) -> None:
        self.name = name
        self.modules = [importlib.import_module(f"{name}.agents{module}") for module in ("", ".middleware", *modules)]

    def __getattr__(self, name: str) -> Any:
        for module in self.modules:
            if hasattr(module, name):
                return getattr(module, name)
        raise AttributeError(f"{self.name} has no {name}")


LANGCHAIN = Library("langchain", ())
HEADRACE = Library("headrace", [f".middleware.{module}" for module in MODULES])
Build = Callable[[Library], Any]
Update = tuple[str, Any]


def scripted(*replies: Any) -> ScriptedChatModel:
    return ScriptedChatModel(replies=replies, when_exhausted="raise")


def told(library: Library, build: Build, drive: Drive, messages: Any = "hi") -> list[Update]:
    """The nodes in their order with what they wrote; the tasks of a step that calls tools in the calls' order.

    A run that fails ends with the builtin kind of its error.
    """
    agent = build(library)
    try:
        parts, error = drive.stream(agent, {"messages": messages}, stream_mode="updates"), None
    except Exception:
        parts, error = drive.broken(build(library), {"messages": messages}, stream_mode="updates")
    updates = [(node, outlined(update)) for part in parts for node, update in part.items()]
    return [*in_order(updates), *([] if error is None else [("error", kind(error))])]


def kind(error: Exception) -> str:
    """The name of an error of both, or of the builtin that it is."""
    return type(error).__name__ if type(error).__name__ == "PIIDetectionError" else type(error).__mro__[-3].__name__


def in_order(updates: list[Update]) -> list[Update]:
    """Parallel tools end as they like."""
    result: list[Update] = []
    for update in updates:
        result.append(update)
        at = len(result) - 1
        while at > 0 and result[at][0] == result[at - 1][0] == "tools" and repr(result[at]) < repr(result[at - 1]):
            result[at], result[at - 1] = result[at - 1], result[at]
            at -= 1
    return result


def outlined(value: Any) -> Any:
    """A value with its messages as what they are, whom they answer, and what the script or the user said in them."""
    if isinstance(value, BaseMessage):
        return outline(value)
    if isinstance(value, dict):
        return {key: outlined(one) for key, one in value.items()}
    return [outlined(one) for one in value] if isinstance(value, list) else value


def outline(message: BaseMessage) -> str:
    if isinstance(message, RemoveMessage):
        return f"remove {message.id}"
    if isinstance(message, ToolMessage):
        return f"tool {message.tool_call_id} {message.status}"
    calls = [f"{call['name']}#{call['id']}" for call in message.tool_calls] if isinstance(message, AIMessage) else []
    words = message.text.split("\n\n")[-1] if message.additional_kwargs else str(message.content)
    return " ".join([message.type, words, *calls])
