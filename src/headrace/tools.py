"""A door for users who move over: what writers of tools need, under the path that they know."""

from headrace.errors import MissingExtraError

try:
    from langchain_core.tools import BaseTool, InjectedToolArg, InjectedToolCallId, ToolException, tool

    from headrace.prebuilt.tool_runtime import InjectedState, InjectedStore, ToolRuntime
except ModuleNotFoundError as error:
    if error.name not in ("langchain_core", "pydantic"):
        raise
    raise MissingExtraError("tools", "langchain-core", "agents") from error

__all__ = [
    "BaseTool",
    "InjectedState",
    "InjectedStore",
    "InjectedToolArg",
    "InjectedToolCallId",
    "ToolException",
    "ToolRuntime",
    "tool",
]
