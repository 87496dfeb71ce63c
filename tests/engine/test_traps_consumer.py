"""The consumer of a stream is slow, leaves early, is cancelled, or closes the stream from a strange place."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from collections.abc import Iterator
from typing import Annotated, Any, TypedDict

import anyio
import pytest

from headrace.checkpoint.memory import InMemorySaver
from headrace.config import get_stream_writer
from headrace.errors import NodeCancelled
from headrace.graph import START, StateGraph
from tests.engine.build import State, asays, chain, fan, says
from tests.engine.watch import auntil, busy, nothing_left, nothing_left_running, until, wait

LIVE_OR_NOT = pytest.mark.parametrize("mode", ["custom", "updates"])


class Stuck:
    """An async node that tells one event, then waits for ever, and notes how it ends."""

    __name__ = "stuck"

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.ended = asyncio.Event()
        self.cleaned = False

    async def __call__(self, state: State) -> State:
        get_stream_writer()("here")
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # cleaning up takes a turn of the loop
            self.cleaned = True
            self.ended.set()
        return {}


async def test_timeout_inside_a_node_does_not_cancel_a_slow_consumer() -> None:
    """PEP 789: a timeout cancels the task that entered it, which must not be the consumer's between two events."""
    expired = asyncio.Event()

    async def node(state: State) -> State:
        write = get_stream_writer()
        try:
            with anyio.fail_after(0.01):
                write("in time")
                await asyncio.Event().wait()
        except TimeoutError:
            expired.set()
        return {"log": ["timed out"]}

    events = []
    async with nothing_left_running():
        async for event in chain(node).astream({"log": []}, stream_mode=["custom", "updates"]):
            events.append(event)
            if event == ("custom", "in time"):
                await asyncio.wait_for(expired.wait(), 20)  # the consumer is at work while the node's time runs out
    assert events == [("custom", "in time"), ("updates", {"node": {"log": ["timed out"]}})]


async def test_early_break_cancels_the_node_and_waits_for_its_cleanup() -> None:
    stuck = Stuck()
    async with nothing_left_running():
        stream = chain(stuck).astream({"log": []}, stream_mode="custom")
        async for _ in stream:
            break
        assert not stuck.cleaned
        await stream.aclose()
        assert stuck.cleaned


@LIVE_OR_NOT
async def test_cancelling_the_consumer_reaches_the_node_and_waits_for_its_cleanup(mode: str) -> None:
    stuck = Stuck()

    async def consume() -> None:
        async for _ in chain(stuck).astream({"log": []}, stream_mode=mode):
            pass

    async with nothing_left_running():
        consumer = asyncio.create_task(consume())
        await stuck.began.wait()
        consumer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await consumer
        assert stuck.cleaned


async def test_stream_dropped_without_aclose_stops_its_node() -> None:
    stuck = Stuck()
    async with nothing_left_running():
        stream = chain(stuck).astream({"log": []}, stream_mode="custom")
        assert await anext(stream) == "here"
        del stream
        gc.collect()
        await asyncio.wait_for(stuck.ended.wait(), 20)
        await auntil(lambda: len(asyncio.all_tasks()) == 1)


async def test_stream_dropped_in_a_reference_cycle_stops_its_node() -> None:
    stuck = Stuck()
    async with nothing_left_running():
        cycle: dict[str, Any] = {"stream": chain(stuck).astream({"log": []}, stream_mode="custom")}
        cycle["self"] = cycle
        assert await anext(cycle["stream"]) == "here"
        del cycle
        gc.collect()
        await asyncio.wait_for(stuck.ended.wait(), 20)
        await auntil(lambda: len(asyncio.all_tasks()) == 1)


@pytest.mark.parametrize("mode", ["custom", "updates"])
async def test_stream_that_was_never_started_leaves_nothing(mode: str) -> None:
    async with nothing_left_running():
        chain(asays("a")).astream({"log": []}, stream_mode=mode)
        chain(says("a")).stream({"log": []}, stream_mode=mode)
        gc.collect()


def test_astream_may_be_called_where_no_event_loop_runs() -> None:
    stream = chain(asays("a")).astream({"log": []}, stream_mode=["custom", "updates"])

    async def collect() -> list[Any]:
        return [event async for event in stream]

    assert asyncio.run(collect()) == [("updates", {"a": {"log": ["a"]}})]


@LIVE_OR_NOT
async def test_repeated_cancellation_still_waits_for_the_cleanup(mode: str) -> None:
    """anyio cancels again at every await until its scope is left; code in the consumer's own task feels that too."""
    stuck = Stuck()
    async with nothing_left_running():
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:

                async def leave() -> None:
                    await stuck.began.wait()
                    scope.cancel()

                group.start_soon(leave)
                async for _ in chain(stuck).astream({"log": []}, stream_mode=mode):
                    pass
        assert scope.cancelled_caught
        assert stuck.cleaned or mode == "updates"


