"""One workload on several engines, round by round, in one process.

Rules: every engine runs a pass in every round, so that a slow spell of the machine meets all of
them; `gc.collect()` before a pass, the collector on during it (its share of a run is part of the
price), but imported modules frozen, so that no engine pays for walking over another's; CPU time of
the whole process, threads included, because the wall clock of a shared machine tells of the
neighbours.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import math
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from budget import NO_GOAL, Goal

Probe = Callable[[], float]
"""Runs one pass and says what a unit cost in it (microseconds unless the workload names another unit)."""

LOOP = asyncio.new_event_loop()
"""All async passes share a loop: making one costs more than the shortest of them."""


@dataclass(frozen=True)
class Engine:
    """Anything that has the public module layout under `root`."""

    root: str
    package: str = ""
    """What it is called on PyPI, where that is not the root."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "package", self.package or self.root)

    def get(self, module: str, name: str) -> Any:
        return getattr(importlib.import_module(f"{self.root}.{module}"), name)


@dataclass(frozen=True)
class Workload:
    """A question with one number per engine for an answer."""

    row: int
    name: str
    unit: str
    build: Callable[[Engine], Probe | None]
    """None: the engine has no such thing."""
    goal: Goal = NO_GOAL
    reference: Callable[[Engine], Probe] | None = None
    """What the work costs with no engine at all, for one that calls what this engine calls; measured
    before each of its passes and subtracted."""
    effort: float = 1.0
    """Rounds for each one asked for: fewer where a pass is long or its result does not vary, more
    where a small difference of large numbers is looked for."""
    series: tuple[str, int] | None = None
    """Name of the scaling series that this is a point of, and its size."""
    repeated: int | None = None
    """Units in one run, for the series' totals; the size itself when unset."""


@dataclass(frozen=True)
class Measurement:
    """Per engine root: what each round gave, or why it gave nothing."""

    workload: Workload
    samples: dict[str, list[float]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def noting(self, root: str) -> Iterator[None]:
        """Turns an engine's failure into an entry of `errors`."""
        try:
            yield
        except Exception as error:
            self.errors[root] = f"{type(error).__name__}: {error}"

    def median(self, root: str) -> float | None:
        return statistics.median(self.samples[root]) if self.samples.get(root) else None

    def ratio(self, peer: str, ours: str) -> float | None:
        """How many times the peer's cost is ours; None when either is missing.

        The median of the rounds' ratios, not the ratio of the medians: neighbours in time share the
        machine's mood. Of one engine measured against itself the two spread alike where it is quiet
        (2 to 6 %), this one less where threads make it noisy (9 against 15 %).
        """
        pairs = list(zip(self.samples.get(peer, []), self.samples.get(ours, []), strict=False))
        # A reference taken off can leave nothing of ours in one round: more than any ratio then.
        middle = statistics.median([theirs / own if own > 0 else math.inf for theirs, own in pairs] or [math.inf])
        return middle if math.isfinite(middle) else None


def settle() -> None:
    """Takes all that exists by now, the imported modules above all, out of the collector's sight.

    It makes the asynchronous fan-out of an engine with many live objects cheaper (by a quarter), the
    rest not; and a collection before a pass 5 ms instead of 60.
    """
    gc.collect()
    gc.freeze()


def measure(workload: Workload, engines: list[Engine], rounds: int) -> Measurement:
    """All rounds of a workload; an engine that fails is left out of the rest and named in `errors`."""
    result = Measurement(workload)
    probes: dict[str, tuple[Probe, Probe]] = {}
    for engine in engines:
        with result.noting(engine.root):
            probe = workload.build(engine)
            if probe is None:
                continue
            probes[engine.root] = probe, workload.reference(engine) if workload.reference else _nothing
            for warm_up in probes[engine.root]:  # the first pass of anything
                warm_up()
    for _ in range(max(1, round(rounds * workload.effort))):
        for root, (probe, reference) in probes.items():
            if root not in result.errors:
                with result.noting(root):
                    base = _collected(reference)
                    result.samples.setdefault(root, []).append(_collected(probe) - base)
    return result


def _nothing() -> float:
    return 0.0


def _collected(probe: Probe) -> float:
    gc.collect()
    return probe()


def timed(run: Callable[[], object], units: int, times: int = 1) -> Probe:
    """A pass of `times` sync runs, each doing `units` units."""

    def probe() -> float:
        start = time.process_time()
        for _ in range(times):
            run()
        return (time.process_time() - start) / (units * times) * 1e6

    return probe


def atimed(run: Callable[[], Awaitable[object]], units: int, times: int = 1) -> Probe:
    """The same for async runs, one after the other."""

    async def passing() -> float:
        start = time.process_time()
        for _ in range(times):
            await run()
        return (time.process_time() - start) / (units * times) * 1e6

    return lambda: LOOP.run_until_complete(passing())
