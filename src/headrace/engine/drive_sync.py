"""The sync driver: the loop runs in the caller's thread, or, where events come out of running nodes, on a worker.

`pull`: the consumer's `next()` runs the step. `live`: a leg on a worker thread carries the run from one border
with news to the next; between two pulls no thread is held.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from functools import partial
from queue import SimpleQueue
from threading import get_ident
from typing import TYPE_CHECKING, Any

from headrace import clock, workers
from headrace.engine.abandoned import GRACE_S, Abandoned, warn
from headrace.engine.attempt import attempt
from headrace.engine.calls import run_in
from headrace.engine.crew import Crew
from headrace.engine.limits import in_time
from headrace.engine.loop import loop
from headrace.engine.record import save_last
from headrace.errors import GraphBubbleUp, NodeCancelledError

if TYPE_CHECKING:
    from headrace.engine.program import Callee
    from headrace.engine.run import Run
    from headrace.engine.task import Task
    from headrace.stream.events import Item
    from headrace.stream.outlet import Outlet

Steps = Coroutine[Any, Any, None]


def advance(steps: Steps) -> bool:
    """Run the loop to its next pause; False at its end."""
    try:
        steps.send(None)
    except StopIteration:
        return False
    return True


def answer(code: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine over the sync port, which never suspends; nor is there a consumer to pause for."""
    try:
        code.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("a method of the sync port suspended")


def abandon(steps: Steps) -> None:
    """End a paused loop whose consumer has gone; what it must still save, it saves."""
    if inspect.getcoroutinestate(steps) == inspect.CORO_CLOSED:
        return
    try:
        steps.throw(Abandoned())
    except (Abandoned, StopIteration):
        pass


def complete(run: Run) -> None:
    """Run to the end in the caller's thread, for nobody who listens."""
    answer(loop(run, SyncPort(run)))


def pull(run: Run, items: list[Item], shape: Callable[[Item], Any]) -> Iterator[Any]:
    """The run's events; each `next()` runs as far as the next event. Closing it ends the run where it stands."""
    steps = loop(run, SyncPort(run))
    run.pulled = True
    error: BaseException | None = None
    more = True
    try:
        while True:
            while items:
                told = 0
                for item in items:
                    told += 1
                    yield shape(item)
                del items[:told]  # not `clear`: a parallel node's thread may just have added one
            if error is not None:
                raise error
            if not more:
                return
            try:
                more = advance(steps)
            except (Exception, GraphBubbleUp) as raised:  # what happened before it is told first
                error = raised
    finally:
        error = None
        run.stop()
        abandon(steps)


class Leg:
    """The stretch of a run between two borders with news, on a worker thread."""

    __slots__ = ("done", "error", "more", "name", "outlet", "over", "steps", "thread")

    def __init__(self, steps: Steps, outlet: Outlet) -> None:
        self.steps = steps
        self.outlet = outlet
        self.more = True
        self.error: BaseException | None = None
        self.done = False
        self.over = threading.Lock()
        self.over.acquire()
        self.thread = 0
        self.name: str | None = None

    def __call__(self) -> None:
        self.thread, self.name = get_ident(), threading.current_thread().name
        outlet = self.outlet
        try:
            while self.more and not outlet.said:
                self.more = advance(self.steps)
            if outlet.closed:  # whoever closed it may not have waited for us
                self.more = False
                abandon(self.steps)
        except BaseException as error:
            self.error, self.more = error, False
        self.done = True
        self.over.release()
        outlet.ring()


def live(run: Run, outlet: Outlet, shape: Callable[[Item], Any]) -> Iterator[Any]:
    """The run's events as they happen. Closing it stops the nodes; it does not wait for one that cannot be stopped."""
    port = SyncPort(run)
    steps = loop(run, port)
    leg: Leg | None = None
    items, room = outlet.items, outlet.room
    try:
        while True:
            while items:
                item = items.popleft()
                if room.crowded:
                    outlet.make_room()
                yield shape(item)
            if leg is None:
                outlet.said = False
                leg = Leg(steps, outlet)
                workers.submit(partial(run.context.copy().run, leg))
            elif not leg.done:
                outlet.wait()
            elif not items:
                if leg.error is not None:
                    raise leg.error
                if not leg.more:
                    return
                leg = None
    finally:
        run.stop()
        outlet.close()
        if leg is None or ended(leg, port):
            abandon(steps)
        leg = None


