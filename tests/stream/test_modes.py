"""From events to the shape that a caller asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from headrace.checkpoint.memory import InMemorySaver
from headrace.graph import START, StateGraph
from headrace.stream.modes import MODES, checked, shape
from headrace.types import GraphOutput, interrupt
from tests.drive import Drive
from tests.engine.build import chain, says

NS = ("a:1",)


@pytest.mark.parametrize("asked", ["values", ["values", "custom"], ("tasks",), []])
def test_modes_that_exist_are_taken_as_a_tuple(asked: Any) -> None:
    assert checked(asked) == ((asked,) if isinstance(asked, str) else tuple(asked))


@pytest.mark.parametrize("asked", ["zz", ["values", "zz"], [None]])
def test_a_mode_that_does_not_exist_is_refused_with_those_that_do(asked: Any) -> None:
    with pytest.raises(ValueError, match="unknown stream mode") as caught:
        checked(asked)
    assert ", ".join(MODES) in str(caught.value)


@pytest.mark.parametrize(
    ("modes", "subgraphs", "shaped"),
    [
        ("updates", False, "data"),
        ("updates", True, (NS, "data")),
        (["updates"], False, ("updates", "data")),
        (["updates"], True, (NS, "updates", "data")),
    ],
)
def test_what_was_asked_for_says_what_an_event_looks_like(modes: Any, subgraphs: bool, shaped: Any) -> None:
    assert shape(modes, subgraphs, "v1")((NS, 3, "updates", "data")) == shaped


def test_a_typed_part_says_its_mode_and_place_whatever_was_asked_for() -> None:
    for modes, subgraphs in (("updates", False), (["updates"], True)):
        part = shape(modes, subgraphs, "v2")((NS, 3, "updates", "data"))
        assert part == {"type": "updates", "ns": NS, "data": "data"}


@pytest.mark.parametrize(
    ("data", "state", "interrupts"),
    [({"a": 1}, {"a": 1}, ()), ({"a": 1, "__interrupt__": (7,)}, {"a": 1}, (7,)), ([1], [1], ())],
)
def test_in_typed_values_the_questions_stand_beside_the_state(data: Any, state: Any, interrupts: Any) -> None:
    part = shape("values", False, "v2")(((), 3, "values", data))
    assert part == {"type": "values", "ns": (), "data": state, "interrupts": interrupts}


def test_an_unknown_version_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"unknown version 'v3' .*'v1' and 'v2'"):
        shape("values", False, "v3")


def test_an_unknown_version_is_refused_before_anything_runs(drive: Drive) -> None:
    ran: list[str] = []
    with pytest.raises(ValueError, match="unknown version 'v3'"):
        drive.invoke(StateGraph(dict).add_node("a", ran.append).add_edge(START, "a").compile(), {}, version="v3")
    assert ran == []


@dataclass
class State:
    one: int = 0


def graph(**options: Any) -> Any:
    return StateGraph(State).add_node("n", lambda state: {"one": state.one + 1}).add_edge(START, "n").compile(**options)


def test_typed_values_of_the_graph_itself_are_objects_of_its_class(drive: Drive) -> None:
    parts = drive.stream(graph(), {"one": 1}, stream_mode=["values", "updates"], version="v2")
    assert parts == [
        {"type": "values", "ns": (), "data": State(1), "interrupts": ()},
        {"type": "updates", "ns": (), "data": {"n": {"one": 2}}},
        {"type": "values", "ns": (), "data": State(2), "interrupts": ()},
    ]


def test_typed_values_of_a_subgraph_stay_dicts(drive: Drive) -> None:
    outer = StateGraph(State).add_node("sub", graph()).add_edge(START, "sub").compile()
    parts = drive.stream(outer, {"one": 1}, stream_mode="values", version="v2", subgraphs=True)
    below = [part["data"] for part in parts if part["ns"]]
    assert below == [{"one": 1}, {"one": 2}]
    assert parts[-1]["data"] == State(2)


def test_a_typed_result_has_the_value_and_the_questions(drive: Drive, thread: Any) -> None:
    assert drive.invoke(graph(), {"one": 1}, version="v2") == GraphOutput(State(2), ())

    def ask(state: State) -> Any:
        return {"one": interrupt("?")}

    asking = StateGraph(State).add_node("ask", ask).add_edge(START, "ask").compile(checkpointer=InMemorySaver())
    output = drive.invoke(asking, {"one": 1}, thread, version="v2")
    assert output.value == State(1)
    assert [one.value for one in output.interrupts] == ["?"]


def test_events_come_numbered_from_one_with_their_place(drive: Drive) -> None:
    events = drive.events(chain(says("a"), says("b")), {"log": []}, stream_mode=["updates", "values"])
    assert [event.seq for event in events] == [1, 2, 3, 4, 5]
    assert [(event.ns, event.step, event.mode) for event in events] == [
        ((), 0, "values"),
        ((), 1, "updates"),
        ((), 1, "values"),
        ((), 2, "updates"),
        ((), 2, "values"),
    ]
    assert events[1].data == {"a": {"log": ["a"]}}
