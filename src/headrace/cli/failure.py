"""What the command says, and how it exits, when something is wrong.

0    the run ended
1    the run failed: a node raised, or the result cannot be written
2    nothing was run: a bad target, input or option
3    the run waits at an interrupt that nobody here can answer
130  Ctrl-C (128 + SIGINT)
141  the reader of the pipe went away (128 + SIGPIPE)
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from sysconfig import get_path
from types import TracebackType

from headrace.errors import InvalidConfigError, InvalidInputError

FAILED, USAGE, PAUSED, INTERRUPTED, PIPE_CLOSED = 1, 2, 3, 130, 141

NOTHING_RAN = (InvalidConfigError, InvalidInputError)
"""Errors of what the caller gave; they come before any node."""

NOT_THEIRS = tuple(
    f"{path}{os.sep}"
    for path in (Path(__file__).parents[1], *(get_path(name) for name in ("stdlib", "purelib", "platlib")))
)
"""Folders whose lines are not where a user's mistake is."""


class Failure(Exception):
    """Ends the command with one message for the user and an exit code; the cause is for `--traceback`."""

    def __init__(self, message: str, code: int = USAGE) -> None:
        super().__init__(message)
        self.message, self.code = message, code


def report(error: BaseException, *, with_traceback: bool) -> int:
    """Say on standard error what went wrong; the exit code."""
    if isinstance(error, Failure):
        message, code = error.message, error.code
    else:
        message, code = describe(error), USAGE if isinstance(error, NOTHING_RAN) else FAILED
    origin = error.__cause__ if isinstance(error, Failure) else error
    if with_traceback and origin is not None:
        traceback.print_exception(type(origin), origin, origin.__traceback__, file=sys.stderr)
    elif origin is not None:
        message += "\n  --traceback shows where it came from"
    print(f"headrace: {message}", file=sys.stderr, flush=True)
    return code


def describe(error: BaseException) -> str:
    """An exception in a few lines: what, the notes it carries (task and node), the line of the user's code."""
    text = "".join(traceback.format_exception_only(type(error), error)).strip()
    notes = [str(note) for note in getattr(error, "__notes__", ())]
    lines = [*text.splitlines(), *(note for note in notes if note not in text)]  # Python 3.10 prints no notes
    place = _place(error.__traceback__)
    return "\n  ".join([*lines, place] if place else lines)


def _place(trace: TracebackType | None) -> str | None:
    """The innermost line of the user's own code; neither ours, nor Python's, nor of an installed package."""
    theirs = [frame for frame in _frames(trace) if not frame[0].startswith(("<", *NOT_THEIRS))]
    return "at {}:{} in {}".format(*theirs[-1]) if theirs else None


def _frames(trace: TracebackType | None) -> Iterator[tuple[str, int, str]]:
    while trace is not None:
        code = trace.tb_frame.f_code
        yield code.co_filename, trace.tb_lineno, code.co_name
        trace = trace.tb_next
