"""A run's checkpoints: what is stored of a step, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace import clock, ids
from headrace.channels.base import MUTABLE, own
from headrace.checkpoint.base import Checkpoint, CheckpointTuple
from headrace.engine.apply import grouped
from headrace.engine.task import ENDED, Task
from headrace.names import ERROR, HANDLED, INTERRUPT, NO_WRITES, NULL_TASK, RESUME
from headrace.types import as_json

if TYPE_CHECKING:
    from headrace.config import RunnableConfig
    from headrace.engine.port import Port
    from headrace.engine.run import Run

VERSION = 2
"""Of a checkpoint's layout."""


def place(run: Run, checkpoint_id: str | None = None) -> RunnableConfig:
    """The config that names a checkpoint of this run."""
    configurable = {"thread_id": run.thread_id, "checkpoint_ns": run.saver_ns}
    if checkpoint_id:
        configurable["checkpoint_id"] = checkpoint_id
    return {"configurable": configurable}


def asked_place(run: Run) -> Any:
    """The config of the checkpoint that the caller's config names, or of the last one."""
    configurable = run.config.get("configurable") or {}
    return place(run, configurable.get("checkpoint_id"))


def shown_place(run: Run, checkpoint_id: str, above: dict[str, str]) -> RunnableConfig:
    """The same as events and snapshots show it: a subgraph's names the checkpoints of the graphs above as well."""
    config = place(run, checkpoint_id)
    if run.saver_ns:
        config["configurable"]["checkpoint_map"] = {**above, run.saver_ns: checkpoint_id}
    return config


def shown_config(run: Run, config: RunnableConfig, metadata: Any) -> RunnableConfig:
    """A stored checkpoint's config as users see it."""
    return shown_place(run, config["configurable"]["checkpoint_id"], metadata.get("parents") or {})


def parents(run: Run) -> dict[str, str]:
    """The checkpoints of the graphs above, by namespace."""
    if run.parent is None:  # but it may stand at a subgraph's checkpoint, to change that
        return run.checkpoint.metadata.get("parents") or {} if run.saver_ns and run.checkpoint else {}
    above = run.parent.run
    return {**parents(above), above.saver_ns: above.upcoming or above.checkpoint_id}


def stored_values(run: Run) -> dict[str, Any]:
    """The content of a checkpoint: every tracked value, and the signals that were given."""
    program = run.program
    content = {key: value for key, value in run.values.items() if program.state[key].tracked}
    content.update(run.control)
    content.update((key, None) for key in run.changed if key in program.signals)
    return content


async def save_step(run: Run, port: Port, source: str = "loop") -> None:
    """Store the step: the writes of a task that ran alone, and the checkpoint."""
    run.unsaved = run.unsaved.union(run.written)
    run.saved_step, run.source = run.step, source
    name_next(run)
    if run.durability == "exit" and not run.tells_checkpoints:
        return
    tasks = run.active
    if len(tasks) == 1 and source == "loop" and not tasks[0].cached and run.checkpoint_id:
        await save_writes(run, tasks[0], port)
    await save_checkpoint(run, port)


def name_next(run: Run) -> None:
    """With durability "exit", choose the checkpoint's id in advance: the ids of the tasks after it come from it."""
    if run.durability == "exit" and (run.tells_checkpoints or not run.upcoming):
        run.upcoming = ids.ordered()


async def save_checkpoint(run: Run, port: Port) -> None:
    """Store a checkpoint of the run as it stands."""
    saver = run.saver
    assert saver is not None
    above = parents(run)
    metadata = {"source": run.source, "step": run.saved_step, "parents": above}
    new = {key: saver.get_next_version(run.versions.get(key), None) for key in sorted(run.unsaved)}
    run.versions = {**run.versions, **new}
    checkpoint: Checkpoint = {
        "v": VERSION,
        "id": run.upcoming or ids.ordered(),
        "ts": clock.timestamp(),
        "channel_values": stored_values(run),
        "channel_versions": run.versions,
        "versions_seen": {task.name: {} for task in run.active},
        "updated_channels": sorted(run.changed),
    }
    if task_id := task_of(run):
        checkpoint["task"] = task_id
    elif run.branches:
        checkpoint["branches"] = run.branches
    at = place(run, run.checkpoint_id)
    before = shown_place(run, run.checkpoint_id, above) if run.checkpoint_id else None
    run.checkpoint = CheckpointTuple(shown_place(run, checkpoint["id"], above), checkpoint, metadata, before, [])
    if run.durability != "exit":
        await port.save(run, saver.put, saver.aput, at, checkpoint, described(run, metadata), new)
        run.unsaved = frozenset()
        run.checkpoint_id = checkpoint["id"]


def task_of(run: Run) -> str:
    """The id of the task that a subgraph's run, or the checkpoint that is to be edited, is part of."""
    if run.parent is None:
        return run.checkpoint.checkpoint.get("task", "") if run.checkpoint else ""
    return run.parent.id


