"""A consumer that is slow slows the run; what waits for it is bounded."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from headrace.config import get_stream_writer
from headrace.stream.outlet import BOUND, AsyncOutlet, Outlet
from tests.engine.build import State, chain, fan, many, says
from tests.engine.watch import auntil, nothing_left, nothing_left_running, until

SMALL = 8


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Queues of eight events."""
    monkeypatch.setattr(Outlet.__init__, "__defaults__", (SMALL,))
    monkeypatch.setattr(AsyncOutlet.__init__, "__defaults__", (SMALL,))


class Writes:
    """A sync node that writes many events and counts those it got rid of."""

    __name__ = "writes"

    def __init__(self, count: int) -> None:
        self.count = count
        self.written = 0
        self.lock = threading.Lock()

    def __call__(self, state: State) -> State:
        write = get_stream_writer()
        for index in range(self.count):
            write(index)
            with self.lock:
                self.written += 1
        return {"log": ["written"]}


class AWrites(Writes):
    """The same as an async node that yields after each."""

    async def __call__(self, state: State) -> State:  # type: ignore[override]
        write = get_stream_writer()
        for index in range(self.count):
            write(index)
            self.written += 1
            await asyncio.sleep(0)
        return {"log": ["written"]}


def settle(node: Writes) -> int:
    """How far a node has come when it comes no further."""
    last = -1
    pause = threading.Event()
    while last != node.written:
        last = node.written
        pause.wait(0.02)
    return last


def test_default_bound_is_1024() -> None:
    node = Writes(3000)
    with nothing_left():
        stream: Any = chain(node).stream({"log": []}, stream_mode="custom")
        next(stream)
        until(lambda: node.written >= BOUND)
        assert BOUND == 1024
        assert settle(node) <= BOUND + 1
        assert list(stream) == list(range(1, 3000))


@pytest.mark.usefixtures("small")
def test_sync_node_waits_in_its_writer_for_a_slow_consumer() -> None:
    node = Writes(100)
    with nothing_left():
        events = []
        for event in chain(node).stream({"log": []}, stream_mode="custom"):
            events.append(event)
            assert node.written <= len(events) + SMALL + 1
        assert events == list(range(100))


@pytest.mark.usefixtures("small")
def test_parallel_sync_nodes_wait_each_in_its_writer() -> None:
    node = Writes(50)
    with nothing_left():
        taken = 0
        for _ in many(node, 4).stream({"log": []}, stream_mode="custom"):
            taken += 1
            assert node.written <= taken + SMALL + 4
        assert taken == 200


@pytest.mark.usefixtures("small")
async def test_sync_node_of_an_async_run_waits_in_its_writer() -> None:
    node = Writes(100)
    taken = 0
    async with nothing_left_running():
        async for event in chain(node).astream({"log": []}, stream_mode="custom"):
            assert event == taken
            taken += 1
            assert node.written <= taken + SMALL + 1
    assert taken == 100


@pytest.mark.usefixtures("small")
async def test_async_node_that_yields_is_held_at_its_own_awaits() -> None:
    node = AWrites(100)
    taken = 0
    async with nothing_left_running():
        async for event in chain(node).astream({"log": []}, stream_mode="custom"):
            assert event == taken
            taken += 1
            for _ in range(3 * SMALL):
                await asyncio.sleep(0)
            assert node.written <= taken + SMALL + 1
    assert taken == 100


@pytest.mark.usefixtures("small")
async def test_parallel_async_nodes_are_held() -> None:
    node = AWrites(50)
    taken = 0
    async with nothing_left_running():
        async for _ in many(node, 4).astream({"log": []}, stream_mode="custom"):
            taken += 1
            for _ in range(3 * SMALL):
                await asyncio.sleep(0)
            assert node.written <= taken + SMALL + 4
    assert taken == 200


@pytest.mark.usefixtures("small")
async def test_only_what_an_async_node_emits_without_yielding_exceeds_the_bound() -> None:
    async def bursts(state: State) -> State:
        write = get_stream_writer()
        for index in range(100):
            write(index)
        return {}

    async with nothing_left_running():
        events = [event async for event in chain(bursts, says("b")).astream({"log": []}, stream_mode="custom")]
    assert events == list(range(100))


