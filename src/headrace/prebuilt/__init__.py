"""Ready-made parts of agents: the node for tools, what tools are given, and the agent of older code."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from headrace.errors import MissingExtraError

if TYPE_CHECKING:
    from headrace.prebuilt.chat_agent_executor import create_react_agent
    from headrace.prebuilt.tool_call_transformer import ToolCallTransformer
    from headrace.prebuilt.tool_node import ToolNode, tools_condition
    from headrace.prebuilt.tool_policy import ToolPolicy
    from headrace.prebuilt.tool_runtime import InjectedState, InjectedStore, ToolRuntime
    from headrace.prebuilt.validation_node import ValidationNode

HOMES = {
    "InjectedState": "tool_runtime",
    "InjectedStore": "tool_runtime",
    "ToolCallTransformer": "tool_call_transformer",
    "ToolNode": "tool_node",
    "ToolPolicy": "tool_policy",
    "ToolRuntime": "tool_runtime",
    "ValidationNode": "validation_node",
    "create_react_agent": "chat_agent_executor",
    "tools_condition": "tool_node",
}

__all__ = [
    "InjectedState", "InjectedStore", "ToolCallTransformer", "ToolNode", "ToolPolicy", "ToolRuntime", "ValidationNode",
    "create_react_agent", "tools_condition",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Each name from its home when it is asked for: an agent needs more imports than a node for tools."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name not in ("langchain_core", "pydantic"):
            raise
        raise MissingExtraError("agents and tools", "langchain-core", "agents") from error


def __dir__() -> list[str]:
    """With the names that wait to be asked for, of which Python then suggests one for a misspelt name."""
    return sorted({*globals(), *__all__})
