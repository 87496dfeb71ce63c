"""Telling the model of a tool's error in words of one's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeAlias

from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool

from headrace.agents.middleware.base import AgentMiddleware, ContextT, ResponseT, StateT
from headrace.agents.middleware.chosen_tools import names_of
from headrace.engine.program import is_async
from headrace.prebuilt.injection import ToolInjectionError
from headrace.prebuilt.loop_thread import wait_for
from headrace.prebuilt.tool_call import Answer, ToolCallRequest
from headrace.prebuilt.tool_errors import InvalidAnswerError, insisting

Content: TypeAlias = str | list[str | dict[str, Any]]
OnError: TypeAlias = Callable[[Exception, ToolCallRequest], Content | None]
AOnError: TypeAlias = Callable[[Exception, ToolCallRequest], Coroutine[Any, Any, Content | None]]

CALLERS = (ToolInjectionError, InvalidAnswerError)
"""Errors that no model can mend: of the graph's author, and of the caller."""


class ToolErrorMiddleware(AgentMiddleware[StateT, ContextT, ResponseT]):
    """Asks a function what the model is to be told of a tool's error, in a message with `status="error"`.

    `on_error(error, request)` returns the content of the message; None leaves the error as it is, to other middleware
    and to the agent. `aon_error` is its form for asyncio; either may stand alone and then serves sync and async runs.
    `tools`: the tools that it is about, or their names; None: all. Bad arguments are answered before it sees them.
    ValueError without a function, and for a coroutine function as `on_error`.
    """

    def __init__(
        self,
        on_error: OnError | None = None,
        *,
        aon_error: AOnError | None = None,
        tools: Sequence[BaseTool | str] | None = None,
    ) -> None:
        if on_error is None and aon_error is None:
            raise ValueError("ToolErrorMiddleware needs a function that says what to tell the model: pass on_error")
        if is_async(on_error):
            raise ValueError(f"on_error is a plain function, got {on_error!r}; pass a coroutine function as aon_error")
        self.on_error, self.aon_error = on_error, aon_error
        self.chosen = names_of(tools)

    @property
    def named_tools(self) -> frozenset[str]:
        return self.chosen or frozenset()

    def wrap_tool_call(self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Answer]) -> Answer:
        try:
            return handler(request)
        except Exception as error:
            if not self.handles(error, request):
                raise
            content = self.content(error, request)
            if content is None:
                raise
            return told(content, request)

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Answer]]
    ) -> Answer:
        try:
            return await handler(request)
        except Exception as error:
            if not self.handles(error, request):
                raise
            content = await self.acontent(error, request)
            if content is None:
                raise
            return told(content, request)

    def handles(self, error: Exception, request: ToolCallRequest) -> bool:
        """Whether this is an error that it is about."""
        chosen = self.chosen is None or request.tool_call["name"] in self.chosen
        return chosen and not isinstance(error, CALLERS)

    def content(self, error: Exception, request: ToolCallRequest) -> Content | None:
        """What the model is to be told; an error of the function is its author's to see."""
        with insisting():
            if self.on_error is not None:
                return self.on_error(error, request)
            aon_error = self.aon_error
            assert aon_error is not None
            return wait_for(lambda: aon_error(error, request))

    async def acontent(self, error: Exception, request: ToolCallRequest) -> Content | None:
        with insisting():
            if self.aon_error is not None:
                return await self.aon_error(error, request)
            assert self.on_error is not None
            return self.on_error(error, request)


def told(content: Content, request: ToolCallRequest) -> ToolMessage:
    """The message to the model."""
    call = request.tool_call
    return ToolMessage(content, name=call["name"], tool_call_id=call["id"] or "", status="error")
