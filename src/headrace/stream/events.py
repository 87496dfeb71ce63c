"""The event log of a run, as a stream: every mode and every wire protocol is a projection of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

Item = tuple[tuple[str, ...], int, str, Any]
"""An event before it is numbered: namespace, step, mode, data. Its place in the queue is its order."""

Put = Callable[[Item], None]


class StreamEvent(NamedTuple):
    """One event of a run."""

    seq: int
    """Rises by one with each event of the run; given when the event is read, so it follows the order of writing."""
    ns: tuple[str, ...]
    """The subgraph it comes from, outermost first, as `node:task id`; empty for the graph itself."""
    step: int
    mode: str
    data: Any
