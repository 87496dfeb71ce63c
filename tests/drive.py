"""A graph's face, called by the sync or by the async driver."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Literal

Way = Literal["sync", "async"]


class Drive:
    """Calls a graph one way; the answers are the same, so a test that uses it holds for both."""

    def __init__(self, way: Way) -> None:
        self.way = way

    def invoke(self, graph: Any, *args: Any, **options: Any) -> Any:
        return self.call(graph, "invoke", *args, **options)

    def stream(self, graph: Any, *args: Any, **options: Any) -> list[Any]:
        """All that it yields."""
        return self.all(graph, "stream", *args, **options)

    def broken(self, graph: Any, *args: Any, **options: Any) -> tuple[list[Any], Exception]:
        """What a stream that fails yields before it does, and its error."""
        told: list[Any] = []
        try:
            if self.way == "sync":
                told.extend(graph.stream(*args, **options))
            else:
                asyncio.run(into(told, graph.astream(*args, **options)))
        except Exception as error:
            return told, error
        raise AssertionError(f"it did not fail; it told {told}")

    def events(self, graph: Any, *args: Any, **options: Any) -> list[Any]:
        return self.all(graph, "events", *args, **options)

    def state(self, graph: Any, *args: Any, **options: Any) -> Any:
        return self.call(graph, "get_state", *args, **options)

    def history(self, graph: Any, *args: Any, **options: Any) -> list[Any]:
        return self.all(graph, "get_state_history", *args, **options)

    def update(self, graph: Any, *args: Any, **options: Any) -> Any:
        return self.call(graph, "update_state", *args, **options)

    def call(self, graph: Any, method: str, *args: Any, **options: Any) -> Any:
        """What a method, or its async form, returns."""
        if self.way == "sync":
            return getattr(graph, method)(*args, **options)
        return asyncio.run(getattr(graph, f"a{method}")(*args, **options))

    def all(self, graph: Any, method: str, *args: Any, **options: Any) -> list[Any]:
        """What a method, or its async form, yields."""
        if self.way == "sync":
            return list(getattr(graph, method)(*args, **options))
        return asyncio.run(collected(getattr(graph, f"a{method}")(*args, **options)))


async def collected(items: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in items]


async def into(told: list[Any], items: AsyncIterator[Any]) -> None:
    async for item in items:
        told.append(item)
