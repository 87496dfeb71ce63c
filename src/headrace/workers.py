"""Threads for user code that blocks: a cache of workers, never a bounded pool.

A job that waited for a place in a pool while holding one would wait for ever (eight nodes, each running a
three-way subgraph, on a pool of six). So a job always gets a thread; only the *extra* hands that speed up parallel
nodes are counted, and who gets none does the work itself.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

IDLE_S = 5.0
"""Seconds after which a thread without work ends."""

HANDS = threading.BoundedSemaphore(max(32, 4 * (os.cpu_count() or 1)))
"""Extra threads for parallel nodes, in the whole process."""

PREFIX = "headrace-"
"""Of the names of our threads."""

Job = Callable[[], None]

_alive: set[Worker] = set()
_idle: list[Worker] = []
_queue: deque[Job] = deque()
"""Jobs for which the system had no thread."""
_numbers = itertools.count(1)


class Worker:
    """A thread that runs one job after another, and ends when it has been idle for a while."""

    __slots__ = ("inbox", "name")

    def __init__(self) -> None:
        self.inbox: SimpleQueue[Job] = SimpleQueue()
        self.name = f"{PREFIX}{next(_numbers)}"
        threading.Thread(target=self.work, name=self.name, daemon=True).start()
        _alive.add(self)

    def work(self) -> None:
        while True:
            try:
                job = self.inbox.get(timeout=IDLE_S)
            except Empty:
                try:
                    _idle.remove(self)
                except ValueError:  # a job is on its way to us
                    continue
                _alive.discard(self)
                if not _queue:
                    return
                _alive.add(self)  # somebody saw us, and left a job
                _idle.append(self)
                give()
                continue
            job()
            del job
            _idle.append(self)
            if _queue:
                give()


def submit(job: Job) -> None:
    """Run a job, which must not raise, in a thread of its own. RuntimeError: the system starts no more threads."""
    try:
        worker = _idle.pop()
    except IndexError:
        worker = Worker()
    worker.inbox.put(job)


def queue(job: Job) -> None:
    """Run a job like `submit`; where the system starts no more threads, as soon as one of ours has nothing to do.

    A job of ours does not wait like that for another one, which may need its thread: RuntimeError.
    """
    try:
        submit(job)
    except RuntimeError:
        if threading.current_thread().name.startswith(PREFIX):
            raise
        _queue.append(job)
        give()
        if not _alive and job in _queue:  # looked at after the job can be seen, as a worker does that leaves
            _queue.remove(job)
            raise


def give() -> None:
    """Give the oldest job in the queue to a worker that is idle; if there is none, the next one to be idle takes it."""
    try:
        worker = _idle.pop()
    except IndexError:
        return
    try:
        worker.inbox.put(_queue.popleft())
    except IndexError:  # somebody else gave it
        _idle.append(worker)


def is_busy(name: str) -> bool:
    """Whether the worker thread of this name is at work on a job."""
    return name not in {worker.name for worker in _idle} and name in {one.name for one in threading.enumerate()}


def lend(job: Job) -> bool:
    """Run a job by an extra hand; False if the process has none to spare, and the job was not taken."""
    hands = HANDS
    if not hands.acquire(blocking=False):
        return False

    def lent() -> None:
        try:
            job()
        finally:
            hands.release()

    try:
        submit(lent)
    except RuntimeError:  # the system starts no more threads
        hands.release()
        return False
    return True


def forked() -> None:
    """A child process has none of its parent's threads."""
    global HANDS  # noqa: PLW0603
    _alive.clear()
    _idle.clear()
    _queue.clear()
    HANDS = threading.BoundedSemaphore(max(32, 4 * (os.cpu_count() or 1)))


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(after_in_child=forked)


def spread(call: Callable[[int], Any], count: int, limit: int | None = None) -> list[Any]:
    """`call(0)` to `call(count - 1)`, several at a time, the caller taking part; an exception is an outcome."""
    outcomes: list[Any] = [None] * count
    indexes = iter(range(count))
    lock, over = threading.Lock(), threading.Semaphore(0)

    def work() -> None:
        while True:
            with lock:
                index = next(indexes, None)
            if index is None:
                return
            try:
                outcomes[index] = call(index)
            except BaseException as error:
                outcomes[index] = error

    def hand(context: Context) -> None:
        context.run(work)
        over.release()

    hands = 0
    while hands < min(count, limit or count) - 1 and lend(partial(hand, copy_context())):
        hands += 1
    work()
    for _ in range(hands):
        over.acquire()
    return outcomes
