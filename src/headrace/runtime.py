"""The run's dependencies and facts, as a node sees them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Generic

from typing_extensions import TypeVar

from headrace.config import discard, running_task

ContextT = TypeVar("ContextT", default=None)


def no_heartbeat() -> None:
    """The heartbeat of a node without an idle timeout."""


@dataclass(frozen=True)
class ExecutionInfo:
    """Where a node runs: read-only facts."""

    checkpoint_id: str
    checkpoint_ns: str
    task_id: str
    thread_id: str | None = None
    run_id: str | None = None
    node_attempt: int = 1
    """Counted from one; more after a retry."""
    node_first_attempt_time: float | None = None
    """Seconds since the epoch."""

    def patch(self, **changes: Any) -> ExecutionInfo:
        """A copy with these fields changed."""
        return replace(self, **changes)


@dataclass(frozen=True)
class ServerInfo:
    """What a server knows of the run."""

    assistant_id: str
    graph_id: str
    user: Any = None


class RunControl:
    """A handle on a running graph for its caller: pass it as `control=`."""

    def __init__(self) -> None:
        self._reason: str | None = None

    def request_drain(self, reason: str = "shutdown") -> None:
        """Ask the run to stop before its next super-step; it raises `GraphDrained` there. From any thread."""
        self._reason = reason

    @property
    def drain_requested(self) -> bool:
        return self._reason is not None

    @property
    def drain_reason(self) -> str | None:
        return self._reason


@dataclass(frozen=True)
class Runtime(Generic[ContextT]):
    """What a node gets when it names a parameter `runtime`."""

    context: ContextT = None  # type: ignore[assignment]
    """What the caller passed as `context=`, as the graph's context schema."""
    store: Any = None
    """The store that the graph was compiled with."""
    stream_writer: Callable[[Any], None] = discard
    heartbeat: Callable[[], None] = no_heartbeat
    """Tells the node's idle timeout that it is alive."""
    previous: Any = None
    """The return value of the last run on this thread (functional API)."""
    execution_info: ExecutionInfo | None = None
    server_info: ServerInfo | None = None
    control: RunControl | None = field(default=None, repr=False)

    @property
    def drain_requested(self) -> bool:
        return self.control is not None and self.control.drain_requested

    @property
    def drain_reason(self) -> str | None:
        return self.control.drain_reason if self.control is not None else None

    def override(self, **changes: Any) -> Runtime[ContextT]:
        """A copy with these fields changed."""
        return replace(self, **changes)

    def merge(self, other: Runtime[ContextT]) -> Runtime[ContextT]:
        """A copy in which what `other` sets wins."""
        default = DEFAULT_RUNTIME
        return replace(
            self,
            **{
                name: getattr(other, name)
                for name in self.__dataclass_fields__
                if getattr(other, name) is not getattr(default, name)
            },
        )


DEFAULT_RUNTIME: Runtime[Any] = Runtime()
"""A runtime in which nothing is set."""


def get_runtime(context_schema: type[ContextT] | None = None) -> Runtime[ContextT]:
    """The runtime of the running node; `context_schema` only tells a type checker the context's type."""
    return running_task("get_runtime()").runtime
