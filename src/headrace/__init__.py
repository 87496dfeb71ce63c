"""headrace: a streaming-first runtime for agent graphs.

The names used most, each from its home when it is first asked for; `import headrace` itself loads nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace.checkpoint.memory import InMemorySaver
    from headrace.config import get_config, get_store, get_stream_writer
    from headrace.graph.state import StateGraph
    from headrace.names import END, START
    from headrace.runtime import Runtime
    from headrace.types import (
        CachePolicy,
        Command,
        Interrupt,
        RetryPolicy,
        Send,
        StreamWriter,
        TimeoutPolicy,
        interrupt,
    )

__version__ = "0.1.0"

HOMES = {
    "CachePolicy": "types",
    "Command": "types",
    "END": "names",
    "InMemorySaver": "checkpoint.memory",
    "Interrupt": "types",
    "RetryPolicy": "types",
    "Runtime": "runtime",
    "START": "names",
    "Send": "types",
    "StateGraph": "graph.state",
    "StreamWriter": "types",
    "TimeoutPolicy": "types",
    "get_config": "config",
    "get_store": "config",
    "get_stream_writer": "config",
    "interrupt": "types",
}

__all__ = [
    "END",
    "START",
    "CachePolicy",
    "Command",
    "InMemorySaver",
    "Interrupt",
    "RetryPolicy",
    "Runtime",
    "Send",
    "StateGraph",
    "StreamWriter",
    "TimeoutPolicy",
    "get_config",
    "get_store",
    "get_stream_writer",
    "interrupt",
]


def __getattr__(name: str) -> Any:
    if name in HOMES:
        return getattr(import_module(f"headrace.{HOMES[name]}"), name)
    raise AttributeError(f"module 'headrace' has no attribute {name!r}")
