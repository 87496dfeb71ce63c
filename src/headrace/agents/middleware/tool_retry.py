"""Calling a tool again when the call failed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool

from headrace.agents.middleware.backoff import Backoff, OnFailure, RetryOn, checked_on_failure, every_error
from headrace.agents.middleware.base import AgentMiddleware, ContextT, ResponseT, StateT
from headrace.agents.middleware.chosen_tools import names_of
from headrace.prebuilt.tool_call import Answer, ToolCallRequest, refusal
from headrace.prebuilt.tool_errors import described, insisting


class ToolRetryMiddleware(AgentMiddleware[StateT, ContextT, ResponseT]):
    """Calls a tool up to `max_retries` times again, after pauses that grow by `backoff_factor`.

    `tools`: the tools that it is about, or their names; None: all. `retry_on`: exception types, or a function of the
    error; for other errors nothing changes. `on_failure`, after the last attempt: "continue" tells the model of the
    error, a function of the error returns the text that it is told, "error" fails the run with it, also where the
    agent tells its model of tools' errors otherwise. Bad arguments are the model's to mend and are not tried again.
    Delays in seconds. For one tool's own limits of time and attempts see `ToolPolicy`. ValueError for settings that
    cannot be.
    """

    def __init__(
        self,
        *,
        max_retries: int = 2,
        tools: Sequence[BaseTool | str] | None = None,
        retry_on: RetryOn = every_error,
        on_failure: OnFailure = "continue",
        backoff_factor: float = 2.0,
        initial_delay: float = 1.0,
        max_delay: float = 60.0,
        jitter: bool = True,
    ) -> None:
        self.chosen = names_of(tools)
        self.on_failure = checked_on_failure(on_failure)
        self.backoff = Backoff(
            max_retries=max_retries, retry_on=retry_on, backoff_factor=backoff_factor, initial_delay=initial_delay,
            max_delay=max_delay, jitter=jitter,
        )  # fmt: skip

    @property
    def named_tools(self) -> frozenset[str]:
        return self.chosen or frozenset()

    def wrap_tool_call(self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Answer]) -> Answer:
        if self.chosen is not None and request.tool_call["name"] not in self.chosen:
            return handler(request)
        return self.backoff.call(lambda: handler(request), lambda error, tried: self.failed(request, error, tried))

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Answer]]
    ) -> Answer:
        if self.chosen is not None and request.tool_call["name"] not in self.chosen:
            return await handler(request)
        return await self.backoff.acall(
            lambda: handler(request), lambda error, tried: self.failed(request, error, tried)
        )

    def failed(self, request: ToolCallRequest, error: Exception, attempts: int) -> ToolMessage:
        """The answer in place of the last error, or the error."""
        with insisting():
            if self.on_failure == "error":
                raise error
            if callable(self.on_failure):
                return refusal(request.tool_call, self.on_failure(error))
        times = "once" if attempts == 1 else f"{attempts} times"
        return refusal(request.tool_call, f"Error: this call was made {times} and failed. {described(error)}")
