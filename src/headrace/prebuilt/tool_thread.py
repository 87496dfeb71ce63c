"""Sync tools under an async run: in a thread of ours, not in asyncio's pool.

That pool has few threads, and `asyncio.run` waits at its end for each of them: one tool that hangs, though its time
had long run out, would keep the program from ending.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from headrace import workers
from headrace.config import current
from headrace.engine.abandoned import GRACE_S, warn
from headrace.engine.calls import seen, wait_through
from headrace.engine.task import STOPPED, Task


async def in_thread(call: Callable[[], Any]) -> Any:
    """What `call()` returns, in the caller's context.

    Cancelled in a run that was stopped, it waits a moment for the code to reach one of our calls and end; if it does
    not, it is left behind and named. Cancelled by somebody else, it is left behind at once.
    """
    loop, task, context = asyncio.get_running_loop(), current.get(), copy_context()
    answer: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()
    threads: list[str] = []

    def job() -> None:
        threads.append(threading.current_thread().name)
        outcome: tuple[Any, BaseException | None]
        try:
            outcome = context.run(call), None
        except BaseException as error:
            outcome = None, error
        try:
            loop.call_soon_threadsafe(settle, answer, outcome)
        except RuntimeError:  # the event loop was closed meanwhile: nobody waits any more
            pass

    workers.queue(job)
    try:
        output, error = await asyncio.shield(answer)
    except asyncio.CancelledError:
        if isinstance(task, Task) and task.state is STOPPED and threads:
            await grace(answer, task, threads[0])
        answer.cancel()
        raise
    if error is not None:
        raise error
    return output


def settle(answer: asyncio.Future[Any], outcome: tuple[Any, BaseException | None]) -> None:
    """Give an answer to whoever still waits for it. The error is a value of it, as a future cannot hold every one."""
    if not answer.done():
        answer.set_result(outcome)


async def grace(answer: asyncio.Future[Any], task: Task, thread: str) -> None:
    """Wait a moment for stopped code; name it if it goes on."""
    waiting = asyncio.ensure_future(asyncio.wait([answer], timeout=GRACE_S))
    try:
        await wait_through(waiting)
    finally:
        seen(waiting)
        if not answer.done():
            warn(task, thread)
