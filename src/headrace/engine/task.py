"""One execution of a node in one super-step: what it was given, what came of it, and what its code may ask."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from headrace import clock, ids
from headrace.config import RunnableConfig
from headrace.engine.program import Node, Write, send_path
from headrace.errors import GraphInterrupt, NodeCancelled
from headrace.names import NEXT, PULL, PUSH
from headrace.runtime import ExecutionInfo, Runtime, no_heartbeat
from headrace.types import Interrupt

if TYPE_CHECKING:
    from headrace.engine.run import Run

RUNNING, ENDED, STOPPED = 0, 1, 2


ASKING = threading.Lock()
"""An answer that names no question is for one task alone, whichever of the parallel ones asks first."""


class Task:
    """A task; ids, metadata, config and runtime are made when somebody asks for them."""

    # Defaults stand in the class: most tasks never set them, and a task is made for every step.
    state = RUNNING
    writes: list[Write] | None = None
    """What it writes, control channels included; None until it has finished."""
    error: BaseException | None = None
    interrupts: tuple[Interrupt, ...] = ()
    paused = False
    """It ended with a question, its own or a subgraph's, or at a place where a subgraph was told to pause."""
    cached = False
    """Its writes come from a cache or from an earlier run that was interrupted."""
    helper: Task | None = None
    """The task of its node's error handler, once it has failed."""
    answers: list[Any] | None = None
    """Answers to its interrupts, in the order in which it asks."""
    kept = 0
    """How many of them were used by this attempt."""
    attempt = 1
    first_attempt: float | None = None
    extra: list[Write] | None = None
    folded: dict[str, Any] | None = None
    """Values that were folded for its routing functions, to be used again by `apply`."""
    children: list[Run] | None = None
    """Runs of subgraphs that are under way inside it."""
    calls = 0
    """Runs of subgraphs that were started inside it."""
    beat: Callable[[], None] = staticmethod(no_heartbeat)
    """Restarts its idle timeout."""
    sign: Callable[[], None] = staticmethod(no_heartbeat)
    """The same, where events count as signs of life."""
    thread: str | None = None
    """The worker thread that runs its code, if one does."""
    guest: Any = None
    """What the run's guest keeps for this task."""
    _id: str | None = None
    _metadata: dict[str, Any] | None = None
    _config: RunnableConfig | None = None
    _runtime: Runtime[Any] | None = None
    _writer: Callable[[Any], None] | None = None

    def __init__(self, run: Run, node: Node, input: Any, sent: int | None = None) -> None:
        self.run = run
        self.node = node
        self.input = input
        self.sent = sent
        """The index of the `Send` that made it; None: a channel did."""
        self.step = run.step
        self.timeout = node.timeout

    # what it is

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def id(self) -> str:
        """The same for the same task of the same checkpoint, so that a resumed run finds what is stored of it."""
        if self._id is None:
            run = self.run
            place = PULL if self.sent is None else f"{PUSH} {self.sent}"
            self._id = ids.derived(f"{run.seed} {run.ns} {self.step} {place} {self.node.name}")
        return self._id

    @property
    def path(self) -> tuple[Any, ...]:
        return (PULL, self.node.name) if self.sent is None else send_path(self.sent)

    @property
    def triggers(self) -> tuple[str, ...]:
        return self.node.triggers if self.sent is None else (PUSH,)

    @property
    def closer(self) -> Task:
        """The task whose outcome counts: itself, or its error handler's."""
        return self.helper or self

    @property
    def ns(self) -> tuple[str, ...]:
        """The namespace of a subgraph that runs inside it."""
        return (*self.run.ns, f"{self.node.name}:{self.id}")

    # what its code may ask: the protocol of headrace.config

    @property
    def metadata(self) -> dict[str, Any]:
        if self._metadata is None:
            self._metadata = {
                "langgraph_step": self.step,
                "langgraph_node": self.node.name,
                "langgraph_triggers": self.triggers,
                "langgraph_path": self.path,
                "langgraph_checkpoint_ns": "|".join(self.ns),
            }
        return self._metadata

    @property
    def config(self) -> RunnableConfig:
        self.check()
        if self._config is None:
            self._config = self.run.config_for(self)
        return self._config

    @property
    def state_now(self) -> Any:
        return self.run.program.whole(self.run)

    @property
    def runtime(self) -> Runtime[Any]:
        self.check()
        if self._runtime is None:
            self._runtime = self.run.runtime.override(
                stream_writer=self.writer, heartbeat=self.heartbeat, execution_info=self.execution_info()
            )
        return self._runtime

    def execution_info(self) -> ExecutionInfo:
        """Where it runs."""
        run = self.run
        return ExecutionInfo(
            checkpoint_id=run.checkpoint_id,
            checkpoint_ns="|".join(self.ns),
            task_id=self.id,
            thread_id=run.thread_id,
            run_id=run.run_id,
            node_attempt=self.attempt,
            node_first_attempt_time=self.first_attempt or clock.now(),
        )

    @property
    def writer(self) -> Callable[[Any], None]:
        if self._writer is None:
            self._writer = self._make_writer()
        return self._writer

    def _make_writer(self) -> Callable[[Any], None]:
        put = self.run.puts.get("custom")
        if put is None:
            return self.unheard
        ns, step = self.run.ns, self.step

        def write(value: Any, /) -> None:
            if self.state is not RUNNING:
                return self.refuse("custom")
            if self.sign is not no_heartbeat:
                self.sign()
            put((ns, step, "custom", value))

        return write

    def unheard(self, value: Any, /) -> None:
        """The writer when nobody asked for `custom`: what it does besides telling must not depend on that."""
        self.check()
        self.sign()

    def emit(self, mode: str, data: Any) -> None:
        put = self.run.puts.get(mode)
        if put is None:
            return
        if self.state is not RUNNING:
            return self.refuse(mode)
        self.sign()
        if self.run.guest is not None:
            self.run.guest.emitted(mode, data)
        put((self.run.ns, self.step, mode, data))

    def heartbeat(self) -> None:
        """Tell the idle timeout that the node is alive."""
        self.check()
        self.beat()

    def extra_write(self, key: str, value: Any) -> None:
        if self.extra is None:
            self.extra = []
        self.extra.append((key, value))

    def ask(self, value: Any, response_schema: Any = None) -> Any:
        self.check()
        index = self.kept
        answers = [] if self.answers is None else self.answers
        if index < len(answers):
            self.kept += 1
            return answers[index]
        question = Interrupt(value, self.interrupt_id(index), response_schema=response_schema)
        known, vague = self.run.answers, (*self.lineage(), NEXT)
        with ASKING:
            key = next((key for key in (question.id, *vague) if key in known), None)
            if key is None:
                raise GraphInterrupt((question,))
            answers.append(known[key])
            for spent in vague:
                known.pop(spent, None)
        self.answers = answers
        self.kept += 1
        return answers[index]

    def lineage(self) -> Iterator[str]:
        """Its id, and those of the tasks that it runs in."""
        task: Task | None = self
        while task is not None:
            yield task.id
            task = task.run.parent

    def interrupt_id(self, index: int) -> str:
        """The id of the `index`-th question of this task."""
        return ids.digest(f"interrupt {self.id} {index}")

    # how it ends

    def check(self) -> None:
        """NodeCancelled, if the run was stopped while this task's code goes on."""
        if self.state is STOPPED:
            raise NodeCancelled(f"the run was stopped; node {self.name!r} must end")

    def refuse(self, mode: str) -> None:
        """An event that comes too late: NodeCancelled in a stopped node; dropped, with a warning, after its end."""
        self.check()
        if self not in self.run.late:
            self.run.late |= {self}
            warnings.warn(
                f"node {self.name!r} has ended; a {mode} event that its code wrote afterwards was dropped. "
                "Wait in the node for whatever it starts.",
                RuntimeWarning,
                stacklevel=4,
            )

    def stop(self) -> None:
        """Fence it off, and all that runs below it: from now on its code can change and emit nothing."""
        if self.state is RUNNING:
            self.state = STOPPED
        for child in tuple(self.children or ()):  # one may be added at this moment
            child.stop()


def order_of_writes(tasks: list[Task]) -> list[Task]:
    """The order in which a step's writes are applied: woken nodes by name, then sends by index."""
    if all(task.sent is None for task in tasks):
        return tasks
    return [task for task in tasks if task.sent is None] + [task for task in tasks if task.sent is not None]
