"""What each mode says of a step."""

from __future__ import annotations

import operator
import re
from typing import Annotated, Any, TypedDict

import pytest

from headrace import clock
from headrace.checkpoint.memory import InMemorySaver
from headrace.graph import START, StateGraph
from headrace.names import INTERRUPT
from headrace.types import Command, Send, interrupt
from tests.drive import Drive
from tests.engine.build import State, chain, fan, says
from tests.engine.test_loop import asking


def twice(state: State) -> list[Any]:
    return [Command(update={"log": [1]}), Command(update={"log": [2]})]


def silent(state: State) -> None: ...


# updates


def test_updates_show_what_a_node_wrote(drive: Drive) -> None:
    graph = chain(says("a"), silent, twice)
    assert drive.stream(graph, {"log": []}, stream_mode="updates") == [
        {"a": {"log": ["a"]}},
        {"silent": None},
        {"twice": [{"log": [1]}, {"log": [2]}]},
    ]


def test_an_update_of_one_shown_key_is_its_last_value(drive: Drive) -> None:
    graph = chain(silent, twice)
    events = drive.stream(graph, {"log": []}, stream_mode="updates", output_keys="log")
    assert events == [{"silent": None}, {"twice": [2]}]


def test_a_shown_container_is_not_the_states_own(drive: Drive) -> None:
    graph = chain(says("a"), says("b"))
    told: list[Any] = []
    for event in graph.stream({"log": []}, stream_mode=["updates", "values"]):
        told.append(event)
        mode, data = event
        (data if mode == "values" else next(iter(data.values())))["log"].append("mine")
    assert told[-1] == ("values", {"log": ["a", "b", "mine"]})


# values


def test_values_are_told_for_the_input_and_for_each_step_that_writes_what_is_shown(drive: Drive) -> None:
    graph = chain(says("a"), silent, says("b"))
    assert drive.stream(graph, {"log": [0]}, stream_mode="values") == [
        {"log": [0]},
        {"log": [0, "a"]},
        {"log": [0, "a", "b"]},
    ]


def test_a_thread_that_goes_on_begins_with_where_it_stands(drive: Drive, thread: Any) -> None:
    graph = fan(asking("ask"), says("other"), checkpointer=InMemorySaver())
    drive.invoke(graph, {"log": []}, thread)
    values = drive.stream(graph, Command(resume="yes"), thread, stream_mode="values")
    assert values == [{"log": []}, {"log": ["yes", "other"]}]


def test_a_thread_without_values_begins_with_nothing(drive: Drive, thread: Any) -> None:
    builder = StateGraph(Plain).add_node("a", asking_plain).add_edge(START, "a")
    graph = builder.compile(checkpointer=InMemorySaver())
    drive.invoke(graph, {}, thread)
    assert drive.stream(graph, Command(resume=1), thread, stream_mode="values") == [{"one": 1}]


class Plain(TypedDict, total=False):
    one: int


def asking_plain(state: Plain) -> Plain:
    return {"one": interrupt("?")}


# questions


def test_a_question_is_told_in_updates_and_beside_the_state_in_values(drive: Drive, thread: Any) -> None:
    graph = chain(asking("ask"), checkpointer=InMemorySaver())
    events = drive.stream(graph, {"log": [0]}, thread, stream_mode=["values", "updates"])
    (question,) = events[1][1][INTERRUPT]
    assert question.value == "ask?"
    assert events == [
        ("values", {"log": [0]}),
        ("updates", {INTERRUPT: (question,)}),
        ("values", {"log": [0], INTERRUPT: (question,)}),
    ]


def test_a_question_in_a_state_of_one_value_stands_alone(drive: Drive, thread: Any) -> None:
    def ask(state: Any) -> Any:
        return [interrupt("?")]

    schema: Any = Annotated[list[int], operator.add]
    builder: Any = StateGraph(schema).add_node("ask", ask).add_edge(START, "ask")
    graph = builder.compile(checkpointer=InMemorySaver())
    events = drive.stream(graph, [0], thread, stream_mode="values")
    assert events[0] == [0]
    assert [one.value for one in events[1][INTERRUPT]] == ["?"]


def test_a_question_is_the_end_of_its_task_in_tasks(drive: Drive, thread: Any) -> None:
    graph = chain(asking("ask"), checkpointer=InMemorySaver())
    start, end = drive.stream(graph, {"log": []}, thread, stream_mode="tasks")
    assert (start["name"], end["name"], start["id"]) == ("ask", "ask", end["id"])
    assert (end["error"], end["result"]) == (None, {})
    assert [one["value"] for one in end["interrupts"]] == ["ask?"]


@pytest.mark.parametrize("mode", ["values", "updates", "tasks"])
def test_a_pause_inside_a_subgraph_is_told_as_a_pause_without_a_question(mode: Any, drive: Drive, thread: Any) -> None:
    inner = chain(says("inner"), interrupt_before=["inner"])
    graph = StateGraph(State).add_node("sub", inner).add_edge(START, "sub").compile(checkpointer=InMemorySaver())
    events = drive.stream(graph, {"log": []}, thread, stream_mode=mode)
    if mode == "values":
        assert events == [{"log": []}]
    elif mode == "updates":
        assert events == [{INTERRUPT: ()}]
    else:
        assert [event["name"] for event in events] == ["sub"]


