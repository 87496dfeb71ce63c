"""How long a node may take and be silent, and what becomes of one that takes longer."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from headrace.checkpoint.memory import InMemorySaver
from headrace.config import current, get_config, get_stream_writer
from headrace.engine.task import STOPPED
from headrace.errors import NodeCancelled, NodeCancelledError, NodeTimeoutError
from headrace.graph import START, StateGraph
from headrace.runtime import Runtime, get_runtime
from headrace.types import Command, RetryPolicy, Send, StreamWriter, TimeoutPolicy, interrupt
from tests.engine.build import State, result, run, says
from tests.engine.watch import nothing_left, nothing_left_running, until, wait

WAYS = pytest.mark.parametrize("way", ["sync", "async"])
SHORT = 0.02
"""Seconds: a timeout that is meant to pass."""
LONG = 3600.0
RETRY = RetryPolicy(max_attempts=3, initial_interval=0.0, jitter=False, retry_on=NodeTimeoutError)


def timed(node: Any, timeout: Any, *others: Any, **options: Any) -> Any:
    """A graph of one node with a timeout, and of others beside it."""
    builder = StateGraph(State)
    builder.add_node("node", node, timeout=timeout, **options)
    builder.add_edge(START, "node")
    for other in others:
        builder.add_node(other.__name__, other)
        builder.add_edge(START, other.__name__)
    return builder.compile()


def own_task() -> Any:
    return current.get()


def lingers(state: State) -> State:
    """Until its attempt is stopped, and then asks something."""
    task = own_task()
    until(lambda: task.state == STOPPED)
    get_config()
    return {"log": ["never"]}


async def waits(state: State) -> State:
    await asyncio.Event().wait()
    return {"log": ["never"]}


@WAYS
@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("mode", [None, "updates", "custom"])
def test_node_that_runs_too_long_is_stopped(way: str, beside: bool, mode: str | None) -> None:
    others = (says("other"),) if beside else ()
    nodes = [lingers, waits] if way == "async" else [lingers]
    for node in nodes:
        graph = timed(node, SHORT, *others)
        with nothing_left(), pytest.raises(NodeTimeoutError, match="node 'node' was stopped after") as caught:
            run(graph, way, stream_mode=mode) if mode else result(graph, way)
        error = caught.value
        assert (error.node, error.kind, error.run_timeout, error.idle_timeout) == ("node", "run", SHORT, None)
        assert error.elapsed >= SHORT


@WAYS
def test_node_that_is_silent_for_too_long_is_stopped(way: str) -> None:
    policy = TimeoutPolicy(run_timeout=LONG, idle_timeout=timedelta(seconds=SHORT))
    for node in [lingers, waits] if way == "async" else [lingers]:
        with nothing_left(), pytest.raises(NodeTimeoutError, match=r"silent for its idle timeout of 0\.02 s") as caught:
            result(timed(node, policy), way)
        assert (caught.value.kind, caught.value.idle_timeout, caught.value.run_timeout) == ("idle", SHORT, LONG)


@WAYS
def test_node_that_ends_in_time_is_not_disturbed(way: str) -> None:
    async def anode(state: State) -> State:
        await asyncio.sleep(0)
        return {"log": ["node"]}

    for node in [says("node"), anode] if way == "async" else [says("node")]:
        with nothing_left():
            assert result(timed(node, LONG), way) == {"log": ["node"]}
            assert result(timed(node, TimeoutPolicy(idle_timeout=LONG)), way) == {"log": ["node"]}
            assert result(timed(node, TimeoutPolicy()), way) == {"log": ["node"]}


class Beats:
    """A clock that jumps by 0.6 of the timeout before each sign of life: missing one of them passes the limit."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time = 1000.0
        monkeypatch.setattr("headrace.clock.monotonic", lambda: self.time)

    def jump(self) -> None:
        self.time += 0.6 * LONG


SIGNS: dict[str, Callable[[Any, Any], None]] = {
    "writer": lambda writer, runtime: get_stream_writer()("x"),
    "given writer": lambda writer, runtime: writer("x"),
    "heartbeat": lambda writer, runtime: get_runtime().heartbeat(),
    "given heartbeat": lambda writer, runtime: runtime.heartbeat(),
}


