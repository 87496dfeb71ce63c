"""Random graphs say on headrace what they say on langgraph, in every mode."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from .compare import same_stream
from .program import MODES, Asking, Driver
from .random_graphs import Plan, as_program, plans
from .record import play
from .roots import REFERENCE

pytestmark = pytest.mark.main_only

askings = st.builds(
    Asking,
    st.sampled_from([*MODES, ("updates", "custom"), ("values", "updates")]),
    st.sampled_from(["sync", "async", "threads"]),
    st.booleans(),
    st.sampled_from(["v1", "v2"]),
)


def compare(plan: Plan, asking: Asking) -> None:
    drivers: tuple[Driver, ...] = ("sync", "async")
    try:
        program = as_program(with_room(plan))
        for driver in drivers:
            same_stream(program, Asking(MODES, driver, program.subgraphs))
        same_stream(program, asking)
    except Exception as error:
        if type(error).__module__.startswith("langgraph"):
            reject()  # the reference cannot tell a state whose tasks wrote what cannot be merged
        raise


def with_room(plan: Plan) -> Plan:
    """The plan with a limit that no run meets exactly: that is an error in the reference, though nothing is due."""
    while (turn := limited(plan)) and turn != limited(replace(plan, limit=plan.limit + 1)):
        plan = replace(plan, limit=plan.limit + 1)
    return plan


def limited(plan: Plan) -> int:
    """The turn in which the reference stops at the limit, from one; zero if it does not."""
    turns = play(as_program(plan), REFERENCE, Asking("updates", "sync"))
    return len(turns) if type(turns[-1].error).__name__ == "GraphRecursionError" else 0


@settings(settings.get_profile("ci"))
@given(plans(), askings)
def test_random_graphs_are_the_same(plan: Plan, asking: Asking) -> None:
    compare(plan, asking)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
@settings(settings.get_profile("slow"))
@given(plans(), askings)
def test_many_random_graphs_are_the_same(part: int, plan: Plan, asking: Asking) -> None:
    compare(plan, asking)
