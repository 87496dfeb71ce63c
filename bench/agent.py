"""What does an agent cost above its model and tools? Row 12 of the performance budget, and rows 1, 6 and 7 for agents.

    python bench/agent.py                        everything, four to five minutes
    python bench/agent.py --only '^12 .*5 turns' workloads whose "row name" matches
    python bench/agent.py --rows                 what would be measured, and against which goal

Beside langchain's `create_agent`, and openai-agents for comparison, both optional, in the same process.
Goals and exit code are as in `engine.py`.
"""

from __future__ import annotations

import os
import sys

# Before any of them is imported: a tracer found in the environment would be measured with it.
os.environ["LANGSMITH_TRACING"] = os.environ["LANGCHAIN_TRACING_V2"] = "false"
os.environ["OPENAI_AGENTS_DISABLE_TRACING"] = "1"

from harness import command
from harness.measure import Engine
from workloads import agent_tokens, imports, turns
from workloads.agents import OPENAI


def main() -> int:
    options = command.arguments(__doc__, peer="langchain")
    others = [OPENAI] if command.importable("agents") else []
    roots = [root for root in (options.peer, options.root) if root and command.importable(f"{root}.agents")]
    workloads = [*imports.agent_workloads(), *agent_tokens.workloads(), *turns.workloads()]
    return command.run(workloads, [*others, *(Engine(root) for root in roots)], options)


if __name__ == "__main__":
    sys.exit(main())
