"""What a question about tool calls has around it: whether it can be answered at all, and the agent's tools."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

from langchain_core.tools import BaseTool

from headrace.config import current
from headrace.engine.task import Task
from headrace.prebuilt.tool_node import ToolNode


def warn_if_unanswerable(what: str) -> None:
    """RuntimeWarning where neither the running graph nor one around it keeps its state, so that no answer finds it."""
    task = current.get()
    if not isinstance(task, Task) or is_kept(task):
        return
    warnings.warn(
        f"{what} cannot be answered: the agent has no checkpointer, so the run ends with the question, under "
        "'__interrupt__', and nothing is called; pass one: create_agent(..., checkpointer=InMemorySaver())",
        RuntimeWarning,
        stacklevel=3,
    )


def is_kept(task: Task) -> bool:
    """Whether its run, or one that it is part of, can go on later."""
    one: Task | None = task
    while one is not None:
        if one.run.saver is not None:
            return True
        one = one.run.parent
    return False


def tools_around() -> Mapping[str, BaseTool] | None:
    """The tools of the running graph, by name; None if it has no node for tools."""
    task = current.get()
    nodes = task.run.program.nodes.values() if isinstance(task, Task) else ()
    owners = (getattr(node.callee.sync, "__self__", None) for node in nodes)
    return next((owner.tools_by_name for owner in owners if isinstance(owner, ToolNode)), None)
