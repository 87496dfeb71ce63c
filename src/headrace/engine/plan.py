"""What runs next? A pure function of the program and the run's state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.channels.base import own
from headrace.engine.program import Node, sends
from headrace.engine.task import Task
from headrace.errors import InvalidUpdateError, add_note
from headrace.names import TASKS
from headrace.types import MISSING, TimeoutPolicy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headrace.engine.run import Run


def plan(run: Run) -> list[Task]:
    """The tasks of the next super-step: sends in their order, then woken nodes by name; empty when the run is over.

    A node is due when one of its triggers was written in the last step (Pregel's "active vertex", Malewicz et al.
    2010, section 2). Deferred triggers count when nothing else is due.
    """
    tasks = sent_tasks(run) if TASKS in run.control else []
    nodes = woken(run, run.changed, deferred=False)
    if not nodes and not tasks and run.program.deferred:
        nodes = woken(run, run.program.deferred, deferred=True)
    for node in nodes:
        try:
            tasks.append(Task(run, node, node.read(run)))
        except Exception as error:  # of a schema that checks its values
            locate(run, node, error)
            raise
    return tasks


def locate(run: Run, node: Node, error: Exception) -> None:
    """Note on an error whose input it is about."""
    add_note(error, f"in the input of node {node.name!r}, step {run.step}")


def woken(run: Run, channels: Iterable[str], *, deferred: bool) -> list[Node]:
    """The nodes that listen to these channels, by name, each once."""
    program = run.program
    listeners, signals = program.listeners, program.signals
    due: dict[str, Node] = {}
    for key in channels:
        nodes = listeners.get(key)
        if nodes is not None and (key in signals or ready(run, key, deferred)):
            for node in nodes:
                due[node.name] = node
    if len(due) < 2:
        return list(due.values())
    return [due[name] for name in sorted(due)]


def ready(run: Run, key: str, deferred: bool) -> bool:
    """Whether a changed channel has something for its listeners."""
    channel = run.program.channels[key]
    if channel.after_finish is not deferred:
        return False
    if not channel.consumed:
        return True
    return channel.read(run.home(key).get(key, MISSING)) is not MISSING


def sent_tasks(run: Run) -> list[Task]:
    """A task for every `Send` of the last step; InvalidUpdateError for one to an unknown node."""
    tasks = []
    for index, send in enumerate(sends(run.control)):
        node = run.program.nodes.get(send.node)
        if node is None:
            known = ", ".join(sorted(run.program.nodes))
            raise InvalidUpdateError(f"Send to unknown node {send.node!r} in step {run.step}; the nodes are: {known}")
        try:
            input = own(send.arg) if node.convert is None else node.convert(send.arg)
        except Exception as error:
            locate(run, node, error)
            raise
        task = Task(run, node, input, index)
        if send.timeout is not None:
            task.timeout = TimeoutPolicy.of(send.timeout)
        tasks.append(task)
    return tasks
