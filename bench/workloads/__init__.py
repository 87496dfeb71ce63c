"""The workloads of the engine's budget, in its order."""

from __future__ import annotations

from collections.abc import Iterator

from harness.measure import Workload

from workloads import chains, crowd, fanout, history, imports, live, tokens


def engine_workloads() -> Iterator[Workload]:
    for module in (imports, chains, fanout, live, tokens, history, crowd):
        yield from module.workloads()
