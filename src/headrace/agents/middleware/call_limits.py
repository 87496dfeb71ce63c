"""What limits on calls have in common."""

from __future__ import annotations

from typing import Any


def check_limits(thread_limit: Any, run_limit: Any) -> None:
    """ValueError for no limit at all, and for one that is no count."""
    if thread_limit is None and run_limit is None:
        raise ValueError("a limit is missing: pass thread_limit, run_limit or both")
    for name, limit in (("thread_limit", thread_limit), ("run_limit", run_limit)):
        if limit is not None and (not isinstance(limit, int) or limit < 0):
            raise ValueError(f"{name} is a number of calls that is not below 0, got {limit!r}")


def exceeded(thread: int, run: int, thread_limit: int | None, run_limit: int | None) -> str:
    """Which limits on calls of the model are reached, in words; empty if none is."""
    found = []
    if thread_limit is not None and thread >= thread_limit:
        found.append(f"{thread} of {thread_limit} model calls of this thread are used")
    if run_limit is not None and run >= run_limit:
        found.append(f"{run} of {run_limit} model calls of this run are used")
    return " and ".join(found)
