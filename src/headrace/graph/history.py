"""The state of a thread at a checkpoint: read, and changed from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.engine.apply import apply
from headrace.engine.attempt import follow
from headrace.engine.begin import catch_up, due, matched, restore
from headrace.engine.program import Node, prepared
from headrace.engine.record import (
    asked_place,
    below,
    branch_off,
    parents,
    pending_interrupts,
    result_of,
    save_checkpoint,
    shown_config,
    shown_place,
)
from headrace.engine.task import Task
from headrace.engine.tell import previewed
from headrace.errors import GraphInterrupt, InvalidConfigError, InvalidUpdateError
from headrace.names import END, ERROR, START
from headrace.types import PregelTask, StateSnapshot, StateUpdate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.checkpoint.base import CheckpointTuple
    from headrace.config import RunnableConfig
    from headrace.engine.port import Port
    from headrace.engine.run import Run


def snapshot(run: Run, record: CheckpointTuple | None, *, now: bool) -> StateSnapshot:
    """What users see of a checkpoint: its values and the tasks that are due.

    `now`: as the thread stands, so what finished tasks of the next step wrote counts.
    """
    if record is None:
        return StateSnapshot(run.read(run.streamed, {}), (), run.config, None, None, None, (), ())
    metadata, parent = record.metadata, record.parent_config
    restore(run, record)
    if run.source == "input":
        tasks = [started(run)]
    else:
        catch_up(run)
        run.step += 1
        tasks = due(run)
    shown = tuple(told(run, task, now=now) for task in tasks)
    interrupts = tuple(one for task in shown for one in task.interrupts)
    finished = [task.closer for task in tasks if task.closer.cached]
    partly = now and 0 < len(finished) < len(tasks)
    return StateSnapshot(
        values=run.read(run.streamed, foreseen(run, finished) if partly else None),
        next=tuple(task.name for task in shown if not (partly and task.result is not None)),
        config=shown_config(run, record.config, metadata),
        metadata=metadata,
        created_at=record.checkpoint["ts"],
        parent_config=None if parent is None else shown_config(run, parent, metadata),
        tasks=shown,
        interrupts=interrupts,
    )


def foreseen(run: Run, finished: list[Task]) -> dict[str, Any] | None:
    """The values with what finished tasks wrote; None if that cannot be merged, which the next run will say."""
    try:
        return previewed(run, finished)
    except InvalidUpdateError:
        return None


def started(run: Run) -> Task:
    """The pseudo-task that merged an input."""
    task = Task(run, run.program.start, None)
    return matched(run, task)


def told(run: Run, task: Task, *, now: bool) -> PregelTask:
    """A task with what is stored of it; what it asked is left out `now` that it has its answer."""
    stored = run.pending.get(task.id, ())
    error = next((value for key, value in stored if key == ERROR), None)
    interrupts = () if now and task.closer.cached else pending_interrupts(run, task)
    result = result_of(run, task.closer) if task.closer.cached else None
    return PregelTask(task.id, task.name, task.path, error, interrupts, below(run, task), result)


async def update(run: Run, port: Port, updates: Sequence[StateUpdate]) -> RunnableConfig:
    """Write to a thread as if nodes had returned these updates in one super-step; the new checkpoint's config."""
    saver = run.saver
    assert saver is not None
    record = await port.io(saver, saver.get_tuple, saver.aget_tuple, asked_place(run))
    restore(run, record)
    if record is None:
        run.step += 1
    catch_up(run)
    tasks = [await written(run, port, one, record) for one in updates]
    run.step += 1
    run.saved_step, run.source = run.step, "update"
    if not run.saver_ns and record is not None and (run.pending or named(run)):
        branch_off(run)  # what a subgraph did since then, in tasks that were due or on the way that is left, is void
    apply(run, tasks)
    run.unsaved = run.unsaved.union(run.written)
    run.active = tasks
    await save_checkpoint(run, port)
    return shown_place(run, run.checkpoint_id, parents(run))


async def written(run: Run, port: Port, one: StateUpdate, record: CheckpointTuple | None) -> Task:
    """An update as the finished task of the node that it is attributed to."""
    node = author(run, one, record)
    task = Task(run, node, None)
    if one.as_node == END:
        task.writes = []
        return task
    task.writes = prepared(run.program, list(node.write(one.values)))
    task.writes.extend(node.signals)
    try:
        await follow(task, task.writes, port)
    except GraphInterrupt:
        raise InvalidUpdateError(
            f"an update as node {node.name!r} is led on by its routing function, which called interrupt(); there is no "
            "run that could wait for the answer: update as another node, or send Command(goto=...) to the thread"
        ) from None
    task.folded = None
    return task


def author(run: Run, one: StateUpdate, record: CheckpointTuple | None) -> Node:
    """The node that an update is attributed to: the named one, or the one that ran last."""
    program = run.program
    if one.as_node is not None:
        if one.as_node in (START, END):
            return program.start
        if one.as_node not in program.nodes:
            raise InvalidUpdateError(
                f"cannot update the state as node {one.as_node!r}; the nodes are: {', '.join(map(repr, program.nodes))}"
            )
        return program.nodes[one.as_node]
    if record is None:
        return program.start
    last = [name for name in record.checkpoint["versions_seen"] if name in program.nodes]
    if len(last) > 1:
        raise InvalidUpdateError(
            f"nodes {' and '.join(map(repr, last))} ran last, so say as which one to update: as_node={last[0]!r}"
        )
    return program.nodes[last[0]] if last else program.start


def named(run: Run) -> bool:
    """Whether the config names a checkpoint, not just a thread."""
    return bool((run.config.get("configurable") or {}).get("checkpoint_id"))


def require_saver(run: Run) -> None:
    """InvalidConfigError unless the graph has a checkpointer and the config a thread."""
    if run.saver is None:
        raise InvalidConfigError(
            f"{run.program.label} keeps no state of threads; compile(checkpointer=InMemorySaver()) does"
        )
    if run.thread_id is None:
        raise InvalidConfigError("the config must name a thread: {'configurable': {'thread_id': '1'}}")
