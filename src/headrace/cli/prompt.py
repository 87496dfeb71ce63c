"""A line from the person at the terminal, while the event loop goes on."""

from __future__ import annotations

import asyncio
import os
import sys


class Prompt:
    """Lines typed at a terminal.

    Waits on the file descriptor instead of in a thread: a thread that sits in `input()` cannot be stopped by
    Ctrl-C, and blocking the loop would stop whatever the graph keeps alive between two legs of a run.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.typed = b""

    async def line(self) -> str | None:
        """The next line, without its end; None after Ctrl-D. Cancelling loses nothing that was typed."""
        while b"\n" not in self.typed:
            await self._wait_readable()
            data = os.read(self.fd, 65536)
            if not data:
                return None
            self.typed += data
        line, _, self.typed = self.typed.partition(b"\n")
        return line.decode(sys.stdin.encoding or "utf-8", "replace").rstrip("\r")

    async def _wait_readable(self) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        try:
            loop.add_reader(self.fd, ready.set)
        except NotImplementedError:  # Windows: the read itself waits
            return
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self.fd)
