"""The state of a thread: read, and changed from outside."""

from __future__ import annotations

from typing import Any, TypedDict

import pytest

from headrace.checkpoint.memory import InMemorySaver
from headrace.errors import InvalidConfigError, InvalidUpdateError
from headrace.graph import END, START, StateGraph
from headrace.types import Command, Send, StateUpdate
from tests.drive import Drive
from tests.engine.build import State, chain, fan, says
from tests.engine.test_loop import asking


def stored(*nodes: Any, **options: Any) -> Any:
    return chain(*nodes, checkpointer=InMemorySaver(), **options)


# reading


def test_a_fresh_thread_is_empty(drive: Drive, thread: Any) -> None:
    state = drive.state(stored(says("a")), thread)
    assert (state.values, state.next, state.tasks, state.interrupts) == ({}, (), (), ())
    assert (state.metadata, state.created_at, state.parent_config) == (None, None, None)
    assert drive.history(stored(says("a")), thread) == []


def test_a_finished_thread_has_nothing_to_do_next(drive: Drive, thread: Any) -> None:
    graph = stored(says("a"))
    drive.invoke(graph, {"log": []}, thread)
    state = drive.state(graph, thread)
    assert (state.values, state.next, state.tasks) == ({"log": ["a"]}, (), ())
    assert state.metadata == {"source": "loop", "step": 1, "parents": {}}


def test_a_thread_that_was_asked_shows_its_question(drive: Drive, thread: Any) -> None:
    graph = stored(asking("ask"))
    drive.invoke(graph, {"log": []}, thread)
    state = drive.state(graph, thread)
    assert state.next == ("ask",)
    assert [one.value for one in state.interrupts] == ["ask?"]
    (task,) = state.tasks
    assert (task.name, task.path, task.error, task.result, task.state) == (
        "ask",
        ("__pregel_pull", "ask"),
        None,
        None,
        None,
    )


def test_a_thread_whose_node_failed_shows_its_error(drive: Drive, thread: Any) -> None:
    def bad(state: State) -> State:
        raise ValueError("bad")

    graph = stored(bad)
    with pytest.raises(ValueError, match="bad"):
        drive.invoke(graph, {"log": []}, thread)
    (task,) = drive.state(graph, thread).tasks
    assert task.error == "ValueError('bad')"


def test_now_what_finished_tasks_of_the_next_step_wrote_counts(drive: Drive, thread: Any) -> None:
    graph = fan(asking("ask"), says("other"), checkpointer=InMemorySaver())
    drive.invoke(graph, {"log": []}, thread)
    state = drive.state(graph, thread)
    assert (state.values, state.next) == ({"log": ["other"]}, ("ask",))
    assert [task.name for task in state.tasks] == ["ask", "other"]


def test_at_a_named_checkpoint_only_the_checkpoint_counts(drive: Drive, thread: Any) -> None:
    graph = fan(asking("ask"), says("other"), checkpointer=InMemorySaver())
    drive.invoke(graph, {"log": []}, thread)
    state = drive.state(graph, drive.state(graph, thread).config)
    assert (state.values, state.next) == ({"log": []}, ("ask", "other"))


def test_a_question_that_has_its_answer_is_history(drive: Drive, thread: Any) -> None:
    graph = stored(asking("ask"), says("b"))
    drive.invoke(graph, {"log": []}, thread)
    drive.invoke(graph, Command(resume="yes"), thread)
    asked = next(one for one in drive.history(graph, thread) if one.next == ("ask",))
    assert [one.value for one in asked.interrupts] == ["ask?"]
    assert asked.tasks[0].result == {"log": ["yes"]}


def test_the_history_begins_with_the_newest_and_ends_with_the_input(drive: Drive, thread: Any) -> None:
    graph = stored(says("a"))
    drive.invoke(graph, {"log": [0]}, thread)
    history = drive.history(graph, thread)
    assert [(one.next, one.values) for one in history] == [
        ((), {"log": [0, "a"]}),
        (("a",), {"log": [0]}),
        ((START,), {"log": []}),
    ]
    assert history[-1].tasks[0].result == {"log": [0]}
    assert [one.parent_config for one in history] == [history[1].config, history[2].config, None]


