"""Several threads at work for one run: order, wake-ups, hands, and threads that are not there."""

from __future__ import annotations

import asyncio
import os
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Any

import pytest

from headrace import workers
from headrace.config import get_stream_writer
from headrace.stream.outlet import AsyncOutlet, Outlet
from tests.engine.build import State, asays, chain, fan, many, result, run, says
from tests.engine.watch import auntil, busy, nothing_left, nothing_left_running, until, wait

WAYS = pytest.mark.parametrize("way", ["sync", "async"])


@WAYS
def test_nested_parallel_nodes_do_not_lock_up_when_no_hand_is_free(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight nodes, each running eight parallel ones, with two hands in all: whoever gets none works itself."""
    monkeypatch.setattr(workers, "HANDS", threading.BoundedSemaphore(2))
    inner = many(says("leaf"), 8)

    def outer(state: State) -> State:
        return {"log": inner.invoke({"log": []})["log"]}

    with nothing_left():
        assert result(many(outer, 8), way)["log"] == ["leaf"] * 64


def test_parallel_nodes_take_no_more_hands_than_the_process_can_spare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "HANDS", threading.BoundedSemaphore(2))
    names: set[str] = set()
    lock = threading.Lock()
    together = threading.Barrier(3)

    def node(state: State) -> State:
        together.wait(20)
        with lock:
            names.add(threading.current_thread().name)
        return {}

    with nothing_left():
        many(node, 30).invoke({"log": []})
    assert len(names) == 3


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Has the system start no more than so many threads; those that are idle are put away meanwhile."""
    start, left = threading.Thread.start, 0
    away: list[Any] = []

    def counted(thread: threading.Thread) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise RuntimeError("can't start new thread")
        start(thread)

    def few(count: int) -> None:
        nonlocal left
        left = count
        until(lambda: not busy())  # a thread of an earlier test could come back
        while workers._idle:
            away.append(workers._idle.pop())  # one by one: who is taken out does not end meanwhile
        monkeypatch.setattr(threading.Thread, "start", counted)
        monkeypatch.setattr(workers, "_alive", set())

    yield few
    workers._idle.extend(away)


def test_hand_that_the_system_refuses_is_done_without(few: Callable[[int], None]) -> None:
    few(0)
    free = workers.HANDS._value
    assert many(says("node"), 4).invoke({"log": []})["log"] == ["node"] * 4
    assert workers.HANDS._value == free


async def test_sync_nodes_take_turns_where_the_system_has_few_threads(few: Callable[[int], None]) -> None:
    few(2)
    assert (await many(says("node"), 30).ainvoke({"log": []}))["log"] == ["node"] * 30


async def test_sync_node_fails_where_the_system_has_no_thread_at_all(few: Callable[[int], None]) -> None:
    few(0)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        await chain(says("node")).ainvoke({"log": []})


async def test_worker_that_leaves_takes_the_job_that_saw_it(few: Callable[[int], None], monkeypatch: Any) -> None:
    """It has said that it goes, and not yet that it is gone."""
    monkeypatch.setattr(workers, "IDLE_S", 0.001)
    few(1)
    leaving, go_on, done = threading.Event(), threading.Event(), threading.Event()

    class Slow(set[Any]):
        def discard(self, worker: Any) -> None:
            leaving.set()
            wait(go_on)
            super().discard(worker)

    monkeypatch.setattr(workers, "_alive", Slow())
    workers.submit(lambda: None)
    wait(leaving)
    workers.queue(done.set)
    go_on.set()
    wait(done)


def test_job_of_ours_does_not_wait_for_a_thread(few: Callable[[int], None]) -> None:
    """All threads could be waiting like that, each for the others."""
    few(1)
    inner = chain(says("inner"))

    def nested(state: State) -> State:
        with pytest.raises(RuntimeError, match="can't start new thread"):
            asyncio.run(inner.ainvoke({"log": []}))
        return {"log": ["outer"]}

    assert asyncio.run(chain(nested).ainvoke({"log": []})) == {"log": ["outer"]}


async def test_cancelled_node_that_waits_for_a_thread_never_begins(few: Callable[[int], None]) -> None:
    few(1)
    began, go_on, ran = threading.Event(), threading.Event(), []

    def first(state: State) -> State:
        ran.append("first")
        began.set()
        wait(go_on)
        return {}

    def second(state: State) -> State:
        ran.append("second")
        return {}

    run = asyncio.create_task(chain(first).ainvoke({"log": []}))
    await auntil(began.is_set)
    late = asyncio.create_task(chain(second).ainvoke({"log": []}))
    await auntil(lambda: workers._queue)
    late.cancel()
    with pytest.raises(asyncio.CancelledError):
        await late
    go_on.set()
    await run
    await auntil(lambda: not workers._queue)
    assert ran == ["first"]


@WAYS
def test_events_of_one_thread_keep_their_order_among_those_of_many(way: str) -> None:
    begin = threading.Barrier(4)

    def node(name: str) -> Any:
        def writes(state: State) -> State:
            write = get_stream_writer()
            begin.wait(20)
            for index in range(300):
                write((name, index))
            return {"log": [name]}

        writes.__name__ = name
        return writes

    names = ["a", "b", "c", "d"]
    with nothing_left():
        events = run(fan(*map(node, names)), way, stream_mode=["custom", "updates"])
    for name in names:
        own = [payload for mode, payload in events if mode == "custom" and payload[0] == name]
        assert own == [(name, index) for index in range(300)]
        assert events.index(("updates", {name: {"log": [name]}})) > events.index(("custom", (name, 299)))


def test_numbers_follow_the_order_of_the_queue() -> None:
    begin = threading.Barrier(4)

    def writes(state: State) -> State:
        write = get_stream_writer()
        begin.wait(20)
        for index in range(200):
            write(index)
        return {}

    graph = many(writes, 4)
    assert [event.seq for event in graph.events({"log": []}, stream_mode="custom")] == list(range(1, 801))


class Items(deque[Any]):
    """A queue into which another thread puts an event as soon as the reader has looked and found nothing."""

    def __init__(self, put: Callable[[Any], None]) -> None:
        super().__init__()
        self.put: Callable[[Any], None] | None = put

    def __len__(self) -> int:
        found, put = super().__len__(), self.put
        if put is not None:
            self.put = None
            writer = threading.Thread(target=put, args=(ITEM,))
            writer.start()
            writer.join()
        return found

    def __bool__(self) -> bool:
        return len(self) > 0


ITEM: Any = ((), 0, "custom", None)


def test_event_put_just_after_the_look_wakes_the_sync_reader() -> None:
    outlet = Outlet()
    outlet.items = Items(outlet.put)
    reader = threading.Thread(target=outlet.wait, daemon=True)
    reader.start()
    reader.join(20)
    assert not reader.is_alive()


async def test_event_put_just_before_the_future_is_set_wakes_the_async_reader() -> None:
    """An event that a thread puts after the reader's look at the queue, and before it can be woken."""
    outlet = AsyncOutlet()
    loop = outlet.attach()

    class Loop:
        """Its next future comes with an event from a thread."""

        def create_future(self) -> asyncio.Future[None]:
            threading.Thread(target=outlet.put, args=(ITEM,)).run()
            return loop.create_future()

        def call_soon_threadsafe(self, *args: Any) -> None:
            loop.call_soon_threadsafe(*args)

    outlet._loop = Loop()  # type: ignore[assignment]
    await asyncio.wait_for(outlet.wait(), 20)
    assert list(outlet.items) == [ITEM]


async def test_event_from_a_thread_wakes_an_event_loop_that_sleeps() -> None:
    """Without `call_soon_threadsafe` the loop would look only when something else wakes it: here the node's end."""
    waits, taken = threading.Event(), threading.Event()
    in_time: list[bool] = []

    def node(state: State) -> State:
        wait(waits)
        get_stream_writer()("here")
        in_time.append(taken.wait(5))
        return {}

    async with nothing_left_running():
        stream: Any = chain(node).astream({"log": []}, stream_mode="custom")
        waiting = asyncio.ensure_future(anext(stream))
        for _ in range(5):
            await asyncio.sleep(0)
        threading.Timer(0.01, waits.set).start()  # by then the loop sleeps
        assert await waiting == "here"
        taken.set()
        await stream.aclose()
        await auntil(lambda: in_time)
    assert in_time == [True]


def test_worker_that_has_been_idle_ends(few: Callable[[int], None], monkeypatch: pytest.MonkeyPatch) -> None:
    few(1)
    monkeypatch.setattr(workers, "IDLE_S", 0.001)
    worker = workers.Worker()
    ran = threading.Event()
    worker.inbox.put(ran.set)
    wait(ran)
    until(lambda: worker.name not in {thread.name for thread in threading.enumerate()})
    assert not workers._idle


def test_worker_that_is_given_a_job_just_when_its_time_is_over_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ran, empty = threading.Event(), threading.Event()

    class Inbox(SimpleQueue[Any]):
        """Found empty at first, by a worker that is no longer in the list of idle ones: a job is on its way."""

        def get(self, block: bool = True, timeout: float | None = None) -> Any:
            if not empty.is_set():
                empty.set()
                raise Empty
            return super().get(block, timeout)

    monkeypatch.setattr(workers, "SimpleQueue", Inbox)
    worker = workers.Worker()
    wait(empty)
    worker.inbox.put(ran.set)
    wait(ran)


def test_fork_forgets_the_workers_and_the_hands_of_the_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_idle", ["a worker of the parent"])
    monkeypatch.setattr(workers, "HANDS", threading.BoundedSemaphore(1))
    assert workers.HANDS.acquire(blocking=False)
    workers.forked()
    assert not workers._idle
    assert workers.HANDS.acquire(blocking=False)


def test_spread_gives_each_hand_a_context_of_its_own() -> None:
    """Hands that begin late must not share the context of the last one."""
    together = threading.Barrier(4)

    def call(index: int) -> int:
        together.wait(20)
        return index

    for _ in range(50):
        assert workers.spread(call, 4) == [0, 1, 2, 3]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_forked_child_runs_parallel_nodes_with_threads_of_its_own() -> None:
    """The child has the parent's list of idle workers, but none of its threads."""

    def writes(state: State) -> State:
        get_stream_writer()("here")
        return {"log": ["leaf"]}

    graph = many(writes, 4)
    list(graph.stream({"log": []}, stream_mode="custom"))
    until(lambda: workers._idle)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12: fork and threads do not go well together
        child = os.fork()
    if child == 0:
        import signal

        signal.alarm(20)
        events = list(graph.stream({"log": []}, stream_mode="custom"))
        os._exit(0 if events == ["here"] * 4 else 1)
    _, status = os.waitpid(child, 0)
    assert status == 0


@WAYS
def test_sync_node_under_either_driver_runs_once_and_leaves_no_thread(way: str) -> None:
    with nothing_left():
        assert result(chain(says("a"), says("b")), way)["log"] == ["a", "b"]


async def test_async_nodes_use_no_thread() -> None:
    names = set()

    async def node(state: State) -> State:
        names.add(threading.current_thread().name)
        return {}

    async with nothing_left_running():
        await many(node, 3).ainvoke({"log": []})
        await chain(asays("a")).ainvoke({"log": []})
    assert names == {threading.current_thread().name}
