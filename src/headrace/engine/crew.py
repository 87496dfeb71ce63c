"""The threads that run the parallel nodes of one sync run: the loop's own, and hands that the process can spare."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from headrace import clock, workers
from headrace.engine.abandoned import GRACE_S, warn
from headrace.errors import NodeCancelled

if TYPE_CHECKING:
    from headrace.engine.run import Run
    from headrace.engine.task import Task


class Crew:
    """Waiting tasks, and who works on them. Each hand first calls the next one, so that few tasks cost few threads."""

    def __init__(self, run: Run, attempt: Callable[[Task], None]) -> None:
        self.run = run
        self.attempt = attempt
        self.limit = run.config.get("max_concurrency") or 0
        """How many tasks may run at a time; zero: any number."""
        self.own = int(not run.paced)
        """Tasks for the loop's own thread. None if a consumer waits for what each task tells as soon as it ends."""
        self.waiting: deque[Task] = deque()
        self.running: set[Task] = set()
        self.done: SimpleQueue[Task] = SimpleQueue()
        self.failed = False
        """A task failed for good: the others were stopped, and what comes of them is of no interest."""
        self.hands = 0
        self.lock = threading.Lock()
        """Guards `waiting`, `running` and `hands`."""

    def start(self, tasks: Sequence[Task]) -> None:
        with self.lock:
            self.waiting.extend(tasks)
        self.call_hand()

    def call_hand(self) -> None:
        """Get one more thread to work on waiting tasks, if there is work for it and the process has one to spare."""
        with self.lock:
            if len(self.waiting) <= self.own or (self.limit and self.hands + self.own >= self.limit):
                return
            self.hands += 1
        if not workers.lend(partial(self.run.context.copy().run, self.work)):
            with self.lock:
                self.hands -= 1

    def work(self) -> None:
        """Work on waiting tasks until there are none."""
        self.call_hand()
        while (task := self.take(hand=True)) is not None:
            try:
                self.attempt(task)
            except BaseException as error:
                task.error, task.writes = error, None
            self.done.put(task)
            if is_final(task):
                self.fail(task)

    def take(self, hand: bool = False) -> Task | None:
        """The next waiting task; a hand that gets none has left."""
        with self.lock:
            if not self.waiting:
                self.hands -= hand
                return None
            task = self.waiting.popleft()
            task.thread = threading.current_thread().name
            self.running.add(task)
        return task

    def fail(self, failed: Task) -> None:
        """Stop the other tasks. The failed one is in `done` already, before any of them."""
        with self.lock:
            self.failed = True
            self.waiting.clear()
            others = [task for task in self.running if task is not failed]
        for task in others:
            task.stop()

    def next(self) -> Task:
        """The next finished task, in the order in which they finish; the caller works as well until there is one."""
        if self.done.empty() and (self.own or not self.hands):
            mine = self.take()
            if mine is not None:
                self.help(mine)
        task = self.done.get()
        self.running.discard(task)
        return task

    def help(self, task: Task) -> None:
        """Run a task in the loop's own thread."""
        try:
            self.attempt(task)
            self.done.put(task)
        except BaseException as error:
            self.running.discard(task)
            if self.run.stopped or not self.failed or not isinstance(error, NodeCancelled):
                raise
            # stopped, because another has failed

    def dismiss(self) -> None:
        """Begin nothing more, and give what runs a moment to end; what does not is named."""
        with self.lock:
            self.waiting.clear()
        if self.running and self.run.outlet is not None:
            self.run.outlet.release()
        deadline = clock.monotonic() + GRACE_S
        while self.running:
            try:
                self.running.discard(self.done.get(timeout=max(0.0, deadline - clock.monotonic())))
            except Empty:
                for task in list(self.running):
                    warn(task, task.thread)
                return


def is_final(task: Task) -> bool:
    """Whether a task has failed and nobody takes over."""
    return task.writes is None and not task.paused and task.node.handler is None