def test_the_history_can_be_narrowed(drive: Drive, thread: Any) -> None:
    graph = stored(says("a"), says("b"))
    drive.invoke(graph, {"log": []}, thread)
    everything = drive.history(graph, thread)
    assert drive.history(graph, thread, limit=2) == everything[:2]
    assert drive.history(graph, thread, before=everything[1].config) == everything[2:]
    assert drive.history(graph, thread, filter={"source": "input"}) == everything[-1:]


def test_a_subgraphs_state_can_be_looked_into(drive: Drive, thread: Any) -> None:
    inner = chain(says("before"), asking("ask"))
    graph = StateGraph(State).add_node("sub", inner).add_edge(START, "sub").compile(checkpointer=InMemorySaver())
    drive.invoke(graph, {"log": []}, thread)
    (task,) = drive.state(graph, thread, subgraphs=True).tasks
    assert task.state.values == {"log": ["before"]}
    assert task.state.next == ("ask",)
    (plain,) = drive.state(graph, thread).tasks
    assert drive.state(graph, plain.state).values == {"log": ["before"]}


@pytest.mark.parametrize("method", ["get_state", "update_state"])
def test_a_state_needs_a_checkpointer_and_the_error_says_so(method: str, drive: Drive, thread: Any) -> None:
    values: tuple[Any, ...] = () if method == "get_state" else ({"log": []},)
    with pytest.raises(InvalidConfigError, match=r"graph 'wheel' .*checkpointer=InMemorySaver\(\)"):
        drive.call(chain(says("a"), name="wheel"), method, thread, *values)


def test_a_state_needs_a_thread_and_the_error_says_how_to_name_it(drive: Drive) -> None:
    with pytest.raises(InvalidConfigError, match="'thread_id'"):
        drive.state(stored(says("a")), {})


# writing


def test_an_update_counts_as_the_node_that_ran_last(drive: Drive, thread: Any) -> None:
    graph = stored(says("a"), says("b"), interrupt_before=["b"])
    drive.invoke(graph, {"log": []}, thread)
    drive.update(graph, thread, {"log": ["told"]})
    state = drive.state(graph, thread)
    assert (state.values, state.next) == ({"log": ["a", "told"]}, ("b",))
    assert (state.metadata["source"], state.metadata["step"]) == ("update", 2)


def test_an_update_can_be_that_of_another_node(drive: Drive, thread: Any) -> None:
    graph = stored(says("a"), says("b"), says("c"), interrupt_before="*")
    drive.invoke(graph, {"log": []}, thread)
    config = drive.update(graph, thread, {"log": ["told"]}, as_node="b")
    assert drive.state(graph, thread).next == ("c",)
    assert drive.state(graph, config).values == {"log": ["told"]}


def test_an_update_follows_the_routing_functions_of_its_node(drive: Drive, thread: Any) -> None:
    builder = StateGraph(State)
    for name in "abc":
        builder.add_node(name, says(name))
    builder.add_edge(START, "a").add_conditional_edges("a", lambda state: state["log"][-1])
    graph = builder.compile(checkpointer=InMemorySaver())
    drive.update(graph, thread, {"log": ["c"]}, as_node="a")
    assert drive.state(graph, thread).next == ("c",)


def test_an_update_can_be_a_command(drive: Drive, thread: Any) -> None:
    builder = StateGraph(State).add_node("a", says("a")).add_node("b", says("b")).add_edge(START, "a")
    graph = builder.compile(checkpointer=InMemorySaver())
    drive.update(graph, thread, Command(update={"log": [1]}, goto=Send("b", {})), as_node="a")
    state = drive.state(graph, thread)
    assert (state.values, state.next) == ({"log": [1]}, ("b",))


def test_the_first_update_of_a_thread_is_its_input(drive: Drive, thread: Any) -> None:
    graph = stored(says("a"))
    drive.update(graph, thread, {"log": [0]})
    assert drive.state(graph, thread).next == ("a",)
    assert drive.invoke(graph, None, thread) == {"log": [0, "a"]}


def test_an_update_as_the_start_is_an_input(drive: Drive, thread: Any) -> None:
    graph = stored(says("a"))
    drive.invoke(graph, {"log": []}, thread)
    drive.update(graph, thread, {"log": ["more"]}, as_node=START)
    assert drive.state(graph, thread).next == ("a",)