# tasks


def test_a_task_is_told_before_and_after_it_runs(drive: Drive) -> None:
    start, end = drive.stream(chain(says("a")), {"log": [0]}, stream_mode="tasks")
    assert start == {"id": start["id"], "name": "a", "input": {"log": [0]}, "triggers": ("branch:to:a",)}
    assert end == {"id": start["id"], "name": "a", "error": None, "result": {"log": ["a"]}, "interrupts": []}


def test_a_task_shows_the_metadata_and_tags_of_the_call_and_of_its_node(drive: Drive) -> None:
    builder = StateGraph(State).add_node("a", says("a"), metadata={"own": 1}).add_edge(START, "a")
    config = {"metadata": {"topic": "cats"}, "tags": ["t"]}
    start, _ = drive.stream(builder.compile(), {"log": []}, config, stream_mode="tasks")
    assert start["metadata"] == {"topic": "cats", "own": 1, "tags": ["t"]}


def test_a_sent_task_shows_what_it_was_sent(drive: Drive) -> None:
    def send(state: State) -> Any:
        return [Send("a", {"log": ["sent"]}), Send("a", sent)]

    sent = {"log": ["own"]}
    builder = StateGraph(State).add_node("a", says("a")).add_conditional_edges(START, send)
    first, second, *_ = drive.stream(builder.compile(), {"log": []}, stream_mode="tasks")
    assert (first["input"], first["triggers"]) == ({"log": ["sent"]}, ("__pregel_push",))
    assert second["input"] == sent
    assert second["input"] is not sent


def test_a_task_that_failed_shows_its_error(drive: Drive) -> None:
    def bad(state: State) -> State:
        raise ValueError("bad")

    told, error = drive.broken(chain(bad), {"log": []}, stream_mode="tasks")
    assert told[-1]["error"] is error
    assert told[-1]["result"] == {}


def test_a_task_whose_handler_takes_over_shows_its_error_and_the_handler_its_result(drive: Drive) -> None:
    def bad(state: State) -> State:
        raise ValueError("bad")

    def handle(state: State) -> State:
        return {"log": ["handled"]}

    builder = StateGraph(State).add_node("bad", bad, error_handler=handle).add_edge(START, "bad")
    ends = [event for event in drive.stream(builder.compile(), {"log": []}, stream_mode="tasks") if "result" in event]
    assert [(end["name"], repr(end["error"]), end["result"]) for end in ends] == [
        ("bad", "ValueError('bad')", {}),
        ("__error_handler__bad", "None", {"log": ["handled"]}),
    ]
    updates = drive.stream(builder.compile(), {"log": []}, stream_mode="updates")
    assert updates == [{"__error_handler__bad": {"log": ["handled"]}}]


def test_a_result_written_twice_is_listed(drive: Drive) -> None:
    _, end = drive.stream(chain(twice), {"log": []}, stream_mode="tasks")
    assert end["result"] == {"log": {"$writes": [[1], [2]]}}


# debug and checkpoints


def test_debug_wraps_tasks_and_checkpoints(drive: Drive, thread: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: 0.0)
    graph = chain(says("a"), checkpointer=InMemorySaver())
    events = drive.stream(graph, {"log": []}, thread, stream_mode=["debug", "tasks", "checkpoints"])
    wrapped = [event for mode, event in events if mode == "debug"]
    bare = [event for mode, event in events if mode != "debug"]
    assert [event["payload"] for event in wrapped] == bare
    assert [(event["step"], event["type"]) for event in wrapped] == [
        (-1, "checkpoint"),
        (0, "checkpoint"),
        (1, "task"),
        (1, "task_result"),
        (1, "checkpoint"),
    ]
    assert {event["timestamp"] for event in wrapped} == {"1970-01-01T00:00:00.000000+00:00"}


def test_without_a_checkpointer_there_is_no_checkpoint_to_tell(drive: Drive) -> None:
    assert drive.stream(chain(says("a")), {"log": []}, stream_mode="checkpoints") == []


def test_a_checkpoint_shows_what_is_next_and_where_it_is_stored(drive: Drive, thread: Any) -> None:
    graph = chain(says("a"), checkpointer=InMemorySaver())
    events = drive.stream(graph, {"log": []}, thread, stream_mode="checkpoints")
    assert [event["next"] for event in events] == [["__start__"], ["a"], []]
    assert events[-1]["config"] == drive.state(graph, thread).config
    assert [event["parent_config"] for event in events] == [None, *(event["config"] for event in events[:-1])]
    assert re.fullmatch("[0-9a-f-]{36}", events[-1]["tasks"][0]["id"]) if events[-1]["tasks"] else True


@pytest.mark.parametrize("modes", [["updates"], ["values"], ["tasks"], ["debug"], ["checkpoints"], ["custom"]])
def test_modes_tell_the_same_alone_as_together(modes: Any, drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.ids.unique", lambda: "run")
    monkeypatch.setattr(clock, "now", lambda: 0.0)
    graph = chain(says("a"), silent, twice)
    together = drive.stream(graph, {"log": []}, stream_mode=["updates", "values", "tasks", "debug", "custom"])
    alone = drive.stream(graph, {"log": []}, stream_mode=modes)
    assert alone == [event for event in together if event[0] in modes]
