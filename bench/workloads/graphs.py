"""The smallest state and nodes, and the graphs that several workloads share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import lru_cache
from typing import Any, TypedDict

from harness.measure import Engine

CONFIG: dict[str, Any] = {"recursion_limit": 100_000}


class Count(TypedDict):
    x: int


def count(state: Count) -> dict[str, int]:
    return {"x": state["x"] + 1}


async def acount(state: Count) -> dict[str, int]:
    return {"x": state["x"] + 1}


def chain(engine: Engine, size: int, node: Callable[..., Any] = count) -> Any:
    """`size` different nodes in a row."""
    builder = engine.get("graph", "StateGraph")(Count)
    previous = engine.get("graph", "START")
    for index in range(size):
        builder.add_node(f"n{index}", node)
        builder.add_edge(previous, f"n{index}")
        previous = f"n{index}"
    builder.add_edge(previous, engine.get("graph", "END"))
    return builder.compile()


# Four graphs: the sync and the async one of both engines, while the modes of one size are measured.
# More would keep graphs alive that only lengthen every other workload's garbage collections.
kept_chain = lru_cache(maxsize=4)(chain)


def single(engine: Engine, schema: type, node: Callable[..., Any]) -> Any:
    """A graph of one node."""
    builder = engine.get("graph", "StateGraph")(schema)
    builder.add_node("node", node)
    builder.add_edge(engine.get("graph", "START"), "node")
    return builder.compile()


def drain(events: Iterator[Any]) -> int:
    return sum(1 for _ in events)


async def adrain(events: AsyncIterator[Any]) -> int:
    number = 0
    async for _ in events:
        number += 1
    return number


def expect(found: int, wanted: int) -> None:
    """A workload that does less than it says would look fast."""
    if found != wanted:
        raise AssertionError(f"{found} events instead of {wanted}")