async def test_repeated_cancellation_waits_for_all_parallel_nodes() -> None:
    ended = []
    began = asyncio.Event()

    def node(name: str, turns: int) -> Any:
        async def runs(state: State) -> State:
            began.set()
            try:
                await asyncio.Event().wait()
            finally:
                for _ in range(turns):
                    await asyncio.sleep(0)
                ended.append(name)
            return {}

        runs.__name__ = name
        return runs

    async with nothing_left_running():
        consumer = asyncio.create_task(fan(node("a", 5), node("b", 50)).ainvoke({"log": []}))
        await began.wait()
        await asyncio.sleep(0)
        while not consumer.done():
            consumer.cancel()
            await asyncio.sleep(0)
        assert consumer.cancelled()
        assert ended == ["a", "b"]


async def test_cancelled_consumer_is_not_handed_another_event() -> None:
    """What happened before an error is told first. A cancellation cannot wait: it would look refused."""
    hangs = asyncio.Event()

    class Hangs(InMemorySaver):
        """After the input's checkpoint, which is told, it never answers."""

        instant = False
        saves = 0

        async def aput(self, *args: Any) -> Any:
            self.saves += 1
            if self.saves > 1:
                hangs.set()
                await asyncio.Event().wait()
            return self.put(*args)

    config: Any = {"configurable": {"thread_id": "1"}}
    stream: Any = chain(asays("a"), checkpointer=Hangs()).astream({"log": []}, config, stream_mode="checkpoints")
    async with nothing_left_running():
        task = asyncio.ensure_future(anext(stream))
        await hangs.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


SPAN: contextvars.ContextVar[str] = contextvars.ContextVar("span", default="none")


@LIVE_OR_NOT
async def test_stream_may_be_closed_in_another_task_and_context(mode: str) -> None:
    """A token of a context variable that is held across a yield cannot be reset there."""
    stream = chain(asays("a"), asays("b")).astream({"log": []}, stream_mode=[mode, "values"])

    async def begin() -> None:
        SPAN.set("beginner")
        await anext(stream)

    async def close() -> None:
        SPAN.set("closer")
        await stream.aclose()

    async with nothing_left_running():
        await asyncio.create_task(begin())
        await asyncio.create_task(close())


@LIVE_OR_NOT
def test_stream_may_be_closed_in_another_thread(mode: str) -> None:
    stream: Any = chain(says("a"), says("b")).stream({"log": []}, stream_mode=[mode, "values"])
    errors: list[BaseException] = []

    def close() -> None:
        try:
            stream.close()
        except BaseException as error:
            errors.append(error)

    with nothing_left():
        contextvars.Context().run(next, stream)
        closer = threading.Thread(target=close)
        closer.start()
        closer.join()
    assert not errors


@LIVE_OR_NOT
async def test_context_of_the_consumer_is_as_it_left_it_after_each_event(mode: str) -> None:
    async def changes(state: State) -> State:
        SPAN.set("node")
        return {"log": [SPAN.get()]}

    SPAN.set("consumer")
    async for _ in chain(changes).astream({"log": []}, stream_mode=[mode, "updates"]):
        assert SPAN.get() == "consumer"
    for _ in chain(says("a")).stream({"log": []}, stream_mode=[mode, "updates"]):
        assert SPAN.get() == "consumer"


