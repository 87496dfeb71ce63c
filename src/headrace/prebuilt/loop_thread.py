"""Coroutines of tools under a sync run: awaited on an event loop in a thread of its own, one for the whole process.

This is the one place where sync code awaits. A tool that has only a coroutine works under `stream` and `invoke`,
also where the caller's own thread has a running loop, as in a notebook.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any, TypeVar

from headrace.config import current
from headrace.engine.task import Task

if TYPE_CHECKING:
    T = TypeVar("T")

STARTING = threading.Lock()
_loops: list[asyncio.AbstractEventLoop] = []

DEPTH: ContextVar[int] = ContextVar("headrace.tools.depth", default=0)
"""How many of the loops the code runs under. A coroutine that runs sync code, such as an agent's `invoke`, holds up
its loop, so what is awaited in there needs the next one."""


def private_loop(depth: int) -> asyncio.AbstractEventLoop:
    """The loop for code at a depth, started by the first that needs it."""
    with STARTING:
        while len(_loops) <= depth:
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name=f"headrace tools {len(_loops)}", daemon=True).start()
            _loops.append(loop)
        return _loops[depth]


def forked() -> None:
    """A child process has none of its parent's threads."""
    global STARTING  # noqa: PLW0603 - one per process
    _loops.clear()
    STARTING = threading.Lock()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(after_in_child=forked)


class Waited:
    """A coroutine on the private loop. Among a task's children, so that stopping the run cancels it at once."""

    def __init__(self, call: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self.call = call
        depth = DEPTH.get()
        self.loop = private_loop(depth)
        self.context = copy_context()
        self.context.run(DEPTH.set, depth + 1)
        self.future: Future[Any] = Future()
        self.task: asyncio.Task[Any] | None = None
        self.stopped = False

    @property
    def over(self) -> bool:
        return self.future.done()

    def begin(self) -> None:
        """On the loop, in the caller's context, which the asyncio task copies."""
        self.task = self.loop.create_task(self.call())
        self.task.add_done_callback(self.end)
        if self.stopped:
            self.task.cancel()

    def end(self, task: asyncio.Task[Any]) -> None:
        if task.cancelled():
            self.future.set_exception(asyncio.CancelledError())
        elif (error := task.exception()) is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(task.result())

    def stop(self) -> None:
        """Cancel it. From any thread."""
        self.stopped = True
        self.loop.call_soon_threadsafe(self.cancel)

    def cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()


def wait_for(call: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Await `call()` from sync code: in the caller's context, and cancelled when the run around it is stopped.

    A KeyboardInterrupt while it waits cancels it, too. Raises what the coroutine raises; NodeCancelled after a stop.
    """
    task, waited = current.get(), Waited(call)
    if isinstance(task, Task):
        task.children = [*(task.children or ()), waited]  # type: ignore[list-item]
        task.check()
    waited.loop.call_soon_threadsafe(waited.begin, context=waited.context)
    try:
        return waited.future.result()  # type: ignore[no-any-return]
    except BaseException:
        if not waited.future.done():
            waited.stop()
        if isinstance(task, Task):
            task.check()
        raise
