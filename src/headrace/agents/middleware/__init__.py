"""Middleware for agents: what it is written with, and the ready-made ones, each in a file of its own."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace.agents.middleware.base import AgentMiddleware, hook_config
    from headrace.agents.middleware.context_editing import ClearToolUsesEdit, ContextEdit, ContextEditingMiddleware
    from headrace.agents.middleware.decorators import (
        after_agent,
        after_model,
        before_agent,
        before_model,
        dynamic_prompt,
        wrap_model_call,
        wrap_tool_call,
    )
    from headrace.agents.middleware.file_search import FilesystemFileSearchMiddleware
    from headrace.agents.middleware.human_in_the_loop import HumanInTheLoopMiddleware, InterruptOnConfig
    from headrace.agents.middleware.model_call_limit import ModelCallLimitExceededError, ModelCallLimitMiddleware
    from headrace.agents.middleware.model_fallback import ModelFallbackMiddleware
    from headrace.agents.middleware.model_retry import ModelRetryMiddleware
    from headrace.agents.middleware.pii import PIIMiddleware
    from headrace.agents.middleware.provider_tool_search import ProviderToolSearchMiddleware
    from headrace.agents.middleware.redaction import PIIDetectionError, PIIMatch, RedactionRule
    from headrace.agents.middleware.shell.execution import (
        BaseExecutionPolicy,
        CodexSandboxExecutionPolicy,
        DockerExecutionPolicy,
        HostExecutionPolicy,
        ShellStartError,
    )
    from headrace.agents.middleware.shell_tool import ShellToolMiddleware
    from headrace.agents.middleware.summarization import SummarizationMiddleware, TriggerClause
    from headrace.agents.middleware.todo import PlanningState, Todo, TodoListMiddleware
    from headrace.agents.middleware.tool_call_limit import ToolCallLimitExceededError, ToolCallLimitMiddleware
    from headrace.agents.middleware.tool_emulator import LLMToolEmulator
    from headrace.agents.middleware.tool_error import ToolErrorMiddleware
    from headrace.agents.middleware.tool_retry import ToolRetryMiddleware
    from headrace.agents.middleware.tool_selection import LLMToolSelectorMiddleware
    from headrace.agents.middleware.types import (
        AgentState,
        ExtendedModelResponse,
        InputAgentState,
        ModelCallResult,
        ModelRequest,
        ModelResponse,
        OutputAgentState,
        Runtime,
        ToolCallRequest,
        TracePolicy,
    )

CONTENTS = {
    "base": ("AgentMiddleware", "hook_config"),
    "context_editing": ("ClearToolUsesEdit", "ContextEdit", "ContextEditingMiddleware"),
    "decorators": (
        "after_agent",
        "after_model",
        "before_agent",
        "before_model",
        "dynamic_prompt",
        "wrap_model_call",
        "wrap_tool_call",
    ),
    "shell.execution": (
        "BaseExecutionPolicy",
        "CodexSandboxExecutionPolicy",
        "DockerExecutionPolicy",
        "HostExecutionPolicy",
        "ShellStartError",
    ),
    "file_search": ("FilesystemFileSearchMiddleware",),
    "human_in_the_loop": ("HumanInTheLoopMiddleware", "InterruptOnConfig"),
    "model_call_limit": ("ModelCallLimitExceededError", "ModelCallLimitMiddleware"),
    "model_fallback": ("ModelFallbackMiddleware",),
    "model_retry": ("ModelRetryMiddleware",),
    "pii": ("PIIMiddleware",),
    "provider_tool_search": ("ProviderToolSearchMiddleware",),
    "redaction": ("PIIDetectionError", "PIIMatch", "RedactionRule"),
    "shell_tool": ("ShellToolMiddleware",),
    "summarization": ("SummarizationMiddleware", "TriggerClause"),
    "todo": ("PlanningState", "Todo", "TodoListMiddleware"),
    "tool_call_limit": ("ToolCallLimitExceededError", "ToolCallLimitMiddleware"),
    "tool_emulator": ("LLMToolEmulator",),
    "tool_error": ("ToolErrorMiddleware",),
    "tool_retry": ("ToolRetryMiddleware",),
    "tool_selection": ("LLMToolSelectorMiddleware",),
    "types": (
        "AgentState",
        "ExtendedModelResponse",
        "InputAgentState",
        "ModelCallResult",
        "ModelRequest",
        "ModelResponse",
        "OutputAgentState",
        "Runtime",
        "ToolCallRequest",
        "TracePolicy",
    ),
}
"""The public names of each module."""

HOMES = {name: module for module, names in CONTENTS.items() for name in names}

__all__ = [
    "AgentMiddleware", "AgentState", "BaseExecutionPolicy", "ClearToolUsesEdit", "CodexSandboxExecutionPolicy",
    "ContextEdit", "ContextEditingMiddleware", "DockerExecutionPolicy", "ExtendedModelResponse",
    "FilesystemFileSearchMiddleware", "HostExecutionPolicy", "HumanInTheLoopMiddleware", "InputAgentState",
    "InterruptOnConfig", "LLMToolEmulator", "LLMToolSelectorMiddleware", "ModelCallLimitExceededError",
    "ModelCallLimitMiddleware", "ModelCallResult", "ModelFallbackMiddleware", "ModelRequest", "ModelResponse",
    "ModelRetryMiddleware", "OutputAgentState", "PIIDetectionError", "PIIMatch", "PIIMiddleware", "PlanningState",
    "ProviderToolSearchMiddleware", "RedactionRule", "Runtime", "ShellStartError", "ShellToolMiddleware",
    "SummarizationMiddleware", "Todo", "TodoListMiddleware", "ToolCallLimitExceededError",
    "ToolCallLimitMiddleware", "ToolCallRequest", "ToolErrorMiddleware", "ToolRetryMiddleware", "TracePolicy",
    "TriggerClause", "after_agent", "after_model", "before_agent", "before_model", "dynamic_prompt", "hook_config",
    "wrap_model_call", "wrap_tool_call",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Each name from its home when it is asked for: an agent uses few of them."""
    if name not in HOMES:
        close = get_close_matches(name, HOMES, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")
    return getattr(import_module(f"{__name__}.{HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
