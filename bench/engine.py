"""What does the engine cost? Rows 1 to 9 of the performance budget, beside langgraph in the same process.

    python bench/engine.py                      everything, about two minutes
    python bench/engine.py --only 'chain 100'   workloads whose "row name" matches
    python bench/engine.py --rows               what would be measured, and against which goal

langgraph is optional: without it our own figures are shown, and only absolute goals are judged.
A missed goal does not fail the run (figures from a busy machine are no verdict); a workload that
raises does.
"""

from __future__ import annotations

import os
import sys

# Before any engine is imported: a tracer found in the environment would be measured with it.
os.environ["LANGSMITH_TRACING"] = os.environ["LANGCHAIN_TRACING_V2"] = "false"

from harness import command
from harness.measure import Engine
from workloads import engine_workloads


def main() -> int:
    options = command.arguments(__doc__, peer="langgraph")
    roots = [root for root in (options.peer, options.root) if root and command.importable(f"{root}.graph")]
    return command.run(engine_workloads(), [Engine(root) for root in roots], options)


if __name__ == "__main__":
    sys.exit(main())
