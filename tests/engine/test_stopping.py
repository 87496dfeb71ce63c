"""What stops a run, and how its code learns of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Annotated, Any, TypedDict

import pytest

from headrace.checkpoint.memory import InMemorySaver
from headrace.config import current, get_config, get_store, get_stream_writer
from headrace.engine.abandoned import GRACE_S
from headrace.engine.drive_sync import answer
from headrace.engine.port import PAUSE
from headrace.engine.task import STOPPED
from headrace.errors import NodeCancelled
from headrace.graph import START, StateGraph
from headrace.runtime import Runtime, get_runtime
from headrace.testing import ScriptedChatModel
from headrace.types import RetryPolicy, StreamWriter, interrupt
from tests.engine.build import State, asays, chain, fan, many, result, run, says
from tests.engine.watch import PATIENCE_S, auntil, busy, nothing_left, nothing_left_running, until, wait

WAYS = pytest.mark.parametrize("way", ["sync", "async"])
THREAD: Any = {"configurable": {"thread_id": "1"}}


def calls_a_model(_: State) -> None:
    ScriptedChatModel(replies=["hello there"]).invoke("hi")


ASKS: dict[str, Callable[[State], Any]] = {
    "writer": lambda _: get_stream_writer()("late"),
    "interrupt": lambda _: interrupt("late"),
    "config": lambda _: get_config(),
    "store": lambda _: get_store(),
    "runtime": lambda _: get_runtime(),
    "subgraph": lambda _: chain(says("inner")).invoke({"log": []}),
    "model": calls_a_model,
}


class Lingers:
    """A sync node that is inside its code when the run is stopped, and then asks something of the run."""

    __name__ = "lingers"

    def __init__(self, ask: Callable[[State], Any]) -> None:
        self.ask = ask
        self.began = threading.Event()
        self.ended: BaseException | None = None

    def __call__(self, state: State) -> State:
        task: Any = current.get()
        self.began.set()
        get_stream_writer()("began")
        self.linger(task)
        try:
            self.ask(state)
        except BaseException as error:
            self.ended = error
            raise
        return {"log": ["lingers"]}

    def linger_on(self, state: State) -> None:
        """What another function does that stands for this one."""
        self.began.set()
        self.linger(current.get())

    def linger(self, task: Any) -> None:
        """Go on until the run has been stopped."""
        until(lambda: task.state == STOPPED)


@pytest.mark.parametrize("ask", ASKS)
def test_sync_node_of_a_closed_stream_ends_when_it_next_asks_something(ask: str) -> None:
    node = Lingers(ASKS[ask])
    with nothing_left():
        stream: Any = chain(node, checkpointer=InMemorySaver()).stream(
            {"log": []}, THREAD, stream_mode=["custom", "messages"]
        )
        assert next(stream) == ("custom", "began")
        stream.close()
        until(lambda: node.ended)
    assert isinstance(node.ended, NodeCancelled)


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("mode", ["custom", "values"])
async def test_sync_node_of_a_cancelled_run_ends_when_it_next_asks_something(ask: str, mode: str) -> None:
    """Also when nobody listens to what it says."""
    node = Lingers(ASKS[ask])

    async def consume() -> None:
        async for _ in chain(node, checkpointer=InMemorySaver()).astream({"log": []}, THREAD, stream_mode=mode):
            pass

    async with nothing_left_running():
        consumer = asyncio.create_task(consume())
        await auntil(node.began.is_set)
        consumer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await consumer
        await auntil(lambda: node.ended)
    assert isinstance(node.ended, NodeCancelled)


@WAYS
def test_model_of_a_stopped_node_ends_at_its_next_token(way: str) -> None:
    ended: list[BaseException] = []
    tasks: list[Any] = []

    def pace(number: int) -> None:
        if number:
            until(lambda: tasks[0].state == STOPPED)

    def node(state: State) -> State:
        tasks.append(current.get())
        try:
            ScriptedChatModel(replies=["hello there you"], pace=pace).invoke("hi")
        except BaseException as error:
            ended.append(error)
            raise
        return {}

    async def leave() -> None:
        async with nothing_left_running():
            stream: Any = chain(node).astream({"log": []}, stream_mode="messages")
            assert (await anext(stream))[0].content == "hello"
            await stream.aclose()

    with nothing_left():
        if way == "async":
            asyncio.run(leave())
        else:
            stream: Any = chain(node).stream({"log": []}, stream_mode="messages")
            assert next(stream)[0].content == "hello"
            stream.close()
    assert [type(error) for error in ended] == [NodeCancelled]


def test_writer_and_runtime_that_a_node_was_given_end_it_as_well() -> None:
    ended: list[type[BaseException]] = []

    def node(state: State, writer: StreamWriter, runtime: Runtime[None]) -> State:
        task: Any = current.get()
        writer("began")
        until(lambda: task.state == STOPPED)
        asks: list[Callable[[], None]] = [
            lambda: writer("late"), lambda: runtime.stream_writer("late"), runtime.heartbeat
        ]  # fmt: skip
        for ask in asks:
            try:
                ask()
            except NodeCancelled as error:
                ended.append(type(error))
        return {}

    with nothing_left():
        stream: Any = chain(node).stream({"log": []}, stream_mode="custom")
        next(stream)
        stream.close()
        until(lambda: len(ended) == 3)


class Deaf(Lingers):
    """A sync node that asks nothing more, and for some time does not end."""

    __name__ = "deaf"

    def __init__(self) -> None:
        super().__init__(lambda _: None)
        self.stopped = threading.Event()

    def linger(self, task: Any) -> None:
        wait(self.stopped)


def test_sync_node_that_never_calls_us_is_left_behind_and_named() -> None:
    node, after = Deaf(), []

    def then(state: State) -> State:
        after.append("then")
        return {}

    saver = InMemorySaver()
    graph = chain(node, then, checkpointer=saver)
    with nothing_left():
        stream: Any = graph.stream({"log": []}, THREAD, stream_mode=["custom", "updates"])
        next(stream)
        with pytest.warns(RuntimeWarning, match=r"node 'deaf' was stopped .* in thread 'headrace-\d+'"):
            stream.close()
        node.stopped.set()
    assert after == []
    assert graph.get_state(THREAD).values == {"log": []}


async def test_sync_node_of_an_async_run_that_never_calls_us_is_left_behind_and_named() -> None:
    node, after = Deaf(), []

    def then(state: State) -> State:
        after.append("then")
        return {}

    graph = chain(node, then, checkpointer=InMemorySaver())
    async with nothing_left_running():
        consumer = asyncio.create_task(graph.ainvoke({"log": []}, THREAD))
        await auntil(node.began.is_set)
        consumer.cancel()
        named = pytest.warns(RuntimeWarning, match=r"node 'deaf' was stopped .* in thread 'headrace-\d+'")
        with named, pytest.raises(asyncio.CancelledError):
            await consumer
        node.stopped.set()
    assert after == []
    assert graph.get_state(THREAD).values == {"log": []}


def test_only_nodes_that_were_running_are_named() -> None:
    """Those that waited for a hand never began."""
    deaf = [Deaf(), Deaf()]
    for index, node in enumerate(deaf):
        node.__name__ = f"deaf{index}"
    graph = fan(*deaf, *(says(f"later{index}") for index in range(5)))
    with nothing_left():
        stream: Any = graph.stream({"log": []}, {"max_concurrency": 2}, stream_mode="custom")
        next(stream), next(stream)
        with pytest.warns(RuntimeWarning) as warned:
            stream.close()
        for node in deaf:
            node.stopped.set()
    names = {str(one.message).split("'")[1] for one in warned}
    assert names == {"deaf0", "deaf1"}


def test_deaf_sibling_of_a_failing_node_is_left_behind_and_named() -> None:
    began = threading.Event()
    node = Deaf()

    def fails(state: State) -> State:
        wait(node.began)
        raise ValueError("broken")

    graph = fan(fails, node)
    with nothing_left():
        stream = graph.stream({"log": []}, stream_mode="updates")
        with pytest.warns(RuntimeWarning, match="node 'deaf' was stopped"), pytest.raises(ValueError, match="broken"):
            next(stream)
        node.stopped.set()
    assert not began.is_set()


def test_writer_held_by_a_full_queue_does_not_count_as_deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for us; an error of its sibling lets it go, and its next call ends it."""
    monkeypatch.setattr("headrace.stream.outlet.BOUND", 4)
    monkeypatch.setattr("headrace.stream.outlet.Outlet.__init__.__defaults__", (4,))
    ended: list[type[BaseException]] = []
    go = threading.Event()

    def fails(state: State) -> State:
        wait(go)
        raise ValueError("broken")

    def writes(state: State) -> State:
        write = get_stream_writer()
        try:
            while True:
                write("more")
        except BaseException as error:
            ended.append(type(error))
            raise

    with nothing_left():
        stream: Any = fan(fails, writes).stream({"log": []}, stream_mode="custom")
        assert next(stream) == "more"
        go.set()
        until(lambda: ended)
        with pytest.raises(ValueError, match="broken"):
            for _ in stream:
                pass
    assert ended == [NodeCancelled]


