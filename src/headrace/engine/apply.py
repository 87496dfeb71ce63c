"""What changed? Folds a step's writes into the state: all of them, or none.

This is the only place that changes a run's values. `fold` is pure; `store` cannot fail.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headrace.channels.base import MUTABLE, BaseChannel
from headrace.engine.program import Write
from headrace.engine.task import Task, order_of_writes
from headrace.errors import InvalidUpdateError, add_note
from headrace.types import MISSING

if TYPE_CHECKING:
    from headrace.engine.run import Run


def apply(run: Run, tasks: list[Task]) -> None:
    """Apply the writes of a step's finished tasks. InvalidUpdateError: the step is refused, nothing was changed."""
    ordered = order_of_writes(tasks) if len(tasks) > 1 else tasks
    consumed = consumed_by(ordered) if run.program.consumes else ()
    reuse = ordered[0].folded if len(ordered) == 1 else None
    merged = gather(ordered)
    try:
        new = fold(run, merged, consumed, reuse)
    except InvalidUpdateError as error:
        raise explained(error, run, ordered) from error
    store(run, new)
    run.written = run.changed = tuple(merged)


def consumed_by(tasks: Iterable[Task]) -> set[str]:
    """The channels that these tasks reset because they woke them."""
    return {key for task in tasks if task.sent is None for key in task.node.consumes}


def gather(tasks: Iterable[Task]) -> dict[str, list[Any]]:
    """The writes of a step by channel, each list in task order."""
    merged: dict[str, list[Any]] = {}
    for task in tasks:
        for key, value in task.writes or ():
            if key in merged:
                merged[key].append(value)
            else:
                merged[key] = [value]
    return merged


def grouped(writes: Iterable[Write]) -> dict[str, list[Any]]:
    """Writes by key."""
    values: dict[str, list[Any]] = {}
    for key, value in writes:
        values.setdefault(key, []).append(value)
    return values


def fold(
    run: Run, merged: Mapping[str, Sequence[Any]], consumed: Iterable[str] = (), reuse: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The new value of every channel that changes; MISSING where it becomes empty. Changes nothing that is stored."""
    program, values, control = run.program, run.values, run.control
    channels, state, signals = program.channels, program.state, program.signals
    new: dict[str, Any] = {}
    for key in consumed:
        if channels[key].read(run.home(key).get(key, MISSING)) is not MISSING:  # a join half reached stays so
            new[key] = MISSING
    for key in run.transient:
        if key not in merged:
            new[key] = channels[key].fold(run.home(key)[key], ())
    for key, writes in merged.items():
        if key in signals:
            continue
        if reuse is not None and key in reuse:
            new[key] = reuse[key]
            continue
        old = new[key] if key in new else (values if key in state else control).get(key, MISSING)
        try:
            new[key] = channels[key].fold(old, writes)
        except Exception as error:  # of a user's reducer
            add_note(error, f"in the reducer of key {key!r}, step {run.step}, which was given {short(writes)}")
            raise
    return new


def short(writes: Sequence[Any]) -> str:
    """What a reducer was given, not too long."""
    text = " and ".join(map(repr, writes))
    return text if len(text) < 80 else f"{text[:77]}..."


def store(run: Run, new: Mapping[str, Any]) -> None:
    """Put folded values in place. The state's keys stay in the program's order."""
    state, values, mutable = run.program.state, run.values, run.mutable
    grown = False
    for key, value in new.items():
        if value is MISSING or key not in state or run.program.channels[key].transient:
            put(run, run.home(key), key, value)
            continue
        if key not in values:
            grown = True
        values[key] = value
        if (type(value) in MUTABLE or isinstance(value, list)) is not (key in mutable):
            mutable = run.mutable = mutable ^ {key}
    if grown:
        ordered = {key: values[key] for key in state if key in values}
        values.clear()
        values.update(ordered)


def put(run: Run, home: dict[str, Any], key: str, value: Any) -> None:
    """One value, and what must be known of it: whether it lives for one step, whether a reader could change it."""
    if value is MISSING:
        home.pop(key, None)
        run.transient -= {key}
        run.mutable -= {key}
        return
    home[key] = value
    if run.program.channels[key].transient:
        run.transient |= {key}
    if home is run.values and (type(value) in MUTABLE or isinstance(value, list)) is not (key in run.mutable):
        run.mutable ^= {key}


def folded(run: Run, writes: Sequence[Write], keys: Mapping[str, BaseChannel]) -> dict[str, Any]:
    """The state's values that these writes alone would give; changes nothing."""
    merged = grouped(write for write in writes if write[0] in keys)
    return {key: keys[key].fold(run.values.get(key, MISSING), values) for key, values in merged.items()}


def explained(error: InvalidUpdateError, run: Run, tasks: Sequence[Task]) -> InvalidUpdateError:
    """The same error, naming the step and the nodes that wrote the channel."""
    for key in run.program.state:
        writers = {repr(task.name): None for task in tasks for name, _ in task.writes or () if name == key}
        if writers and repr(key) in str(error):
            nodes = "nodes" if len(writers) > 1 else "node"
            return InvalidUpdateError(f"{error} (in step {run.step}, by {nodes} {' and '.join(writers)})")
    return error
