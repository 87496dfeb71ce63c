"""The async driver: the loop runs in the consumer's task, or, where events come out of running nodes, in its own.

`pull`: the consumer's `anext()` runs the step. `live`: a leg, an asyncio task, carries the run from one border with
news to the next. Nothing is yielded inside a node's timeout or task group (PEP 789).
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Sequence
from types import coroutine
from typing import TYPE_CHECKING, Any

from headrace import clock, workers
from headrace.engine.abandoned import GRACE_S, Abandoned, warn
from headrace.engine.attempt import attempt, given
from headrace.engine.calls import COUNTED, Within, awaited, context_for, run_in, seen, wait_through
from headrace.engine.crew import is_final
from headrace.engine.limits import Limits, adopt, fenced
from headrace.engine.loop import loop
from headrace.engine.port import PAUSE
from headrace.errors import GraphBubbleUp, NodeCancelledError
from headrace.stream.outlet import AsyncOutlet

if TYPE_CHECKING:
    from headrace.engine.program import Callee
    from headrace.engine.run import Run
    from headrace.engine.task import Task
    from headrace.stream.events import Item

Steps = Coroutine[Any, Any, None]


@coroutine
def advance(steps: Steps, first: BaseException | None = None) -> Generator[Any, Any, bool]:
    """Run the loop to its next pause, handing all else that it awaits to asyncio; False at its end.

    `first` is thrown into it to begin with.
    """
    try:
        waited = steps.send(None) if first is None else steps.throw(first)
        while waited is not PAUSE:
            try:
                yield waited
            except BaseException as error:
                waited = steps.throw(error)
            else:
                waited = steps.send(None)
    except StopIteration:
        return False
    return True


async def abandon(steps: Steps) -> None:
    """End a paused loop whose consumer has gone; what it must still save, it saves."""
    if inspect.getcoroutinestate(steps) == inspect.CORO_CLOSED:
        return
    try:
        await advance(steps, Abandoned())
    except Abandoned:
        pass


async def complete(run: Run) -> None:
    """Run to the end in the caller's task, for nobody who listens. Cancelling it cancels the nodes and waits."""
    await apart(run, loop(run, AsyncPort(run)))


async def apart(run: Run, code: Awaitable[Any]) -> Any:
    """Await a stretch of the loop so that a cancellation is never lost, even if a node swallows it.

    Where asyncio counts such requests, `Within` sees it. On Python 3.10 nobody can tell a request of the consumer
    from that of a timeout inside the node; so there the loop gets a task of its own, and the request arrives here.
    """
    if COUNTED:
        return await code
    task = asyncio.get_running_loop().create_task(quiet(code))
    try:
        await asyncio.wait([task])
    except BaseException as error:
        run.stop()
        task.cancel()
        if isinstance(error, asyncio.CancelledError):  # else the coroutine is being closed, and may not wait
            try:
                await wait_through(task)
            finally:
                seen(task)
        raise
    return outcome(run, task)


async def quiet(code: Awaitable[Any]) -> Any:
    """Await a stretch of the loop in a task of ours; NodeCancelledError comes as an answer.

    `asyncio.run()` that is interrupted cancels all tasks, in any order, and tells on stderr of each that raises.
    Python 3.10 cannot see that ours was cancelled from outside as well, so there it is blamed on the node.
    """
    try:
        return await code
    except NodeCancelledError as error:
        return error


def outcome(run: Run, task: asyncio.Task[Any]) -> Any:
    """What a finished task of ours gave, or the error that it was ended by."""
    if task.cancelled():
        raise NodeCancelledError(culprit(run))
    result = task.result()
    if not isinstance(result, NodeCancelledError):
        return result
    try:
        raise result
    finally:
        del result  # which its traceback holds


def culprit(run: Run) -> str:
    """The node that cancelled the task it ran in, though nobody had stopped the run."""
    return next((task.name for task in run.active if task.writes is None), run.program.name)


async def pull(run: Run, items: list[Item], shape: Callable[[Item], Any]) -> AsyncIterator[Any]:
    """The run's events; each `anext()` runs as far as the next event. Closing it ends the run where it stands."""
    steps = loop(run, AsyncPort(run))
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
                more = await advance(steps) if COUNTED else await apart(run, advance(steps))
            except (Exception, GraphBubbleUp) as raised:  # what happened before it is told first
                error = raised
    finally:
        error = None
        run.stop()
        await abandon(steps)


async def leg(steps: Steps, outlet: AsyncOutlet) -> bool:
    """The stretch of a run from one border to the next at which there is news; False at its end."""
    more = True
    while more and not outlet.said:
        more = await advance(steps)
    return more


LEGS: set[asyncio.Task[Any]] = set()
"""Legs that are under way. asyncio itself holds tasks weakly: one whose node waits for something that only this node
knows would be garbage together with a dropped stream, and die before the stream can end it."""