# subgraphs


def nested(levels: int, node: Any, way: str) -> Any:
    """A graph with `node` so many graphs further down, each called inside a node."""
    if not levels:
        return chain(node)
    inner = nested(levels - 1, node, way)

    def calls(state: State) -> Any:
        return inner.invoke({"log": []})

    async def acalls(state: State) -> Any:
        return await inner.ainvoke({"log": []})

    return chain(calls if way == "sync" else acalls, says("after"))


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_cancelling_reaches_a_node_three_graphs_down(way: str) -> None:
    node = Lingers(lambda _: get_stream_writer()("late"))
    async with nothing_left_running():
        consumer = asyncio.create_task(nested(3, node, way).ainvoke({"log": []}))
        await auntil(node.began.is_set)
        consumer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await consumer
        await auntil(lambda: node.ended)
    assert isinstance(node.ended, NodeCancelled)


def test_closing_reaches_the_nodes_of_a_subgraph_and_starts_no_further_one() -> None:
    ran: list[str] = []

    def first(state: State) -> State:
        task: Any = current.get()
        get_stream_writer()("began")
        until(lambda: task.state == STOPPED)
        return {}

    def second(state: State) -> State:
        ran.append("second")
        return {}

    inner = chain(first, second)

    def calls(state: State) -> Any:
        return inner.invoke({"log": []})

    with nothing_left():
        stream: Any = chain(calls).stream({"log": []}, stream_mode="custom", subgraphs=True)
        assert next(stream)[1] == "began"
        stream.close()
    assert ran == []