def test_stream_closed_by_its_own_worker_does_not_wait_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the garbage collector does when it runs on that thread."""
    monkeypatch.setattr("headrace.engine.drive_sync.GRACE_S", 3600)
    closed = threading.Event()
    holder: dict[str, Any] = {}

    def closes(state: State) -> State:
        get_stream_writer()("here")
        wait(handed)
        close(holder.pop("stream"))
        closed.set()
        return {}

    def close(stream: Any) -> None:
        # what the collector calls; `close` would refuse a generator that runs, and this one is at its yield
        stream.close()

    handed = threading.Event()
    with nothing_left():
        holder["stream"] = chain(closes, says("after")).stream({"log": []}, stream_mode="custom")
        assert next(holder["stream"]) == "here"
        handed.set()
        wait(closed)


def test_loop_that_is_closed_between_two_nodes_runs_no_further_node() -> None:
    """Nobody waits for a worker that closed its stream itself: it must end the loop on its own."""
    ran: list[str] = []
    holder: dict[str, Any] = {}
    handed = threading.Event()

    def first(state: Any) -> Any:
        get_stream_writer()("here")
        wait(handed)
        return {"log": ["first"]}

    def second(state: Any) -> Any:
        ran.append("second")
        return {}

    def reducer(old: list[str], new: list[str]) -> list[str]:
        if new and holder:
            holder.pop("stream").close()
        return old + new

    builder = StateGraph(TypedDict("Closing", {"log": Annotated[list[str], reducer]}))  # type: ignore[operator]
    builder.add_node("first", first)
    builder.add_node("second", second)
    builder.add_edge(START, "first")
    builder.add_edge("first", "second")
    with nothing_left():
        holder["stream"] = builder.compile().stream({"log": []}, stream_mode="custom")
        stream = holder["stream"]
        assert next(stream) == "here"
        del stream
        handed.set()
        until(lambda: not holder)
    assert ran == []


def test_abandoned_iterators_hold_no_thread() -> None:
    def writes(state: State) -> State:
        get_stream_writer()("here")
        return {"log": ["writes"]}

    graph = chain(writes, says("never"))
    streams = [graph.stream({"log": []}, stream_mode=["custom", "updates"]) for _ in range(50)]
    for stream in streams:
        assert next(stream) == ("custom", "here")
    with nothing_left():
        until(lambda: not busy())
        assert all(not stream.gi_running for stream in streams)
        for stream in streams:
            stream.close()


@pytest.mark.parametrize("mode", ["values", "updates", "debug", "tasks", "custom", "messages", "checkpoints"])
def test_next_step_waits_for_the_consumer_in_every_mode_sync(mode: str) -> None:
    ran: list[str] = []
    graph = chain(*(_tells(ran, name) for name in ("a", "b", "c")), checkpointer=InMemorySaver())
    stream = graph.stream({"log": []}, {"configurable": {"thread_id": "1"}}, stream_mode=[mode, "updates"])
    with nothing_left():
        for event in stream:
            if event[0] == "updates":
                (name,) = event[1]
                until(lambda: not busy())
                assert ran[-1] == name


@pytest.mark.parametrize("mode", ["values", "updates", "debug", "tasks", "custom", "messages", "checkpoints"])
async def test_next_step_waits_for_the_consumer_in_every_mode_async(mode: str) -> None:
    ran: list[str] = []
    graph = chain(*(_atells(ran, name) for name in ("a", "b", "c")), checkpointer=InMemorySaver())
    async with nothing_left_running():
        async for event in graph.astream(
            {"log": []}, {"configurable": {"thread_id": "1"}}, stream_mode=[mode, "updates"]
        ):
            if event[0] == "updates":
                (name,) = event[1]
                for _ in range(20):
                    await asyncio.sleep(0)
                assert ran[-1] == name


def _tells(ran: list[str], name: str) -> Any:
    def node(state: State) -> State:
        ran.append(name)
        get_stream_writer()(name)
        return {"log": [name]}

    node.__name__ = name
    return node


def _atells(ran: list[str], name: str) -> Any:
    async def node(state: State) -> State:
        ran.append(name)
        get_stream_writer()(name)
        return {"log": [name]}

    node.__name__ = name
    return node


def test_event_written_by_the_last_node_is_not_taken_for_silence() -> None:
    """The leg ends at a border with news, also when the consumer has taken the news and is still at work on it."""
    ran: list[str] = []
    taken = threading.Event()

    def first(state: State) -> State:
        get_stream_writer()("news")
        wait(taken)  # the queue is empty when the step ends
        ran.append("first")
        return {"log": ["first"]}

    def second(state: State) -> State:
        ran.append("second")
        return {}

    stream: Any = chain(first, second).stream({"log": []}, stream_mode="custom")
    with nothing_left():
        assert next(stream) == "news"
        taken.set()
        until(lambda: not busy())
        assert ran == ["first"]
        stream.close()
    assert ran == ["first"]


async def test_event_written_by_the_last_async_node_is_not_taken_for_silence() -> None:
    ran: list[str] = []
    taken = asyncio.Event()

    async def first(state: State) -> State:
        get_stream_writer()("news")
        await taken.wait()
        ran.append("first")
        return {"log": ["first"]}

    async def second(state: State) -> State:
        ran.append("second")
        return {}

    async with nothing_left_running():
        stream = chain(first, second).astream({"log": []}, stream_mode="custom")
        assert await anext(stream) == "news"
        taken.set()
        for _ in range(20):
            await asyncio.sleep(0)
        assert ran == ["first"]
        await stream.aclose()
    assert ran == ["first"]


def test_sync_node_stopped_by_a_break_ends_at_its_next_event() -> None:
    ended: list[type[BaseException]] = []
    closing = threading.Event()

    def node(state: State) -> State:
        write = get_stream_writer()
        try:
            write("one")
            wait(closing)
            while True:
                write("more")
        except BaseException as error:
            ended.append(type(error))
            raise

    with nothing_left():
        stream: Iterator[Any] = chain(node).stream({"log": []}, stream_mode="custom")
        assert next(stream) == "one"
        closing.set()
        stream.close()  # type: ignore[attr-defined]
        assert ended == [NodeCancelled]
