"""Row 5: custom events of one node, from its writer to the consumer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import budget
from harness.measure import Engine, Probe, Workload, atimed, timed

from workloads.graphs import Count, adrain, drain, expect, single

EVENTS = 10_000


def workloads() -> Iterator[Workload]:
    yield Workload(5, "custom events, sync", "event", _sync, budget.CUSTOM_SYNC)
    yield Workload(5, "custom events, async", "event", lambda engine: _async(engine, yielding=False))
    yield Workload(
        5,
        "custom events, async, yielding after each",
        "event",
        lambda engine: _async(engine, yielding=True),
        budget.CUSTOM_YIELDING,
    )


def _sync(engine: Engine) -> Probe:
    get_stream_writer = engine.get("config", "get_stream_writer")

    def node(state: Count) -> dict[str, int]:
        write = get_stream_writer()
        for index in range(EVENTS):
            write(index)
        return {"x": 1}

    graph = single(engine, Count, node)
    return timed(lambda: expect(drain(graph.stream({"x": 0}, stream_mode="custom")), EVENTS), EVENTS)


def _async(engine: Engine, *, yielding: bool) -> Probe:
    get_stream_writer = engine.get("config", "get_stream_writer")

    async def node(state: Count) -> dict[str, int]:
        write = get_stream_writer()
        for index in range(EVENTS):
            write(index)
            if yielding:
                await asyncio.sleep(0)
        return {"x": 1}

    graph = single(engine, Count, node)

    async def run() -> None:
        expect(await adrain(graph.astream({"x": 0}, stream_mode="custom")), EVENTS)

    return atimed(run, EVENTS)