async def live(run: Run, outlet: AsyncOutlet, shape: Callable[[Item], Any]) -> AsyncIterator[Any]:
    """The run's events as they happen. Closing it, or cancelling its consumer, stops the nodes and waits for them."""
    task: asyncio.Task[Any] | None = None
    items, room, tasks = outlet.items, outlet.room, outlet.attach()
    steps = loop(run, AsyncPort(run))
    try:
        while True:
            while items:
                item = items.popleft()
                if room.crowded:
                    outlet.make_room()
                yield shape(item)
            if task is None:
                outlet.said = False
                task = tasks.create_task(quiet(leg(steps, outlet)))
                task.add_done_callback(outlet.ring)
                LEGS.add(task)
            elif not task.done():
                await outlet.wait()
            else:
                if not outcome(run, task):
                    return
                LEGS.discard(task)
                task = None
    finally:
        run.stop()
        outlet.close()
        await end(task, steps)


async def end(task: asyncio.Task[Any] | None, steps: Steps) -> None:
    """Cancel a leg that is under way, wait for it, and end the loop."""
    try:
        if task is not None and not task.done():
            task.cancel()
            await wait_through(task)
    finally:
        if task is not None:
            LEGS.discard(task)
            seen(task)  # its error was raised, or its consumer has gone
        await abandon(steps)


