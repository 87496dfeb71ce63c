"""A run that is left at any event, in any way, leaves nothing running."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import warnings
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.config import get_stream_writer
from headrace.testing import ScriptedChatModel
from tests.engine.build import State, chain, fan
from tests.engine.watch import auntil, nothing_left, nothing_left_running

MODES = ["values", "updates", "custom", "messages", "tasks"]
INPUT: State = {"log": []}


class Watched:
    """Nodes of all kinds; `inside` counts those whose code has begun and not ended."""

    def __init__(self) -> None:
        self.inside = 0
        self.lock = threading.Lock()

    @contextlib.contextmanager
    def watch(self) -> Any:
        with self.lock:
            self.inside += 1
        try:
            yield
        finally:
            with self.lock:
                self.inside -= 1

    def node(self, name: str, kind: str) -> Any:
        """A node that says something twice."""
        model = ScriptedChatModel(replies=["two words"])

        def sync(state: State) -> State:
            with self.watch():
                get_stream_writer()(name)
                if kind == "sync model":
                    model.invoke(name)
                get_stream_writer()(name)
            return {"log": [name]}

        async def awaits(state: State) -> State:
            with self.watch():
                get_stream_writer()(name)
                await asyncio.sleep(0)
                if kind == "async model":
                    await model.ainvoke(name)
                get_stream_writer()(name)
            return {"log": [name]}

        async def forever(state: State) -> State:
            with self.watch():
                get_stream_writer()(name)
                try:
                    await asyncio.Event().wait()
                finally:
                    await asyncio.sleep(0)
            return {}

        node = forever if kind == "forever" else awaits if kind.startswith("async") else sync
        node.__name__ = name
        return node

    def nested(self, name: str, graph: Any, sync: bool) -> Any:
        """A node that runs a graph."""

        def calls(state: State) -> Any:
            with self.watch():
                return graph.invoke(INPUT)

        async def acalls(state: State) -> Any:
            with self.watch():
                return await graph.ainvoke(INPUT)

        node = calls if sync else acalls
        node.__name__ = name
        return node


def shapes(kinds: list[str]) -> st.SearchStrategy[Any]:
    """Graphs as data: a kind of node; or (chain or fan, as a subgraph, of shapes)."""
    return st.recursive(
        st.sampled_from(kinds),
        lambda below: st.tuples(st.sampled_from(["chain", "fan"]), st.lists(below, min_size=1, max_size=3)),
        max_leaves=6,
    ).map(lambda shape: shape if isinstance(shape, tuple) else ("chain", [shape]))


def built(shape: Any, watched: Watched, sync: bool) -> Any:
    """The graph of a shape."""
    form, below = shape
    nodes = []
    for index, part in enumerate(below):
        name = f"n{index}"
        if isinstance(part, str):
            nodes.append(watched.node(name, part))
        else:
            nodes.append(watched.nested(name, built(part, watched, sync), sync))
    return chain(*nodes) if form == "chain" else fan(*nodes)


LEAVES = st.sampled_from(["close", "cancel", "drop", "error"])
EVENTS = st.integers(0, 12)
SYNC_KINDS = ["sync", "sync model"]
ASYNC_KINDS = ["sync", "async", "async model", "sync model", "forever"]


class Gone(Exception):
    """What a consumer may raise in its loop."""


async def leave(graph: Any, mode: Any, count: int, how: str) -> None:
    """Take so many events of an async stream, then go."""
    stream: Any = graph.astream(INPUT, stream_mode=mode, subgraphs=True)
    taken = 0

    async def consume() -> None:
        nonlocal taken
        async for _ in stream:
            taken += 1
            if taken > count:
                if how == "error":
                    raise Gone
                if how != "cancel":
                    return

    task = asyncio.ensure_future(consume())
    for _ in range(2000):  # nodes that wait for ever may let no further event come
        if task.done() or (how == "cancel" and taken >= count):
            break
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, Gone):
        await task
    if how == "drop":
        del stream, consume
    else:
        await stream.aclose()


@pytest.fixture(scope="module", autouse=True)
def warm() -> None:
    """What is imported only when it is needed comes before the first deadline of a test."""
    chain(Watched().node("n0", "sync model")).invoke(INPUT)


SETTINGS = settings(
    max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), print_blob=False
)


@SETTINGS
@given(shape=shapes(ASYNC_KINDS), count=EVENTS, how=LEAVES, modes=st.sets(st.sampled_from(MODES), min_size=1))
def test_async_run_that_is_left_at_any_event_leaves_nothing_running(
    shape: Any, count: int, how: str, modes: set[str]
) -> None:
    watched = Watched()
    graph = built(shape, watched, sync=False)

    async def main() -> None:
        async with nothing_left_running():
            await leave(graph, sorted(modes), count, how)
            if how == "drop":  # the event loop closes it, in a task of its own
                gc.collect()
                await asyncio.sleep(0)
                await auntil(lambda: asyncio.all_tasks() == {asyncio.current_task()})

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(main())
    assert watched.inside == 0


@SETTINGS
@given(shape=shapes(SYNC_KINDS), count=EVENTS, how=LEAVES, modes=st.sets(st.sampled_from(MODES), min_size=1))
def test_sync_run_that_is_left_at_any_event_leaves_nothing_running(
    shape: Any, count: int, how: str, modes: set[str]
) -> None:
    watched = Watched()
    graph = built(shape, watched, sync=True)

    def consume(stream: Any) -> None:
        for index, _ in enumerate(stream):
            if index == count:
                if how == "error":
                    raise Gone
                return

    with warnings.catch_warnings(), nothing_left():
        warnings.simplefilter("error")
        stream: Any = graph.stream(INPUT, stream_mode=sorted(modes), subgraphs=True)
        with contextlib.suppress(Gone):
            consume(stream)
        if how in ("close", "cancel"):
            stream.close()
        del stream
    assert watched.inside == 0


@SETTINGS
@given(shape=shapes(ASYNC_KINDS), turns=st.integers(0, 60), mode=st.sampled_from([*MODES, None]))
def test_async_run_that_is_cancelled_at_any_turn_of_the_loop_leaves_nothing_running(
    shape: Any, turns: int, mode: str | None
) -> None:
    """Also before anything was consumed, and while the driver itself is at work."""
    watched = Watched()
    graph = built(shape, watched, sync=False)

    async def consume() -> None:
        if mode is None:
            await graph.ainvoke(INPUT)
        else:
            async for _ in graph.astream(INPUT, stream_mode=mode):
                pass

    async def main() -> None:
        async with nothing_left_running():
            task = asyncio.ensure_future(consume())
            for _ in range(turns):
                await asyncio.sleep(0)
            done = task.done()
            task.cancel()
            if not done:
                with pytest.raises(asyncio.CancelledError):
                    await task

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(main())
    assert watched.inside == 0
