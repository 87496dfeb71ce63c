"""Many nodes and many runs at once."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from headrace.checkpoint.memory import InMemorySaver
from tests.engine.build import State, asays, chain, many, run, says
from tests.engine.watch import PATIENCE_S, busy, nothing_left, nothing_left_running

MODES = ["values", "updates", "messages", "custom", "debug", "tasks", "checkpoints"]


class Leaves:
    """The innermost node: counts how often it ran."""

    __name__ = "leaves"

    def __init__(self) -> None:
        self.ran = 0
        self.lock = threading.Lock()

    def __call__(self, state: State) -> State:
        with self.lock:
            self.ran += 1
        return {}


class ALeaves(Leaves):
    """The same as an async node."""

    async def __call__(self, state: State) -> State:  # type: ignore[override]
        await asyncio.sleep(0)
        self.ran += 1
        return {}


def tree(leaf: Any, widths: list[int]) -> Any:
    """So many nodes side by side, each invoking a graph of so many nodes, and so on."""
    if len(widths) == 1:
        return many(leaf, widths[0])
    inner = tree(leaf, widths[1:])

    def calls(state: State) -> Any:
        inner.invoke({"log": []})
        return {}

    async def acalls(state: State) -> Any:
        await inner.ainvoke({"log": []})
        return {}

    return many(acalls if isinstance(leaf, ALeaves) else calls, widths[0])


def grow(way: str, mode: str, kind: type[Leaves], widths: list[int]) -> int:
    """Run such a tree in one mode; how many leaves ran."""
    leaf = kind()
    graph = tree(leaf, widths)
    graph.checkpointer = InMemorySaver() if mode == "checkpoints" else None
    config = {"configurable": {"thread_id": "1"}}
    with nothing_left():
        run(graph, way, config=config, stream_mode=mode, subgraphs=True)
    return leaf.ran


KINDS = [("sync", Leaves), ("async", Leaves), ("async", ALeaves)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("way", "kind"), KINDS)
def test_nested_parallel_nodes_end_in_every_mode(way: str, mode: str, kind: type[Leaves]) -> None:
    assert grow(way, mode, kind, [20, 5, 3]) == 300


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("way", "kind"), KINDS)
def test_200_nodes_with_20_below_each_three_levels_deep_end_in_every_mode(
    way: str, mode: str, kind: type[Leaves]
) -> None:
    assert grow(way, mode, kind, [200, 20, 20]) == 80_000


async def test_sync_nodes_of_100_concurrent_runs_block_side_by_side() -> None:
    """Each waits until all have begun: one after the other they would wait for ever."""
    together = threading.Barrier(100)

    def blocks(state: State) -> State:
        together.wait(PATIENCE_S)
        return {"log": ["blocked"]}

    graph = chain(asays("before"), blocks, asays("after"))
    async with nothing_left_running():
        results = await asyncio.gather(*(graph.ainvoke({"log": [index]}) for index in range(100)))
    assert results == [{"log": [index, "before", "blocked", "after"]} for index in range(100)]


async def test_async_nodes_go_on_while_sync_nodes_block() -> None:
    release = threading.Event()

    def blocks(state: State) -> State:
        assert release.wait(PATIENCE_S)
        return {"log": ["blocked"]}

    async with nothing_left_running():
        blocked = [asyncio.ensure_future(chain(blocks).ainvoke({"log": []})) for _ in range(20)]
        assert await chain(asays("a"), asays("b")).ainvoke({"log": []}) == {"log": ["a", "b"]}
        assert not any(one.done() for one in blocked)
        release.set()
        assert await asyncio.gather(*blocked) == [{"log": ["blocked"]}] * 20


async def test_one_thousand_async_nodes_side_by_side_use_no_thread() -> None:
    before = busy()
    async with nothing_left_running():
        result = await many(asays("leaf"), 1000).ainvoke({"log": []})
        assert busy() == before
    assert len(result["log"]) == 1000


def test_many_sync_runs_in_many_threads_share_one_graph() -> None:
    graph = many(says("leaf"), 5)
    results: list[Any] = []
    threads = [threading.Thread(target=lambda: results.append(graph.invoke({"log": []}))) for _ in range(20)]
    with nothing_left():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)
    assert results == [{"log": ["leaf"] * 5}] * 20
