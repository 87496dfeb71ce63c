"""Small graphs to run, and ways to run them."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Callable
from typing import Annotated, Any, TypedDict

from headrace.graph import START, StateGraph


class State(TypedDict, total=False):
    """What the graphs here work on; every node adds its name, or what it wants to show."""

    log: Annotated[list[Any], operator.add]


def says(name: str) -> Callable[[State], State]:
    """A sync node that adds its name."""

    def node(state: State) -> State:
        return {"log": [name]}

    node.__name__ = name
    return node


def asays(name: str) -> Callable[[State], Any]:
    """An async one."""

    async def node(state: State) -> State:
        return {"log": [name]}

    node.__name__ = name
    return node


def chain(*nodes: Any, **options: Any) -> Any:
    """A graph that runs nodes one after another; `options` go to `compile`."""
    builder = StateGraph(State)
    before = START
    for node in nodes:
        builder.add_node(node.__name__, node)
        builder.add_edge(before, node.__name__)
        before = node.__name__
    return builder.compile(**options)


def fan(*nodes: Any, **options: Any) -> Any:
    """A graph that runs nodes side by side."""
    builder = StateGraph(State)
    for node in nodes:
        builder.add_node(node.__name__, node)
        builder.add_edge(START, node.__name__)
    return builder.compile(**options)


def many(node: Any, count: int, **options: Any) -> Any:
    """A graph that runs so many copies of a node side by side."""
    builder = StateGraph(State)
    for index in range(count):
        builder.add_node(f"n{index}", node)
        builder.add_edge(START, f"n{index}")
    return builder.compile(**options)


def run(graph: Any, way: str, input: Any = None, **options: Any) -> list[Any]:
    """All events of a graph, by the sync or the async driver."""
    input = {"log": []} if input is None else input
    if way == "sync":
        return list(graph.stream(input, **options))

    async def collect() -> list[Any]:
        return [event async for event in graph.astream(input, **options)]

    return asyncio.run(collect())


def result(graph: Any, way: str, input: Any = None, **options: Any) -> Any:
    """What a graph makes of an input, by the sync or the async driver."""
    input = {"log": []} if input is None else input
    if way == "sync":
        return graph.invoke(input, **options)
    return asyncio.run(graph.ainvoke(input, **options))
