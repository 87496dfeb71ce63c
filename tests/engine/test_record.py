"""What is stored of a run, and when."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, TypedDict

import pytest

from headrace.channels import UntrackedValue
from headrace.checkpoint.memory import InMemorySaver
from headrace.graph import START, StateGraph
from headrace.names import ERROR, INTERRUPT, NO_WRITES, RESUME
from headrace.types import Command, interrupt
from tests.drive import Drive
from tests.engine.build import State, chain, fan, says
from tests.engine.test_loop import asking


def checkpoints(saver: InMemorySaver, thread: Any) -> list[Any]:
    """All of a thread's, oldest first."""
    return list(saver.list(thread))[::-1]


def test_a_run_stores_its_input_and_every_step(drive: Drive, thread: Any) -> None:
    saver = InMemorySaver()
    drive.invoke(chain(says("a"), says("b"), checkpointer=saver), {"log": [0]}, thread)
    found = [
        (one.metadata["source"], one.metadata["step"], one.checkpoint["channel_values"].get("log"))
        for one in checkpoints(saver, thread)
    ]
    assert found == [
        ("input", -1, []),
        ("loop", 0, [0]),
        ("loop", 1, [0, "a"]),
        ("loop", 2, [0, "a", "b"]),
    ]


def test_each_checkpoint_names_the_one_before(drive: Drive, thread: Any) -> None:
    saver = InMemorySaver()
    drive.invoke(chain(says("a"), checkpointer=saver), {"log": []}, thread)
    found = checkpoints(saver, thread)
    assert found[0].parent_config is None
    assert [one.parent_config for one in found[1:]] == [one.config for one in found[:-1]]


def test_versions_rise_for_what_was_written_and_for_nothing_else(drive: Drive, thread: Any) -> None:
    class Two(State, total=False):
        other: int

    saver = InMemorySaver()
    builder = StateGraph(Two).add_node("a", says("a")).add_edge(START, "a")
    drive.invoke(builder.compile(checkpointer=saver), {"log": [0], "other": 1}, thread)
    before, after = (one.checkpoint["channel_versions"] for one in checkpoints(saver, thread)[-2:])
    assert after["log"] > before["log"]
    assert after["other"] == before["other"]


class Secret(TypedDict, total=False):
    key: Annotated[str, UntrackedValue]
    log: str


def test_an_untracked_value_is_not_stored(drive: Drive, thread: Any) -> None:
    saver = InMemorySaver()
    builder = StateGraph(Secret).add_node("a", lambda state: {"log": "x"}).add_edge(START, "a")
    drive.invoke(builder.compile(checkpointer=saver), {"key": "s"}, thread)
    assert all("key" not in one.checkpoint["channel_values"] for one in checkpoints(saver, thread))


def test_the_callers_own_words_are_stored_with_it(drive: Drive, thread: Any) -> None:
    saver = InMemorySaver()
    config = {
        "configurable": {"thread_id": "1", "user": "me", "level": 3, "client": object(), "__secret": "x"},
        "metadata": {"topic": "cats"},
        "run_id": "00000000-0000-0000-0000-000000000001",
    }
    drive.invoke(chain(says("a"), checkpointer=saver), {"log": []}, config)
    for one in saver.list(thread):
        known = {key: value for key, value in one.metadata.items() if key not in ("source", "step", "parents")}
        assert known == {
            "user": "me",
            "level": 3,
            "topic": "cats",
            "run_id": "00000000-0000-0000-0000-000000000001",
        }


def test_a_subgraphs_checkpoints_name_those_above(drive: Drive, thread: Any) -> None:
    saver = InMemorySaver()
    graph = StateGraph(State).add_node("sub", chain(asking("ask"))).add_edge(START, "sub").compile(checkpointer=saver)
    drive.invoke(graph, {"log": []}, thread)
    below = [one for one in saver.list(thread) if one.config["configurable"]["checkpoint_ns"]]
    above = checkpoints(saver, {"configurable": {"thread_id": "1", "checkpoint_ns": ""}})[-1]
    assert below
    for one in below:
        assert one.metadata["parents"] == {"": above.config["configurable"]["checkpoint_id"]}


def last_writes(saver: InMemorySaver, thread: Any) -> dict[str, list[Any]]:
    """What is stored beside the last checkpoint, by channel."""
    found: dict[str, list[Any]] = {}
    for _, channel, value in checkpoints(saver, thread)[-1].pending_writes:
        found.setdefault(channel, []).append(value)
    return found


def test_a_question_is_stored_beside_its_checkpoint_with_the_answers_so_far(drive: Drive, thread: Any) -> None:
    def node(state: State) -> State:
        return {"log": [interrupt("1"), interrupt("2")]}

    saver = InMemorySaver()
    graph = chain(node, checkpointer=saver)
    drive.invoke(graph, {"log": []}, thread)
    assert [[one.value for one in told] for told in last_writes(saver, thread)[INTERRUPT]] == [["1"]]
    assert RESUME not in last_writes(saver, thread)
    drive.invoke(graph, Command(resume="one"), thread)
    assert [[one.value for one in told] for told in last_writes(saver, thread)[INTERRUPT]] == [["2"]]
    assert last_writes(saver, thread)[RESUME] == [["one"]]