async def test_stop_that_comes_between_two_steps_lets_no_further_node_begin() -> None:
    """A run that is just between two steps has no task that could be stopped."""
    ran: list[str] = []
    between = threading.Event()

    def reducer(old: list[str], new: list[str]) -> list[str]:
        if new:
            task: Any = current.get()
            between.set()
            until(lambda: task.state == STOPPED)
        return old + new

    builder = StateGraph(TypedDict("Slow", {"log": Annotated[list[str], reducer]}))  # type: ignore[operator]
    builder.add_node("first", lambda state: {"log": ["first"]})
    builder.add_node("second", lambda state: ran.append("second"))
    builder.add_edge(START, "first")
    builder.add_edge("first", "second")
    inner = builder.compile()

    def calls(state: State) -> Any:
        return inner.invoke({"log": []})

    async with nothing_left_running():
        consumer = asyncio.create_task(chain(calls).ainvoke({"log": []}))
        await auntil(between.is_set)
        consumer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await consumer
    assert ran == []


@WAYS
async def test_async_run_inside_a_thread_of_a_stopped_node_applies_nothing_more(way: str) -> None:
    """A sync node may run an event loop of its own, which no cancellation of ours reaches."""
    saver, began = InMemorySaver(), threading.Event()
    ran = []

    def first(state: State) -> State:
        task: Any = current.get()
        began.set()
        until(lambda: task.state == STOPPED)
        return {"log": ["first"]}

    async def afirst(state: State) -> State:
        return first(state)

    async def second(state: State) -> State:
        ran.append("second")
        return {}

    inner = chain(first if way == "sync" else afirst, second, checkpointer=saver)

    def calls(state: State) -> Any:
        return asyncio.run(inner.ainvoke({"log": []}, {"configurable": {"thread_id": "inner"}}))

    async with nothing_left_running():
        consumer = asyncio.create_task(chain(calls).ainvoke({"log": []}))
        await auntil(began.is_set)
        consumer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await consumer
    assert ran == []
    states = [record.checkpoint["channel_values"].get("log") for record in saver.list(None)]
    assert ["first"] not in states


# how a run is left


@pytest.mark.parametrize("mode", ["custom", "updates"])
def test_closing_a_sync_stream_ends_it_where_it_stands(mode: str) -> None:
    ran: list[str] = []

    def node(name: str) -> Any:
        def notes(state: State) -> State:
            ran.append(name)
            get_stream_writer()(name)
            return {"log": [name]}

        notes.__name__ = name
        return notes

    graph = chain(node("a"), node("b"), node("c"))
    with nothing_left():
        for _ in graph.stream({"log": []}, stream_mode=mode):
            break
        stream: Any = graph.stream({"log": []}, stream_mode=mode)
        next(stream)
        until(lambda: not busy())
        stream.close()
        assert list(stream) == []
    assert ran == ["a", "a"]


