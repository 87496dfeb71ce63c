"""Row 1: what `import <engine>.graph` costs in a fresh process with its bytecode cached."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import lru_cache

import budget
from harness.measure import Engine, Probe, Workload

SPENT = "import sys, time; print(time.process_time() * 1e3, len(sys.modules))"
IMPORT = "import {root}.graph; " + SPENT
FIRST_RUN = (
    "from {root}.graph import START, StateGraph; "
    "graph = StateGraph(dict).add_node('node', lambda state: state).add_edge(START, 'node').compile(); "
    "graph.invoke({{'x': 0}}); " + SPENT
)


def workloads() -> Iterator[Workload]:
    yield Workload(1, "import, whole process", "ms", lambda engine: _fresh(engine, IMPORT, 0), budget.IMPORT_MS)
    yield Workload(
        1,
        "import, modules loaded",
        "modules",
        lambda engine: _fresh(engine, IMPORT, 1),
        budget.IMPORT_MODULES,
        effort=0.2,
    )
    # Not judged: what the import puts off comes due here.
    yield Workload(1, "import and first run", "ms", lambda engine: _fresh(engine, FIRST_RUN, 0), effort=0.6)


@lru_cache(maxsize=1)
def _bytecode() -> tempfile.TemporaryDirectory[str]:
    """A cache of our own, filled by the warm-up: an environment may forbid writing the usual one."""
    return tempfile.TemporaryDirectory(prefix="bench-bytecode-")


def _fresh(engine: Engine, code: str, column: int) -> Probe:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = _bytecode().name
    command = [sys.executable, "-c", code.format(root=engine.root)]

    def probe() -> float:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
        return float(done.stdout.split()[column])

    return probe
