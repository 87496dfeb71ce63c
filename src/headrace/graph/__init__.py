"""Graphs: `StateGraph`, `START`, `END`; and, out of `headrace.messages`, the state of a conversation."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from headrace.errors import MissingExtraError
from headrace.graph.state import StateGraph
from headrace.names import END, START

if TYPE_CHECKING:
    from headrace.messages import MessageGraph, MessagesState, add_messages

__all__ = ["END", "START", "MessageGraph", "MessagesState", "StateGraph", "add_messages"]


def messages() -> Any:
    """`headrace.messages`; ImportError with the remedy where langchain-core is not installed."""
    try:
        return import_module("headrace.messages")
    except ModuleNotFoundError as error:
        if error.name != "langchain_core":
            raise
        raise MissingExtraError("messages", "langchain-core", "agents") from error


def __getattr__(name: str) -> Any:
    """The names that need langchain-core, which is loaded when one of them is asked for."""
    if name in __all__:
        return getattr(messages(), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
