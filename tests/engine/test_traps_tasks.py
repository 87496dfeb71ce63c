"""Whose task is it, whose context, and what becomes of a cancellation."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from typing import Any

import anyio
import pytest

from headrace.checkpoint.memory import InMemorySaver
from headrace.config import get_stream_writer
from headrace.errors import NodeCancelled, NodeCancelledError
from headrace.types import Command, RetryPolicy, interrupt
from tests.engine.build import State, asays, chain, fan, many, run, says
from tests.engine.watch import nothing_left, nothing_left_running, until, wait

WAYS = pytest.mark.parametrize("way", ["sync", "async"])
LIVE_OR_NOT = pytest.mark.parametrize("mode", ["custom", "updates"])


@pytest.fixture(params=[True, False], ids=["counted", "uncounted"])
def counted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a Python that counts requests to cancel a task, and as on 3.10, which does not."""
    if request.param and sys.version_info < (3, 11):
        pytest.skip("this Python does not count")
    monkeypatch.setattr("headrace.engine.drive_async.COUNTED", request.param)


async def astream(graph: Any, mode: Any) -> list[Any]:
    return [event async for event in graph.astream({"log": []}, stream_mode=mode)]


# siblings


async def test_error_of_one_async_node_cancels_its_siblings_and_waits_for_them() -> None:
    cleaned = []

    async def fails(state: State) -> State:
        await asyncio.sleep(0)
        raise ValueError("broken")

    async def waits(state: State) -> State:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append("waits")
        return {}

    async with nothing_left_running():
        with pytest.raises(ValueError, match="broken"):
            await fan(fails, waits).ainvoke({"log": []})
        assert cleaned == ["waits"]


def test_error_of_one_sync_node_stops_its_siblings_at_their_next_event() -> None:
    """Whichever of the two runs in the caller's thread."""
    ended: list[type[BaseException]] = []
    begun = threading.Barrier(2)

    def fails(state: State) -> State:
        begun.wait(20)
        raise ValueError("broken")

    def writes(state: State) -> State:
        begun.wait(20)
        try:
            while True:
                get_stream_writer()("more")
        except BaseException as error:
            ended.append(type(error))
            raise

    for nodes in ((fails, writes), (writes, fails)):
        with nothing_left(), pytest.raises(ValueError, match="broken"):
            fan(*nodes).invoke({"log": []})
    assert ended == [NodeCancelled, NodeCancelled]


def test_error_of_one_sync_node_lets_no_waiting_sibling_begin() -> None:
    ran = []

    def fails(state: State) -> State:
        raise ValueError("broken")

    def later(state: State) -> State:
        ran.append("later")
        return {}

    with nothing_left(), pytest.raises(ValueError, match="broken"):
        fan(fails, later).invoke({"log": []}, {"max_concurrency": 1})
    assert ran == []


async def test_error_of_one_async_node_lets_no_waiting_sibling_begin() -> None:
    ran = []

    async def fails(state: State) -> State:
        raise ValueError("broken")

    async def later(state: State) -> State:
        ran.append("later")
        return {}

    async with nothing_left_running():
        with pytest.raises(ValueError, match="broken"):
            await fan(fails, later).ainvoke({"log": []}, {"max_concurrency": 1})
    assert ran == []


@LIVE_OR_NOT
async def test_cancelled_consumer_takes_parallel_nodes_along(mode: str) -> None:
    cleaned = []
    begun = asyncio.Event()

    def node(name: str) -> Any:
        async def waits(state: State) -> State:
            try:
                begun.set()
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                cleaned.append(name)
            return {}

        waits.__name__ = name
        return waits

    async with nothing_left_running():
        consumer = asyncio.create_task(astream(fan(node("a"), node("b"), node("c")), mode))
        await begun.wait()
        consumer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await consumer
        assert cleaned == ["a", "b", "c"]


# current_task


