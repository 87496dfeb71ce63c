"""How a run starts: from a new input, or from where a thread stands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from headrace.checkpoint.base import alast_before, last_before
from headrace.engine import tell
from headrace.engine.apply import apply, consumed_by, fold, grouped, put, store
from headrace.engine.attempt import follow, noted, pause, rescue
from headrace.engine.plan import plan
from headrace.engine.program import Write, prepared
from headrace.engine.record import (
    branch_off,
    name_next,
    pending_interrupts,
    place,
    put_writes,
    save_checkpoint,
    save_input,
    save_step,
    save_writes,
)
from headrace.engine.task import ENDED, Task
from headrace.errors import EmptyInputError, GraphInterrupt, InvalidConfigError, UnknownInterruptError
from headrace.names import ANSWERED, HANDLED, INTERRUPT, NEXT, NO_WRITES, NULL_TASK, RESUME
from headrace.types import Command

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headrace.checkpoint.base import CheckpointTuple
    from headrace.engine.port import Port
    from headrace.engine.run import Run

INTERRUPT_ID = re.compile(r"[0-9a-f]{32}")


async def begin(run: Run, port: Port) -> list[Task]:
    """Load or seed the state; the tasks of the first super-step."""
    record = await load(run, port)
    restore(run, record)
    if run.parent is not None:
        run.answers = run.parent.run.answers
    command = run.input if isinstance(run.input, Command) else None
    writes = None if command is None else prepared(run.program, run.program.command(command))
    if run.input is None or (command is not None and (record is not None or not writes)):
        tasks = await resume(run, record, command, writes or [], port)
        return [one for task in tasks for one in (task, task.helper) if one is not None]
    return await seed(run, writes, port)


async def load(run: Run, port: Port) -> CheckpointTuple | None:
    """The checkpoint to go on from: the thread's last one, or the one that the config names."""
    if run.saver is None:
        return None
    if run.thread_id is None:
        raise InvalidConfigError(
            f"{run.program.label} has a checkpointer, so its config must name a thread: "
            "config={'configurable': {'thread_id': '1'}}"
        )
    return await (outermost(run, port) if run.parent is None else nested(run, run.parent, port))


async def outermost(run: Run, port: Port) -> CheckpointTuple | None:
    """Of a run that is in no other. A config of a subgraph's checkpoint means the checkpoint of this graph above it."""
    configurable = run.config.get("configurable") or {}
    inside = configurable.get("checkpoint_ns")
    run.asked = (configurable.get("checkpoint_map") or {}).get("") if inside else configurable.get("checkpoint_id")
    record = await stored(run, port, run.asked)
    if run.asked and record is None:
        raise InvalidConfigError(f"thread {run.thread_id!r} has no checkpoint {run.asked!r}")
    return record


async def nested(run: Run, task: Task, port: Port) -> CheckpointTuple | None:
    """Of a subgraph's run inside a task: what this task began before, to go on with; else a memory to start from.

    Nothing of a failed attempt is kept, and nothing that a branch of the thread's history has left behind.
    """
    above = task.run
    run.branches = above.branches
    resumed = above.resuming and above.step == above.first_step
    if resumed:
        run.asked = run.config["configurable"].get("checkpoint_map", {}).get(run.saver_ns)
    record = await stored(run, port, run.asked)
    own = record is not None and record.checkpoint.get("task") == task.id
    if run.asked or (own and resumed):
        run.input = None
        return record
    if own:
        record = await older(run, port, above.upcoming or above.checkpoint_id)
    for origin, first in reversed(run.branches):
        if record is not None and origin < record.checkpoint["id"] < first:
            record = await older(run, port, origin)
    return record


async def older(run: Run, port: Port, checkpoint_id: str) -> CheckpointTuple | None:
    """The run's last checkpoint that is older than one of another namespace: ids are ordered by time."""
    before, saver = place(run, checkpoint_id), run.saver
    if not checkpoint_id or saver is None:
        return None
    record: CheckpointTuple | None = await port.io(saver, last_before, alast_before, saver, place(run), before)
    return record


async def stored(run: Run, port: Port, checkpoint_id: str | None = None) -> CheckpointTuple | None:
    """A checkpoint of the run's thread and namespace, the last one without an id."""
    saver = run.saver
    assert saver is not None
    record: CheckpointTuple | None = await port.io(saver, saver.get_tuple, saver.aget_tuple, place(run, checkpoint_id))
    return record