class AsyncPort:
    """Suspends wherever it waits; sync user code gets a thread."""

    sync = False

    def __init__(self, run: Run) -> None:
        self.run = run
        self.loop = asyncio.get_running_loop()
        self.outlet = own_outlet(run)
        self.waiting: list[Task] = []
        self.running: dict[asyncio.Task[None], Task] = {}
        self.done: list[Task] = []
        self.waiter: asyncio.Future[None] | None = None
        self.saving: asyncio.Task[Any] | None = None

    async def call(self, task: Task, args: dict[str, Any]) -> Any:
        callee = task.node.callee
        if task.timeout is not None:
            return await self.in_time(task)
        if callee.awaited is None:
            assert callee.sync is not None
            return await self.in_thread(task, callee.sync, task.input, args)
        return await self.within(task, callee.awaited, task.input, args)

    async def route(self, task: Task, callee: Callee, input: Any, args: dict[str, Any]) -> Any:
        if callee.awaited is not None:
            return await self.within(task, callee.awaited, input, args)
        assert callee.sync is not None  # a routing function only looks; a thread for it would cost more than it does
        return run_in(task, callee.sync, input, args)

    async def within(self, task: Task, function: Callable[..., Any], input: Any, args: dict[str, Any]) -> Any:
        """Await user code in the task's context."""
        context = context_for(task)
        code = context.run(function, input, **args)
        within = Within(code if inspect.iscoroutine(code) else awaited(code), context, self.outlet)
        try:
            output = await within
        except asyncio.CancelledError as error:
            if task.state or within.cancelled:
                raise
            raise NodeCancelledError(task.name) from error
        if task.state or within.cancelled:  # it swallowed a cancellation; the run ends all the same
            raise asyncio.CancelledError
        return output

    async def in_thread(self, task: Task, function: Callable[..., Any], input: Any, args: dict[str, Any]) -> Any:
        """Call sync user code in a thread. Cancelled, it is stopped, waited for a moment, and then left behind."""
        answer = self.threaded(task, function, input, args)
        try:
            output = await asyncio.shield(answer)
        except asyncio.CancelledError as error:
            if answer.done() and not answer.cancelled() and isinstance(answer.exception(), asyncio.CancelledError):
                raise NodeCancelledError(task.name) from error
            task.stop()
            await self.leave(task, answer)
            raise
        return await self.rest(task, output)

    async def rest(self, task: Task, output: Any) -> Any:
        """What a sync function returned; a coroutine is awaited, as that of an async function."""
        return await self.within(task, awaited, output, {}) if inspect.iscoroutine(output) else output

    def threaded(
        self, task: Task, function: Callable[..., Any], input: Any, args: dict[str, Any]
    ) -> asyncio.Future[Any]:
        """The answer of sync user code, once its thread has it."""
        answer = self.loop.create_future()
        answer.add_done_callback(seen)

        def job() -> None:
            task.thread = threading.current_thread().name
            output, error = None, None
            try:
                task.check()
                output = run_in(task, function, input, args)
            except BaseException as raised:
                error = raised
            try:
                self.loop.call_soon_threadsafe(settle, answer, output, error)
            except RuntimeError:  # the event loop was closed meanwhile: nobody waits any more
                pass

        workers.queue(job)
        return answer

    async def leave(self, task: Task, answer: asyncio.Future[Any]) -> None:
        """Wait a moment for stopped sync code; name it if it goes on. Without a thread it will not begin any more."""
        if task.thread is None:
            return
        waiting = self.loop.create_task(asyncio.wait([answer], timeout=GRACE_S))
        answer.add_done_callback(unawaited)
        try:
            await wait_through(waiting)
        finally:
            if not answer.done():
                warn(task, task.thread)

    async def in_time(self, task: Task) -> Any:
        """Call a node for as long as its policy allows; NodeTimeoutError once it was stopped."""
        callee, stand_in = task.node.callee, fenced(task)
        args, limits = given(stand_in, callee), Limits(stand_in)
        if callee.awaited is not None:
            code: asyncio.Future[Any] = self.loop.create_task(self.within(stand_in, callee.awaited, task.input, args))
        else:
            assert callee.sync is not None
            code = self.threaded(stand_in, callee.sync, task.input, args)
        try:
            while not code.done():
                await asyncio.wait([code], timeout=max(0.0, limits.left()))
                if limits.left() <= 0 and not code.done():
                    raise limits.error()
        except BaseException:
            stand_in.stop()
            await self.cut(stand_in, code)
            raise
        adopt(task, stand_in)
        if code.cancelled():
            raise NodeCancelledError(task.name)
        return await self.rest(task, code.result())

    async def cut(self, task: Task, code: asyncio.Future[Any]) -> None:
        """End a stopped attempt that has run out of time, or whose run was cancelled."""
        if not isinstance(code, asyncio.Task):
            return await self.leave(task, code)
        code.cancel()
        try:
            await wait_through(code)
        finally:
            seen(code)

    async def sleep(self, seconds: float) -> None:
        await clock.asleep(seconds)

    async def start(self, tasks: Sequence[Task]) -> None:
        limit = self.run.config.get("max_concurrency")
        if limit:
            self.waiting.extend(tasks)
            while self.waiting and len(self.running) < limit:
                self.launch(self.waiting.pop(0))
        else:
            for task in tasks:
                self.launch(task)

    def launch(self, task: Task) -> None:
        """Give a task an asyncio task."""
        running = self.loop.create_task(attempt(task, self))
        self.running[running] = task
        running.add_done_callback(self.landed)

    def landed(self, running: asyncio.Task[None]) -> None:
        """A task has ended; another may begin."""
        task = self.running.pop(running)
        if running.cancelled():
            task.error, task.writes = NodeCancelledError(task.name), None
        elif (error := running.exception()) is not None:
            task.error, task.writes = error, None
        self.done.append(task)
        if self.waiting and not is_final(task):
            self.launch(self.waiting.pop(0))
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    async def next(self) -> Task:
        while not self.done:
            self.waiter = self.loop.create_future()
            await self.waiter
        return self.done.pop(0)

    async def dismiss(self) -> None:
        self.waiting.clear()
        if not self.running:
            return
        if self.outlet is not None:
            self.outlet.release()
        for running in self.running:
            running.cancel()
        await wait_through(*self.running)

    async def io(self, owner: Any, function: Callable[..., Any], twin: Callable[..., Any], *args: Any) -> Any:
        return function(*args) if getattr(owner, "instant", False) else await twin(*args)

    async def save(self, run: Run, function: Callable[..., Any], twin: Callable[..., Any], *args: Any) -> None:
        await self.saved()
        if getattr(run.saver, "instant", False):
            function(*args)
        elif run.durability == "async":
            self.saving = self.loop.create_task(twin(*args))
        elif run.stopped:  # in a task of its own, or one more cancellation would undo it
            self.saving = self.loop.create_task(twin(*args))
            await self.saved()
        else:
            await twin(*args)

    async def saved(self) -> None:
        if self.saving is not None:
            saving, self.saving = self.saving, None
            try:
                await wait_through(saving)
            finally:
                seen(saving)
            saving.result()


def own_outlet(run: Run) -> AsyncOutlet | None:
    """The queue that holds the nodes of this event loop: its consumer's, unless that one lives in another thread."""
    outlet = run.outlet
    return outlet if isinstance(outlet, AsyncOutlet) and outlet.thread == threading.get_ident() else None


def unawaited(answer: asyncio.Future[Any]) -> None:
    """Close a coroutine that a stopped sync function returned, so that Python does not warn of it."""
    if not answer.cancelled() and answer.exception() is None and inspect.iscoroutine(answer.result()):
        answer.result().close()


def settle(answer: asyncio.Future[Any], output: Any, error: BaseException | None) -> None:
    """Give an answer."""
    if error is None:
        answer.set_result(output)
    elif isinstance(error, StopIteration):  # which a future cannot hold
        answer.set_exception(RuntimeError(f"a node raised StopIteration: {error}"))
    else:
        answer.set_exception(error)
