"""Coroutines of tools under a sync run: awaited on an event loop in a thread of its own, one for the whole process.

This is the one place where sync code awaits. A tool that has only a coroutine works under `stream` and `invoke`,
also where the caller's own thread has a running loop, as in a notebook.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, wait
from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING, Any, TypeVar

from headrace.config import current
from headrace.engine.task import Task

if TYPE_CHECKING:
    T = TypeVar("T")

GUARD = threading.Lock()
"""Held where a loop is started, and where a wait joins the children of its task: tools of one task run in parallel."""

_loops: list[asyncio.AbstractEventLoop] = []
_held: set[asyncio.AbstractEventLoop] = set()
"""Loops that some code holds up; each takes itself out when it goes on."""

HELD_S = 1.0
"""Seconds after which a loop that has not taken up a coroutine counts as held up. Sync code that runs on a loop and
waits for another thread, which itself wants the loop, would else wait for ever."""

DEPTH: ContextVar[int] = ContextVar("headrace.tools.depth", default=0)
"""How many of the loops the code runs under. A coroutine that runs sync code, such as an agent's `invoke`, holds up
its loop, so what is awaited in there needs the next one. Threads that a tool started do not know theirs; see `HELD_S`.
"""


def private_loop(depth: int) -> tuple[asyncio.AbstractEventLoop, int]:
    """The first loop for code at a depth that nothing holds up, and its own depth; started if it is needed first.

    Coroutines share it as far as can be: what they keep, such as the connections of a client, belongs to one loop.
    """
    with GUARD:
        while depth < len(_loops) and _loops[depth] in _held:
            depth += 1
        while len(_loops) <= depth:
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name=f"headrace tools {len(_loops)}", daemon=True).start()
            _loops.append(loop)
        return _loops[depth], depth


def forked() -> None:
    """A child process has none of its parent's threads."""
    global GUARD  # noqa: PLW0603 - one per process
    _loops.clear()
    _held.clear()
    GUARD = threading.Lock()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(after_in_child=forked)


class Waited:
    """A coroutine that sync code waits for. Among a task's children, so that stopping the run cancels it at once."""

    def __init__(self, call: Callable[[], Coroutine[Any, Any, Any]], loop: asyncio.AbstractEventLoop | None) -> None:
        self.call = call
        self.loop = loop
        self.context = copy_context()
        self.future: Future[Any] = Future()
        self.task: asyncio.Task[Any] | None = None
        self.stopped = False
        self.changing = threading.Lock()
        """Held where it is begun, stopped or taken back: one of them is first."""
        self.offer: asyncio.AbstractEventLoop | None = None
        """The loop that may begin it."""

    @property
    def over(self) -> bool:
        return self.future.done()

    def outcome(self) -> Any:
        """Wait for it: on the loop that was given, or on the first private one that takes it up."""
        if self.loop is not None:
            self.offer_to(self.loop, self.context)
            return self.future.result()
        while self.task is None:
            loop, depth = private_loop(DEPTH.get())
            context = self.context.copy()
            context.run(DEPTH.set, depth + 1)
            self.offer_to(loop, context)
            if not wait([self.future], HELD_S).done:
                self.take_back(loop)
        return self.future.result()

    def offer_to(self, loop: asyncio.AbstractEventLoop, context: Context) -> None:
        self.offer = loop
        loop.call_soon_threadsafe(self.begin, loop, context=context)

    def take_back(self, loop: asyncio.AbstractEventLoop) -> None:
        with self.changing:
            if self.task is None:
                self.offer = None
                _held.add(loop)

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """On the loop, in the caller's context, which the asyncio task copies."""
        _held.discard(loop)
        with self.changing:
            if self.offer is not loop or self.task is not None:
                return
            self.task = loop.create_task(self.call())
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
        with self.changing:
            self.stopped = True
            if self.task is not None and not self.task.done():
                self.task.get_loop().call_soon_threadsafe(self.task.cancel)


def wait_for(call: Callable[[], Coroutine[Any, Any, T]], loop: asyncio.AbstractEventLoop | None = None) -> T:
    """Await `call()` from sync code: in the caller's context, and cancelled when the run around it is stopped.

    `loop`: a loop in another thread, to await it there and not on a private one. A KeyboardInterrupt while it waits
    cancels it, too. Raises what the coroutine raises; NodeCancelled after a stop.
    """
    task, waited = current.get(), Waited(call, loop)
    if isinstance(task, Task):
        with GUARD:
            task.children = [*(task.children or ()), waited]  # type: ignore[list-item]
        task.check()
    try:
        return waited.outcome()  # type: ignore[no-any-return]
    except BaseException:
        if not waited.future.done():
            waited.stop()
        if isinstance(task, Task):
            task.check()
        raise