def ended(leg: Leg, port: SyncPort) -> bool:
    """Wait a moment for a stopped leg; whether it has ended. A leg that is closed from inside is not waited for."""
    if leg.done:
        return True
    if leg.thread == get_ident():
        return False
    if leg.over.acquire(timeout=GRACE_S):
        return True
    run = port.run
    if run.saver is not None:  # its thread may come to it too late, when the next run has begun
        answer(save_last(run, port))
    for task in port.unfinished():
        warn(task, task.thread or leg.name)
    return False


class SyncPort:
    """No method of it suspends."""

    sync = True

    def __init__(self, run: Run) -> None:
        self.run = run
        self.crew: Crew | None = None
        self.blocks = run.outlet if run.outlet is not None and run.outlet.thread == get_ident() else None
        """The queue of an event loop that waits for this run instead of reading it."""
        if self.blocks is not None:
            self.blocks.blocked += 1
        self.saving: SimpleQueue[BaseException | None] | None = None

    async def call(self, task: Task, args: dict[str, Any]) -> Any:
        function = task.node.callee.sync
        if function is None:
            raise TypeError(
                f"node {task.name!r} is async and cannot run in a sync call; use ainvoke() or astream(), "
                "or give the node a sync function"
            )
        if task.state:
            task.check()
        if task.timeout is not None:
            return self.checked(task, in_time, task)
        return self.checked(task, run_in, task, function, task.input, args)

    async def route(self, task: Task, callee: Callee, input: Any, args: dict[str, Any]) -> Any:
        if callee.sync is None:
            raise TypeError(f"a routing function of node {task.name!r} is async; use ainvoke() or astream()")
        return self.checked(task, run_in, task, callee.sync, input, args)

    def checked(self, task: Task, call: Callable[..., Any], *args: Any) -> Any:
        """Call user code; what it returns counts only while the run goes on."""
        try:
            output = call(*args)
        except asyncio.CancelledError as error:
            raise NodeCancelledError(task.name) from error
        except StopIteration as error:  # which cannot leave a coroutine
            raise RuntimeError(f"node {task.name!r} raised StopIteration") from error
        if self.run.stopped:
            task.check()
        if inspect.iscoroutine(output):
            output.close()
            raise TypeError(f"node {task.name!r} returned a coroutine in a sync call; use ainvoke() or astream()")
        return output

    async def sleep(self, seconds: float) -> None:
        deadline = clock.monotonic() + seconds
        while not self.run.stopped and (left := deadline - clock.monotonic()) > 0:
            clock.sleep(min(left, GRACE_S))

    async def start(self, tasks: Sequence[Task]) -> None:
        if self.crew is None:
            self.crew = Crew(self.run, lambda task: answer(attempt(task, self)))
        self.crew.start(tasks)

    async def next(self) -> Task:
        assert self.crew is not None
        return self.crew.next()

    async def dismiss(self) -> None:
        if self.crew is not None:
            self.crew.dismiss()
        if self.blocks is not None:
            self.blocks.blocked -= 1
            self.blocks = None

    def unfinished(self) -> list[Task]:
        """The tasks whose code is running."""
        if self.crew is not None and self.crew.running:
            return list(self.crew.running)
        return [task for task in self.run.active if task.writes is None] if len(self.run.active) == 1 else []

    async def io(self, owner: Any, function: Callable[..., Any], twin: Callable[..., Any], *args: Any) -> Any:
        return function(*args)

    async def save(self, run: Run, function: Callable[..., Any], twin: Callable[..., Any], *args: Any) -> None:
        await self.saved()
        if run.durability != "async" or getattr(run.saver, "instant", False):
            function(*args)
            return
        answer: SimpleQueue[BaseException | None] = SimpleQueue()
        self.saving = answer

        def job() -> None:
            try:
                function(*args)
            except BaseException as error:
                answer.put(error)
            else:
                answer.put(None)

        workers.submit(partial(run.context.copy().run, job))

    async def saved(self) -> None:
        if self.saving is not None:
            saving, self.saving = self.saving, None
            error = saving.get()
            if error is not None:
                raise error