@WAYS
@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("mode", ["custom", "updates"])
def test_sign_of_life_restarts_the_idle_clock_whatever_is_listened_to(
    way: str, sign: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether a node passes must not depend on the stream modes that were asked for."""
    clock = Beats(monkeypatch)

    def node(state: State, writer: StreamWriter, runtime: Runtime[None]) -> State:
        for _ in range(3):
            clock.jump()
            SIGNS[sign](writer, runtime)
        return {"log": ["alive"]}

    async def anode(state: State, writer: StreamWriter, runtime: Runtime[None]) -> State:
        for _ in range(3):
            clock.jump()
            SIGNS[sign](writer, runtime)
            await asyncio.sleep(0)
        return {"log": ["alive"]}

    for each in [node, anode] if way == "async" else [node]:
        with nothing_left():
            events = run(timed(each, TimeoutPolicy(idle_timeout=LONG)), way, stream_mode=[mode, "values"])
        assert events[-1] == ("values", {"log": ["alive"]})


@WAYS
def test_events_are_no_signs_of_life_if_only_heartbeats_are(way: str) -> None:
    policy = TimeoutPolicy(idle_timeout=SHORT, refresh_on="heartbeat")

    def node(state: State) -> State:
        write = get_stream_writer()
        while True:
            write("x")

    async def anode(state: State) -> State:
        write = get_stream_writer()
        while True:
            write("x")
            await asyncio.sleep(0)

    for each in [node, anode] if way == "async" else [node]:
        with nothing_left(), pytest.raises(NodeTimeoutError) as caught:
            run(timed(each, policy), way, stream_mode="custom")
        assert caught.value.kind == "idle"


@WAYS
def test_events_do_not_stretch_the_run_timeout(way: str) -> None:
    def node(state: State) -> State:
        write = get_stream_writer()
        while True:
            write("x")

    with nothing_left(), pytest.raises(NodeTimeoutError) as caught:
        run(timed(node, TimeoutPolicy(run_timeout=SHORT, idle_timeout=LONG)), way, stream_mode="updates")
    assert caught.value.kind == "run"


@WAYS
def test_timed_out_attempt_is_retried(way: str) -> None:
    attempts: list[int] = []

    def node(state: State) -> State:
        attempts.append(1)
        return lingers(state) if len(attempts) < 3 else {"log": ["third"]}

    async def anode(state: State) -> State:
        attempts.append(1)
        return await waits(state) if len(attempts) < 3 else {"log": ["third"]}

    for each in [node, anode] if way == "async" else [node]:
        attempts.clear()
        with nothing_left():
            assert result(timed(each, TimeoutPolicy(run_timeout=SHORT), retry_policy=RETRY), way) == {"log": ["third"]}
        assert len(attempts) == 3


@WAYS
@pytest.mark.parametrize("given", [False, True])
def test_late_code_of_a_timed_out_attempt_is_fenced_off_from_the_next_one(
    way: str, given: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its events and what it asks for end it; what it returns is dropped."""
    shift = [0.0]
    monkeypatch.setattr("headrace.clock.monotonic", lambda: time.monotonic() + shift[0])
    ended: list[type[BaseException]] = []
    second, over = threading.Event(), threading.Event()
    attempts: list[Any] = []

    def node(state: State, writer: StreamWriter, runtime: Runtime[None]) -> State:
        attempts.append(1)
        write = writer if given else get_stream_writer()
        if len(attempts) > 1:
            shift[0] = -LONG  # time enough for the rest
            second.set()
            wait(over)
            write("second")
            return {"log": ["second"]}
        write("first")
        wait(second)  # the first attempt has timed out, the second runs
        asks: list[Callable[[], Any]] = [
            lambda: write("late"), get_config, lambda: interrupt("late"), runtime.heartbeat
        ]  # fmt: skip
        for ask in asks:
            try:
                ask()
            except BaseException as error:
                ended.append(type(error))
        over.set()
        return {"log": ["late"]}

    graph = timed(node, TimeoutPolicy(idle_timeout=SHORT), retry_policy=RETRY)
    with nothing_left(), pytest.warns(RuntimeWarning, match="node 'node' was stopped but its function still runs"):
        events = run(graph, way, stream_mode=["custom", "values"])
    assert ended == [NodeCancelled] * 4
    assert events == [
        ("values", {"log": []}),
        ("custom", "first"),
        ("custom", "second"),
        ("values", {"log": ["second"]}),
    ]


async def test_child_task_of_a_timed_out_attempt_is_fenced_off_from_the_next_one() -> None:
    children: list[asyncio.Task[None]] = []
    second = asyncio.Event()

    async def child() -> None:
        await second.wait()
        get_stream_writer()("late")

    async def node(state: State) -> State:
        if children:
            second.set()
            await asyncio.wait(children)
            get_stream_writer()("second")
            return {"log": ["second"]}
        children.append(asyncio.ensure_future(child()))
        return await waits(state)

    graph = timed(node, TimeoutPolicy(run_timeout=SHORT), retry_policy=RETRY)
    async with nothing_left_running():
        events = [event async for event in graph.astream({"log": []}, stream_mode="custom")]
        with pytest.raises(NodeCancelled):
            await children.pop()
    assert events == ["second"]


@WAYS
def test_send_brings_a_timeout_of_its_own(way: str) -> None:
    def route(state: State) -> list[Send]:
        return [Send("node", {"log": []}, timeout=SHORT)]

    for node in [lingers, waits] if way == "async" else [lingers]:
        builder = StateGraph(State)
        builder.add_node("node", node, timeout=LONG)
        builder.add_conditional_edges(START, route, ["node"])
        with nothing_left(), pytest.raises(NodeTimeoutError):
            result(builder.compile(), way)


@WAYS
def test_event_written_after_the_end_of_a_timed_node_is_dropped_with_a_warning(way: str) -> None:
    writers: list[Any] = []

    def node(state: State) -> State:
        writers.append(get_stream_writer())
        return {}

    with nothing_left():
        assert run(timed(node, LONG), way, stream_mode="custom") == []
    with pytest.warns(RuntimeWarning, match="node 'node' has ended; a custom event .* was dropped"):
        writers[0]("late")


@WAYS
def test_timed_node_that_asks_something_pauses_the_run(way: str) -> None:
    def node(state: State) -> State:
        return {"log": [interrupt("who?"), interrupt("where?")]}

    builder = StateGraph(State)
    builder.add_node("node", node, timeout=LONG)
    builder.add_edge(START, "node")
    graph = builder.compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    with nothing_left():
        assert result(graph, way, config=config)["__interrupt__"][0].value == "who?"
        assert result(graph, way, Command(resume="me"), config=config)["__interrupt__"][0].value == "where?"
        assert result(graph, way, Command(resume="here"), config=config) == {"log": ["me", "here"]}


@WAYS
def test_closing_the_stream_of_a_timed_sync_node_stops_it(way: str) -> None:
    ended: list[type[BaseException]] = []

    def node(state: State) -> State:
        get_stream_writer()("began")
        try:
            return lingers(state)
        except BaseException as error:
            ended.append(type(error))
            raise

    async def leave() -> None:
        async with nothing_left_running():
            stream: Any = timed(node, LONG).astream({"log": []}, stream_mode="custom")
            await anext(stream)
            await stream.aclose()

    with nothing_left():
        if way == "async":
            asyncio.run(leave())
        else:
            stream: Any = timed(node, LONG).stream({"log": []}, stream_mode="custom")
            next(stream)
            stream.close()
    assert ended == [NodeCancelled]


@WAYS
def test_closing_the_stream_stops_the_subgraph_of_a_timed_node(way: str) -> None:
    ended: list[type[BaseException]] = []

    def leaf(state: State) -> State:
        get_stream_writer()("began")
        try:
            return lingers(state)
        except BaseException as error:
            ended.append(type(error))
            raise

    builder = StateGraph(State)
    builder.add_node("leaf", leaf)
    builder.add_edge(START, "leaf")
    inner = builder.compile()

    def node(state: State) -> Any:
        return inner.invoke({"log": []})

    async def leave() -> None:
        async with nothing_left_running():
            stream: Any = timed(node, LONG).astream({"log": []}, stream_mode="custom", subgraphs=True)
            await anext(stream)
            await stream.aclose()

    with nothing_left():
        if way == "async":
            asyncio.run(leave())
        else:
            stream: Any = timed(node, LONG).stream({"log": []}, stream_mode="custom", subgraphs=True)
            next(stream)
            stream.close()
    assert ended == [NodeCancelled]


async def test_cancelling_a_timed_async_node_waits_for_its_cleanup() -> None:
    began, cleaned = asyncio.Event(), []

    async def node(state: State) -> State:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)
        return {}

    async with nothing_left_running():
        consumer = asyncio.create_task(timed(node, LONG).ainvoke({"log": []}))
        await began.wait()
        consumer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await consumer
        assert cleaned == [True]


