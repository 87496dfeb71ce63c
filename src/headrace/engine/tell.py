"""The events of the loop: what each stream mode says of a step, in the order in which it happens.

Nothing is made for a mode that nobody asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace import clock
from headrace.channels.base import own
from headrace.engine.apply import explained, fold, gather
from headrace.engine.record import result_of, shown_config, snapshot_task
from headrace.engine.task import Task, order_of_writes
from headrace.errors import InvalidUpdateError
from headrace.names import INTERRUPT
from headrace.types import MISSING, as_json

if TYPE_CHECKING:
    from headrace.engine.run import Run


def starts(run: Run, tasks: list[Task]) -> None:
    """The step's tasks, before they run."""
    for task in tasks:
        if task.helper is not None:  # it ran, and failed, in an earlier run
            continue
        payload = {
            "id": task.id,
            "name": task.name,
            "input": task.node.read(run) if task.sent is None else own(task.input),
            "triggers": task.triggers,
        }
        known = {**(run.config.get("metadata") or {}), **task.node.metadata}
        if run.config.get("tags"):
            known["tags"] = run.config["tags"]
        if known:
            payload["metadata"] = known
        both(run, task.step, "tasks", "task", payload)


def result(run: Run, task: Task) -> None:
    """What came of a task: its update if it has one, and how it ended."""
    puts = run.puts
    if not puts:
        return
    put = puts.get("updates")
    if put is not None and task.writes is not None:
        told = {task.name: updated(run, task, run.streamed)}
        if task.cached:
            told["__metadata__"] = {"cached": True}
        put((run.ns, task.step, "updates", told))
    if run.tells_tasks and not task.cached:
        outcome(run, task, task.error if task.writes is None else None, result_of(run, task))


def outcome(run: Run, task: Task, error: BaseException | None, update: Any) -> None:
    """How a task ended."""
    interrupts = [as_json(interrupt) for interrupt in task.interrupts] if task.interrupts else []
    payload = {"id": task.id, "name": task.name, "error": error, "result": update, "interrupts": interrupts}
    both(run, task.step, "tasks", "task_result", payload)


def interrupted(run: Run, task: Task) -> None:
    """A task that asked something."""
    put = run.puts.get("updates")
    if put is not None:
        put((run.ns, task.step, "updates", {INTERRUPT: task.interrupts}))
    if not task.interrupts:  # a subgraph paused where it was told to, and asked nothing
        return
    put = run.puts.get("values")
    if put is not None:
        values = run.read(run.streamed, previewed(run, [task]) if task.writes is not None else None)
        told = {**values, INTERRUPT: task.interrupts} if isinstance(values, dict) else {INTERRUPT: task.interrupts}
        put((run.ns, task.step, "values", told))
    if run.tells_tasks and task.node is not run.program.start:
        outcome(run, task, None, {})


def paused(run: Run) -> None:
    """The run stops before or after a node because the caller asked for that."""
    put = run.puts.get("updates")
    if put is not None:
        put((run.ns, run.step, "updates", {INTERRUPT: ()}))


def values(run: Run) -> None:
    """The state, if the last step wrote any key that is shown."""
    put = run.puts.get("values")
    if put is None:
        return
    if not run.shown.isdisjoint(run.written):
        put((run.ns, run.step, "values", run.read(run.streamed)))


def standing(run: Run) -> None:
    """The state that a resumed run starts with."""
    put = run.puts.get("values")
    if put is not None and run.values:
        put((run.ns, run.step, "values", run.read(run.streamed)))


def preview(run: Run) -> None:
    """The state as a suspended step's finished tasks will leave it; InvalidUpdateError if they cannot be merged."""
    values = previewed(run, run.active)
    put = run.puts.get("values")
    if put is not None and any(key in run.shown for task in run.active for key, _ in task.writes or ()):
        put((run.ns, run.step, "values", run.read(run.streamed, values)))


def previewed(run: Run, tasks: list[Task]) -> dict[str, Any]:
    """The state's values with the writes of those tasks that have finished; changes nothing."""
    try:
        new = fold(run, gather(order_of_writes(tasks)))
    except InvalidUpdateError as error:
        raise explained(error, run, tasks) from error
    values = {**run.values, **{key: value for key, value in new.items() if key in run.program.state}}
    return {key: values[key] for key in run.program.state if values.get(key, MISSING) is not MISSING}


def checkpoint(run: Run, tasks: list[Task]) -> None:
    """The last stored checkpoint, with the tasks that follow it."""
    record = run.checkpoint
    if record is None:
        return
    before = record.parent_config
    payload = {
        "config": shown_config(run, record.config, record.metadata),
        "parent_config": before and shown_config(run, before, record.metadata),
        "values": run.read(run.streamed),
        "metadata": dict(record.metadata),
        "next": [task.name for task in tasks],
        "tasks": [snapshot_task(run, task) for task in tasks],
    }
    both(run, record.metadata["step"], "checkpoints", "checkpoint", payload)


def both(run: Run, step: int, mode: str, kind: str, payload: dict[str, Any]) -> None:
    """An event of `tasks` or `checkpoints`, and the same wrapped for `debug`."""
    put = run.puts.get(mode)
    if put is not None:
        put((run.ns, step, mode, payload))
    put = run.puts.get("debug")
    if put is not None:
        wrapped = {"step": step, "timestamp": clock.timestamp(), "type": kind, "payload": payload}
        put((run.ns, step, "debug", wrapped))


def updated(run: Run, task: Task, keys: str | tuple[str, ...]) -> Any:
    """A task's writes of these keys: a dict; a list of dicts when a key was written twice; None for no writes."""
    if isinstance(keys, str):
        found = [value for key, value in task.writes or () if key == keys]
        return found[-1] if found else None
    shown = run.program.state if keys is run.program.everything else keys
    update = {}
    count = 0
    for key, value in task.writes or ():
        if key in shown:
            update[key] = own(value)
            count += 1
    if count == len(update):
        return update or None
    return [{key: own(value)} for key, value in task.writes or () if key in shown]
