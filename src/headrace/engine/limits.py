"""How long an attempt may take and be silent: the clock of a timeout policy, and the fence around what runs late."""

from __future__ import annotations

import threading
from copy import copy
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from headrace import clock, workers
from headrace.engine.abandoned import GRACE_S, warn
from headrace.engine.attempt import given
from headrace.engine.calls import run_in
from headrace.engine.task import ENDED, RUNNING
from headrace.errors import NodeTimeoutError
from headrace.runtime import no_heartbeat

if TYPE_CHECKING:
    from headrace.engine.task import Task


class Limits:
    """When an attempt that began now has to be stopped. Times in seconds."""

    __slots__ = ("began", "heard", "idle", "run", "task")

    def __init__(self, task: Task) -> None:
        policy = task.timeout
        assert policy is not None
        self.task = task
        self.run: Any = policy.run_timeout
        self.idle: Any = policy.idle_timeout
        self.began = self.heard = clock.monotonic()
        task.beat = self.beat
        task.sign = self.beat if policy.refresh_on == "auto" else no_heartbeat

    def beat(self) -> None:
        """A sign of life. From any thread."""
        self.heard = clock.monotonic()

    def left(self) -> float:
        """Seconds until the nearest limit; zero or less: it is passed."""
        now = clock.monotonic()
        limits = []
        if self.run is not None:
            limits.append(self.began + self.run - now)
        if self.idle is not None:
            limits.append(self.heard + self.idle - now)
        return min(limits, default=threading.TIMEOUT_MAX)

    def error(self) -> NodeTimeoutError:
        """The error of an attempt that passed a limit."""
        elapsed = clock.monotonic() - self.began
        kind: Any = "run" if self.run is not None and elapsed >= self.run else "idle"
        return NodeTimeoutError(self.task.name, elapsed, kind=kind, idle_timeout=self.idle, run_timeout=self.run)


class Fence:
    """Among a task's children: one attempt of it, which can be stopped without stopping the attempt after it."""

    __slots__ = ("stand_in",)

    def __init__(self, stand_in: Task) -> None:
        self.stand_in = stand_in

    @property
    def over(self) -> bool:
        return self.stand_in.state is not RUNNING

    def stop(self) -> None:
        self.stand_in.stop()


def fenced(task: Task) -> Task:
    """A stand-in for one attempt of a task: what the attempt's code is given and asks belongs to it alone."""
    task.answers = task.answers or []  # which the attempts share
    stand_in = copy(task)
    stand_in.children = stand_in._config = stand_in._writer = stand_in._runtime = None
    task.children = [*(task.children or ()), Fence(stand_in)]  # type: ignore[list-item]
    if task.state is not RUNNING:  # stopped before the fence was among its children
        stand_in.stop()
    return stand_in


def adopt(task: Task, stand_in: Task) -> None:
    """What an attempt that has ended in time left behind; from now on its code is late."""
    task.extra, task.kept, task.calls = stand_in.extra, stand_in.kept, stand_in.calls
    if stand_in.state is RUNNING:
        stand_in.state = ENDED


def in_time(task: Task) -> Any:
    """Call a sync node on a worker for as long as its policy allows; NodeTimeoutError leaves it behind, fenced off."""
    stand_in, function = fenced(task), task.node.callee.sync
    assert function is not None
    args = given(stand_in, task.node.callee)
    limits = Limits(stand_in)
    answer: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

    def job() -> None:
        task.thread = stand_in.thread = threading.current_thread().name
        try:
            answer.put((run_in(stand_in, function, task.input, args), None))
        except BaseException as error:
            answer.put((None, error))

    workers.submit(job)
    try:
        output, error = heard(answer, limits)
    except BaseException:
        stand_in.stop()
        if not ended_in_grace(answer):
            warn(task, stand_in.thread)
        raise
    adopt(task, stand_in)
    if error is not None:
        raise error
    return output


def heard(answer: SimpleQueue[Any], limits: Limits) -> Any:
    """Wait for an answer; NodeTimeoutError when a limit was passed."""
    while True:
        try:
            return answer.get(timeout=max(0.0, limits.left()))
        except Empty:
            if limits.left() <= 0:
                raise limits.error() from None


def ended_in_grace(answer: SimpleQueue[Any]) -> bool:
    """Whether stopped code reached one of our calls within the grace."""
    try:
        answer.get(timeout=GRACE_S)
    except Empty:
        return False
    return True