async def test_node_runs_in_the_consumers_task_unless_events_come_out_of_it() -> None:
    """Python 3.10 cannot count cancellations, so there the node always has another."""
    tasks = []

    async def node(state: State) -> State:
        tasks.append(asyncio.current_task())
        return {}

    await astream(chain(node), "updates")
    await astream(chain(node), "custom")
    own = asyncio.current_task()
    assert [task is own for task in tasks] == [sys.version_info >= (3, 11), False]


async def test_node_that_cancels_a_task_of_its_own_fails_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    async def node(state: State) -> State:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)
        return {}

    async with nothing_left_running():
        with pytest.raises(NodeCancelledError, match="'node'"):
            await astream(chain(node), "custom")
        monkeypatch.setattr("headrace.engine.drive_async.COUNTED", False)
        with pytest.raises(NodeCancelledError, match="'node'"):
            await astream(chain(node), "updates")
        with pytest.raises(NodeCancelledError, match="'node'"):
            await astream(fan(node, asays("other")), "updates")


@WAYS
@LIVE_OR_NOT
def test_node_that_raises_cancelled_error_by_itself_is_an_error_of_the_node(way: str, mode: str) -> None:
    def node(state: State) -> State:
        raise asyncio.CancelledError

    async def anode(state: State) -> State:
        raise asyncio.CancelledError

    for graph in [chain(node), fan(node, says("other"))] + ([chain(anode)] if way == "async" else []):
        with nothing_left(), pytest.raises(NodeCancelledError, match="node"):
            run(graph, way, stream_mode=mode)


@pytest.mark.usefixtures("counted")
async def test_node_that_awaits_something_cancelled_is_an_error_of_the_node() -> None:
    async def node(state: State) -> State:
        other = asyncio.ensure_future(asyncio.sleep(0))
        other.cancel()
        await other
        return {}

    for mode in ("updates", "custom"):
        async with nothing_left_running():
            with pytest.raises(NodeCancelledError, match="'node'"):
                await astream(chain(node), mode)


@pytest.mark.usefixtures("counted")
@LIVE_OR_NOT
@pytest.mark.parametrize("shape", ["alone", "parallel"])
@pytest.mark.parametrize("consumer_first", [True, False])
async def test_no_task_fails_when_all_are_cancelled_at_once(mode: str, shape: str, consumer_first: bool) -> None:
    """As by `asyncio.run()` that ends with Ctrl-C: in any order, and it tells on stderr of each that fails."""
    began = asyncio.Event()

    async def waits(state: State) -> State:
        began.set()
        await asyncio.Event().wait()
        return {}

    own = asyncio.current_task()
    consumer = asyncio.create_task(astream(many(waits, 1 if shape == "alone" else 2), mode))
    await began.wait()
    tasks = asyncio.all_tasks() - {own}
    for task in sorted(tasks, key=lambda task: task is consumer, reverse=consumer_first):
        task.cancel()
    await asyncio.wait(tasks)
    assert [task for task in tasks if not task.cancelled() and task.exception() is not None] == []
    assert consumer.cancelled()


# what task groups make of control flow


def grouping(*inner: Any) -> Any:
    """A node that runs graphs in a task group, and tells what each of them came to."""

    async def node(state: State) -> State:
        results: dict[int, Any] = {}

        async def one(index: int) -> None:
            results[index] = (await inner[index].ainvoke({"log": []}))["log"]

        async with anyio.create_task_group() as group:
            for index in range(len(inner)):
                group.start_soon(one, index)
        return {"log": [results[index] for index in sorted(results)]}

    return node


async def test_questions_pass_through_a_task_group() -> None:
    def asks(name: str) -> Any:
        def node(state: State) -> State:
            return {"log": [interrupt(name)]}

        return chain(node)

    graph = chain(grouping(asks("one"), asks("two")), checkpointer=InMemorySaver())
    thread: Any = {"configurable": {"thread_id": "1"}}
    async with nothing_left_running():
        asked = (await graph.ainvoke({"log": []}, thread))["__interrupt__"]
        while asked:
            answers = {question.id: question.value.upper() for question in asked}
            result = await graph.ainvoke(Command(resume=answers), thread)
            asked = result.get("__interrupt__")
    assert result["log"] == [["ONE"], ["TWO"]]