@pytest.mark.usefixtures("small")
def test_nodes_of_a_subgraph_wait_as_well() -> None:
    node = Writes(100)
    inner = chain(node)

    def calls(state: State) -> Any:
        return inner.invoke({"log": []})

    with nothing_left():
        taken = 0
        for _ in chain(calls).stream({"log": []}, stream_mode="custom", subgraphs=True):
            taken += 1
            assert node.written <= taken + SMALL + 1
        assert taken == 100


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("parallel", [1, 4])
@pytest.mark.parametrize("kind", [Writes, AWrites])
async def test_nodes_of_a_subgraph_of_an_async_run_wait_as_well(kind: type[Writes], parallel: int) -> None:
    node = kind(100 // parallel)
    inner = many(node, parallel)

    async def calls(state: State) -> Any:
        return await inner.ainvoke({"log": []})

    taken = 0
    async with nothing_left_running():
        async for _ in chain(calls).astream({"log": []}, stream_mode="custom", subgraphs=True):
            taken += 1
            for _ in range(3 * SMALL):
                await asyncio.sleep(0)
            assert node.written <= taken + SMALL + parallel
    assert taken == 100


@pytest.mark.usefixtures("small")
async def test_nodes_of_another_event_loop_are_not_held_at_their_awaits() -> None:
    """Only the consumer's own loop can tell them of room; in their writers they wait as any thread does."""
    full, passed = threading.Event(), threading.Event()

    async def quiet(state: State) -> State:
        while not full.is_set():
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        passed.set()
        return {}

    writes, more = Writes(100), Writes(100)
    more.__name__ = "more"

    def calls(state: State) -> Any:
        return asyncio.run(chain(quiet).ainvoke({"log": []}))

    async with nothing_left_running():
        stream: Any = fan(calls, writes, more).astream({"log": []}, stream_mode="custom", subgraphs=True)
        await anext(stream)
        await auntil(lambda: writes.written + more.written >= SMALL - 1)
        full.set()
        await auntil(passed.is_set)
        assert len([event async for event in stream]) == 199


@pytest.mark.usefixtures("small")
async def test_nodes_that_run_on_another_event_loop_wait_in_their_writer() -> None:
    """A sync node may run a graph on a loop of its own: it cannot await the room that this loop makes."""
    node = AWrites(100)
    inner = chain(node)

    def calls(state: State) -> Any:
        return asyncio.run(inner.ainvoke({"log": []}))

    taken = 0
    async with nothing_left_running():
        async for _ in chain(calls).astream({"log": []}, stream_mode="custom", subgraphs=True):
            taken += 1
            assert node.written <= taken + SMALL + 1
    assert taken == 100


@pytest.mark.usefixtures("small")
async def test_threads_of_a_call_that_blocks_the_event_loop_do_not_wait_for_it() -> None:
    """An async node that calls `invoke` blocks the loop, and with it the consumer that would make room."""
    inner = many(Writes(50), 4)

    async def blocks(state: State) -> Any:
        inner.invoke({"log": []})
        return {}

    async with nothing_left_running():
        stream = chain(blocks).astream({"log": []}, stream_mode="custom", subgraphs=True)
        events = [event async for event in stream]
    assert len(events) == 200


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", [Writes, AWrites])
async def test_writer_that_waits_is_let_go_when_the_consumer_leaves(kind: type[Writes]) -> None:
    node = kind(100)
    async with nothing_left_running():
        stream: Any = chain(node).astream({"log": []}, stream_mode="custom")
        await anext(stream)
        await auntil(lambda: node.written >= SMALL)
        await stream.aclose()
    assert node.written < 100


@pytest.mark.usefixtures("small")
def test_sync_writer_that_waits_is_let_go_when_the_consumer_leaves() -> None:
    node = Writes(100)
    with nothing_left():
        stream: Any = chain(node).stream({"log": []}, stream_mode="custom")
        next(stream)
        until(lambda: node.written >= SMALL)
        stream.close()
    assert node.written < 100


@pytest.mark.usefixtures("small")
def test_consumer_that_waits_between_steps_holds_the_run_at_the_border() -> None:
    """However small the news: the next step begins with the next pull."""
    first, second = Writes(2), Writes(2)
    second.__name__ = "second"
    stream: Any = chain(first, second).stream({"log": []}, stream_mode="custom")
    with nothing_left():
        assert [next(stream), next(stream)] == [0, 1]
        until(lambda: first.written == 2)
        assert second.written == 0
        assert list(stream) == [0, 1]


def test_event_for_a_reader_whose_loop_was_closed_is_no_error() -> None:
    async def attach() -> AsyncOutlet:
        outlet = AsyncOutlet(0)
        outlet.attach()
        outlet.waiter = asyncio.get_running_loop().create_future()
        return outlet

    outlet = asyncio.run(attach())
    errors: list[BaseException] = []

    def put() -> None:
        try:
            outlet.put(((), 0, "custom", None))
        except BaseException as error:
            errors.append(error)

    writer = threading.Thread(target=put)
    writer.start()
    writer.join(20)
    assert not writer.is_alive()
    assert not errors
