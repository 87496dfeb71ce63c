"""Names of channels and paths that show up in events, checkpoints and third-party savers; clients know them."""

from __future__ import annotations

START = "__start__"
END = "__end__"
DEFAULT_NAME = "LangGraph"
"""Of a graph that was given none: what traces and schemas of users' graphs are titled with."""

ROOT = "__root__"
"""The only key of a state that is not a mapping."""

TASKS = "__pregel_tasks"
"""The channel of the sends to be run next."""
PULL = "__pregel_pull"
"""First part of the path of a task that a channel woke."""
PUSH = "__pregel_push"
"""First part of the path of a task that a `Send` made."""

INTERRUPT = "__interrupt__"
RESUME = "__resume__"
ERROR = "__error__"
NO_WRITES = "__no_writes__"
HANDLED = "__handled__"
"""The error of a failed task whose node has an error handler."""
ANSWERED = frozenset({INTERRUPT, RESUME, ERROR, HANDLED, NO_WRITES})
"""Stored writes that tell of a task without being part of its result."""

NEXT = "__next__"
"""In place of an interrupt's id: the answer to whichever question is asked next, where none waits."""

NULL_TASK = "00000000-0000-0000-0000-000000000000"
"""The task id of writes that a caller made, with `Command(update=...)` or `Command(goto=...)`."""

HANDLER = "__error_handler__"
"""Prefix of the name of a node's error handler."""


def branch_to(node: str) -> str:
    """The channel that wakes `node`."""
    return f"branch:to:{node}"


def join_to(starts: list[str], node: str) -> str:
    """The channel that wakes `node` once all of `starts` are done."""
    return f"join:{'+'.join(starts)}:{node}"
