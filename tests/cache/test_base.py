"""What a cache inherits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from headrace.cache.base import BaseCache
from headrace.cache.memory import InMemoryCache
from headrace.graph import START, StateGraph
from headrace.types import CachePolicy
from tests.drive import Drive
from tests.engine.build import State

KEY = (("a",), "1")


class Threaded(BaseCache[Any]):
    """A cache with the sync methods alone, that notes which thread calls them."""

    def __init__(self) -> None:
        self.inner = InMemoryCache()
        self.threads: set[str] = set()

    def noted(self) -> InMemoryCache:
        self.threads.add(threading.current_thread().name)
        return self.inner

    def get(self, keys: Sequence[Any]) -> dict[Any, Any]:
        return self.noted().get(keys)

    def set(self, pairs: Mapping[Any, Any]) -> None:
        self.noted().set(pairs)

    def clear(self, namespaces: Sequence[Any] | None = None) -> None:
        self.noted().clear(namespaces)


def test_its_async_methods_leave_the_event_loop_alone() -> None:
    cache = Threaded()

    async def use() -> Any:
        await cache.aset({KEY: (1, None)})
        found = await cache.aget([KEY])
        await cache.aclear()
        return found, await cache.aget([KEY])

    assert asyncio.run(use()) == ({KEY: 1}, {})
    assert threading.current_thread().name not in cache.threads


def test_a_cache_with_the_sync_methods_serves_both_drivers(drive: Drive) -> None:
    calls: list[int] = []
    builder = StateGraph(State).add_node("a", lambda state: calls.append(1), cache_policy=CachePolicy())
    graph = builder.add_edge(START, "a").compile(cache=Threaded())
    drive.invoke(graph, {"log": []})
    drive.invoke(graph, {"log": []})
    assert calls == [1]


@pytest.mark.parametrize(
    "call", [lambda cache: cache.get([KEY]), lambda cache: cache.set({}), lambda cache: cache.clear()]
)
def test_what_a_cache_does_not_do_it_says(call: Any) -> None:
    with pytest.raises(NotImplementedError):
        call(BaseCache())