@WAYS
@pytest.mark.parametrize("mode", ["custom", "updates"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_interruption_of_a_sync_node_goes_through(way: str, mode: str, error: type[BaseException]) -> None:
    def node(state: State) -> State:
        raise error

    for graph in (chain(node), fan(node, says("other"))):
        with nothing_left(), pytest.raises(error):
            run(graph, way, stream_mode=mode)
        with nothing_left(), pytest.raises(error):
            result(graph, way)


def test_interrupted_wait_for_an_event_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C reaches the caller's thread, not the worker that runs the node."""
    node = Lingers(lambda _: get_stream_writer()("late"))

    def wait_interrupted(outlet: Any) -> None:
        wait(node.began)
        raise KeyboardInterrupt

    monkeypatch.setattr("headrace.stream.outlet.Outlet.wait", wait_interrupted)
    with nothing_left():
        with pytest.raises(KeyboardInterrupt):
            list(chain(node).stream({"log": []}, stream_mode="custom"))
        until(lambda: node.ended)


@WAYS
def test_stop_iteration_of_a_node_is_an_error_of_the_node(way: str) -> None:
    def node(state: State) -> State:
        return next(iter(()))

    for graph in (chain(node), fan(node, says("other"))):
        for mode in ("updates", "custom"):
            with nothing_left(), pytest.raises(RuntimeError, match="StopIteration"):
                run(graph, way, stream_mode=mode)


def test_async_node_in_a_sync_run_is_a_type_error_that_names_it() -> None:
    with pytest.raises(TypeError, match=r"node 'a' is async .* use ainvoke\(\) or astream\(\)"):
        chain(asays("a")).invoke({"log": []})
    with pytest.raises(TypeError, match="node 'b' is async"):
        list(fan(says("a"), asays("b")).stream({"log": []}, stream_mode="custom"))


def test_coroutine_that_a_sync_function_returns_is_awaited_or_refused() -> None:
    def node(state: State) -> Any:
        return asays("inner")(state)

    assert result(chain(node), "async") == {"log": ["inner"]}
    with pytest.raises(TypeError, match="node 'node' returned a coroutine"):
        result(chain(node), "sync")


# how many at a time


@WAYS
@pytest.mark.parametrize("mode", ["values", "custom", None])
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_max_concurrency_is_reached_and_never_passed(way: str, mode: str | None, limit: int) -> None:
    lock, together = threading.Lock(), threading.Barrier(limit)
    running, most = 0, 0

    def node(state: State) -> State:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait(PATIENCE_S)  # breaks if fewer run side by side
        with lock:
            running -= 1
        together.wait(PATIENCE_S)
        return {"log": [1]}

    graph = many(node, 4 * limit)
    config: Any = {"max_concurrency": limit}
    with nothing_left():
        if mode is None:
            assert len(result(graph, way, config=config)["log"]) == 4 * limit
        else:
            run(graph, way, config=config, stream_mode=mode)
    assert most == limit


async def test_max_concurrency_holds_for_async_nodes() -> None:
    running, most = 0, 0

    async def node(state: State) -> State:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return {"log": [1]}

    async with nothing_left_running():
        assert len((await many(node, 20).ainvoke({"log": []}, {"max_concurrency": 4}))["log"]) == 20
    assert most == 4


# retries


class ManualClock:
    """Time that passes only by waiting, and says how long was waited."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time = 0.0
        self.waits: list[float] = []
        monkeypatch.setattr("headrace.clock.monotonic", lambda: self.time)
        monkeypatch.setattr("headrace.clock.sleep", self.pass_time)
        monkeypatch.setattr("headrace.clock.asleep", self.apass_time)

    def pass_time(self, seconds: float) -> None:
        self.time += seconds
        self.waits.append(seconds)

    async def apass_time(self, seconds: float) -> None:
        self.pass_time(seconds)


def fails_times(count: int, error: Exception) -> Any:
    calls = []

    def node(state: State) -> State:
        calls.append(1)
        if len(calls) <= count:
            raise error
        return {"log": [len(calls)]}

    return node


def retried(node: Any, *policies: RetryPolicy) -> Any:
    builder = StateGraph(State)
    builder.add_node("node", node, retry_policy=list(policies))
    builder.add_edge(START, "node")
    return builder.compile()


@WAYS
def test_backoff_grows_by_its_factor_up_to_its_maximum(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock(monkeypatch)
    policy = RetryPolicy(1.0, 3.0, max_interval=5.0, max_attempts=5, jitter=False)
    assert result(retried(fails_times(4, ConnectionError()), policy), way) == {"log": [5]}
    assert clock.time == pytest.approx(1 + 3 + 5 + 5)


@WAYS
def test_jitter_adds_up_to_a_second(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock(monkeypatch)
    monkeypatch.setattr("headrace.ids.chance", lambda: 0.25)
    policy = RetryPolicy(1.0, max_attempts=2, jitter=True)
    assert result(retried(fails_times(1, ConnectionError()), policy), way) == {"log": [2]}
    assert clock.time == pytest.approx(1.25)


@WAYS
def test_first_policy_that_covers_the_error_counts(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock(monkeypatch)
    values = RetryPolicy(1.0, max_attempts=2, jitter=False, retry_on=ValueError)
    keys = RetryPolicy(10.0, max_attempts=3, jitter=False, retry_on=KeyError)
    assert result(retried(fails_times(2, KeyError("k")), values, keys), way) == {"log": [3]}
    assert clock.time == pytest.approx(10 + 20)
    with pytest.raises(ValueError, match="v"):
        result(retried(fails_times(2, ValueError("v")), values, keys), way)
    with pytest.raises(OSError, match="neither"):
        result(retried(fails_times(1, OSError("neither")), values, keys), way)


def test_stopped_run_does_not_wait_for_the_next_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock(monkeypatch)
    calls = []

    def node(state: State) -> State:
        calls.append(1)
        get_stream_writer()("began")
        raise ConnectionError

    policy = RetryPolicy(3600.0, jitter=False)
    in_backoff = threading.Event()
    slices: list[float] = []
    stopped = threading.Event()

    def pause(seconds: float) -> None:
        slices.append(seconds)
        in_backoff.set()
        wait(stopped)

    monkeypatch.setattr("headrace.clock.sleep", pause)
    with nothing_left():
        stream: Any = retried(node, policy).stream({"log": []}, stream_mode="custom")
        next(stream)
        wait(in_backoff)
        threading.Timer(0.01, stopped.set).start()
        stream.close()
    assert calls == [1]
    assert clock.time == 0
    assert slices == [GRACE_S]


@WAYS
def test_failure_in_a_batch_stands_in_its_place_or_is_raised(way: str) -> None:
    def node(state: State) -> State:
        if state["log"] == [2]:
            raise ValueError("broken")
        return {}

    graph: Any = chain(node)
    inputs: Any = [{"log": [index]} for index in range(4)]

    def batch(**options: Any) -> Any:
        return graph.batch(inputs, **options) if way == "sync" else asyncio.run(graph.abatch(inputs, **options))

    with nothing_left():
        got = batch(return_exceptions=True)
        assert [type(one) for one in got] == [dict, dict, ValueError, dict]
        with pytest.raises(ValueError, match="broken"):
            batch()


@pytest.mark.parametrize("counted", [True, False])
async def test_closing_the_coroutine_of_a_run_ends_its_node(counted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Python does with a coroutine that nobody drives any more; what waits cannot be waited for then."""
    monkeypatch.setattr("headrace.engine.drive_async.COUNTED", counted)
    ended = []

    async def node(state: State) -> State:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)
        return {}

    async with nothing_left_running():
        code = chain(node).ainvoke({"log": []})
        code.send(None)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        code.close()
        await auntil(lambda: len(asyncio.all_tasks()) == 1)
    assert ended == [True]


async def test_coroutine_that_a_stopped_sync_function_returns_is_closed() -> None:
    node = Lingers(lambda _: None)

    def returns(state: State) -> Any:
        node.linger_on(state)
        return asays("inner")(state)

    async with nothing_left_running():
        consumer = asyncio.create_task(chain(returns).ainvoke({"log": []}))
        await auntil(node.began.is_set)
        consumer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await consumer


def test_answer_of_code_that_suspends_is_a_mistake_of_ours() -> None:
    with pytest.raises(AssertionError, match="suspended"):
        answer(_pauses())


async def _pauses() -> None:
    await PAUSE


@WAYS
def test_batch_runs_several_inputs_each_in_a_context_of_its_own(way: str) -> None:
    graph = chain(says("a"))
    inputs: Any = [{"log": [index]} for index in range(20)]
    with nothing_left():
        got = graph.batch(inputs) if way == "sync" else asyncio.run(graph.abatch(inputs))
    assert got == [{"log": [index, "a"]} for index in range(20)]
