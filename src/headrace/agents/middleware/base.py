"""What takes part in an agent: hooks before and after, wrappers around calls, state and tools of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from langchain_core.tools import BaseTool
from typing_extensions import TypeVar as DefaultTypeVar

from headrace.agents.request import ModelCallResult, ModelRequest, ModelResponse
from headrace.agents.state import AgentState, JumpTo
from headrace.prebuilt.tool_call import Answer, ToolCallRequest
from headrace.types import TracePolicy

if TYPE_CHECKING:
    from headrace.runtime import Runtime

StateT = DefaultTypeVar("StateT", default=Any)
ContextT = DefaultTypeVar("ContextT", default=Any)
ResponseT = DefaultTypeVar("ResponseT", default=Any)
F = TypeVar("F", bound=Callable[..., Any])


class AgentMiddleware(Generic[StateT, ContextT, ResponseT]):
    """Subclass it and write the hooks that you need; each has a sync and an async form.

    Several middlewares: `before_*` run in their order, `after_*` in the reverse order, and of the wrappers the first
    is the outermost. A hook with only a sync form runs in a thread under asyncio; one with only an async form cannot
    be used by `invoke` and `stream`.

    A hook returns an update of the state, a `Command`, or None. To leave the usual order it sets `jump_to` in the
    update ("model", "tools" or "end"), which must be announced: `@hook_config(can_jump_to=["end"])`.
    """

    state_schema: Any = AgentState
    """A TypedDict with the keys that it adds to the state."""
    tools: Sequence[BaseTool] = ()
    """Tools that it adds to the agent's."""
    trace_policy: TracePolicy | None = None

    @property
    def name(self) -> str:
        """Unique in an agent; its nodes are called `name.before_model` and so on."""
        return type(self).__name__

    @property
    def named_tools(self) -> Collection[str]:
        """The tools that its settings name. `create_agent` refuses names that no tool of the agent has, since a setting
        for such a tool does nothing; a subclass for tools that only come with a request returns none."""
        return ()

    def before_agent(self, state: StateT, runtime: Runtime[ContextT]) -> Any:
        """Once, when a run begins."""

    async def abefore_agent(self, state: StateT, runtime: Runtime[ContextT]) -> Any:
        """`before_agent` for asyncio."""

    def before_model(self, state: StateT, runtime: Runtime[ContextT]) -> Any:
        """Before each call of the model."""

    async def abefore_model(self, state: StateT, runtime: Runtime[ContextT]) -> Any:
        """`before_model` for asyncio."""

    def after_model(self, state: StateT, runtime: Runtime[ContextT]) -> Any:
        """After each call of the model, before its tool calls are made."""

    async def aafter_model(self, state: StateT, runtime: Runtime[ContextT]) -> Any:
        """`after_model` for asyncio."""

    def after_agent(self, state: StateT, runtime: Runtime[ContextT]) -> Any:
        """Once, when the agent has its answer."""

    async def aafter_agent(self, state: StateT, runtime: Runtime[ContextT]) -> Any:
        """`after_agent` for asyncio."""

    def wrap_model_call(
        self, request: ModelRequest, handler: Callable[[ModelRequest], ModelResponse[ResponseT]]
    ) -> ModelCallResult[ResponseT]:
        """Around the call of the model: call `handler` with this request or another, again after an error, or not."""
        raise NotImplementedError(type(self).__name__)

    async def awrap_model_call(
        self, request: ModelRequest, handler: Callable[[ModelRequest], Awaitable[ModelResponse[ResponseT]]]
    ) -> ModelCallResult[ResponseT]:
        """`wrap_model_call` for asyncio."""
        raise NotImplementedError(type(self).__name__)

    def wrap_tool_call(self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Answer]) -> Answer:
        """Around each call of a tool. An error of the tool comes out of `handler`; bad arguments are answered there."""
        raise NotImplementedError(type(self).__name__)

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Answer]]
    ) -> Answer:
        """`wrap_tool_call` for asyncio."""
        raise NotImplementedError(type(self).__name__)

    def written(self, hook: str) -> Any:
        """The hook, if the class has one of its own."""
        return getattr(self, hook) if getattr(type(self), hook) is not getattr(AgentMiddleware, hook) else None

    PAIRS: ClassVar[dict[str, str]] = {
        name: f"a{name}"
        for name in ("before_agent", "before_model", "after_model", "after_agent", "wrap_model_call", "wrap_tool_call")
    }
    """The sync hooks with their async forms."""


def hook_config(*, can_jump_to: list[JumpTo] | None = None) -> Callable[[F], F]:
    """Announces where a hook may jump to."""

    def mark(hook: F) -> F:
        if can_jump_to:
            hook.__can_jump_to__ = list(can_jump_to)  # type: ignore[attr-defined]
        return hook

    return mark


def jumps_of(*hooks: Any) -> tuple[JumpTo, ...]:
    """Where the forms of a hook may jump to."""
    found: dict[JumpTo, None] = {}
    for hook in hooks:
        found.update(dict.fromkeys(getattr(hook, "__can_jump_to__", ())))
    return tuple(found)


def unknown_tools(middleware: AgentMiddleware[Any, Any, Any], known: Collection[str]) -> list[str]:
    """What is wrong with the tools that a middleware names, where an agent has tools of the known names."""
    return [
        f"{middleware.name} names the tool {name!r}, which the agent does not have; {instead(name, known)}"
        for name in sorted({*middleware.named_tools}.difference(known))
    ]


def instead(name: str, known: Collection[str]) -> str:
    """What may have been meant."""
    close = get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"its tools are: {', '.join(map(repr, known)) or 'none'}"
