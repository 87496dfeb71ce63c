"""Row 12: an agent's turn above the calls of model and tools that it consists of."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import budget
from harness.measure import Engine, Probe, Workload, atimed, timed

from workloads.agents import caller

CALLS = (1, 4)
TURNS = (1, 5, 20)
PASS_TURNS = 60

FORMS = (
    ("sync", "invoke", "bare"),
    ("sync", "updates", "bare"),
    ("async", "ainvoke", "abare"),
    ("async", "aupdates", "abare"),
)


def workloads() -> Iterator[Workload]:
    for driver, bare in (("sync", "bare"), ("async", "abare")):
        for calls in CALLS:
            # Not judged: the loop by hand, which is subtracted below. Its ratio tells how quiet the machine is.
            yield Workload(12, f"bare loop, {calls} calls {driver}", "turn", _probe(driver, bare, 5, calls))
    for driver, form, bare in FORMS:
        for calls in CALLS:
            name = f"agent, {calls} calls {driver} {form.removeprefix('a')}"
            for turns in TURNS:
                yield Workload(
                    12,
                    f"{name}, {turns} turns",
                    "turn",
                    _probe(driver, form, turns, calls),
                    budget.AGENT_TURN,
                    reference=_probe(driver, bare, turns, calls),
                    series=(name, turns),
                )


def _probe(driver: str, form: str, turns: int, calls: int) -> Callable[[Engine], Probe]:
    def build(engine: Engine) -> Probe | None:
        run = getattr(caller(engine, turns, calls), form)
        if run is None:
            return None
        return (timed if driver == "sync" else atimed)(run, turns, max(1, PASS_TURNS // turns))

    return build
