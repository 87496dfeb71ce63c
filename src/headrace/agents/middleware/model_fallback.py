"""Other models for when the agent's own fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from langchain_core.language_models import BaseChatModel

from headrace.agents.middleware.base import AgentMiddleware, ContextT, ResponseT, StateT
from headrace.agents.middleware.model_facts import model_of
from headrace.agents.request import ModelCallResult, ModelRequest, ModelResponse


class ModelFallbackMiddleware(AgentMiddleware[StateT, ContextT, ResponseT]):
    """When a call of the model fails, makes the same call with the next of these models, in their order.

    Models are given as themselves or by name ("openai:gpt-4o-mini"). Each call begins with the agent's own model. If
    all fail, the last error is raised. ValueError for what is no model.
    """

    def __init__(self, first_model: str | BaseChatModel, *additional_models: str | BaseChatModel) -> None:
        self.models = [model_of(model, "ModelFallbackMiddleware") for model in (first_model, *additional_models)]

    def wrap_model_call(
        self, request: ModelRequest, handler: Callable[[ModelRequest], ModelResponse[ResponseT]]
    ) -> ModelCallResult[ResponseT]:
        *first, last = self.requests(request)
        for one in first:
            try:
                return handler(one)
            except Exception:
                continue
        return handler(last)

    async def awrap_model_call(
        self, request: ModelRequest, handler: Callable[[ModelRequest], Awaitable[ModelResponse[ResponseT]]]
    ) -> ModelCallResult[ResponseT]:
        *first, last = self.requests(request)
        for one in first:
            try:
                return await handler(one)
            except Exception:
                continue
        return await handler(last)

    def requests(self, request: ModelRequest) -> list[ModelRequest]:
        """The request to each of the models, the agent's own first."""
        return [request, *(request.override(model=model) for model in self.models)]