async def test_timed_async_node_that_swallows_its_end_has_timed_out_all_the_same() -> None:
    async def node(state: State) -> State:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
        return {"log": ["swallowed"]}

    async with nothing_left_running():
        with pytest.raises(NodeTimeoutError):
            await timed(node, SHORT).ainvoke({"log": []})


@WAYS
def test_error_of_a_timed_node_is_its_own(way: str) -> None:
    def node(state: State) -> State:
        raise ValueError("broken")

    async def anode(state: State) -> State:
        raise ValueError("broken")

    async def cancels(state: State) -> State:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)
        return {}

    for each in [node, anode] if way == "async" else [node]:
        with nothing_left(), pytest.raises(ValueError, match="broken"):
            result(timed(each, LONG), way)
    if way == "async":
        with nothing_left(), pytest.raises(NodeCancelledError):
            result(timed(cancels, LONG), way)


@WAYS
def test_deaf_sync_node_that_timed_out_is_left_behind_and_named(way: str) -> None:
    release = threading.Event()

    def deaf(state: State) -> State:
        wait(release)
        return {"log": ["late"]}

    named = pytest.warns(RuntimeWarning, match=r"node 'node' was stopped .* in thread 'headrace-\d+'")
    with nothing_left():
        with named, pytest.raises(NodeTimeoutError):
            result(timed(deaf, SHORT), way)
        release.set()


@WAYS
def test_an_answer_outlives_the_attempt_that_ran_out_of_time(way: str) -> None:
    answers: list[str] = []

    def node(state: State) -> State:
        answers.append(interrupt("what?"))
        if len(answers) == 1:
            until(lambda: not get_config())  # which raises once the attempt was stopped
        return {"log": answers[-1:]}

    builder = StateGraph(State).add_node("node", node, timeout=SHORT, retry_policy=RETRY).add_edge(START, "node")
    graph = builder.compile(checkpointer=InMemorySaver(), interrupt_before=["node"])
    config: Any = {"configurable": {"thread_id": "1"}}
    result(graph, way, {"log": []}, config=config)
    assert result(graph, way, Command(resume="x"), config=config) == {"log": ["x"]}
    assert answers == ["x", "x"]
