"""Row 9: many runs at once in one loop, and what a run holds while its node waits."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Callable, Iterator

import budget
from harness.measure import LOOP, Engine, Probe, Workload, atimed

from workloads.graphs import Count, adrain, chain, expect, single

RUNS = 1000
NODES = 5
PARKED = 200


def workloads() -> Iterator[Workload]:
    yield Workload(9, f"{RUNS} concurrent runs of {NODES} nodes", "step", _concurrent, budget.CROWD, effort=0.6)
    for mode in ("updates", "custom"):
        yield Workload(9, f"memory of a parked run, {mode}", "KB", _parked(mode), budget.PARKED_KB, effort=0.2)


async def _yielding(state: Count) -> dict[str, int]:
    await asyncio.sleep(0)
    return {"x": state["x"] + 1}


def _concurrent(engine: Engine) -> Probe:
    graph = chain(engine, NODES, _yielding)

    async def one() -> None:
        expect(await adrain(graph.astream({"x": 0}, stream_mode="updates")), NODES)

    async def all_at_once() -> None:
        await asyncio.gather(*[one() for _ in range(RUNS)])

    return atimed(all_at_once, RUNS * NODES)


def _parked(mode: str) -> Callable[[Engine], Probe]:
    """Memory per run, its consumer's task and the future it waits for included."""

    def build(engine: Engine) -> Probe:
        doors: list[asyncio.Future[None]] = []

        async def node(state: Count) -> dict[str, int]:
            doors.append(LOOP.create_future())
            await doors[-1]
            return {"x": 1}

        graph = single(engine, Count, node)

        async def hold(number: int) -> float:
            """Bytes that `number` runs hold while all of them wait."""
            before = _traced()
            runs = [LOOP.create_task(adrain(graph.astream({"x": 0}, stream_mode=mode))) for _ in range(number)]
            while len(doors) < number:
                await asyncio.sleep(0)
            held = _traced() - before
            for door in doors:
                door.set_result(None)
            doors.clear()
            await asyncio.gather(*runs)
            return held

        async def passing() -> float:
            tracemalloc.start()
            try:
                await hold(10)  # whatever an engine keeps from its first runs is not a run's
                return await hold(PARKED) / PARKED / 1024
            finally:
                tracemalloc.stop()

        return lambda: LOOP.run_until_complete(passing())

    return build


def _traced() -> float:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
