"""One loop, two drivers: the same events whoever drives it, but for the order of parallel tasks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.oracle.compare import recorded
from tests.oracle.program import MODES, Asking, Driver
from tests.oracle.random_graphs import Plan

from .plans import HEADRACE, few, graphs, program

others = st.sampled_from(("async", "threads"))
"""Coroutine nodes, and plain nodes in threads, both under `astream`."""


@few
@given(graphs, others)
def test_all_drivers_tell_the_same(plan: Plan, driver: Driver) -> None:
    of = program(plan)
    expected = recorded(of, HEADRACE, Asking(MODES, "sync", of.subgraphs))
    assert recorded(of, HEADRACE, Asking(MODES, driver, of.subgraphs)) == expected


@few
@given(graphs, others, st.sampled_from(MODES), st.booleans())
def test_all_drivers_tell_the_same_of_one_mode(plan: Plan, driver: Driver, mode: str, subgraphs: bool) -> None:
    of = program(plan)
    expected = recorded(of, HEADRACE, Asking(mode, "sync", subgraphs))
    assert recorded(of, HEADRACE, Asking(mode, driver, subgraphs)) == expected