def test_an_update_as_the_end_leaves_nothing_to_do(drive: Drive, thread: Any) -> None:
    graph = stored(says("a"), says("b"), interrupt_before=["b"])
    drive.invoke(graph, {"log": []}, thread)
    drive.update(graph, thread, None, as_node=END)
    state = drive.state(graph, thread)
    assert (state.values, state.next) == ({"log": ["a"]}, ())


def test_an_update_as_an_unknown_node_names_those_there_are(drive: Drive, thread: Any) -> None:
    with pytest.raises(InvalidUpdateError, match="as node 'nobody'; the nodes are: 'a'"):
        drive.update(stored(says("a")), thread, {"log": []}, as_node="nobody")


def test_after_parallel_nodes_an_update_must_say_which_one_it_is_of(drive: Drive, thread: Any) -> None:
    graph = fan(says("a"), says("b"), checkpointer=InMemorySaver())
    drive.invoke(graph, {"log": []}, thread)
    with pytest.raises(InvalidUpdateError, match=r"nodes 'a' and 'b' ran last.*as_node='a'"):
        drive.update(graph, thread, {"log": []})


def test_after_an_update_of_the_end_the_next_one_is_an_input(drive: Drive, thread: Any) -> None:
    graph = stored(says("a"))
    drive.update(graph, thread, None, as_node=END)
    drive.update(graph, thread, {"log": ["in"]})
    assert drive.state(graph, thread).next == ("a",)


def test_several_updates_of_one_step_are_applied_together(drive: Drive, thread: Any) -> None:
    graph = fan(says("a"), says("b"), checkpointer=InMemorySaver())
    updates = [StateUpdate({"log": [1]}, "a"), StateUpdate({"log": [2]}, "b")]
    drive.call(graph, "bulk_update_state", thread, [updates, [StateUpdate({"log": [3]}, "a")]])
    assert drive.state(graph, thread).values == {"log": [1, 2, 3]}
    assert [one.values for one in drive.history(graph, thread)] == [{"log": [1, 2, 3]}, {"log": [1, 2]}]


@pytest.mark.parametrize("steps", [[], [[]], [[StateUpdate({"log": []})], []]])
def test_a_step_without_updates_is_refused(steps: Any, drive: Drive, thread: Any) -> None:
    with pytest.raises(ValueError, match="give each at least one StateUpdate"):
        drive.call(stored(says("a")), "bulk_update_state", thread, steps)


def test_a_callers_command_that_waits_is_part_of_the_state(drive: Drive, thread: Any) -> None:
    graph = stored(asking("ask"))
    drive.invoke(graph, {"log": []}, thread)
    drive.invoke(graph, Command(update={"log": ["told"]}), thread)
    assert drive.state(graph, thread).values == {"log": ["told"]}
    drive.update(graph, thread, {"log": ["more"]}, as_node="ask")
    assert drive.state(graph, thread).values == {"log": ["told", "more"]}


def test_an_update_of_a_subgraph_goes_to_the_subgraph(drive: Drive, thread: Any) -> None:
    inner = chain(says("before"), says("after"), interrupt_before=["after"])
    graph = StateGraph(State).add_node("sub", inner).add_edge(START, "sub").compile(checkpointer=InMemorySaver())
    drive.invoke(graph, {"log": []}, thread)
    (task,) = drive.state(graph, thread).tasks
    drive.update(graph, task.state, {"log": ["told"]})
    assert drive.invoke(graph, None, thread) == {"log": ["before", "told", "after"]}


class Plain(TypedDict, total=False):
    one: int
    many: str


def test_an_update_of_one_node_that_ran_last_may_leave_keys_out(drive: Drive, thread: Any) -> None:
    graph = StateGraph(Plain).add_node("n", lambda state: {"one": 1}).add_edge(START, "n")
    compiled = graph.compile(checkpointer=InMemorySaver())
    drive.invoke(compiled, {"many": "x"}, thread)
    drive.update(compiled, thread, {"one": 2})
    assert drive.state(compiled, thread).values == {"one": 2, "many": "x"}
