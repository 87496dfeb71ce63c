"""Many tools: the provider shows its model only those that the model searches for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from langchain_core.tools import BaseTool

from headrace.agents.middleware.base import AgentMiddleware
from headrace.agents.middleware.chosen_tools import names_of
from headrace.agents.middleware.model_facts import provider_of
from headrace.agents.request import ModelCallResult, ModelRequest, ModelResponse

SEARCH_TOOLS: dict[str, dict[str, Any]] = {
    "anthropic": {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"},
    "openai": {"type": "tool_search"},
}
"""What each provider calls its own tool that searches, as its API wants it."""


class ProviderToolSearchMiddleware(AgentMiddleware[Any, Any, Any]):
    """Sends tools with `defer_loading`, which the model sees only when it has found them with the provider's search.

    `searchable_tools`: those, by name or as they are; tools with `extras={"defer_loading": True}` always are. Works
    with Anthropic and OpenAI; ValueError at the call with another provider, or for the name of a tool that there is
    not. Without such tools, requests stay as they are.
    """

    def __init__(self, *, searchable_tools: Sequence[str | BaseTool] | None = None) -> None:
        self.searchable = names_of(searchable_tools, "searchable_tools") or frozenset()

    @property
    def named_tools(self) -> frozenset[str]:
        return self.searchable

    def wrap_model_call(
        self, request: ModelRequest, handler: Callable[[ModelRequest], ModelResponse[Any]]
    ) -> ModelCallResult[Any]:
        return handler(self.searching(request))

    async def awrap_model_call(
        self, request: ModelRequest, handler: Callable[[ModelRequest], Awaitable[ModelResponse[Any]]]
    ) -> ModelCallResult[Any]:
        return await handler(self.searching(request))

    def searching(self, request: ModelRequest) -> ModelRequest:
        """The request with its tools marked, and the search among them."""
        own = {tool.name for tool in request.tools if isinstance(tool, BaseTool)}
        unknown = sorted(self.searchable - own)
        if unknown:
            there = ", ".join(sorted(own)) or "none"
            raise ValueError(f"searchable_tools names {unknown[0]!r}, but the request's tools are: {there}")
        tools = [self.deferred(tool) if isinstance(tool, BaseTool) else tool for tool in request.tools]
        if not any(isinstance(tool, BaseTool) and is_deferred(tool) for tool in tools):
            return request
        search = search_tool(request.model)
        if not any(isinstance(tool, dict) and tool.get("type") == search["type"] for tool in tools):
            tools.append(search)
        return request.override(tools=tools)

    def deferred(self, tool: BaseTool) -> BaseTool:
        """The tool, marked if it is to be searched for."""
        if tool.name not in self.searchable or is_deferred(tool):
            return tool
        return tool.model_copy(update={"extras": {**(tool.extras or {}), "defer_loading": True}})


def is_deferred(tool: BaseTool) -> bool:
    return bool((tool.extras or {}).get("defer_loading"))


def search_tool(model: Any) -> dict[str, Any]:
    """The search of the model's provider."""
    provider = provider_of(model)
    if provider not in SEARCH_TOOLS:
        raise ValueError(
            f"tools can be searched for with {' and '.join(SEARCH_TOOLS)}, and the agent's model is of {provider!r}; "
            "leave ProviderToolSearchMiddleware out, or use LLMToolSelectorMiddleware"
        )
    return dict(SEARCH_TOOLS[provider])
