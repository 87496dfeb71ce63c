"""Row 1: what `import <engine>.graph`, or `.agents`, costs in a fresh process with its bytecode cached."""

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

AGENTS = "import {root}.agents; " + SPENT
OPENAI_AGENTS = "import agents; " + SPENT
# By names: the packages themselves are empty until they are asked for something.
CORE = (
    "from langchain_core.language_models import BaseChatModel; from langchain_core.messages import AIMessage; "
    "from langchain_core.tools import StructuredTool; " + SPENT
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


def agent_workloads() -> Iterator[Workload]:
    yield Workload(1, "agents: import, whole process", "ms", lambda engine: _fresh(engine, _agents_of(engine), 0))
    yield Workload(
        1, "agents: import, modules loaded", "modules", lambda engine: _fresh(engine, _agents_of(engine), 1), effort=0.2
    )
    yield Workload(
        1, "agents: import, by langchain-core's", "times", _beside_core, budget.IMPORT_AGENTS, effort=THOROUGH
    )


THOROUGH = 2.0
"""A quotient of two noisy times."""


def _agents_of(engine: Engine) -> str:
    return OPENAI_AGENTS if engine.root == "agents" else AGENTS


def _beside_core(engine: Engine) -> Probe:
    """How many times the import of langchain-core's models, messages and tools it takes, one after the other."""
    ours, core = _fresh(engine, _agents_of(engine), 0), _fresh(engine, CORE, 0)
    return lambda: ours() / core()


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