async def test_a_command_for_the_graph_above_passes_through_a_task_group() -> None:
    def up(state: State) -> Any:
        return Command(graph=Command.PARENT, update={"log": ["from below"]})

    async with nothing_left_running():
        assert await chain(grouping(chain(up))).ainvoke({"log": []}) == {"log": ["from below"]}


async def test_an_error_in_a_task_group_counts_more_than_a_question() -> None:
    began = asyncio.Event()

    async def asks(state: State) -> State:
        try:
            await began.wait()
        finally:
            interrupt("what?")
        return {}

    async def fails(state: State) -> State:
        began.set()
        raise ValueError("broken")

    async with nothing_left_running():
        with pytest.raises(Exception, match="unhandled errors in a TaskGroup") as caught:
            await chain(grouping(chain(asks), chain(fails)), checkpointer=InMemorySaver()).ainvoke(
                {"log": []}, {"configurable": {"thread_id": "1"}}
            )
    group: Any = caught.value
    assert [str(error) for error in group.exceptions] == ["broken"]


# a cancellation is never lost


@pytest.mark.usefixtures("counted")
@LIVE_OR_NOT
@pytest.mark.parametrize("shape", ["alone", "parallel", "nested"])
async def test_run_ends_cancelled_though_its_node_swallows_the_cancellation(mode: str, shape: str) -> None:
    began, ran = asyncio.Event(), []

    async def swallows(state: State) -> State:
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
        return {"log": ["swallowed"]}

    async def after(state: State) -> State:
        ran.append("after")
        return {}

    async def nested(state: State) -> Any:
        return await chain(swallows, after).ainvoke({"log": []})

    graph = {
        "alone": chain(swallows, after),
        "parallel": fan(swallows, asays("other")),
        "nested": chain(nested, after),
    }[shape]
    async with nothing_left_running():
        consumer = asyncio.create_task(astream(graph, mode))
        await began.wait()
        consumer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await consumer
    assert ran == []


@pytest.mark.usefixtures("counted")
async def test_invoke_ends_cancelled_though_its_node_swallows_the_cancellation() -> None:
    began = asyncio.Event()

    async def swallows(state: State) -> State:
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
        return {"log": ["swallowed"]}

    async with nothing_left_running():
        consumer = asyncio.create_task(chain(swallows).ainvoke({"log": []}))
        await began.wait()
        consumer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await consumer


@pytest.mark.usefixtures("counted")
@LIVE_OR_NOT
@pytest.mark.parametrize("how", ["anyio", "wait_for", "asyncio"])
async def test_timeout_inside_a_node_is_not_taken_for_a_cancellation(mode: str, how: str) -> None:
    """It cancels the task, takes that back, and the node goes on."""
    if how == "asyncio" and sys.version_info < (3, 11):
        pytest.skip("asyncio.timeout came with 3.11")

    async def node(state: State) -> State:
        if how == "anyio":
            with anyio.move_on_after(0.001):
                await asyncio.Event().wait()
        elif how == "wait_for":
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), 0.001)
        elif sys.version_info >= (3, 11):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await asyncio.Event().wait()
        return {"log": [how]}

    expected = [] if mode == "custom" else [{"node": {"log": [how]}}, {"b": {"log": ["b"]}}]
    async with nothing_left_running():
        assert await astream(chain(node, asays("b")), mode) == expected
        assert (await many(node, 2).ainvoke({"log": []}))["log"] == [how, how]


async def test_timeout_inside_a_node_works_while_its_caller_cleans_up_after_a_cancellation() -> None:
    """The task's older request to cancel is still counted then, and is not the node's affair."""

    async def node(state: State) -> State:
        with anyio.move_on_after(0.001):
            await asyncio.Event().wait()
        return {"log": ["done"]}

    results = []

    async def caller() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            results.append(await chain(node).ainvoke({"log": []}))

    task = asyncio.create_task(caller())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert results == [{"log": ["done"]}]


