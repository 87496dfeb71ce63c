"""Rows 2 and 3: a step that does nothing, in every mode, and what a run costs before its first step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import budget
from harness.measure import Engine, Probe, Workload, atimed, timed

from workloads.graphs import CONFIG, acount, adrain, chain, count, drain, expect, kept_chain

SIZES = (10, 100, 1000)
LONGEST = 4000
"""Only for the scaling exponent: one pass of the peer takes seconds."""

MODES = ("values", "updates", "debug", "custom")
PASS_STEPS = 500
"""Steps in a pass, at least: a single run of the smallest chain is too short to time."""


def workloads() -> Iterator[Workload]:
    for size in SIZES:
        yield _invoke(size)
        for mode in MODES:
            yield Workload(2, f"chain {size} sync {mode}", "step", _stream(size, mode), budget.CHAIN)
        yield Workload(
            2, f"chain {size} async invoke", "step", _ainvoke(size, acount), budget.CHAIN, series=("chain async", size)
        )
        for mode in MODES:
            yield Workload(2, f"chain {size} async {mode}", "step", _astream(size, mode), budget.CHAIN)
    yield _invoke(LONGEST, effort=0.6)
    yield Workload(
        2, "chain 100 sync updates+custom, all news", "step", _stream(100, ["updates", "custom"]), budget.CHAIN_NEWS
    )
    yield Workload(2, "chain 100 async invoke, sync nodes", "step", _ainvoke(100, count), budget.CHAIN_SYNC_NODES)
    yield Workload(3, "one node, sync invoke", "run", _one_invoke, budget.ONE_INVOKE)
    yield Workload(3, "one node, sync custom", "run", _one_custom, budget.ONE_CUSTOM)


def _invoke(size: int, effort: float = 1.0) -> Workload:
    def build(engine: Engine) -> Probe:
        graph = (chain if size == LONGEST else kept_chain)(engine, size)
        expect(graph.invoke({"x": 0}, CONFIG)["x"], size)
        return timed(lambda: graph.invoke({"x": 0}, CONFIG), size, _times(size))

    return Workload(
        2, f"chain {size} sync invoke", "step", build, budget.CHAIN, effort=effort, series=("chain sync", size)
    )


def _ainvoke(size: int, node: Any) -> Any:
    def build(engine: Engine) -> Probe:
        graph = kept_chain(engine, size, node)
        return atimed(lambda: graph.ainvoke({"x": 0}, CONFIG), size, _times(size))

    return build


def _stream(size: int, mode: str | list[str]) -> Any:
    def build(engine: Engine) -> Probe:
        graph = kept_chain(engine, size)
        return timed(lambda: drain(graph.stream({"x": 0}, CONFIG, stream_mode=mode)), size, _times(size))

    return build


def _astream(size: int, mode: str) -> Any:
    def build(engine: Engine) -> Probe:
        graph = kept_chain(engine, size, acount)
        return atimed(lambda: adrain(graph.astream({"x": 0}, CONFIG, stream_mode=mode)), size, _times(size))

    return build


def _one_invoke(engine: Engine) -> Probe:
    graph = kept_chain(engine, 1)
    return timed(lambda: graph.invoke({"x": 0}), 1, 200)


def _one_custom(engine: Engine) -> Probe:
    graph = kept_chain(engine, 1)
    return timed(lambda: drain(graph.stream({"x": 0}, stream_mode="custom")), 1, 100)


def _times(size: int) -> int:
    return max(1, PASS_STEPS // size)