def test_an_error_is_stored_beside_its_checkpoint(drive: Drive, thread: Any) -> None:
    def bad(state: State) -> State:
        raise ValueError("bad")

    saver = InMemorySaver()
    with pytest.raises(ValueError, match="bad"):
        drive.invoke(chain(bad, checkpointer=saver), {"log": []}, thread)
    assert last_writes(saver, thread) == {ERROR: ["ValueError('bad')"]}


def test_that_a_task_wrote_nothing_is_stored_too(drive: Drive, thread: Any) -> None:
    calls: list[str] = []

    def silent(state: State) -> None:
        calls.append("silent")

    saver = InMemorySaver()
    graph = fan(silent, asking("ask"), checkpointer=saver)
    drive.invoke(graph, {"log": []}, thread)
    assert last_writes(saver, thread)[NO_WRITES] == [None]
    assert drive.invoke(graph, Command(resume="yes"), thread) == {"log": ["yes"]}
    assert calls == ["silent"]


# durability "exit"


def test_at_exit_one_checkpoint_is_stored(drive: Drive, thread: Any) -> None:
    saver = InMemorySaver()
    drive.invoke(chain(says("a"), says("b"), checkpointer=saver), {"log": []}, thread, durability="exit")
    (only,) = checkpoints(saver, thread)
    assert only.checkpoint["channel_values"]["log"] == ["a", "b"]
    assert (only.metadata["step"], only.parent_config) == (2, None)


def test_at_exit_a_question_can_be_answered_later(drive: Drive, thread: Any) -> None:
    graph = fan(asking("ask"), says("other"), checkpointer=InMemorySaver())
    drive.invoke(graph, {"log": []}, thread, durability="exit")
    assert drive.invoke(graph, Command(resume="yes"), thread, durability="exit") == {"log": ["yes", "other"]}


def test_at_exit_several_questions_of_one_node_can_be_answered_in_turn(drive: Drive, thread: Any) -> None:
    def node(state: State) -> State:
        return {"log": [interrupt("1"), interrupt("2")]}

    saver = InMemorySaver()
    graph = chain(node, checkpointer=saver)
    drive.invoke(graph, {"log": []}, thread, durability="exit")
    (second,) = drive.invoke(graph, Command(resume="one"), thread, durability="exit")[INTERRUPT]
    assert second.value == "2"
    assert len(checkpoints(saver, thread)) == 1
    assert drive.invoke(graph, Command(resume={second.id: "two"}), thread, durability="exit") == {"log": ["one", "two"]}
    assert len(checkpoints(saver, thread)) == 2


def test_at_exit_a_question_inside_a_subgraph_can_be_answered(drive: Drive, thread: Any) -> None:
    inner = chain(says("before"), asking("ask"))
    graph = StateGraph(State).add_node("sub", inner).add_edge(START, "sub").compile(checkpointer=InMemorySaver())
    drive.invoke(graph, {"log": []}, thread, durability="exit")
    assert drive.state(graph, thread, subgraphs=True).tasks[0].state.values == {"log": ["before"]}
    assert drive.invoke(graph, Command(resume="yes"), thread, durability="exit") == {"log": ["before", "yes"]}


def test_at_exit_a_pause_and_a_fork_are_stored(drive: Drive, thread: Any) -> None:
    graph = chain(says("a"), asking("ask"), checkpointer=InMemorySaver())
    drive.invoke(graph, {"log": []}, thread, durability="exit")
    paused = drive.state(graph, thread)
    assert drive.invoke(graph, Command(resume="yes"), thread, durability="exit") == {"log": ["a", "yes"]}
    drive.invoke(graph, None, paused.config, durability="exit")
    forked = drive.state(graph, thread)
    assert (forked.next, forked.parent_config) == (("ask",), paused.config)
    assert drive.invoke(graph, Command(resume="no"), thread, durability="exit") == {"log": ["a", "no"]}


def test_at_exit_the_events_name_the_checkpoint_that_is_stored(drive: Drive, thread: Any) -> None:
    graph = chain(says("a"), asking("ask"), checkpointer=InMemorySaver())
    events = drive.stream(graph, {"log": []}, thread, durability="exit", stream_mode="checkpoints")
    ids = [event["config"]["configurable"]["checkpoint_id"] for event in events]
    assert len(set(ids)) == len(ids)
    assert drive.state(graph, thread).config["configurable"]["checkpoint_id"] == ids[-1]


def test_at_exit_what_the_tasks_of_a_failed_step_did_is_stored(drive: Drive, thread: Any) -> None:
    def bad(state: State) -> State:
        raise ValueError("bad")

    graph = chain(bad, checkpointer=InMemorySaver())
    with pytest.raises(ValueError, match="bad"):
        drive.invoke(graph, {"log": []}, thread, durability="exit")
    (task,) = drive.state(graph, thread).tasks
    assert task.error == "ValueError('bad')"


