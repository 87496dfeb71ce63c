"""What is stored and told when a run ends early: by its consumer, by an error, or by a save that fails."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import Any

import pytest

from headrace.checkpoint.memory import InMemorySaver
from headrace.config import get_stream_writer
from headrace.graph import START, StateGraph
from tests.engine.build import State, asays, chain, fan, run, says
from tests.engine.watch import busy, nothing_left, nothing_left_running, until, wait

WAYS = pytest.mark.parametrize("way", ["sync", "async"])
THREAD: Any = {"configurable": {"thread_id": "1"}}


class SlowSaver(InMemorySaver):
    """A saver that takes its time, as one on a disk."""

    instant = False

    async def aput(self, *args: Any) -> Any:
        await asyncio.sleep(0)
        return self.put(*args)


@WAYS
@pytest.mark.parametrize("mode", ["updates", "custom"])
def test_exit_durability_saves_what_was_done_when_the_consumer_leaves(way: str, mode: str) -> None:
    """And what comes next: a finished node must not run again."""
    graph = chain(*(_writes(name) for name in ("a", "b", "c")), checkpointer=SlowSaver())
    leave_after(graph, way, 1, mode)
    state = graph.get_state(THREAD)
    assert state.values == {"log": ["a"]}
    assert state.next == ("b",)
    assert graph.invoke(None, THREAD) == {"log": ["a", "b", "c"]}


@WAYS
def test_exit_durability_keeps_a_join_that_waits_when_the_consumer_leaves(way: str) -> None:
    builder = StateGraph(State)
    for name in ("a", "b1", "b2", "join"):
        builder.add_node(name, _writes(name))
    builder.add_edge(START, "a")
    builder.add_edge(START, "b1")
    builder.add_edge("b1", "b2")
    builder.add_edge(["a", "b2"], "join")
    graph: Any = builder.compile(checkpointer=SlowSaver())
    leave_after(graph, way, 2, "updates")
    assert graph.get_state(THREAD).next == ("b2",)
    assert graph.invoke(None, THREAD) == {"log": ["a", "b1", "b2", "join"]}


def leave_after(graph: Any, way: str, count: int, mode: str) -> None:
    """Take so many events, and go."""
    if way == "sync":
        with nothing_left():
            stream = graph.stream({"log": []}, THREAD, stream_mode=mode, durability="exit")
            for _ in range(count):
                next(stream)
            stream.close() if mode == "updates" else settle_and_close(stream)
        return

    async def leave() -> None:
        async with nothing_left_running():
            stream = graph.astream({"log": []}, THREAD, stream_mode=mode, durability="exit")
            for _ in range(count):
                await anext(stream)
            while busy():  # its node, in a thread, has told of itself and not yet returned
                await asyncio.sleep(0)
            for _ in range(20):  # lets a live run get to the next border, where it waits for us
                await asyncio.sleep(0)
            await stream.aclose()

    asyncio.run(leave())


def settle_and_close(stream: Any) -> None:
    """Let a live run get to the next border, where it waits for us, then close it."""
    until(lambda: not busy())
    stream.close()


def _writes(name: str) -> Any:
    def node(state: State) -> State:
        get_stream_writer()(name)
        return {"log": [name]}

    node.__name__ = name
    return node


def test_exit_durability_saves_even_if_the_node_of_the_next_step_never_ends() -> None:
    """The abandoned thread must not save later, when another run may have moved the thread on."""
    release = threading.Event()

    def stuck(state: State) -> State:
        get_stream_writer()("stuck")
        wait(release)
        return {"log": ["stuck"]}

    graph = chain(_writes("a"), stuck, checkpointer=InMemorySaver())
    with nothing_left():
        stream: Any = graph.stream({"log": []}, THREAD, stream_mode="custom", durability="exit")
        assert next(stream) == "a"
        assert next(stream) == "stuck"
        with pytest.warns(RuntimeWarning, match="node 'stuck' was stopped but its function still runs"):
            stream.close()
        state = graph.get_state(THREAD)
        assert (state.values, state.next) == ({"log": ["a"]}, ("stuck",))
        graph.update_state(THREAD, {"log": ["moved on"]}, as_node="stuck")
        release.set()
        until(lambda: not busy())
        assert graph.get_state(THREAD).values == {"log": ["a", "moved on"]}


async def test_exit_durability_under_repeated_cancellation_still_saves() -> None:
    """A true async saver suspends; the save must not be undone by one more cancellation."""
    saved = []
    began = asyncio.Event()

    class Suspends(SlowSaver):
        async def aput(self, *args: Any) -> Any:
            for _ in range(5):
                await asyncio.sleep(0)
            saved.append(args[1]["channel_values"]["log"])
            return self.put(*args)

    async def forever(state: State) -> State:
        began.set()
        await asyncio.Event().wait()
        return {}

    async with nothing_left_running():
        graph = chain(asays("a"), forever, checkpointer=Suspends())
        consumer = asyncio.create_task(graph.ainvoke({"log": []}, THREAD, durability="exit"))
        await began.wait()
        while not consumer.done():
            consumer.cancel()
            await asyncio.sleep(0)
        assert consumer.cancelled()
    assert saved[-1] == ["a"]


def test_async_durability_overlaps_a_save_with_the_next_node_sync() -> None:
    second_runs = threading.Event()

    class Waits(SlowSaver):
        def put(self, config: Any, checkpoint: Any, metadata: Any, new: Any) -> Any:
            if checkpoint["channel_values"].get("log") == ["a"]:
                wait(second_runs)
            return super().put(config, checkpoint, metadata, new)

    def second(state: State) -> State:
        second_runs.set()
        return {"log": ["second"]}

    graph = chain(says("a"), second, checkpointer=Waits())
    with nothing_left():
        assert graph.invoke({"log": []}, THREAD, durability="async") == {"log": ["a", "second"]}
    assert graph.get_state(THREAD).values == {"log": ["a", "second"]}


async def test_async_durability_overlaps_a_save_with_the_next_node_async() -> None:
    second_runs = asyncio.Event()

    class Waits(SlowSaver):
        async def aput(self, config: Any, checkpoint: Any, metadata: Any, new: Any) -> Any:
            if checkpoint["channel_values"].get("log") == ["a"]:
                await second_runs.wait()
            return self.put(config, checkpoint, metadata, new)

    async def second(state: State) -> State:
        second_runs.set()
        return {"log": ["second"]}

    graph = chain(asays("a"), second, checkpointer=Waits())
    async with nothing_left_running():
        assert await graph.ainvoke({"log": []}, THREAD, durability="async") == {"log": ["a", "second"]}
    assert graph.get_state(THREAD).values == {"log": ["a", "second"]}


class FailsAtTheEnd(SlowSaver):
    """Its save of the last step fails, which nobody would notice who does not wait for it."""

    def put(self, config: Any, checkpoint: Any, metadata: Any, new: Any) -> Any:
        if checkpoint["channel_values"].get("log") == ["a"]:
            raise OSError("disk full")
        return super().put(config, checkpoint, metadata, new)


@WAYS
@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_error_of_the_last_save_is_raised(way: str, durability: str) -> None:
    graph = chain(says("a"), checkpointer=FailsAtTheEnd())
    with nothing_left(), pytest.raises(OSError, match="disk full"):
        run(graph, way, config=THREAD, durability=durability, stream_mode="updates")


@WAYS
def test_last_save_has_ended_when_the_run_has(way: str) -> None:
    saves: list[str] = []

    class Notes(SlowSaver):
        def put(self, config: Any, checkpoint: Any, metadata: Any, new: Any) -> Any:
            done = super().put(config, checkpoint, metadata, new)
            saves.append(str(checkpoint["channel_values"].get("log")))
            return done

        async def aput(self, *args: Any) -> Any:
            for _ in range(5):
                await asyncio.sleep(0)
            return self.put(*args)

    with nothing_left():
        run(chain(says("a"), checkpointer=Notes()), way, config=THREAD, durability="async", stream_mode="updates")
        assert saves[-1] == "['a']"


@WAYS
@pytest.mark.parametrize("mode", ["updates", "custom"])
def test_events_before_an_error_are_delivered(way: str, mode: str) -> None:
    def fails(state: State) -> State:
        get_stream_writer()("last words")
        raise ValueError("broken")

    graph = chain(says("a"), fails)
    events: list[Any] = []

    async def collect() -> None:
        async for event in graph.astream({"log": []}, stream_mode=[mode, "values"]):
            events.append(event)

    with nothing_left(), pytest.raises(ValueError, match="broken"):
        if way == "sync":
            for event in graph.stream({"log": []}, stream_mode=[mode, "values"]):
                events.append(event)
        else:
            asyncio.run(collect())
    told = {"updates": [("updates", {"a": {"log": ["a"]}})], "custom": [("custom", "last words")]}
    assert ("values", {"log": ["a"]}) in events
    assert [event for event in events if event[0] == mode] == told[mode]


@WAYS
@pytest.mark.parametrize("mode", ["tasks", "debug"])
def test_result_of_a_failed_task_is_told_before_its_error_is_raised(way: str, mode: str) -> None:
    def fails(state: State) -> State:
        raise ValueError("broken")

    events: list[Any] = []

    async def collect() -> None:
        async for event in chain(fails).astream({"log": []}, stream_mode=mode):
            events.append(event)

    with nothing_left(), pytest.raises(ValueError, match="broken"):
        if way == "async":
            asyncio.run(collect())
        else:
            for event in chain(fails).stream({"log": []}, stream_mode=mode):
                events.append(event)
    payload = events[-1]["payload"] if mode == "debug" else events[-1]
    assert repr(payload["error"]) == "ValueError('broken')"


def test_event_put_between_the_readers_look_and_the_end_of_its_leg_is_delivered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    armed, go = threading.Event(), threading.Event()

    class Items(deque[Any]):
        """When it is found empty the node goes on to its end, before the reader can look at anything else."""

        def __bool__(self) -> bool:
            found = len(self) > 0
            if not found and armed.is_set():
                armed.clear()
                go.set()
                until(lambda: not busy())
            return found

    monkeypatch.setattr("headrace.stream.outlet.deque", Items)

    def node(state: State) -> State:
        get_stream_writer()("one")
        wait(go)
        get_stream_writer()("two")
        raise ValueError("broken")

    events: list[Any] = []
    with nothing_left(), pytest.raises(ValueError, match="broken"):
        for event in chain(node).stream({"log": []}, stream_mode="custom"):
            events.append(event)
            if event == "one":
                armed.set()
    assert events == ["one", "two"]


@WAYS
@pytest.mark.parametrize("mode", ["updates", "custom"])
def test_update_of_a_finished_task_reaches_the_consumer_while_its_sibling_runs(way: str, mode: str) -> None:
    """Whichever of the two comes first by name, and though nothing but the updates was asked for."""
    for names in (("a", "b"), ("b", "a")):
        taken = threading.Event()

        def waits(state: State, taken: threading.Event = taken) -> State:
            wait(taken)
            return {"log": ["waits"]}

        quick, waits.__name__ = says(names[0]), names[1]
        events: list[Any] = []

        async def collect(graph: Any, taken: threading.Event = taken, events: list[Any] = events) -> None:
            async for event in graph.astream({"log": []}, stream_mode=[mode, "updates"]):
                events.append(event[1])
                taken.set()

        with nothing_left():
            if way == "async":
                asyncio.run(collect(fan(quick, waits)))
            else:
                for event in fan(quick, waits).stream({"log": []}, stream_mode=[mode, "updates"]):
                    events.append(event[1])
                    taken.set()
        assert events == [{names[0]: {"log": [names[0]]}}, {names[1]: {"log": ["waits"]}}]


@WAYS
@pytest.mark.parametrize("mode", ["updates", "custom"])
def test_update_of_a_finished_task_is_delivered_before_the_error_of_its_sibling(way: str, mode: str) -> None:
    taken = threading.Event()

    def fails(state: State) -> State:
        wait(taken)
        raise ValueError("broken")

    events: list[Any] = []

    async def collect(graph: Any) -> None:
        async for event in graph.astream({"log": []}, stream_mode=[mode, "updates"]):
            events.append(event)
            taken.set()

    with nothing_left(), pytest.raises(ValueError, match="broken"):
        if way == "async":
            asyncio.run(collect(fan(says("a"), fails)))
        else:
            for event in fan(says("a"), fails).stream({"log": []}, stream_mode=[mode, "updates"]):
                events.append(event)
                taken.set()
    assert events == [("updates", {"a": {"log": ["a"]}})]
