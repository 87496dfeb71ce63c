"""The state of one run. `apply` changes its values; the loop moves its step; nothing else writes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import Context, copy_context
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from headrace import ids
from headrace.config import RunnableConfig
from headrace.engine.program import Program
from headrace.runtime import RunControl, Runtime
from headrace.stream.events import Put
from headrace.types import All, Durability, Interrupt

if TYPE_CHECKING:
    from headrace.cache.base import BaseCache
    from headrace.checkpoint.base import BaseCheckpointSaver
    from headrace.engine.task import Task
    from headrace.guest import Guest
    from headrace.stream.outlet import AsyncOutlet, Outlet

FIRST_STEP = -2
"""The step before the input's, on a thread without a history."""


class Run:
    """One run of a program: where it stands, what it knows, who listens."""

    # Defaults stand in the class: most runs never set them, and a run of one step should cost little more than it.

    parent: Task | None = None
    """The task it runs in, if it is a subgraph's."""
    ns: tuple[str, ...] = ()

    # where it stands
    changed: tuple[str, ...] = ()
    """The channels that the last step wrote: what `plan` goes by."""
    written: tuple[str, ...] = ()
    transient: frozenset[str] = frozenset()
    """Keys whose value goes away with a step that does not write it."""
    mutable: frozenset[str] = frozenset()
    """Keys whose value is a container: copied before it is handed out."""
    step = FIRST_STEP
    first_step = 0
    stop_at = 0
    """The last step that may run."""
    limit = 0
    """How many steps may run."""
    active: list[Task] = []  # noqa: RUF012 - replaced, never changed
    """The tasks of the running step."""
    interrupts: tuple[Interrupt, ...] = ()
    suspended = False
    """A task of the last step asked something, so the step was not applied."""
    pause: Literal["", "pending", "interrupt_before", "interrupt_after"] = ""
    """Why it ended before its end: a question, or a place where its caller wanted a pause."""
    stopped = False
    over = False
    """Its loop has ended."""
    endings: tuple[Callable[[], None], ...] = ()
    """Called when it is over or stopped, perhaps twice, from any thread: they free what nodes hold, and never raise."""

    # how it is run
    pulled = False
    """Whether its consumer gets events only at a pause."""
    paced = False
    """Whether it waits for its consumer before each step."""
    interrupt_before: All | Sequence[str] = ()
    interrupt_after: All | Sequence[str] = ()
    store: Any = None
    cache: BaseCache | None = None
    run_control: RunControl | None = None
    user_context: Any = None
    guest: Guest | None = None
    outlet: Outlet | AsyncOutlet | None = None
    """The consumer's queue, which holds nodes that run ahead of it."""
    sinks: tuple[tuple[frozenset[str], bool, Put], ...] = ()
    """Who listens: to which modes, whether also to subgraphs, and where to."""
    withheld = False
    """Tokens of this subgraph were asked for, but not its events."""
    memories: Mapping[tuple[str, ...], tuple[int, str]] = MappingProxyType({})
    """Which task of which step was the last to open the memory of a subgraph, by namespace: one in a step can."""
    late: frozenset[Task] = frozenset()
    """Tasks of which it was said that their code goes on after their end."""

    # how it is stored
    saver: BaseCheckpointSaver | None = None
    saver_ns = ""
    durability: Durability = "sync"
    checkpoint: Any = None
    """The last stored checkpoint's tuple."""
    checkpoint_id = ""
    upcoming = ""
    """The id of the next checkpoint, where it is stored only at the end."""
    saved_step = FIRST_STEP
    """The step of the last checkpoint, stored or not."""
    source = "loop"
    """What made it; "input" until the input is merged."""
    versions: Mapping[str, Any] = MappingProxyType({})
    unsaved: frozenset[str] = frozenset()
    """Channels written since the last checkpoint."""
    pending: Mapping[str, list[tuple[str, Any]]] = MappingProxyType({})
    """Stored writes of the tasks that are due, by task id."""
    answers: dict[str, Any] = {}  # noqa: RUF012 - replaced where there are any
    """What the caller said to interrupts, by interrupt id."""
    resuming = False
    asked: str | None = None
    """The id of the checkpoint that its config names."""
    branches: Sequence[Sequence[str]] = ()
    """Where its thread's history turned back: ids from after which, and before which, checkpoints are of no account."""
    _seed: str | None = None
    _runtime: Runtime[Any] | None = None

    def __init__(self, program: Program, input: Any, config: RunnableConfig, puts: dict[str, Put]) -> None:
        self.program = program
        self.name = program.name
        """What callbacks call it."""
        self.input = input
        self.config = config
        self.outputs = program.outputs
        self.streamed = program.streamed
        self.shown = program.shown
        """The same keys as a set."""
        self.context: Context = copy_context()
        """Nodes run in copies of it, so that their context variables reach neither the caller nor each other."""
        self.values: dict[str, Any] = {}
        self.control: dict[str, Any] = {}
        self.puts: dict[str, Put]
        """Where events of each asked mode go."""
        self.listen(puts)

    def listen(self, puts: dict[str, Put]) -> None:
        """Tell events of these modes, and nothing of others."""
        self.puts = puts
        debug = "debug" in puts
        self.tells_tasks = debug or "tasks" in puts
        self.tells_checkpoints = debug or "checkpoints" in puts

    @property
    def seed(self) -> str:
        """What the ids of the next step's tasks are derived from: the checkpoint, so that a resumed run finds them."""
        if self.upcoming or self.checkpoint_id:
            return self.upcoming or self.checkpoint_id
        if self._seed is None:
            self._seed = ids.unique() if self.parent is None else f"{self.parent.id}/{self.ns[-1]}"
        return self._seed

    @property
    def thread_id(self) -> str | None:
        value = (self.config.get("configurable") or {}).get("thread_id")
        return None if value is None else str(value)

    @property
    def run_id(self) -> str | None:
        value = self.config.get("run_id")
        if value is None and self.parent is not None:
            return self.parent.run.run_id
        return None if value is None else str(value)

    @property
    def runtime(self) -> Runtime[Any]:
        """The runtime that tasks complete with what is theirs."""
        if self._runtime is None:
            self._runtime = Runtime(
                context=self.user_context, store=self.store, previous=None, control=self.run_control
            )
        return self._runtime

    def home(self, key: str) -> dict[str, Any]:
        """The dict that holds this channel's value."""
        return self.values if key in self.program.state else self.control

    def state(self) -> dict[str, Any]:
        """All values, as a dict that its reader may change: containers are copies."""
        values = self.values.copy()
        for key in self.mutable:
            values[key] = values[key].copy()
        return values

    def read(self, keys: str | tuple[str, ...], values: Mapping[str, Any] | None = None) -> Any:
        """The value of one key, None if it has none; or those of several that have one. Containers are copies."""
        if values is None:
            values = self.values
        if isinstance(keys, str):
            return self.out(keys, values[keys]) if keys in values else None
        if keys is self.program.everything and values is self.values:
            return self.state()
        return {key: self.out(key, values[key]) for key in keys if key in values}

    def out(self, key: str, value: Any) -> Any:
        """A value as it is handed out."""
        return value.copy() if key in self.mutable and hasattr(value, "copy") else value

    def config_for(self, task: Task, guest: bool = True) -> RunnableConfig:
        """The config as a task's code sees it; what the guest adds can be left out."""
        config = self.config.copy()
        config.pop("run_name", None)  # of this run alone, not of what a node calls
        config.pop("run_id", None)
        config["metadata"] = {**(config.get("metadata") or {}), **task.metadata, **task.node.metadata}
        config["configurable"] = {
            **(config.get("configurable") or {}),
            "checkpoint_ns": task.metadata["langgraph_checkpoint_ns"],
            "checkpoint_id": self.checkpoint_id or None,
        }
        if guest and self.guest is not None:
            self.guest.complete(task, config)
        return config

    def remaining(self) -> int:
        """Steps that may still run after the current one."""
        return self.stop_at - self.step

    def stop(self) -> None:
        """Fence it off: its tasks' code can change and emit nothing any more. From any thread."""
        self.stopped = True
        for stop in (*(task.stop for task in self.active), *self.endings):
            stop()

    def named(self, names: All | Sequence[str], tasks: list[Task]) -> bool:
        """Whether one of the tasks is of a node in `names`."""
        return names == "*" or any(task.name in names for task in tasks)
