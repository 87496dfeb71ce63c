"""The words that nodes, callers and the engine share: commands, sends, interrupts, policies, snapshots."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, Union

from typing_extensions import TypedDict, TypeVar

from headrace import ids
from headrace.config import RunnableConfig, running_task

if TYPE_CHECKING:
    from headrace.checkpoint.base import BaseCheckpointSaver, CheckpointMetadata

N = TypeVar("N", bound=Hashable, default=str)
OutputT = TypeVar("OutputT", default=Any)

StreamMode = Literal[
    "values", "updates", "checkpoints", "tasks", "debug", "messages", "custom", "tools", "structured"
]  # fmt: skip
Durability = Literal["sync", "async", "exit"]
"""When a checkpoint is stored: before the next step starts, while it runs, or once at the end of the run."""
All = Literal["*"]
"""Every node."""
Checkpointer = Union[bool, "BaseCheckpointSaver[Any]", None]
"""A saver; True: a subgraph keeps its own history; None: a subgraph uses its parent's saver; False: none at all."""
StreamWriter = Callable[[Any], None]


class StreamPart(TypedDict, total=False):
    """One event of `stream(..., version="v2")`."""

    type: StreamMode
    ns: tuple[str, ...]
    """The subgraph it comes from, outermost first, as `node:task id`; empty for the graph itself."""
    data: Any
    interrupts: tuple[Interrupt, ...]
    """Only in `values` parts."""


class _Unset:
    """No value: unlike None, which is one."""

    def __repr__(self) -> str:
        return "<nothing>"

    def __bool__(self) -> bool:
        return False


MISSING: Any = _Unset()


@dataclass(frozen=True)
class Interrupt:
    """A question that a node asked its caller with `interrupt(value)`."""

    value: Any
    id: str = "placeholder-id"
    """Names the question in `Command(resume={id: answer})`; the same each time the node asks it again."""
    response_schema: Any = field(default=None, kw_only=True)
    """What the answer must look like: a type or a JSON schema."""


@dataclass(frozen=True)
class Send:
    """A task of its own for `node` in the next super-step, with `arg` as its input instead of the state."""

    node: str
    arg: Any
    timeout: float | timedelta | TimeoutPolicy | None = field(default=None, kw_only=True)


@dataclass(frozen=True, kw_only=True)
class Command(Generic[N]):
    """What a node returns to update the state and to say where to go; what a caller passes to answer an interrupt."""

    graph: str | None = None
    """Which graph it is for: None for this one, `Command.PARENT` for the one above."""
    update: Any = None
    resume: Any = None
    """The answer to the pending interrupt, or answers by interrupt id."""
    goto: Send | Sequence[Send | N] | N = ()

    PARENT = "__parent__"

    def __repr__(self) -> str:
        said = (field for field in fields(self) if getattr(self, field.name) not in (None, ()))
        return f"Command({', '.join(f'{field.name}={getattr(self, field.name)!r}' for field in said)})"


@dataclass(frozen=True)
class Overwrite:
    """A write that replaces a channel's value instead of going through its reducer; one per step and channel."""

    value: Any
    type: Literal["__overwrite__"] = "__overwrite__"


@dataclass(frozen=True)
class GraphOutput(Generic[OutputT]):
    """What `invoke(..., version="v2")` returns."""

    value: OutputT
    interrupts: tuple[Interrupt, ...] = ()


class StateUpdate(NamedTuple):
    """One write of `bulk_update_state`."""

    values: dict[str, Any] | None
    as_node: str | None = None
    task_id: str | None = None


class PregelTask(NamedTuple):
    """A task of a checkpoint's next super-step."""

    id: str
    name: str
    path: tuple[Any, ...]
    error: Any = None
    interrupts: tuple[Interrupt, ...] = ()
    state: RunnableConfig | StateSnapshot | None = None
    """A subgraph's config, or its state where subgraphs were asked for."""
    result: Any = None
    """What the task returned, if it finished."""


class StateSnapshot(NamedTuple):
    """The state of a thread at one checkpoint."""

    values: Any
    next: tuple[str, ...]
    """The nodes that are due."""
    config: RunnableConfig
    metadata: CheckpointMetadata | None
    created_at: str | None
    parent_config: RunnableConfig | None
    tasks: tuple[PregelTask, ...]
    interrupts: tuple[Interrupt, ...]


