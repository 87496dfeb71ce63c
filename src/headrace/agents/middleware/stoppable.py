"""Blocking work of a middleware that ends as soon as its run is stopped or its asyncio task is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import copy_context
from typing import TypeVar

from headrace import workers
from headrace.config import current
from headrace.engine.calls import seen, wait_through
from headrace.engine.run import Run
from headrace.engine.task import Task

T = TypeVar("T")


class Stopper:
    """Among a task's children: `stop` is called, from any thread, when the run is stopped before the work is over."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self.work = stop
        self.over = False

    def stop(self) -> None:
        if not self.over:
            self.work()


@contextmanager
def stopped_with_run(stop: Callable[[], None]) -> Iterator[None]:
    """Around blocking work. `stop` must return at once and make the work end soon; then NodeCancelled is raised."""
    task = current.get()
    if not isinstance(task, Task):
        yield
        return
    stopper = Stopper(stop)
    task.children = [*(task.children or ()), stopper]  # type: ignore[list-item]
    try:
        task.check()
        yield
    finally:
        stopper.over = True
        task.check()


async def in_thread(call: Callable[[], T], stop: Callable[[], None]) -> T:
    """`call()` in a thread of its own, in the caller's context. Cancelled, it calls `stop` and waits for the end."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()
    context = copy_context()

    def job() -> None:
        try:
            output = context.run(call)
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(output)

    workers.submit(job)
    answer = asyncio.wrap_future(future)
    try:
        return await asyncio.shield(answer)
    except asyncio.CancelledError:
        stop()
        await wait_through(answer)
        seen(answer)
        raise


def ends_with_run(run: Run, end: Callable[[], None]) -> None:
    """Have `end` called once the run is over, however it ends; at once if it is. It must not raise, nor block."""
    run.endings = (*run.endings, end)
    if run.stopped:
        end()