def restore(run: Run, record: CheckpointTuple | None) -> None:
    """Give the run the values of a checkpoint, or the initial ones."""
    content: dict[str, Any] = {}
    if record is not None:
        checkpoint = record.checkpoint
        content = checkpoint["channel_values"]
        run.checkpoint, run.checkpoint_id = record, checkpoint["id"]
        run.versions = dict(checkpoint["channel_versions"])
        run.step = run.saved_step = record.metadata["step"]
        run.source = record.metadata["source"]
        run.branches = checkpoint.get("branches", run.branches)
        changed = checkpoint.get("updated_channels")
        run.changed = tuple(key for key in (content if changed is None else changed) if key in run.program.channels)
        run.pending = by_task(record.pending_writes or ())
        for key, value in content.items():
            if key in run.program.channels and key not in run.program.signals:
                put(run, run.home(key), key, value)
    for key, channel in run.program.starting:
        if key not in content:
            put(run, run.home(key), key, channel.initial())


def by_task(writes: Iterable[tuple[str, str, Any]]) -> dict[str, list[Write]]:
    """Stored writes by the id of the task that made them."""
    found: dict[str, list[Write]] = {}
    for task_id, key, value in writes:
        found.setdefault(task_id, []).append((key, value))
    return found


async def seed(run: Run, writes: list[Write] | None, port: Port) -> list[Task]:
    """A new input, or a command's `writes`: merged like those of a node called START, whose edges lead on.

    What was due on the thread and never ran is dropped, an input that still waited for its edges as well.
    """
    catch_up(run)
    run.step += 1
    drop(run, plan(run) if run.changed else [])
    node = run.program.start
    start = Task(run, node, prepared(run.program, node.write(run.input)) if writes is None else writes)
    run.active = [start]
    if run.saver is not None:
        await save_step(run, port, "input")
        if run.tells_checkpoints:
            tell.checkpoint(run, [start])
        if node.branches:
            await save_input(run, port, start)
    return await lead(run, start, port)


def drop(run: Run, tasks: list[Task]) -> None:
    """What was due will not run: take away what woke it, as if it had."""
    consumed = consumed_by(tasks)
    new = fold(run, {}, consumed)
    store(run, {key: new[key] for key in consumed if key in new})
    run.pending = {}


async def lead(run: Run, start: Task, port: Port) -> list[Task]:
    """Follow the edges of an input and merge it. START itself comes back if one of its routing functions asked."""
    writes = [*start.input, *start.node.signals]
    try:
        if start.node.branches:
            await follow(start, writes, port)
    except GraphInterrupt as up:
        pause(start, up)
        start.writes = start.input  # which can be seen beside the question
        return [start]
    except Exception as error:
        start.error = error
        noted(start)
        raise
    finally:
        start.state = ENDED
        start.folded = None
    start.writes = writes
    if run.saver is not None:
        await save_writes(run, start, port)
    return await enter(run, start, port)


async def enter(run: Run, start: Task, port: Port) -> list[Task]:
    """Merge an input and store the state it gives; the tasks of the first super-step."""
    apply(run, [start])
    run.step += 1
    if run.saver is not None:
        run.active = []
        await save_step(run, port)
    tell.values(run)
    forward(run)
    tasks = plan(run)
    if run.tells_checkpoints:
        tell.checkpoint(run, tasks)
    return tasks


async def resume(
    run: Run, record: CheckpointTuple | None, command: Command[Any] | None, writes: list[Write], port: Port
) -> list[Task]:
    """Go on from where the thread stands, with the caller's command."""
    if record is None:
        given = "no input" if command is None else "nothing but an answer"
        raise EmptyInputError.on(run.program.label, given, run.thread_id, keeps=run.saver is not None)
    run.resuming = True
    if run.guest is not None and run.guest.observes:
        await run.guest.resumed(run, port.sync)
    start = waiting_input(run, writes) if run.source == "input" else None
    catch_up(run)
    if command is None and replayed(run, record) and (start is None or start.cached):
        await fork(run, port)
        if start is not None:
            start.step, start._id = run.step, None
            await save_writes(run, start, port)
    if start is None:
        forward(run)
        if writes:
            add(run, writes)
    if writes:
        await put_writes(run, port, [*run.pending.get(NULL_TASK, ()), *writes], NULL_TASK)
    tasks = due(run) if start is None else [start]
    if command is not None and command.resume is not None:
        reopen(run, tasks)
        run.answers = answered(run, tasks, command.resume)
    tell.standing(run)
    if run.tells_checkpoints:
        tell.checkpoint(run, tasks)
    if start is None:
        return tasks
    run.active = tasks
    return await (enter(run, start, port) if start.cached else lead(run, start, port))


def waiting_input(run: Run, more: list[Write]) -> Task:
    """The task of an input that was stored and not merged yet, with what the caller adds to it or puts in its place."""
    writes, channels = [*run.pending.get(NULL_TASK, ()), *more], run.program.channels
    last = {key: index for index, (key, _) in enumerate(writes)}
    given = [write for index, write in enumerate(writes) if last[write[0]] == index or not channels[write[0]].guard]
    start = matched(run, Task(run, run.program.start, given))
    start.writes = None if start.writes is None else [*start.writes, *more]
    if start.writes is None and not run.pending.get(NULL_TASK):
        raise EmptyInputError(f"{run.program.label} was stopped before its input was stored; pass it again")
    return start


