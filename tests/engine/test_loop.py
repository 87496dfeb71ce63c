"""Super-steps: how they follow one another, how they end, what a step that fails or asks leaves."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.checkpoint.memory import InMemorySaver
from headrace.errors import GraphDrained, GraphRecursionError, InvalidUpdateError
from headrace.graph import END, START, StateGraph
from headrace.names import INTERRUPT
from headrace.runtime import RunControl
from headrace.types import Command, Send, interrupt
from tests.drive import Drive
from tests.engine.build import State, chain, fan, says


def endless() -> Any:
    return StateGraph(State).add_node("a", says("a")).add_edge(START, "a").add_edge("a", "a").compile(name="wheel")


def asking(name: str) -> Any:
    def node(state: State) -> State:
        return {"log": [interrupt(f"{name}?")]}

    node.__name__ = name
    return node


def notes(error: BaseException) -> list[str]:
    """What was noted on an error; the attribute has no type before Python 3.11."""
    found: list[str] = vars(error)["__notes__"]
    return found


# limits


def test_a_run_takes_as_many_steps_as_its_limit_allows(drive: Drive) -> None:
    assert drive.invoke(chain(says("a"), says("b")), {"log": []}, {"recursion_limit": 2}) == {"log": ["a", "b"]}


def test_one_step_more_is_an_error_that_names_the_graph_the_limit_and_the_remedy(drive: Drive) -> None:
    with pytest.raises(GraphRecursionError) as caught:
        drive.invoke(endless(), {"log": []}, {"recursion_limit": 3})
    for part in ("'wheel'", "3 super-steps", "`recursion_limit`", "a loop without a way out"):
        assert part in str(caught.value)


def test_the_steps_within_the_limit_are_told(drive: Drive) -> None:
    told, error = drive.broken(endless(), {"log": []}, {"recursion_limit": 3})
    assert isinstance(error, GraphRecursionError)
    assert told == [{"a": {"log": ["a"]}}] * 3


def test_the_limit_counts_the_steps_of_one_run_not_of_the_thread(drive: Drive, thread: Any) -> None:
    graph = chain(says("a"), says("b"), checkpointer=InMemorySaver())
    limited = {**thread, "recursion_limit": 2}
    drive.invoke(graph, {"log": []}, limited)
    assert drive.invoke(graph, {"log": []}, limited) == {"log": ["a", "b", "a", "b"]}


# draining


def test_a_drained_run_stops_between_two_steps_and_can_go_on(drive: Drive, thread: Any) -> None:
    control = RunControl()

    def node(state: State) -> State:
        control.request_drain("deploy")
        return {"log": ["a"]}

    graph = chain(node, says("b"), checkpointer=InMemorySaver())
    with pytest.raises(GraphDrained, match="deploy") as caught:
        drive.invoke(graph, {"log": []}, thread, control=control)
    assert caught.value.reason == "deploy"
    assert drive.state(graph, thread).next == ("b",)
    assert drive.invoke(graph, None, thread) == {"log": ["a", "b"]}


def test_a_run_whose_control_asks_for_nothing_goes_on(drive: Drive) -> None:
    assert drive.invoke(chain(says("a")), {"log": []}, control=RunControl()) == {"log": ["a"]}


# pauses that the caller asked for


@pytest.mark.parametrize("names", [["b"], "*"])
def test_a_pause_before_a_node(names: Any, drive: Drive, thread: Any) -> None:
    graph = chain(says("a"), says("b"), checkpointer=InMemorySaver())
    events = drive.stream(graph, {"log": []}, thread, stream_mode="updates", interrupt_before=names)
    first = [] if names == "*" else [{"a": {"log": ["a"]}}]
    assert events == [*first, {INTERRUPT: ()}]
    assert drive.state(graph, thread).next == (("a",) if names == "*" else ("b",))


def test_a_pause_after_a_node(drive: Drive, thread: Any) -> None:
    graph = chain(says("a"), says("b"), checkpointer=InMemorySaver(), interrupt_after=["a"])
    assert drive.stream(graph, {"log": []}, thread) == [{"a": {"log": ["a"]}}, {INTERRUPT: ()}]
    assert drive.stream(graph, None, thread) == [{"b": {"log": ["b"]}}]


def test_a_run_that_goes_on_does_not_stop_where_it_stopped_before(drive: Drive, thread: Any) -> None:
    graph = chain(says("a"), says("b"), checkpointer=InMemorySaver(), interrupt_before="*")
    drive.invoke(graph, {"log": []}, thread)
    assert drive.stream(graph, None, thread) == [{"a": {"log": ["a"]}}, {INTERRUPT: ()}]
    assert drive.stream(graph, None, thread) == [{"b": {"log": ["b"]}}]


@pytest.mark.parametrize("where", ["interrupt_before", "interrupt_after"])
def test_a_pause_inside_a_subgraph_pauses_the_graph_above(where: str, drive: Drive, thread: Any) -> None:
    options: Any = {where: ["inner"]}
    inner = chain(says("inner"), **options)
    graph = StateGraph(State).add_node("sub", inner).add_edge(START, "sub").compile(checkpointer=InMemorySaver())
    drive.invoke(graph, {"log": []}, thread)
    assert drive.state(graph, thread).next == ("sub",)
    assert drive.invoke(graph, None, thread) == {"log": ["inner"]}


# questions


def test_finished_tasks_of_a_paused_step_do_not_run_again(drive: Drive, thread: Any) -> None:
    calls: list[str] = []

    def other(state: State) -> State:
        calls.append("other")
        return {"log": ["other"]}

    graph = fan(asking("ask"), other, checkpointer=InMemorySaver())
    paused = drive.invoke(graph, {"log": []}, thread)
    assert paused["log"] == ["other"]
    assert [one.value for one in paused[INTERRUPT]] == ["ask?"]
    assert drive.invoke(graph, Command(resume="yes"), thread) == {"log": ["yes", "other"]}
    assert calls == ["other"]


def test_a_step_that_asks_tells_what_the_others_wrote_as_values(drive: Drive, thread: Any) -> None:
    graph = fan(asking("ask"), says("other"), checkpointer=InMemorySaver())
    values = drive.stream(graph, {"log": []}, thread, stream_mode="values")
    assert values[-1] == {"log": ["other"]}


def test_a_step_in_which_all_ask_changes_nothing(drive: Drive, thread: Any) -> None:
    graph = fan(asking("ask"), asking("also"), checkpointer=InMemorySaver())
    values = drive.stream(graph, {"log": [0]}, thread, stream_mode="values")
    assert [value["log"] for value in values] == [[0]] * len(values)
    assert sorted(one.value for value in values for one in value.get(INTERRUPT, ())) == ["also?", "ask?"]


def test_several_questions_of_one_node_are_answered_in_their_order(drive: Drive, thread: Any) -> None:
    def node(state: State) -> State:
        return {"log": [interrupt("1"), interrupt("2")]}

    graph = chain(node, checkpointer=InMemorySaver())
    drive.invoke(graph, {"log": []}, thread)
    (second,) = drive.invoke(graph, Command(resume="one"), thread)[INTERRUPT]
    assert second.value == "2"
    assert drive.invoke(graph, Command(resume="two"), thread) == {"log": ["one", "two"]}


# errors


def test_an_error_says_in_which_node_step_and_task_it_was(drive: Drive) -> None:
    def bad(state: State) -> State:
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad") as caught:
        drive.invoke(chain(says("a"), bad), {"log": []})
    (note,) = notes(caught.value)
    assert note.startswith("in node 'bad', step 2, task ")


def test_an_error_inside_a_subgraph_names_both_nodes(drive: Drive) -> None:
    def bad(state: State) -> State:
        raise ValueError("bad")

    graph = StateGraph(State).add_node("sub", chain(bad)).add_edge(START, "sub").compile()
    with pytest.raises(ValueError, match="bad") as caught:
        drive.invoke(graph, {"log": []})
    assert [note.split(",")[0] for note in notes(caught.value)] == ["in node 'bad'", "in node 'sub'"]


def test_a_step_with_a_failed_task_is_not_applied_and_the_others_keep_their_results(drive: Drive, thread: Any) -> None:
    fails = [True]
    calls: list[str] = []

    def bad(state: State) -> State:
        if fails:
            raise ValueError("bad")
        return {"log": ["bad"]}

    def good(state: State) -> State:
        calls.append("good")
        return {"log": ["good"]}

    builder = StateGraph(State).add_node("good", good).add_node("bad", bad).add_edge(START, "good")
    builder.add_edge(START, "bad")
    graph = builder.compile(checkpointer=InMemorySaver())
    with pytest.raises(ValueError, match="bad"):
        drive.invoke(graph, {"log": []}, thread)
    before = len(calls)
    fails.clear()
    assert drive.invoke(graph, None, thread) == {"log": ["bad", "good"]}
    finished_in_time = [task.result for task in drive.history(graph, thread)[1].tasks if task.name == "good"]
    assert finished_in_time == [{"log": ["good"]}]
    assert len(calls) in (before, before + 1)


def test_what_the_only_task_of_a_refused_step_did_stands(drive: Drive, thread: Any) -> None:
    """It need not run again for the same step."""

    def wide(state: State) -> list[Any]:
        return [Command(update={"log": [1]}), Command(goto=Send("nobody", {}))]

    graph = chain(wide, checkpointer=InMemorySaver())
    with pytest.raises(InvalidUpdateError, match="nobody"):
        drive.invoke(graph, {"log": []}, thread)
    assert drive.state(graph, thread).next == ("wide",)


def test_a_refused_step_keeps_the_result_of_its_task(drive: Drive, thread: Any) -> None:
    def twice(state: Any) -> list[Any]:
        return [Command(update={"one": 1}), Command(update={"one": 2})]

    builder = StateGraph(Plain).add_node("twice", twice).add_edge(START, "twice")
    graph = builder.compile(checkpointer=InMemorySaver())
    told, error = drive.broken(graph, {"one": 0}, thread, stream_mode="updates")
    assert isinstance(error, InvalidUpdateError)
    assert told == [{"twice": [{"one": 1}, {"one": 2}]}]
    (task,) = drive.state(graph, thread).tasks
    assert task.result == {"one": {"$writes": [1, 2]}}


class Plain(State, total=False):
    one: int


def test_a_graph_that_ends_by_command_ends(drive: Drive) -> None:
    def node(state: State) -> Command[Any]:
        return Command(update={"log": ["a"]}, goto=END)

    assert drive.invoke(chain(node), {"log": []}) == {"log": ["a"]}


# a step that waits for an answer, and whose finished tasks cannot be merged


@pytest.mark.parametrize("mode", [None, "updates", "values", "custom", "debug"])
def test_writes_that_cannot_be_merged_fail_a_waiting_step_whatever_is_listened_to(
    mode: Any, drive: Drive, thread: Any
) -> None:
    builder = StateGraph(Plain)
    for name in ("a", "b"):
        builder.add_node(name, lambda state: {"one": 1}).add_edge(START, name)
    builder.add_node("asks", lambda state: {"one": interrupt("which?")}).add_edge(START, "asks")
    graph = builder.compile(checkpointer=InMemorySaver())
    with pytest.raises(InvalidUpdateError, match=r"'one' holds one value .*by nodes 'a' and 'b'"):
        drive.invoke(graph, {}, thread) if mode is None else drive.stream(graph, {}, thread, stream_mode=mode)
    state = drive.state(graph, thread)
    assert ("one" in state.values, [question.value for question in state.interrupts]) == (False, ["which?"])