@pytest.mark.usefixtures("counted")
async def test_consumers_own_timeout_around_the_run_ends_it() -> None:
    cleaned = []

    async def waits(state: State) -> State:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(True)
        return {}

    async with nothing_left_running():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(chain(waits).ainvoke({"log": []}), 0.01)
        with anyio.move_on_after(0.01) as scope:
            await chain(waits).ainvoke({"log": []})
        assert scope.cancelled_caught
        assert cleaned == [True, True]


async def test_cancellation_between_two_attempts_ends_the_run() -> None:
    attempts = []

    async def fails(state: State) -> State:
        attempts.append(1)
        raise ConnectionError("away")

    from headrace.graph import START, StateGraph

    builder = StateGraph(State)
    builder.add_node("fails", fails, retry_policy=RetryPolicy(initial_interval=3600, jitter=False))
    builder.add_edge(START, "fails")
    async with nothing_left_running():
        consumer = asyncio.create_task(builder.compile().ainvoke({"log": []}))
        while not attempts:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        consumer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await consumer
    assert attempts == [1]


# contexts

USER: contextvars.ContextVar[str] = contextvars.ContextVar("user", default="nobody")


@WAYS
@LIVE_OR_NOT
def test_contexts_do_not_leak_from_a_node_to_its_caller_or_to_the_next_node(way: str, mode: str) -> None:
    def changes(state: State) -> State:
        seen = USER.get()
        USER.set("changes")
        return {"log": [seen]}

    async def achanges(state: State) -> State:
        return changes(state)

    nodes = [changes, achanges] if way == "async" else [changes]
    for node in nodes:
        other = says("unused")

        def second(state: State) -> State:
            return {"log": [USER.get()]}

        USER.set("caller")
        with nothing_left():
            assert run(chain(node, second), way, stream_mode=[mode, "values"])[-1] == (
                "values",
                {"log": ["caller", "caller"]},
            )
            assert USER.get() == "caller"
        assert other is not None


@WAYS
def test_contexts_do_not_leak_between_parallel_nodes(way: str) -> None:
    def changes(state: State) -> State:
        seen = USER.get()
        USER.set("changed")
        return {"log": [seen]}

    async def achanges(state: State) -> State:
        await asyncio.sleep(0)
        return changes(state)

    USER.set("caller")
    for node in [changes, achanges] if way == "async" else [changes]:
        with nothing_left():
            assert run(many(node, 10), way, stream_mode="values")[-1] == {"log": ["caller"] * 10}
        assert USER.get() == "caller"


@LIVE_OR_NOT
async def test_child_tasks_and_threads_of_a_node_see_its_writer(mode: str) -> None:
    async def child(name: str) -> None:
        await asyncio.sleep(0)
        get_stream_writer()(name)

    async def node(state: State) -> State:
        await asyncio.create_task(child("task"))
        await asyncio.gather(child("gather"))
        await asyncio.to_thread(lambda: get_stream_writer()("thread"))
        await asyncio.wait_for(child("wait_for"), 20)
        return {}

    expected = ["task", "gather", "thread", "wait_for"]
    async with nothing_left_running():
        events = [event async for event in chain(node).astream({"log": []}, stream_mode=["custom", mode])]
        assert [payload for kind, payload in events if kind == "custom"] == expected
        events = [event async for event in many(node, 2).astream({"log": []}, stream_mode=["custom", mode])]
        assert sorted(payload for kind, payload in events if kind == "custom") == sorted(expected * 2)


def test_event_of_a_worker_after_the_loop_was_closed_is_dropped() -> None:
    """A thread that outlives the consumer's event loop must not fail for that."""
    release, over, errors = threading.Event(), threading.Event(), []

    def node(state: State) -> State:
        write = get_stream_writer()
        write("here")
        wait(release)
        try:
            write("late")
        except BaseException as error:
            errors.append(type(error))
        over.set()
        return {}

    async def main() -> None:
        async for _ in chain(node).astream({"log": []}, stream_mode="custom"):
            break

    with nothing_left():
        with pytest.warns(RuntimeWarning, match="node 'node' was stopped but its function still runs"):
            asyncio.run(main())
        release.set()
        wait(over)
    assert errors == [NodeCancelled]
    until(lambda: True)
