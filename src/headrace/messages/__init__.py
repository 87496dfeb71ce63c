"""The bridge to langchain-core: a history of messages as state, and what models say while a graph runs.

Nothing below imports this package by name at the top of a file, so that `import headrace.graph` stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from headrace.messages.reducer import REMOVE_ALL_MESSAGES, add_messages
from headrace.messages.state import MessageGraph, MessagesState, push_message

if TYPE_CHECKING:
    from langchain_core.messages import (
        AIMessage,
        AIMessageChunk,
        Annotation,
        AnyMessage,
        AudioContentBlock,
        Citation,
        ContentBlock,
        DataContentBlock,
        FileContentBlock,
        HumanMessage,
        ImageContentBlock,
        InputTokenDetails,
        InvalidToolCall,
        MessageLikeRepresentation,
        NonStandardAnnotation,
        NonStandardContentBlock,
        OutputTokenDetails,
        PlainTextContentBlock,
        ReasoningContentBlock,
        RemoveMessage,
        ServerToolCall,
        ServerToolCallChunk,
        ServerToolResult,
        SystemMessage,
        TextContentBlock,
        ToolCall,
        ToolCallChunk,
        ToolMessage,
        UsageMetadata,
        VideoContentBlock,
        trim_messages,
    )

__all__ = [
    "REMOVE_ALL_MESSAGES", "AIMessage", "AIMessageChunk", "Annotation", "AnyMessage", "AudioContentBlock", "Citation",
    "ContentBlock", "DataContentBlock", "FileContentBlock", "HumanMessage", "ImageContentBlock", "InputTokenDetails",
    "InvalidToolCall", "MessageGraph", "MessageLikeRepresentation", "MessagesState", "NonStandardAnnotation",
    "NonStandardContentBlock", "OutputTokenDetails", "PlainTextContentBlock", "ReasoningContentBlock",
    "RemoveMessage", "ServerToolCall", "ServerToolCallChunk", "ServerToolResult", "SystemMessage", "TextContentBlock",
    "ToolCall", "ToolCallChunk", "ToolMessage", "UsageMetadata", "VideoContentBlock", "add_messages", "push_message",
    "trim_messages",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """langchain-core's own messages: a door for users who move over."""
    if name in __all__:
        return getattr(import_module("langchain_core.messages"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """With the names that wait to be asked for, of which Python then suggests one for a misspelt name."""
    return sorted({*globals(), *__all__})
