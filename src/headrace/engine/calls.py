"""How user code is called: in the task's context, in a thread where it blocks, never longer than its policy."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context
from typing import TYPE_CHECKING, Any

from headrace.config import current

if TYPE_CHECKING:
    from headrace.engine.task import Task
    from headrace.stream.outlet import AsyncOutlet


def context_for(task: Task) -> Context:
    """A context for a task's code: the caller's, a copy, in which the task is the current one."""
    context = task.run.context.copy()
    context.run(enter, task)
    return context


def enter(task: Task) -> None:
    current.set(task)
    if task.run.guest is not None:
        task.run.guest.enter(task)


def run_in(task: Task, function: Callable[..., Any], input: Any, args: dict[str, Any]) -> Any:
    """Call a sync function inside the task's context."""
    return task.run.context.copy().run(entered, task, function, input, args)


def entered(task: Task, function: Callable[..., Any], input: Any, args: dict[str, Any]) -> Any:
    current.set(task)
    if task.run.guest is not None:
        task.run.guest.enter(task)
    return function(input, **args)


class Within:
    """Awaits a coroutine so that each of its stretches runs in a context of its own.

    The task that awaits it stays the consumer's or the leg's; a coroutine needs no task to have its context.
    With an outlet, the coroutine is held at its own awaits while the outlet is full.
    """

    __slots__ = ("before", "context", "coroutine", "outlet")

    def __init__(self, coroutine: Coroutine[Any, Any, Any], context: Context, outlet: AsyncOutlet | None) -> None:
        self.coroutine = coroutine
        self.context = context
        self.outlet = outlet
        self.before: int | None = None
        """Requests to cancel the current task that were older than the first cancellation passed in; None: none was."""

    def __await__(self) -> Generator[Any, Any, Any]:
        run, coroutine, outlet = self.context.run, self.coroutine, self.outlet
        send = coroutine.send
        try:
            waited = run(send, None)
            while True:
                try:
                    yield waited
                    if outlet is not None and len(outlet.items) > outlet.bound:
                        yield from outlet.wait_room().__await__()
                except GeneratorExit:
                    run(coroutine.close)
                    raise
                except BaseException as error:
                    if self.before is None and isinstance(error, asyncio.CancelledError):
                        self.before = max(0, requests() - 1)
                    waited = run(coroutine.throw, error)
                else:
                    waited = run(send, None)
        except StopIteration as stop:
            return stop.value

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked the current task to end while it ran this, and nobody took that back.

        A timeout inside the node takes back what it asked for. So this holds when a cancellation from outside came
        in, also if the code swallowed it; and not when the code awaited something that was cancelled.
        """
        return self.before is not None and requests() > self.before


COUNTED = sys.version_info >= (3, 11)
"""Whether asyncio counts requests to cancel a task, and so can tell whose they were. Python 3.10 does not."""


def requests() -> int:
    """How often the current task was asked to end and nobody took it back, as `asyncio.timeout` does."""
    if sys.version_info >= (3, 11):
        task = asyncio.current_task()
        return 0 if task is None else task.cancelling()
    return 0


async def wait_through(*tasks: asyncio.Future[Any]) -> None:
    """Wait until cancelled tasks have ended, however often the waiting is cancelled; then let that go on."""
    left = {task for task in tasks if not task.done()}
    cancelled = False
    while left:
        try:
            _, left = await asyncio.wait(left)
        except asyncio.CancelledError:
            cancelled = True
            left = {task for task in left if not task.done()}
    if cancelled:
        raise asyncio.CancelledError


def seen(*outcomes: asyncio.Future[Any]) -> None:
    """Look at outcomes that nobody may ask for, so that asyncio does not warn of them."""
    for outcome in outcomes:
        if not outcome.cancelled():
            outcome.exception()


async def awaited(awaitable: Awaitable[Any]) -> Any:
    """Any awaitable as a coroutine."""
    return await awaitable
