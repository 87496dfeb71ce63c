"""What the code of a node finds in its context, wherever it runs."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
import warnings
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.runnables import RunnableLambda
from langchain_core.runnables.config import ContextThreadPoolExecutor, run_in_executor
from langchain_core.tools import tool

from headrace.cache.memory import InMemoryCache
from headrace.checkpoint.memory import InMemorySaver
from headrace.config import get_config, get_store, get_stream_writer
from headrace.graph import END, START, StateGraph
from headrace.runtime import get_runtime
from headrace.types import CachePolicy, Durability, StreamWriter, interrupt
from tests.engine.build import State, chain, many, run, says
from tests.engine.watch import nothing_left, nothing_left_running, wait

WAYS = pytest.mark.parametrize("way", ["sync", "async"])


@tool
def speak(word: str) -> str:
    """Say a word on the custom stream."""
    get_stream_writer()(word)
    return word


@tool
async def aspeak(word: str) -> str:
    """Say a word on the custom stream."""
    await asyncio.sleep(0)
    get_stream_writer()(word)
    return word


def customs(graph: Any, way: str) -> list[Any]:
    with nothing_left():
        return run(graph, way, stream_mode="custom")


def write(word: str) -> None:
    """Say a word, as the body of a runnable."""
    get_stream_writer()(word)


@WAYS
def test_sync_nodes_and_tools_find_their_writer(way: str) -> None:
    def node(state: State, writer: StreamWriter) -> State:
        get_stream_writer()("got")
        writer("given")
        get_runtime().stream_writer("runtime")
        speak.invoke({"word": "tool"})
        RunnableLambda(write).invoke("runnable")
        return {}

    expected = ["got", "given", "runtime", "tool", "runnable"]
    assert customs(chain(node), way) == expected
    assert sorted(customs(many(node, 3), way)) == sorted(expected * 3)


async def speaks(word: str) -> None:
    await asyncio.sleep(0)
    get_stream_writer()(word)


async def everywhere(state: State, writer: StreamWriter) -> State:
    get_stream_writer()("got")
    writer("given")
    await speak.ainvoke({"word": "tool"})
    await aspeak.ainvoke({"word": "async tool"})
    await asyncio.create_task(speaks("task"))
    await asyncio.gather(speaks("gather"), return_exceptions=False)
    await asyncio.wait_for(speaks("wait_for"), 20)
    await asyncio.to_thread(get_stream_writer(), "to_thread")
    await asyncio.to_thread(lambda: get_stream_writer()("in to_thread"))
    await run_in_executor(None, lambda: get_stream_writer()("executor"))
    return {}


EVERYWHERE = [
    "got",
    "given",
    "tool",
    "async tool",
    "task",
    "gather",
    "wait_for",
    "to_thread",
    "in to_thread",
    "executor",
]


def test_async_nodes_their_tasks_and_threads_find_their_writer() -> None:
    assert customs(chain(everywhere), "async") == EVERYWHERE
    assert sorted(customs(many(everywhere, 3), "async")) == sorted(EVERYWHERE * 3)


async def test_nodes_of_a_subgraph_find_the_writer_of_the_outer_stream() -> None:
    inner = chain(everywhere)

    async def node(state: State) -> Any:
        return await inner.ainvoke({"log": []})

    async with nothing_left_running():
        stream = chain(node).astream({"log": []}, stream_mode="custom", subgraphs=True)
        events = [payload async for ns, payload in stream if ns]
    assert events == EVERYWHERE


@WAYS
def test_plain_thread_writes_through_a_writer_that_was_taken_before(way: str) -> None:
    def node(state: State) -> State:
        write = get_stream_writer()
        thread = threading.Thread(target=write, args=("thread",))
        thread.start()
        thread.join()
        return {}

    assert customs(chain(node), way) == ["thread"]


def test_outside_a_run_the_writer_does_nothing_and_all_else_says_so() -> None:
    assert get_stream_writer()("nobody hears") is None
    assert speak.invoke({"word": "alone"}) == "alone"
    for ask in (get_config, get_store, get_runtime, lambda: interrupt("who?")):
        with pytest.raises(RuntimeError, match="works inside a node of a running graph"):
            ask()


@WAYS
def test_after_its_node_has_ended_a_writer_drops_its_events_and_warns_once(way: str) -> None:
    writers: list[Any] = []

    def node(state: State) -> State:
        writers.append(get_stream_writer())
        return {}

    assert customs(chain(node, says("b")), way) == []
    with pytest.warns(RuntimeWarning, match="node 'node' has ended; a custom event .* was dropped"):
        writers[0]("late")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        writers[0]("later")


@WAYS
def test_thread_that_outlives_its_node_has_its_events_dropped_while_the_run_goes_on(way: str) -> None:
    release, over = threading.Event(), threading.Event()
    warned: list[Any] = []

    def node(state: State) -> State:
        write = get_stream_writer()

        def late() -> None:
            wait(release)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                write("late")
            warned.extend(caught)
            over.set()

        threading.Thread(target=late).start()
        return {}

    def after(state: State) -> State:
        release.set()
        wait(over)
        get_stream_writer()("after")
        return {}

    assert customs(chain(node, after), way) == ["after"]
    assert [one.category for one in warned] == [RuntimeWarning]


@WAYS
def test_writer_is_silent_when_custom_was_not_asked_for(way: str) -> None:
    def node(state: State) -> State:
        get_stream_writer()("unheard")
        return {"log": ["node"]}

    with nothing_left():
        assert run(chain(node), way, stream_mode="updates") == [{"node": {"log": ["node"]}}]


USER: contextvars.ContextVar[str] = contextvars.ContextVar("test_contexts_user", default="nobody")


@WAYS
@pytest.mark.parametrize("mode", ["values", "custom"])
def test_node_sees_the_callers_values_and_its_changes_reach_nobody(way: str, mode: str) -> None:
    def changes(state: State) -> State:
        seen = USER.get()
        USER.set("changes")
        return {"log": [seen]}

    async def achanges(state: State) -> State:
        seen = USER.get()
        USER.set("changes")
        await asyncio.sleep(0)
        return {"log": [seen, USER.get()]}

    def main(graph: Any) -> list[Any]:
        USER.set("caller")
        events = run(graph, way, stream_mode=[mode, "values"])
        assert USER.get() == "caller"
        return events

    graph = chain(changes, says("x"))
    assert contextvars.copy_context().run(main, graph)[-1][1] == {"log": ["caller", "x"]}
    if way == "async":
        assert contextvars.copy_context().run(main, chain(achanges, changes))[-1][1] == {
            "log": ["caller", "changes", "caller"]
        }


def test_routing_function_sees_the_callers_values_and_the_writer() -> None:
    def route(state: State) -> str:
        get_stream_writer()(USER.get())
        USER.set("route")
        return END

    builder = StateGraph(State)
    builder.add_node("a", says("a"))
    builder.add_edge(START, "a")
    builder.add_conditional_edges("a", route)

    def main(way: str) -> None:
        USER.set("caller")
        assert customs(builder.compile(), way) == ["caller"]
        assert USER.get() == "caller"

    for way in ("sync", "async"):
        contextvars.copy_context().run(main, way)


@WAYS
@pytest.mark.parametrize("mode", ["updates", "custom"])
@pytest.mark.parametrize("durability", ["sync", "async"])
def test_reducers_savers_and_cache_keys_see_the_callers_values(way: str, mode: str, durability: Durability) -> None:
    """Whichever thread the loop runs in."""
    seen: list[tuple[str, str]] = []

    def reducer(old: list[str], new: list[str]) -> list[str]:
        seen.append(("reducer", USER.get()))
        return old + new

    def key(state: Any) -> str:
        seen.append(("key", USER.get()))
        return repr(state)

    class Saver(InMemorySaver):
        instant = False

        def put(self, *args: Any) -> Any:
            seen.append(("saver", USER.get()))
            return super().put(*args)

    def node(state: Any) -> Any:
        get_stream_writer()("said")
        return {"log": ["node"]}

    builder = StateGraph(TypedDict("Folded", {"log": Annotated[list[str], reducer]}))  # type: ignore[operator]
    for name in ("a", "b", "c"):
        builder.add_node(name, node, cache_policy=CachePolicy(key_func=key))
        builder.add_edge(START, name)
    builder.add_node("last", node)
    builder.add_edge(["a", "b", "c"], "last")
    graph = builder.compile(checkpointer=Saver(), cache=InMemoryCache())

    def main() -> None:
        USER.set("caller")
        config = {"configurable": {"thread_id": "1"}}
        with nothing_left():
            run(graph, way, config=config, stream_mode=[mode, "values"], durability=durability)

    contextvars.copy_context().run(main)
    assert set(seen) == {("reducer", "caller"), ("key", "caller"), ("saver", "caller")}


@WAYS
def test_stream_takes_the_values_of_the_moment_it_was_called(way: str) -> None:
    """Not those of whoever pulls it, nor of each pull."""

    def node(state: State) -> State:
        return {"log": [USER.get()]}

    async def collect() -> list[Any]:
        USER.set("caller")
        stream = chain(node, says("x")).astream({"log": []}, stream_mode="values")
        USER.set("puller")
        return [event async for event in stream]

    def collect_sync() -> list[Any]:
        USER.set("caller")
        stream = chain(node, says("x")).stream({"log": []}, stream_mode="values")
        USER.set("puller")
        return list(stream)

    events = contextvars.copy_context().run(collect_sync) if way == "sync" else asyncio.run(collect())
    assert events[-1] == {"log": ["caller", "x"]}


@WAYS
def test_subgraphs_that_a_node_calls_from_many_threads_have_namespaces_of_their_own(way: str) -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads take turns at almost every bytecode
    try:
        call_from_many_threads(way)
    finally:
        sys.setswitchinterval(interval)


def call_from_many_threads(way: str) -> None:
    together = threading.Barrier(8)

    def leaf(state: State) -> State:
        get_stream_writer()("leaf")
        return {}

    inner = chain(leaf)

    def node(state: State) -> State:
        def calls(_: int) -> None:
            together.wait(20)
            inner.invoke({"log": []})

        with ContextThreadPoolExecutor(8) as pool:
            list(pool.map(calls, range(8)))
        return {}

    for _ in range(5):
        with nothing_left():
            events = run(chain(node), way, stream_mode="custom", subgraphs=True)
        assert len({ns for ns, _ in events}) == 8


@WAYS
def test_subgraph_sees_the_values_of_the_node_that_calls_it(way: str) -> None:
    def leaf(state: State) -> State:
        return {"log": [USER.get()]}

    inner = chain(leaf)

    def node(state: State) -> Any:
        USER.set("node")
        return inner.invoke({"log": []})

    with nothing_left():
        assert run(chain(node), way, stream_mode="values")[-1] == {"log": ["node"]}
