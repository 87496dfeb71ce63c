"""The one place that reads the time, so that a test can replace it."""

from __future__ import annotations

import time
from datetime import datetime, timezone

now = time.time
"""Seconds since the epoch; may jump."""

monotonic = time.monotonic
"""Seconds from some start; never goes back."""


sleep = time.sleep
"""Block the thread for so many seconds."""


async def asleep(seconds: float) -> None:
    """Suspend the task for so many seconds."""
    import asyncio  # noqa: PLC0415 - not needed by a program without it

    await asyncio.sleep(seconds)


_second = (-1, "")
"""The last second that was written out: most timestamps differ from the one before in their microseconds alone."""


def timestamp() -> str:
    """The time of day in UTC as ISO 8601 with microseconds."""
    global _second  # noqa: PLW0603 - one pair, replaced as a whole, so any thread may
    seconds, micros = divmod(int(now() * 1_000_000), 1_000_000)
    known, text = _second
    if seconds != known:
        text = datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.")
        _second = seconds, text
    return f"{text}{micros:06d}+00:00"
