"""What a saver inherits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from headrace.checkpoint.base import BaseCheckpointSaver, CheckpointTuple, create_checkpoint, empty_checkpoint
from headrace.checkpoint.memory import InMemorySaver
from headrace.graph import START, StateGraph
from tests.drive import Drive, collected
from tests.engine.build import State, says

CONFIG: Any = {"configurable": {"thread_id": "1"}}


class Threaded(BaseCheckpointSaver[int]):
    """A saver with the sync methods alone, that notes which thread calls them."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = InMemorySaver()
        self.threads: set[str] = set()

    def noted(self) -> InMemorySaver:
        self.threads.add(threading.current_thread().name)
        return self.inner

    def get_tuple(self, config: Any) -> CheckpointTuple | None:
        return self.noted().get_tuple(config)

    def list(self, config: Any, **options: Any) -> Iterator[CheckpointTuple]:
        return self.noted().list(config, **options)

    def put(self, *args: Any) -> Any:
        return self.noted().put(*args)

    def put_writes(self, *args: Any) -> None:
        self.noted().put_writes(*args)

    def delete_thread(self, thread_id: str) -> None:
        self.noted().delete_thread(thread_id)


def test_an_empty_checkpoint_is_of_no_history() -> None:
    checkpoint = empty_checkpoint()
    assert (checkpoint["channel_values"], checkpoint["channel_versions"]) == ({}, {})
    assert checkpoint["id"] < empty_checkpoint()["id"]


def test_the_next_checkpoint_has_its_own_id_and_the_given_values() -> None:
    first = empty_checkpoint()
    assert create_checkpoint(first, None, 1)["channel_values"] == {}
    following = create_checkpoint(first, {"a": 1}, 1)
    assert following["channel_values"] == {"a": 1}
    assert following["id"] > first["id"]
    assert create_checkpoint(first, None, 1, id="mine")["id"] == "mine"


def test_versions_are_numbers_that_rise_unless_a_saver_says_otherwise() -> None:
    saver = Threaded()
    assert saver.get_next_version(None, None) == 1
    assert saver.get_next_version(1, None) == 2


def test_a_saver_that_keeps_no_bytes_needs_no_list_of_types() -> None:
    saver = Threaded()
    assert saver.with_allowlist([("a", "B")]) is saver


def test_a_saver_with_the_sync_methods_serves_both_drivers(drive: Drive, thread: Any) -> None:
    saver = Threaded()
    graph = StateGraph(State).add_node("a", says("a")).add_edge(START, "a").compile(checkpointer=saver)
    assert drive.invoke(graph, {"log": []}, thread) == {"log": ["a"]}
    assert drive.state(graph, thread).values == {"log": ["a"]}
    assert len(drive.history(graph, thread)) == 3
    drive.call(saver, "delete_thread", "1")
    assert drive.call(saver, "get", thread) is None


def test_its_async_methods_leave_the_event_loop_alone() -> None:
    saver = Threaded()

    async def use() -> None:
        config = await saver.aput(CONFIG, empty_checkpoint(), {}, {})
        await saver.aput_writes(config, [("a", 1)], "t")
        assert await saver.aget(config) is not None
        assert len(await collected(saver.alist(CONFIG, limit=1))) == 1
        await saver.adelete_thread("1")

    asyncio.run(use())
    assert saver.threads
    assert threading.current_thread().name not in saver.threads


@pytest.mark.parametrize(
    "call",
    [
        lambda saver: saver.get_tuple(CONFIG),
        lambda saver: saver.list(CONFIG),
        lambda saver: saver.put(CONFIG, empty_checkpoint(), {}, {}),
        lambda saver: saver.put_writes(CONFIG, [], "t"),
        lambda saver: saver.delete_thread("1"),
    ],
)
def test_what_a_saver_does_not_do_it_says(call: Any) -> None:
    with pytest.raises(NotImplementedError):
        call(BaseCheckpointSaver())
