"""Handlers that want to know when a graph pauses and when it goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.callbacks.manager import ahandle_event, handle_event

from headrace.types import Interrupt

if TYPE_CHECKING:
    from headrace.engine.run import Run

GraphLifecycleStatus = Literal["pending", "interrupt_before", "interrupt_after"]
"""Why a graph pauses: a node asked something, or the caller wanted a pause before or after a node."""


@dataclass(frozen=True)
class GraphInterruptEvent:
    """A graph has paused. Told once, of the outermost graph, with the questions of its subgraphs."""

    run_id: UUID | None
    """The callback run of the graph."""
    status: GraphLifecycleStatus
    checkpoint_id: str
    """The checkpoint to go on from; empty without a checkpointer."""
    checkpoint_ns: tuple[str, ...]
    """Which graph: as the namespace of stream events."""
    interrupts: tuple[Interrupt, ...]
    """The questions; none for a pause that the caller wanted."""


@dataclass(frozen=True)
class GraphResumeEvent:
    """A graph goes on from a checkpoint. Subgraphs that go on with it tell of themselves."""

    run_id: UUID | None
    status: GraphLifecycleStatus
    checkpoint_id: str
    checkpoint_ns: tuple[str, ...]


class GraphCallbackHandler(BaseCallbackHandler):
    """A callback handler that is also told of pauses; its methods may be async.

    Their errors are logged and do no harm, as langchain-core's, unless `raise_error` is set.
    """

    def on_interrupt(self, event: GraphInterruptEvent) -> Any:
        """The graph has paused."""

    def on_resume(self, event: GraphResumeEvent) -> Any:
        """The graph goes on."""


async def tell_interrupt(manager: Any, run: Run, sync: bool) -> None:
    """Say that a run has paused."""
    assert run.pause
    event = GraphInterruptEvent(manager.run_id, run.pause, run.checkpoint_id, run.ns, tuple(run.interrupts))
    await tell(manager, "on_interrupt", event, sync)


async def tell_resume(manager: Any, run: Run, sync: bool) -> None:
    """Say that a run goes on."""
    event = GraphResumeEvent(manager.run_id, "pending", run.checkpoint_id, run.ns)
    await tell(manager, "on_resume", event, sync)


async def tell(manager: Any, what: str, event: Any, sync: bool) -> None:
    handlers = [handler for handler in manager.handlers if isinstance(handler, GraphCallbackHandler)]
    if sync:
        handle_event(handlers, what, None, event)  # type: ignore[arg-type] # a list of a subclass, only read
    else:
        await ahandle_event(handlers, what, None, event)  # type: ignore[arg-type]