def replayed(run: Run, record: CheckpointTuple) -> bool:
    """Whether the caller named a checkpoint to run from again; an edit that nothing ran from yet is gone on from."""
    edited = record.metadata["source"] in ("update", "fork") and not run.pending
    moved = run.parent is not None and record.checkpoint.get("task") != run.parent.id
    return bool(run.asked) and (moved or not edited)


async def fork(run: Run, port: Port) -> None:
    """Begin a branch of the thread's history: what ran after this checkpoint before is not taken over."""
    run.pending = {}
    run.step += 1
    run.saved_step, run.active = run.step, []
    run.source = "fork" if run.source != "input" else run.source
    name_next(run)
    branch_off(run)
    await save_checkpoint(run, port)


def reopen(run: Run, tasks: list[Task]) -> None:
    """Ask again what a completed step asked, when its checkpoint is given other answers."""
    if not all(task.closer.cached for task in tasks):
        return
    for task in tasks:
        if all(key != INTERRUPT for key, _ in run.pending.get(task.id, ())):
            task = task.closer
        task.error = task.error if task.helper is None else None
        task.helper = None
        task.writes, task.cached, task.answers = None, False, None
        stored = run.pending.get(task.id, [])
        if any(key == INTERRUPT for key, _ in stored):
            run.pending = {**run.pending, task.id: [write for write in stored if write[0] == INTERRUPT]}


def forward(run: Run) -> None:
    """On to the first super-step that runs nodes."""
    run.step += 1
    run.first_step = run.step
    run.stop_at = run.step + run.limit - 1


def catch_up(run: Run) -> None:
    """Apply what callers wrote since the checkpoint. An input that waits for its edges is not for the state yet."""
    writes = run.pending.get(NULL_TASK)
    if writes and run.source != "input":
        add(run, writes)


def add(run: Run, writes: list[Write]) -> None:
    """Apply a caller's writes between two steps: the nodes that were due stay due."""
    merged = grouped(write for write in writes if write[0] in run.program.channels)
    due, kept = run.changed, run.transient
    run.transient = frozenset()  # what lives for one step lives on: this is no step
    new = fold(run, merged)
    run.transient = kept
    store(run, new)
    run.written = tuple(merged)
    run.unsaved = run.unsaved.union(run.written)
    run.changed = (*due, *(key for key in run.written if key not in due))


def due(run: Run) -> list[Task]:
    """The tasks of the next super-step, with what is stored of them."""
    return [taken_over(run, matched(run, task)) for task in plan(run)] if run.pending else plan(run)


def taken_over(run: Run, task: Task) -> Task:
    """The task, with that of its error handler if it has failed in an earlier run."""
    for key, value in run.pending.get(task.id, ()):
        if key == HANDLED and task.writes is None:
            task.error = value if isinstance(value, Exception) else Exception(value)  # of a saver that keeps its text
            helper = rescue(task)
            if helper is not None:
                matched(run, helper)
    return task


def matched(run: Run, task: Task) -> Task:
    """The task with what is stored of it: its result if it has finished, the answers that it already got."""
    stored = run.pending.get(task.id)
    if not stored:
        return task
    if any(key not in ANSWERED or key == NO_WRITES for key, _ in stored):
        task.writes = [(key, value) for key, value in stored if key not in ANSWERED]
        task.cached = True
    for key, value in stored:
        if key == RESUME:
            task.answers = list(value)
    return task


def answered(run: Run, tasks: list[Task], resume: Any) -> dict[str, Any]:
    """The caller's answers by interrupt id. UnknownInterruptError if it is not clear which question is meant."""
    waiting = [task for task in tasks if not task.closer.cached]
    pending = [interrupt.id for task in waiting for interrupt in pending_interrupts(run, task)]
    if isinstance(resume, dict) and resume and all(map(is_interrupt_id, resume)):
        unknown = [key for key in resume if key not in pending]
        if unknown:
            raise UnknownInterruptError.not_pending(run.thread_id, unknown, pending)
        return resume
    if len(pending) > 1:
        raise UnknownInterruptError.ambiguous(run.thread_id, pending)
    # by its task as well: the question has another id where the subgraph that asks it was edited meanwhile
    askers = [task.closer.id for task in waiting if pending_interrupts(run, task)]
    return dict.fromkeys([*pending, *askers] or [NEXT], resume)


def is_interrupt_id(key: Any) -> bool:
    """Whether a key of a resume dict looks like an interrupt's id."""
    return isinstance(key, str) and INTERRUPT_ID.fullmatch(key) is not None
