"""The view for a pipe or a file: one JSON object a line, written at once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, BinaryIO

from headrace.cli.failure import FAILED, PAUSED, PIPE_CLOSED, Failure
from headrace.cli.session import Pause
from headrace.stream.encode import encode_json
from headrace.stream.events import StreamEvent


class Lines:
    """Writes `{"seq": ..., "ns": [...], "mode": ..., "data": ...}`, flushed after each line.

    A reader that is slow holds the whole process up, and so the run.
    """

    extra_modes: Sequence[str] = ()

    def __init__(self, out: BinaryIO) -> None:
        self.out = out

    def show(self, event: StreamEvent) -> None:
        """Write one line. Failure when it cannot be written, for then nobody reads what the run says."""
        line = encode_json({"seq": event.seq, "ns": event.ns, "mode": event.mode, "data": event.data})
        try:
            self.out.write(line + b"\n")
            self.out.flush()
        except BrokenPipeError:
            self._discard()
            raise Failure("the reader of standard output went away; the run was stopped", PIPE_CLOSED) from None
        except OSError as error:
            self._discard()
            raise Failure(f"cannot write to standard output: {error.strerror or error}", FAILED) from None

    async def resume(self, pause: Pause) -> Any:
        """Nobody answers in a pipe."""
        asked = ", ".join(f"{q.node!r} asks {encode_json(q.interrupt.value).decode()}" for q in pause.questions)
        where = asked or f"it stopped before {', '.join(map(repr, pause.next))}"
        raise Failure(f"the run waits: {where}; run it on a terminal to answer", PAUSED)

    def _discard(self) -> None:
        """Sends what is still buffered to nowhere, so that Python does not fail on it again at exit."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.out.fileno())
        os.close(nowhere)
