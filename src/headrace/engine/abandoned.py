"""User code that was stopped and does not end: nobody waits for it, and it is named."""

from __future__ import annotations

import atexit
import warnings
from typing import TYPE_CHECKING

from headrace import clock, workers

if TYPE_CHECKING:
    from headrace.engine.task import Task

GRACE_S = 0.1
"""Seconds that stopped sync code gets to reach one of our calls and end by itself."""


EXIT_S = 2.0
"""Seconds that it gets, once more, when the interpreter exits, so that its `finally` blocks can run."""

LEFT: set[str] = set()
"""The threads in which it was left."""


def linger() -> None:
    """At the interpreter's exit: wait a moment for what was left running."""
    deadline = clock.monotonic() + EXIT_S
    while any(map(workers.is_busy, LEFT)) and clock.monotonic() < deadline:
        clock.sleep(0.01)


atexit.register(linger)


def warn(task: Task, thread: str | None) -> None:
    """Say once that the thread goes on although its node was stopped; its writes and events are dropped."""
    if task in task.run.late:
        return
    task.run.late |= {task}
    if thread is not None:
        LEFT.add(thread)
    warnings.warn(
        f"node {task.name!r} was stopped but its function still runs in thread {thread!r}; what it writes is dropped. "
        "A sync function can only end by itself: this one does at its next call of a stream writer, a model, "
        "interrupt(), its config or runtime.heartbeat(), or when it returns.",
        RuntimeWarning,
        stacklevel=2,
    )


class Abandoned(BaseException):
    """Thrown into a paused loop when its consumer has gone."""
