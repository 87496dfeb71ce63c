"""An event as readers of the log see it."""

from __future__ import annotations

from typing import Any

from headrace.graph import START, StateGraph
from tests.drive import Drive
from tests.engine.build import State, chain, says


def test_an_event_is_a_tuple_with_names(drive: Drive) -> None:
    (event,) = drive.events(chain(says("a")), {"log": []}, stream_mode="updates")
    seq, ns, step, mode, data = event
    assert (seq, ns, step, mode, data) == (event.seq, event.ns, event.step, event.mode, event.data)
    assert (seq, ns, step, mode, data) == (1, (), 1, "updates", {"a": {"log": ["a"]}})


def test_numbers_rise_by_one_through_all_modes_and_subgraphs(drive: Drive) -> None:
    graph: Any = StateGraph(State).add_node("sub", chain(says("a"), says("b"))).add_edge(START, "sub").compile()
    events = drive.events(graph, {"log": []}, stream_mode=["updates", "values", "tasks"], subgraphs=True)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert {len(event.ns) for event in events} == {0, 1}


def test_each_run_counts_for_itself(drive: Drive) -> None:
    graph = chain(says("a"))
    for _ in range(2):
        assert [event.seq for event in drive.events(graph, {"log": []}, stream_mode="updates")] == [1]
