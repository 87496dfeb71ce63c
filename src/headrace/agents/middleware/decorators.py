"""Middleware of one hook, made of a function."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.messages import SystemMessage
from langchain_core.tools import BaseTool

from headrace.agents.middleware.base import AgentMiddleware, hook_config
from headrace.agents.request import ModelRequest
from headrace.agents.state import AgentState, JumpTo
from headrace.engine.program import is_async
from headrace.graph.node import name_of


def made(
    hook: str,
    function: Callable[..., Any],
    state_schema: Any = None,
    tools: Sequence[BaseTool] | None = None,
    can_jump_to: list[JumpTo] | None = None,
    name: str | None = None,
) -> AgentMiddleware[Any, Any, Any]:
    """A middleware whose hook is the function, in the form that it has."""
    title = name or name_of(function)

    if is_async(function):

        @functools.wraps(function)
        async def asynchronous(self: Any, *args: Any) -> Any:
            return await function(*args)

        method: Any = asynchronous
    else:

        @functools.wraps(function)
        def method(self: Any, *args: Any) -> Any:
            return function(*args)

    members = {
        AgentMiddleware.PAIRS[hook] if is_async(function) else hook: hook_config(can_jump_to=can_jump_to)(method),
        "state_schema": state_schema or AgentState,
        "tools": list(tools or ()),
        "name": property(lambda self: title),
        "__doc__": function.__doc__,
    }
    kind: type[AgentMiddleware[Any, Any, Any]] = type(title, (AgentMiddleware,), members)
    return kind()


def hook(name: str, doc: str) -> Callable[..., Any]:
    """A decorator for functions of state and runtime; to be used as it is, or called with settings."""
    place = name

    def decorate(
        func: Callable[..., Any] | None = None,
        *,
        state_schema: Any = None,
        tools: Sequence[BaseTool] | None = None,
        can_jump_to: list[JumpTo] | None = None,
        name: str | None = None,
    ) -> Any:
        make = functools.partial(
            made, place, state_schema=state_schema, tools=tools, can_jump_to=can_jump_to, name=name
        )
        return make if func is None else make(func)

    decorate.__name__, decorate.__doc__ = place, doc
    return decorate


def wrapper(name: str, doc: str) -> Callable[..., Any]:
    """A decorator for functions of request and handler, which lead nowhere."""
    decorate = hook(name, doc)

    def wrap(
        func: Callable[..., Any] | None = None,
        *,
        state_schema: Any = None,
        tools: Sequence[BaseTool] | None = None,
        name: str | None = None,
    ) -> Any:
        return decorate(func, state_schema=state_schema, tools=tools, name=name)

    wrap.__name__, wrap.__doc__ = decorate.__name__, doc
    return wrap


before_agent = hook("before_agent", "A function of state and runtime as a hook that runs once, when a run begins.")
before_model = hook(
    "before_model", "A function of state and runtime as a hook that runs before each call of the model."
)
after_model = hook("after_model", "A function of state and runtime as a hook that runs after each call of the model.")
after_agent = hook("after_agent", "A function of state and runtime as a hook that runs once the agent has its answer.")
wrap_model_call = wrapper(
    "wrap_model_call", "A function of request and handler as a wrapper around each call of the model."
)
wrap_tool_call = wrapper("wrap_tool_call", "A function of request and handler as a wrapper around each call of a tool.")


def dynamic_prompt(func: Callable[..., Any] | None = None) -> Any:
    """A function of the request that returns the system prompt, a text or a `SystemMessage`, for each call."""
    if func is None:
        return dynamic_prompt
    function = func

    def prompted(request: ModelRequest, prompt: str | SystemMessage) -> ModelRequest:
        if not isinstance(prompt, (str, SystemMessage)):
            raise TypeError(f"{name_of(function)} returned {prompt!r}; a dynamic prompt is a text or a SystemMessage")
        return request.override(system_message=SystemMessage(prompt) if isinstance(prompt, str) else prompt)

    if is_async(function):

        @functools.wraps(function)
        async def awrap(request: ModelRequest, handler: Any) -> Any:
            return await handler(prompted(request, await function(request)))

        return made("wrap_model_call", awrap)

    @functools.wraps(function)
    def wrap(request: ModelRequest, handler: Any) -> Any:
        return handler(prompted(request, function(request)))

    @functools.wraps(function)
    async def both(request: ModelRequest, handler: Any) -> Any:
        return await handler(prompted(request, function(request)))

    middleware = made("wrap_model_call", wrap)
    type(middleware).awrap_model_call = lambda self, request, handler: both(request, handler)  # type: ignore[method-assign]
    return middleware
