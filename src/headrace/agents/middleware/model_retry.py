"""Calling the model again when the call failed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from langchain_core.messages import AIMessage

from headrace.agents.middleware.backoff import Backoff, OnFailure, RetryOn, checked_on_failure, every_error
from headrace.agents.middleware.base import AgentMiddleware, ContextT, ResponseT, StateT
from headrace.agents.request import ModelCallResult, ModelRequest, ModelResponse
from headrace.prebuilt.tool_errors import described


class ModelRetryMiddleware(AgentMiddleware[StateT, ContextT, ResponseT]):
    """Calls the model up to `max_retries` times again, after pauses that grow by `backoff_factor`.

    `retry_on`: exception types, or a function of the error; other errors are raised at once. `on_failure`, after the
    last attempt: "continue" makes the agent's answer a message that tells of the error, "error" raises it, a function
    of the error returns the text of the answer. Delays in seconds. Tokens of a failed attempt have been streamed;
    the message of the next one has another id. ValueError for settings that cannot be.
    """

    def __init__(
        self,
        *,
        max_retries: int = 2,
        retry_on: RetryOn = every_error,
        on_failure: OnFailure = "continue",
        backoff_factor: float = 2.0,
        initial_delay: float = 1.0,
        max_delay: float = 60.0,
        jitter: bool = True,
    ) -> None:
        self.on_failure = checked_on_failure(on_failure)
        self.backoff = Backoff(
            max_retries=max_retries, retry_on=retry_on, backoff_factor=backoff_factor, initial_delay=initial_delay,
            max_delay=max_delay, jitter=jitter,
        )  # fmt: skip

    def wrap_model_call(
        self, request: ModelRequest, handler: Callable[[ModelRequest], ModelResponse[ResponseT]]
    ) -> ModelCallResult[ResponseT]:
        return self.backoff.call(lambda: handler(request), self.failed)

    async def awrap_model_call(
        self, request: ModelRequest, handler: Callable[[ModelRequest], Awaitable[ModelResponse[ResponseT]]]
    ) -> ModelCallResult[ResponseT]:
        return await self.backoff.acall(lambda: handler(request), self.failed)

    def failed(self, error: Exception, attempts: int) -> ModelResponse[Any]:
        """The response in place of the last error, or the error."""
        if self.on_failure == "error":
            raise error
        if callable(self.on_failure):
            return ModelResponse([AIMessage(self.on_failure(error))])
        times = "once" if attempts == 1 else f"{attempts} times"
        return ModelResponse([AIMessage(f"The model was called {times} and gave no answer. {described(error)}")])
