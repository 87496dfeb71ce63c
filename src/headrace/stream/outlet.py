"""Between a run and its consumer: one FIFO for all events, bounded, with an end.

The place in the FIFO is the order of events; numbers are given when they are read, by the one reader. So a writer
needs no lock, and two threads cannot swap between taking a number and putting the event.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from threading import get_ident
from typing import Any

from headrace.stream.events import Item

BOUND = 1024
"""Events that may wait for the consumer before a writer has to."""


class Outlet:
    """The queue between a sync consumer and the thread that runs nodes."""

    def __init__(self, bound: int = BOUND) -> None:
        self.items: deque[Item] = deque()
        self.bound = bound
        self.said = False
        """Whether anything was put since the last leg began; "is the queue empty?" would not tell."""
        self.closed = False
        self.blocked = 0
        self.thread = 0
        """No thread: here the reader may wait wherever it likes."""
        self._reading = False
        self._bell = threading.Lock()
        self._bell.acquire()
        self.room = Room()

    def put(self, item: Item) -> None:
        """Add an event and wake the reader; waits while the queue is full. From any thread."""
        self.items.append(item)
        self.said = True
        if self._reading:
            self.ring()
        if len(self.items) > self.bound:
            self.room.wait(self)

    def ring(self) -> None:
        """Wake the reader, or have it look again before it next waits."""
        self._reading = False
        try:
            self._bell.release()
        except RuntimeError:  # another writer rang first
            pass

    def wait(self) -> None:
        """Wait for an event, or for `ring`. May return without either."""
        self._reading = True
        if self.items:
            self._reading = False
            return
        self._bell.acquire()

    def make_room(self) -> None:
        """Tell waiting writers that events were taken."""
        if len(self.items) <= self.bound // 2:
            self.room.release()

    def release(self) -> None:
        """Let the writers that wait for room go on without it: what they work for was stopped."""
        self.room.release()

    def close(self) -> None:
        """The reader has gone: nobody waits for it any more."""
        self.closed = True
        self.room.release()


class AsyncOutlet:
    """The queue between an async consumer and nodes: those of its event loop, and sync ones in threads."""

    def __init__(self, bound: int = BOUND) -> None:
        self.items: deque[Item] = deque()
        self.bound = bound
        self.said = False
        self.closed = False
        self.waiter: asyncio.Future[None] | None = None
        self.thread = 0
        """The thread of the consumer's event loop, which must never wait here."""
        self._loop: asyncio.AbstractEventLoop
        self.room = Room()
        self._space: asyncio.Future[None] | None = None
        self.blocked = 0
        """Sync runs that block the event loop, and with it the reader: an async node called `invoke`. Their threads
        would wait for ever for the room that nobody can make."""

    def attach(self) -> asyncio.AbstractEventLoop:
        """Belong to the event loop that runs now: its consumer's. Before anything is put."""
        self._loop = asyncio.get_running_loop()
        self.thread = get_ident()
        return self._loop

    def put(self, item: Item) -> None:
        """Add an event and wake the reader. From a thread it waits while the queue is full; on the loop it cannot."""
        self.items.append(item)
        self.said = True
        if self.waiter is not None:
            self.ring()
        if len(self.items) > self.bound and get_ident() != self.thread and not self.blocked:
            self.room.wait(self)

    def ring(self, _: Any = None) -> None:
        """Wake the reader. From any thread."""
        waiter, self.waiter = self.waiter, None
        if waiter is None:
            return
        if get_ident() == self.thread:
            wake(waiter)
        else:
            self.call(wake, waiter)

    def call(self, function: Callable[..., None], *args: Any) -> None:
        """Call a function on the event loop, from a thread; nothing happens once the loop is closed."""
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            self.closed = True

    async def wait(self) -> None:
        """Wait for an event, or for `ring`."""
        waiter = self._loop.create_future()
        self.waiter = waiter
        if self.items:  # put by a thread between the last look and this one
            self.waiter = None
            return
        await waiter

    @property
    def full(self) -> bool:
        return len(self.items) > self.bound and not self.closed

    async def wait_room(self) -> None:
        """Hold a node of the loop at one of its own awaits until the reader has made room, or has gone."""
        while self.full:
            self.room.crowded = True
            if self._space is None or self._space.done():
                self._space = self._loop.create_future()
            await asyncio.shield(self._space)

    def make_room(self) -> None:
        """Tell waiting writers that events were taken."""
        if len(self.items) > self.bound // 2:
            return
        if self._space is not None:
            wake(self._space)
            self._space = None
        self.room.release()

    def release(self) -> None:
        """Let the threads that wait for room go on without it: what they work for was stopped."""
        self.room.release()

    def close(self) -> None:
        """The reader has gone: nobody waits for it any more."""
        self.closed = True
        self.room.release()
        if self._space is not None:
            wake(self._space)


MAKING = threading.Lock()
"""Held while a room gets its condition."""


class Room:
    """Where threads wait until a full queue has room again."""

    __slots__ = ("_changed", "_turn", "crowded")

    def __init__(self) -> None:
        self.crowded = False
        """Whether anybody may be waiting; set before the queue is looked at, so that the reader misses nobody."""
        self._turn = 0
        self._changed: threading.Condition | None = None
        """Made by the first thread that waits; most queues are never full."""

    def wait(self, queue: Outlet | AsyncOutlet) -> None:
        """Wait until the reader has made room, or has gone, or somebody else says to go on."""
        with MAKING:
            changed = self._changed = self._changed or threading.Condition()
        with changed:
            turn = self._turn
            self.crowded = True
            while len(queue.items) > queue.bound and not queue.closed and self._turn == turn:
                changed.wait()

    def release(self) -> None:
        """Let all go that wait."""
        self.crowded = False
        if self._changed is None:  # who comes to wait after this finds the room, or the end, that was made before it
            return
        with self._changed:
            self._turn += 1
            self._changed.notify_all()


def wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
