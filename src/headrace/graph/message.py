"""A door to `headrace.messages`, under the path that users know."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_core.messages import AnyMessage, RemoveMessage

    from headrace.messages import REMOVE_ALL_MESSAGES, MessageGraph, MessagesState, add_messages, push_message

__all__ = [
    "REMOVE_ALL_MESSAGES",
    "AnyMessage",
    "MessageGraph",
    "MessagesState",
    "RemoveMessage",
    "add_messages",
    "push_message",
]


def __getattr__(name: str) -> Any:
    """The names are taken from there when they are asked for, since they need langchain-core."""
    if name in ("AnyMessage", "RemoveMessage"):
        return getattr(import_module("langchain_core.messages"), name)
    if name in __all__:
        return getattr(import_module("headrace.messages"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