@pytest.mark.parametrize("stuck_in", ["node", "route"])
async def test_at_exit_a_node_that_was_cancelled_is_still_due(stuck_in: str, thread: Any) -> None:
    """It has no error, and no result without its edges."""
    begun = asyncio.Event()

    async def stuck() -> None:
        begun.set()
        await asyncio.Event().wait()

    async def node(state: State) -> State:
        if stuck_in == "node":
            await stuck()
        return {"log": ["node"]}

    async def route(state: State) -> str:
        await stuck()
        return "end"

    builder = StateGraph(State).add_node("a", says("a")).add_node("node", node).add_node("end", says("end"))
    builder.add_edge(START, "a").add_edge("a", "node").add_conditional_edges("node", route)
    graph = builder.compile(checkpointer=InMemorySaver())
    run = asyncio.create_task(graph.ainvoke({"log": []}, thread, durability="exit"))
    await begun.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    state = graph.get_state(thread)
    assert (state.values, state.next) == ({"log": ["a"]}, ("node",))
    assert (state.tasks[0].error, state.tasks[0].result) == (None, None)


def test_at_exit_what_a_failed_run_had_done_is_stored(drive: Drive, thread: Any) -> None:
    def bad(state: State) -> State:
        raise ValueError("bad")

    graph = chain(says("a"), bad, checkpointer=InMemorySaver())
    with pytest.raises(ValueError, match="bad"):
        drive.invoke(graph, {"log": []}, thread, durability="exit")
    state = drive.state(graph, thread)
    assert (state.values, state.next) == ({"log": ["a"]}, ("bad",))


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_a_run_tells_the_same_whenever_it_is_stored(durability: Any, drive: Drive, thread: Any) -> None:
    graph = chain(says("a"), says("b"), checkpointer=InMemorySaver())
    events = drive.stream(graph, {"log": []}, thread, durability=durability, stream_mode=["updates", "checkpoints"])
    assert [event["next"] for mode, event in events if mode == "checkpoints"] == [["__start__"], ["a"], ["b"], []]


# what a checkpoint's event shows of the tasks that follow


def shown(drive: Drive, graph: Any, input: Any, thread: Any) -> list[dict[str, Any]]:
    """The last `checkpoints` event's tasks."""
    events = drive.stream(graph, input, thread, stream_mode="checkpoints")
    tasks: list[dict[str, Any]] = events[0]["tasks"]
    return tasks


def test_a_task_that_failed_shows_its_error(drive: Drive, thread: Any) -> None:
    fails = [True]

    def bad(state: State) -> State:
        if fails:
            raise ValueError("bad")
        return {}

    graph = chain(bad, checkpointer=InMemorySaver())
    with pytest.raises(ValueError, match="bad"):
        drive.invoke(graph, {"log": []}, thread)
    fails.clear()
    (task,) = shown(drive, graph, None, thread)
    assert (task["name"], task["error"], task["state"]) == ("bad", "ValueError('bad')", None)
    assert "interrupts" not in task


def test_a_task_that_finished_shows_its_result_and_one_that_asked_its_question(drive: Drive, thread: Any) -> None:
    def twice(state: State) -> list[Any]:
        return [Command(update={"log": [1]}), Command(update={"log": [2]})]

    graph = fan(asking("ask"), twice, says("once"), checkpointer=InMemorySaver())
    drive.invoke(graph, {"log": []}, thread)
    tasks = {task["name"]: task for task in shown(drive, graph, Command(resume="yes"), thread)}
    assert tasks["twice"]["result"] == {"log": {"$writes": [[1], [2]]}}
    assert tasks["once"]["result"] == {"log": ["once"]}
    assert [one["value"] for one in tasks["ask"]["interrupts"]] == ["ask?"]
    assert "result" not in tasks["ask"]


@pytest.mark.parametrize(("memory", "kept"), [(None, True), (True, True), (False, False)])
def test_a_subgraphs_task_says_where_its_state_is(memory: Any, kept: bool, drive: Drive, thread: Any) -> None:
    inner = chain(says("inner"), checkpointer=memory)
    graph = StateGraph(State).add_node("sub", inner).add_edge(START, "sub").compile(checkpointer=InMemorySaver())
    events = drive.stream(graph, {"log": []}, thread, stream_mode="checkpoints")
    (task,) = next(event["tasks"] for event in events if event["next"] == ["sub"])
    if not kept:
        assert task["state"] is None
    else:
        place = task["state"]["configurable"]
        assert place["thread_id"] == "1"
        assert place["checkpoint_ns"] == ("sub" if memory is True else f"sub:{task['id']}")


def test_a_subgraph_with_a_memory_of_its_own_remembers(drive: Drive, thread: Any) -> None:
    inner = chain(says("inner"), checkpointer=True)

    def call(state: State) -> State:
        return {"log": [len(inner.invoke({"log": []})["log"])]}

    graph = chain(call, checkpointer=InMemorySaver())
    assert drive.invoke(graph, {"log": []}, thread) == {"log": [1]}
    assert drive.invoke(graph, {"log": []}, thread) == {"log": [1, 2]}
