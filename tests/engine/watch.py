"""Waiting for things to happen, and looking whether anything was left behind."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from headrace import workers

PATIENCE_S = 20.0
"""Seconds after which something that should have happened never will."""


def until(condition: Callable[[], Any]) -> None:
    """Wait, in this thread, until a condition holds."""
    pause, deadline = threading.Event(), time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain; threads: {threading.enumerate()}"
        pause.wait(0.001)


async def auntil(condition: Callable[[], Any]) -> None:
    """Wait, with the event loop running, until a condition holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain; tasks: {asyncio.all_tasks()}"
        await asyncio.sleep(0.001)


def wait(event: threading.Event) -> None:
    """Wait for an event that comes for certain."""
    assert event.wait(PATIENCE_S), "waited in vain"


def busy() -> set[str]:
    """The worker threads that are at work."""
    alive = {thread.name for thread in threading.enumerate() if thread.name.startswith("headrace-")}
    return alive - {worker.name for worker in list(workers._idle)}


@contextmanager
def nothing_left() -> Iterator[None]:
    """What happens inside leaves no worker thread at work and no loop that was never run."""
    yield
    gc.collect()
    until(lambda: not busy())


@asynccontextmanager
async def nothing_left_running() -> AsyncIterator[None]:
    """What happens inside leaves no asyncio task, no worker thread at work, and asyncio without complaint."""
    loop = asyncio.get_running_loop()
    complaints: list[dict[str, Any]] = []
    handler = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    before = asyncio.all_tasks()
    try:
        yield
        gc.collect()
        await asyncio.sleep(0)
        left = asyncio.all_tasks() - before
        assert not left, f"still running: {left}"
        await auntil(lambda: not busy())
        gc.collect()
        assert not complaints
    finally:
        loop.set_exception_handler(handler)
