"""Which graph a config's namespace is of."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.checkpoint.memory import InMemorySaver
from headrace.graph import START, StateGraph
from headrace.types import StateUpdate
from tests.drive import Drive
from tests.engine.build import State, chain, says


def paused(drive: Drive, thread: Any, memory: Any = None) -> Any:
    """A graph whose subgraph of a subgraph has paused before its second node."""
    inner = chain(says("a"), says("b"), interrupt_before=["b"], checkpointer=memory)
    middle = StateGraph(State).add_node("inner", inner).add_edge(START, "inner").compile()
    graph = StateGraph(State).add_node("middle", middle).add_edge(START, "middle")
    compiled = graph.compile(checkpointer=InMemorySaver())
    drive.invoke(compiled, {"log": []}, thread)
    return compiled


def test_states_of_all_levels_are_there_when_asked_for(drive: Drive, thread: Any) -> None:
    outer = drive.state(paused(drive, thread), thread, subgraphs=True)
    middle = outer.tasks[0].state
    inner = middle.tasks[0].state
    assert (outer.next, middle.next, inner.next) == (("middle",), ("inner",), ("b",))
    assert inner.values == {"log": ["a"]}
    assert inner.config["configurable"]["checkpoint_ns"].split("|")[0] == middle.config["configurable"]["checkpoint_ns"]


def test_a_namespace_leads_to_its_history(drive: Drive, thread: Any) -> None:
    graph = paused(drive, thread)
    inner = drive.state(graph, thread, subgraphs=True).tasks[0].state.tasks[0].state
    place = {"configurable": {"thread_id": "1", "checkpoint_ns": inner.config["configurable"]["checkpoint_ns"]}}
    assert [one.next for one in drive.history(graph, place)] == [("b",), ("a",), (START,)]


def test_a_namespace_can_be_written_to(drive: Drive, thread: Any) -> None:
    graph = paused(drive, thread)
    place = drive.state(graph, thread, subgraphs=True).tasks[0].state.tasks[0].state.config
    drive.call(graph, "bulk_update_state", place, [[StateUpdate({"log": ["told"]}, "a")]])
    assert drive.invoke(graph, None, thread) == {"log": ["a", "told", "b"]}


def test_a_namespace_of_no_subgraph_is_refused(drive: Drive, thread: Any) -> None:
    config = {"configurable": {"thread_id": "1", "checkpoint_ns": "zz:1"}}
    with pytest.raises(ValueError, match="no subgraph 'zz' for the namespace 'zz:1'"):
        drive.state(paused(drive, thread), config)


def test_a_subgraph_that_keeps_its_own_thread_is_asked_itself(drive: Drive, thread: Any) -> None:
    saver = InMemorySaver()
    graph = paused(drive, thread, saver)
    inner = drive.state(graph, thread, subgraphs=True).tasks[0].state.tasks[0].state
    assert inner.values == {"log": ["a"]}
    assert list(saver.list(None))
