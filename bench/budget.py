"""What each workload may cost: rows 1 to 9 and 12 of the design's performance budget, as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """A bound on our cost: relative to the peer's, absolute, or none (both unset: shown, not judged)."""

    times: float | None = None
    """The peer's cost divided by ours must reach this."""

    at_most: float | None = None
    """Ours, in the workload's own unit, must not pass this; needs no peer."""

    def __str__(self) -> str:
        if self.times is not None:
            return f">={self.times:g}x"
        return "-" if self.at_most is None else f"<={self.at_most:g}"

    def met(self, cost: float, ratio: float | None) -> bool | None:
        """None when there is nothing to judge by."""
        if self.times is not None:
            return None if ratio is None else ratio >= self.times
        return None if self.at_most is None else cost <= self.at_most


NO_GOAL = Goal()

# Row 1. The whole process counts, interpreter start included: bare Python with asyncio takes about
# 40 ms on the machine the budget was written on.
IMPORT_MS = Goal(at_most=60)
IMPORT_MODULES = Goal(at_most=180)

# An agent cannot do without langchain-core's models, messages and tools: times what these take alone.
IMPORT_AGENTS = Goal(at_most=1.25)

# Row 2, and its two exceptions: both pay a thread round trip (17-40 us) at every step.
CHAIN = Goal(times=15)
CHAIN_NEWS = Goal(times=5)
CHAIN_SYNC_NODES = Goal(times=4)

# Row 3.
ONE_INVOKE = Goal(times=8)
ONE_CUSTOM = Goal(times=12)

# Row 4.
FAN_OUT = Goal(times=8)

# Row 5. The yield itself costs 1.8 us of what an async event may take.
CUSTOM_SYNC = Goal(times=3)
CUSTOM_YIELDING = Goal(times=2.5)

# Row 6. 1.6 us (sync) and 3.7 us (async) of a token are langchain-core's own callback dispatch.
TOKEN_SYNC = Goal(times=2)
TOKEN_ASYNC = Goal(times=1.7)

# Row 7.
FIRST_TOKEN = Goal(times=6)

# Row 8. The budget names the longest history; that the shorter ones are no dearer is the exponent's part.
HISTORY_5000 = Goal(times=20)

# Row 9.
CROWD = Goal(times=10)
PARKED_KB = Goal(at_most=8)

# Row 12. A turn is a call of the model and the calls of its tools; what they take by themselves is subtracted.
AGENT_TURN = Goal(times=5)

EXPONENTS = {"agent": 1.1, "chain": 1.1, "fan-out": 1.1, "history": 0.25}
"""Highest exponent of total cost over size, by kind of series: 1 is linear, 0 does not depend on size.

Above the ideal by what a fit over noisy points needs; an append copies the list, which is 3 us of
its cost at 5000 messages.
"""
