"""What a tool is given beside the model's arguments: the state, the store, the runtime. Models never see these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Generic

from langchain_core.tools import InjectedToolArg
from langchain_core.tools.base import _DirectlyInjectedToolArg
from pydantic_core import core_schema
from typing_extensions import TypeVar

from headrace.config import RunnableConfig, discard

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from headrace.runtime import ExecutionInfo, ServerInfo

ContextT = TypeVar("ContextT", default=Any)
StateT = TypeVar("StateT", default=Any)


class InjectedState(InjectedToolArg):
    """Marks a tool's parameter that gets the graph's state, or one key of it.

    `state: Annotated[dict, InjectedState]`, `user: Annotated[str, InjectedState("user")]`. Without that key in the
    state the call fails, unless the parameter has a default.
    """

    def __init__(self, field: str | None = None) -> None:
        self.field = field


class InjectedStore(InjectedToolArg):
    """Marks a tool's parameter that gets the graph's store: `store: Annotated[Any, InjectedStore()]`."""


class Unread(InjectedToolArg):
    """What is neither validated nor dumped with a tool's other arguments."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        ignored = core_schema.plain_serializer_function_ser_schema(lambda _: None)
        return core_schema.any_schema(serialization=ignored)


@dataclass
class ToolRuntime(Unread, _DirectlyInjectedToolArg, Generic[ContextT, StateT]):
    """What a tool with a parameter `runtime: ToolRuntime` gets, made for each call."""

    state: StateT
    """The graph's state as the step of this call found it; the tool's to keep, not to write to."""
    context: ContextT
    """What the caller of the run passed as `context=`."""
    config: RunnableConfig
    stream_writer: Callable[[Any], None]
    """Puts a value on the `custom` stream."""
    tool_call_id: str | None
    store: Any
    tools: list[BaseTool] = field(default_factory=list)
    """The tools that can be called beside this one."""
    execution_info: ExecutionInfo | None = None
    server_info: ServerInfo | None = None
    emit: Callable[[str, Any], None] | None = field(default=None, repr=False, compare=False)
    """Puts an event of a mode on the stream; None outside a graph."""

    if not TYPE_CHECKING:

        def __class_getitem__(cls, types: Any) -> Any:
            """With a mark for Pydantic, which else validates and dumps it like any dataclass, the whole state in it."""
            alias = super().__class_getitem__(types)
            marked = Annotated[alias, Unread]
            marked.__mro_entries__ = alias.__mro_entries__  # so that it can be subclassed
            return marked

    def emit_output_delta(self, delta: Any) -> None:
        """Stream a part of the tool's output before it is whole, as `tool-output-delta` in mode `tools`.

        It does not become part of the result; nothing happens when nobody asked for that mode.
        """
        if self.emit is not None:
            self.emit("tools", {"event": "tool-output-delta", "tool_call_id": self.tool_call_id, "delta": delta})


def bare_runtime(config: RunnableConfig, tool_call_id: str | None, state: Any, tools: list[BaseTool]) -> ToolRuntime:
    """The runtime of a call outside a graph."""
    return ToolRuntime(state, None, config, discard, tool_call_id, None, tools)