def branch_off(run: Run) -> None:
    """From here the thread's history goes another way: what memories came to after this checkpoint is left behind."""
    origin = run.checkpoint_id
    run.branches = [*(pair for pair in run.branches if pair[0] < origin), (origin, ids.ordered())]


WHERE = ("thread_id", "checkpoint_id", "checkpoint_ns", "checkpoint_map")
"""Keys under `configurable` that say where a checkpoint is, not what the caller knows about it."""


def described(run: Run, metadata: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint's metadata as it is stored: with the caller's, so that threads can be searched by it."""
    configurable = run.config.get("configurable") or {}
    own = {
        key: value
        for key, value in configurable.items()
        if key not in WHERE and not key.startswith("__") and isinstance(value, (str, int, float, bool))
    }
    run_id = {} if run.run_id is None else {"run_id": run.run_id}
    return {**own, **(run.config.get("metadata") or {}), **run_id, **metadata}


async def save_writes(run: Run, task: Task, port: Port) -> None:
    """Store what came of a task, so that it need not run again when the step is taken up later."""
    if run.durability == "exit" or not run.checkpoint_id:
        return
    await put_writes(run, port, outcome_writes(task), task.id, "~".join(map(str, task.path)))


def outcome_writes(task: Task) -> list[tuple[str, Any]]:
    """What is stored of a task: its writes, or its questions with the answers so far, or its error."""
    if task.paused:
        writes: list[tuple[str, Any]] = [(INTERRUPT, task.interrupts)]
        return [*writes, (RESUME, list(task.answers))] if task.answers else writes
    if task.writes is None:
        return [(ERROR, repr(task.error)), *([(HANDLED, task.error)] if task.helper is not None else ())]
    channels = task.run.program.channels
    return [(key, value) for key, value in task.writes if channels[key].tracked] or [(NO_WRITES, None)]


async def put_writes(run: Run, port: Port, writes: list[tuple[str, Any]], task_id: str, path: str = "") -> None:
    """Store writes beside the last checkpoint."""
    saver = run.saver
    assert saver is not None
    await port.save(run, saver.put_writes, saver.aput_writes, place(run, run.checkpoint_id), writes, task_id, path)


async def save_input(run: Run, port: Port, start: Task) -> None:
    """Store an input on its own, before a routing function of START sees it: if that fails or asks, it is not lost."""
    if run.durability != "exit":
        await put_writes(run, port, start.input, NULL_TASK)


def finished(task: Task) -> bool:
    """Whether a task came to an outcome, which one that was stopped did not."""
    return task.state is ENDED and (task.paused or task.writes is not None or task.error is not None)


async def save_last(run: Run, port: Port) -> None:
    """At the end of a run: with durability "exit" all there is to save; else wait for the saves that are under way."""
    try:
        if run.durability == "exit":
            run.durability = "sync"
            entering = run.source == "input"
            if run.upcoming:
                await save_checkpoint(run, port)
                if entering:
                    await save_input(run, port, run.active[0])
            for task in run.active:
                if (task.step > run.saved_step or entering) and finished(task):
                    await save_writes(run, task, port)
    finally:
        await port.saved()


def snapshot_task(run: Run, task: Task) -> dict[str, Any]:
    """A task after a checkpoint, as events show it: what is stored says whether it failed, finished or asked."""
    stored = run.pending.get(task.id, ())
    known: dict[str, Any] = {"id": task.id, "name": task.name}
    errors = [value for key, value in stored if key == ERROR]
    if errors:
        return {**known, "error": errors[-1], "state": below(run, task)}
    if task.cached and (result := result_of(run, task)):
        known["result"] = result
    interrupts = tuple(as_json(one) for one in pending_interrupts(run, task))
    return {**known, "interrupts": interrupts, "state": below(run, task)}


def result_of(run: Run, task: Task) -> dict[str, Any]:
    """What a task wrote to the state, by key; several writes of one key stand under `$writes`."""
    state = run.program.state
    found = [(key, value) for key, value in task.writes or () if key in state]
    result = {key: value.copy() if type(value) in MUTABLE else value for key, value in found}
    if len(result) == len(found):
        return result
    return {key: own(values[0]) if len(values) == 1 else {"$writes": values} for key, values in grouped(found).items()}


def pending_interrupts(run: Run, task: Task) -> tuple[Any, ...]:
    """The questions that a task, or its error handler, asked in an earlier run and that wait for an answer."""
    stored = run.pending.get(task.closer.id, ())
    return tuple(interrupt for key, value in stored if key == INTERRUPT for interrupt in value)


def below(run: Run, task: Task) -> RunnableConfig | None:
    """Where the state of a subgraph's task is stored."""
    if task.node.subgraph is None or task.node.subgraph.checkpointer is False:
        return None
    stable = task.node.subgraph.checkpointer is True
    ns = (*run.ns, task.name) if stable else task.ns
    return {"configurable": {"thread_id": run.thread_id, "checkpoint_ns": "|".join(ns)}}
