"""How a run starts: from a new input, or from where a thread stands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from headrace.engine import tell
from headrace.engine.apply import apply, fold, grouped, put, store
from headrace.engine.attempt import follow, pause, rescue
from headrace.engine.plan import plan
from headrace.engine.program import Write, prepared
from headrace.engine.record import (
    name_next,
    pending_interrupts,
    save_checkpoint,
    save_command,
    save_input,
    save_step,
    save_writes,
)
from headrace.engine.task import ENDED, Task
from headrace.errors import (
    EmptyInputError,
    GraphInterrupt,
    InvalidConfigError,
    InvalidUpdateError,
    UnknownInterruptError,
)
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
        if record is not None and run.parent.run.resuming:
            run.input = None
    command = run.input if isinstance(run.input, Command) else None
    writes = None if command is None else commanded(run, command)
    if run.input is None or (command is not None and (record is not None or not writes)):
        tasks = await resume(run, record, command, writes or [], port)
        return [one for task in tasks for one in (task, task.helper) if one is not None]
    return await seed(run, writes, port)


async def load(run: Run, port: Port) -> CheckpointTuple | None:
    """The checkpoint that the config names, or the thread's last one."""
    saver = run.saver
    if saver is None:
        return None
    configurable = run.config.get("configurable") or {}
    if run.thread_id is None:
        raise InvalidConfigError(
            f"{run.program.label} has a checkpointer, so its config must name a thread: "
            "config={'configurable': {'thread_id': '1'}}"
        )
    where: dict[str, Any] = {"thread_id": run.thread_id, "checkpoint_ns": run.saver_ns}
    asked = configurable.get("checkpoint_id") if run.parent is None else None
    if asked:
        where["checkpoint_id"] = asked
    record: CheckpointTuple | None = await port.io(saver, saver.get_tuple, saver.aget_tuple, {"configurable": where})
    if asked and record is None:
        raise InvalidConfigError(f"thread {run.thread_id!r} has no checkpoint {asked!r}")
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
    dropped = plan(run) if run.changed else []
    for task in dropped:
        task.writes = []
    run.pending = {}
    node = run.program.start
    start = Task(run, node, prepared(run.program, node.write(run.input)) if writes is None else writes)
    run.active = [start]
    if run.saver is not None:
        await save_step(run, port, "input")
        if run.tells_checkpoints:
            tell.checkpoint(run, [start])
        if node.branches:
            await save_input(run, port, start)
    return await lead(run, start, dropped, port)


async def lead(run: Run, start: Task, dropped: list[Task], port: Port) -> list[Task]:
    """Follow the edges of an input and merge it. START itself comes back if one of its routing functions asked."""
    writes = [*start.input, *start.node.signals]
    try:
        if start.node.branches:
            await follow(start, writes, port)
    except GraphInterrupt as up:
        pause(start, up)
        start.writes = start.input  # which can be seen beside the question
        return [start]
    finally:
        start.state = ENDED
        start.folded = None
    start.writes = writes
    if run.saver is not None:
        await save_writes(run, start, port)
    return await enter(run, [*dropped, start], port)


async def enter(run: Run, tasks: list[Task], port: Port) -> list[Task]:
    """Merge an input and store the state it gives; the tasks of the first super-step."""
    apply(run, tasks)
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
        raise nothing_to_resume(run, command)
    run.resuming = True
    if run.guest is not None and run.guest.observes:
        await run.guest.resumed(run, port.sync)
    start = waiting_input(run, writes) if run.source == "input" else None
    catch_up(run)
    if command is None and replayed(run, record):
        await fork(run, port)
    if start is None:
        forward(run)
        if writes:
            add(run, writes)
    if writes:
        await save_command(run, port, writes)
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
    return await (enter(run, tasks, port) if start.cached else lead(run, start, [], port))


def nothing_to_resume(run: Run, command: Command[Any] | None) -> EmptyInputError:
    """The error of a call that brings no input to a thread without a run."""
    given = "no input" if command is None else "nothing but an answer"
    where = "" if run.saver is None else f" on thread {run.thread_id!r}"
    return EmptyInputError(
        f"{run.program.label} got {given} and there is no run to go on with{where}; pass the input of a new run"
        + (" (a graph keeps its runs when it is compiled with a checkpointer)" if run.saver is None else "")
    )


def waiting_input(run: Run, more: list[Write]) -> Task:
    """The task of an input that was stored and not merged yet, and of what the caller adds to it."""
    start = matched(run, Task(run, run.program.start, [*run.pending.get(NULL_TASK, ()), *more]))
    if start.writes is None and not run.pending.get(NULL_TASK):
        raise EmptyInputError(f"{run.program.label} was stopped before its input was stored; pass it again")
    return start


def replayed(run: Run, record: CheckpointTuple) -> bool:
    """Whether the caller named a checkpoint to run from again; an edit that nothing ran from yet is gone on from."""
    asked = (run.config.get("configurable") or {}).get("checkpoint_id")
    edited = record.metadata["source"] in ("update", "fork") and not run.pending
    return run.parent is None and bool(asked) and not edited


async def fork(run: Run, port: Port) -> None:
    """Begin a branch of the thread's history: what ran after this checkpoint before is not taken over."""
    run.pending = {}
    run.step += 1
    run.saved_step, run.source, run.active = run.step, "fork", []
    name_next(run)
    await save_checkpoint(run, port)


def reopen(run: Run, tasks: list[Task]) -> None:
    """Ask again what a completed step asked, when its checkpoint is given other answers."""
    closers = [task.closer for task in tasks]
    if not all(task.cached for task in closers):
        return
    for task in closers:
        task.writes, task.cached, task.answers = None, False, None
        stored = run.pending.get(task.id, [])
        if any(key == INTERRUPT for key, _ in stored):
            run.pending = {**run.pending, task.id: [write for write in stored if write[0] == INTERRUPT]}


def forward(run: Run) -> None:
    """On to the first super-step that runs nodes."""
    run.step += 1
    run.first_step = run.step
    run.stop_at = run.step + run.limit - 1


def commanded(run: Run, command: Command[Any]) -> list[Write]:
    """What a caller's command writes before the next step."""
    if command.graph is not None:
        raise InvalidUpdateError(
            f"a command for graph {command.graph!r} came as input, where there is no graph above; leave out `graph=`"
        )
    return prepared(run.program, run.program.command(command))


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
            raise UnknownInterruptError(
                f"no interrupt {', '.join(map(repr, unknown))} waits for an answer on thread {run.thread_id!r}; "
                f"pending are: {', '.join(map(repr, pending)) or 'none'}",
                reason="not_pending", interrupt_ids=unknown, pending_ids=pending,
            )  # fmt: skip
        return resume
    if len(pending) > 1:
        raise UnknownInterruptError(
            f"{len(pending)} interrupts wait for an answer on thread {run.thread_id!r}, so say which one is meant: "
            f"Command(resume={{id: answer}}) with ids out of {', '.join(map(repr, pending))}",
            reason="ambiguous", pending_ids=pending,
        )  # fmt: skip
    return dict.fromkeys(pending or [NEXT], resume)


def is_interrupt_id(key: Any) -> bool:
    """Whether a key of a resume dict looks like an interrupt's id."""
    return isinstance(key, str) and INTERRUPT_ID.fullmatch(key) is not None
