"""Row 4: one node starts many, by edges or by `Send`; cost per task of the wide step."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Annotated, Any, TypedDict

import budget
from harness.measure import Engine, Probe, Workload, atimed, timed

from workloads.graphs import CONFIG, expect

SIZES = (10, 100, 1000)
PASS_TASKS = 300


class Fan(TypedDict):
    x: int
    out: Annotated[list[int], operator.add]


INPUT = {"x": 0, "out": []}


def workloads() -> Iterator[Workload]:
    for kind, build in (("edges", _by_edges), ("Send", _by_send)):
        for driver in ("sync", "async"):
            for size in SIZES:
                yield Workload(
                    4,
                    f"fan-out {size} by {kind} {driver}",
                    "task",
                    _probe(build, size, driver),
                    budget.FAN_OUT,
                    # Ten tasks are mostly the run around them, so they would bend the line.
                    series=(f"fan-out {kind} {driver}", size) if size > 10 else None,
                )


def _probe(build: Callable[[Engine, int, bool], Any], size: int, driver: str) -> Callable[[Engine], Probe]:
    times = max(1, PASS_TASKS // size)

    def sync_probe(engine: Engine) -> Probe:
        graph = build(engine, size, False)
        expect(len(graph.invoke(INPUT, CONFIG)["out"]), size)
        return timed(lambda: graph.invoke(INPUT, CONFIG), size, times)

    def async_probe(engine: Engine) -> Probe:
        graph = build(engine, size, True)
        return atimed(lambda: graph.ainvoke(INPUT, CONFIG), size, times)

    return sync_probe if driver == "sync" else async_probe


def _node(update: Callable[[Any], dict[str, Any]], asynchronous: bool) -> Callable[[Any], Any]:
    async def node(state: Any) -> dict[str, Any]:
        return update(state)

    return node if asynchronous else update


def _writing(index: int) -> Callable[[Any], dict[str, Any]]:
    return lambda state: {"out": [index]}


def _ends(engine: Engine, asynchronous: bool) -> Any:
    """A builder with the node that starts the others and the one that waits for them."""
    builder = engine.get("graph", "StateGraph")(Fan)
    builder.add_node("source", _node(lambda state: {"x": 1}, asynchronous))
    builder.add_node("sink", _node(lambda state: {"x": 1}, asynchronous))
    builder.add_edge(engine.get("graph", "START"), "source")
    builder.add_edge("sink", engine.get("graph", "END"))
    return builder


def _by_edges(engine: Engine, size: int, asynchronous: bool) -> Any:
    builder = _ends(engine, asynchronous)
    for index in range(size):
        builder.add_node(f"n{index}", _node(_writing(index), asynchronous))
        builder.add_edge("source", f"n{index}")
        builder.add_edge(f"n{index}", "sink")
    return builder.compile()


def _by_send(engine: Engine, size: int, asynchronous: bool) -> Any:
    send = engine.get("types", "Send")

    def route(state: Any) -> list[Any]:
        return [send("node", {"i": index}) for index in range(size)]

    builder = _ends(engine, asynchronous)
    builder.add_node("node", _node(lambda state: {"out": [state["i"]]}, asynchronous))
    builder.add_conditional_edges("source", route, ["node"])
    builder.add_edge("node", "sink")
    return builder.compile()