def retry_by_default(error: BaseException) -> bool:
    """Whether an error is likely to pass: connections and servers' 5xx yes, mistakes in code no."""
    mistakes = (
        ValueError, TypeError, ArithmeticError, ImportError, LookupError, NameError, SyntaxError, RuntimeError,
        ReferenceError, StopIteration, StopAsyncIteration, OSError,
    )  # fmt: skip
    if isinstance(error, (ConnectionError, TimeoutError)):
        return True
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(status, int):
        return status >= 500
    return not isinstance(error, mistakes)


class RetryPolicy(NamedTuple):
    """When and how often a failed node runs again. Times in seconds."""

    initial_interval: float = 0.5
    backoff_factor: float = 2.0
    max_interval: float = 128.0
    max_attempts: int = 3
    """Attempts in all, the first included."""
    jitter: bool = True
    """Adds up to a second, at random, so that many runs do not come back at once."""
    retry_on: type[Exception] | Collection[type[Exception]] | Callable[[Exception], bool] = retry_by_default

    def covers(self, error: Exception) -> bool:
        """Whether this policy is about `error`."""
        if isinstance(self.retry_on, type):
            return isinstance(error, self.retry_on)
        if callable(self.retry_on):
            return self.retry_on(error)
        return isinstance(error, tuple(self.retry_on))

    def wait(self, attempt: int, chance: float) -> float:
        """Seconds before the attempt after number `attempt`; `chance` in [0, 1) is the jitter."""
        interval = min(self.max_interval, self.initial_interval * self.backoff_factor ** (attempt - 1))
        return interval + chance if self.jitter else interval


def cache_key(*args: Any, **kwargs: Any) -> str:
    """Names an input by its content: two inputs that print the same are the same. Objects need a telling repr."""
    return ids.digest(f"{_frozen(args)} {_frozen(kwargs)}")


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return dict(sorted((repr(key), _frozen(item)) for key, item in value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, (set, frozenset)):
        return {"set": sorted(map(repr, value))}  # no repr of a key is `set`, no list of the same items looks like it
    return repr(value)


@dataclass(frozen=True, kw_only=True)
class CachePolicy:
    """A node whose result is kept and given again for the same input."""

    key_func: Callable[..., str | bytes] = cache_key
    ttl: int | None = None
    """Seconds; None: for ever."""


def _seconds(value: float | timedelta | None) -> float | None:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if seconds is not None and seconds <= 0:
        raise ValueError(f"a timeout must be longer than nothing, got {value!r}")
    return seconds


@dataclass(frozen=True, kw_only=True)
class TimeoutPolicy:
    """How long one attempt of a node may take, and how long it may be silent. Seconds or timedelta."""

    run_timeout: float | timedelta | None = None
    idle_timeout: float | timedelta | None = None
    refresh_on: Literal["auto", "heartbeat"] = "auto"
    """What counts as a sign of life: with `auto` every event of the node, and always `runtime.heartbeat()`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "run_timeout", _seconds(self.run_timeout))
        object.__setattr__(self, "idle_timeout", _seconds(self.idle_timeout))

    @classmethod
    def of(cls, value: float | timedelta | TimeoutPolicy | None) -> TimeoutPolicy | None:
        """The policy that a plain number of seconds, or a timedelta, stands for."""
        return value if value is None or isinstance(value, TimeoutPolicy) else cls(run_timeout=value)


@dataclass(frozen=True, kw_only=True)
class TracePolicy:
    """What a node shows of its input and output to callbacks."""

    process_inputs: Callable[[Any], Any] | None = None
    process_outputs: Callable[[Any], Any] | None = None


def interrupt(value: Any, *, response_schema: Any = None) -> Any:
    """Pause the run and ask its caller something; the answer, once there is one.

    The first call stops the node; the run ends with the question in its events and in the thread's state. When
    the caller resumes with `Command(resume=answer)` the node runs again from its start and this call returns the
    answer. Several calls in one node are answered in their order. Without a checkpointer the question is told, but
    nobody can answer it.
    """
    return running_task("interrupt()").ask(value, response_schema)


def as_json(interrupt: Interrupt) -> dict[str, Any]:
    """An interrupt as `tasks` and `debug` events show it."""
    return asdict(interrupt)


__all__ = [
    "MISSING", "All", "CachePolicy", "Checkpointer", "Command", "Durability", "GraphOutput", "Interrupt", "Overwrite",
    "PregelTask", "RetryPolicy", "Send", "StateSnapshot", "StateUpdate", "StreamMode", "StreamPart", "StreamWriter",
    "TimeoutPolicy", "TracePolicy", "interrupt",
]  # fmt: skip
