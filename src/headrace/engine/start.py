"""From a call of `stream` or `invoke` to a run: who listens, who is the parent, what is stored."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from headrace import config as configs
from headrace import guest
from headrace.config import RunnableConfig
from headrace.engine.program import Program
from headrace.engine.run import Run
from headrace.engine.task import Task
from headrace.errors import InvalidGraphError
from headrace.runtime import RunControl
from headrace.stream.events import Item, Put
from headrace.types import All, Durability


class Setup(Protocol):
    """What a compiled graph brings to each of its runs."""

    program: Program
    name: str
    config: RunnableConfig
    checkpointer: Any
    cache: Any
    store: Any
    interrupt_before: Any
    interrupt_after: Any


class Call(NamedTuple):
    """What one call asks of its run."""

    input: Any
    config: RunnableConfig | None = None
    context: Any = None
    modes: tuple[str, ...] = ()
    output_keys: str | tuple[str, ...] | None = None
    interrupt_before: All | Sequence[str] | None = None
    interrupt_after: All | Sequence[str] | None = None
    durability: Durability | None = None
    control: RunControl | None = None
    subgraphs: bool = False


def run_of(setup: Setup, call: Call, put: Put | None) -> Run:
    """A run that is ready for the loop. `put` takes the events of the call's modes."""
    task = configs.current.get()
    parent = task if isinstance(task, Task) else None
    config = config_of(setup, call, parent)
    run = Run(setup.program, call.input, config, {} if put is None else dict.fromkeys(call.modes, put))
    run.name = setup.name
    run.limit = configs.recursion_limit(config) if config else configs.DEFAULT_RECURSION_LIMIT
    if call.control is not None:
        run.run_control = call.control
    if parent is None:
        run.sinks = () if put is None else ((frozenset(call.modes), call.subgraphs, put),)
    else:
        nest(run, parent, call, put, stable=setup.checkpointer is True)
    if call.context is not None or parent is not None:
        run.user_context = context_of(setup, call, run)
    equip(run, setup, call)
    run.guest = guest.load(run)
    return run


def config_of(setup: Setup, call: Call, parent: Task | None) -> RunnableConfig:
    """The config of a run: the graph's own, the one of the run around it, and the call's."""
    if parent is not None:
        return configs.nested(setup.config, parent.run.config, call.config)
    return configs.joined(setup.config, call.config) if setup.config else call.config or {}


NESTING = threading.Lock()
"""The code of one node may call subgraphs from several threads: each call has a number of its own."""


def nest(run: Run, parent: Task, call: Call, put: Put | None, *, stable: bool) -> None:
    """Make a run part of the task that called it: its events go up as well, and it ends with that task.

    A `stable` namespace is the same for every task of the node: a subgraph with a memory of its own.
    """
    above = parent.run
    run.parent = parent
    with NESTING:
        count, parent.calls = parent.calls, parent.calls + 1
        children = parent.children or []
        if count & (count - 1) == 0:  # now and then, at powers of two: the cost stays linear
            children = [child for child in children if not getattr(child, "over", False)]
        parent.children = children
        children.append(run)
    parent.check()  # afterwards, so that a stop at this moment is seen here or reaches the run
    place = (*above.ns, parent.name) if stable else parent.ns
    run.ns = (*place, str(count)) if count else place
    if stable:
        with NESTING:
            user = parent.step, parent.id
            step, other = above.memories.get(run.ns, user)
            if step == parent.step and other != parent.id:
                raise InvalidGraphError.one_memory(parent.name)
            above.memories = {**above.memories, run.ns: user}
    run.streamed = run.outputs
    run.shown = frozenset((run.outputs,) if isinstance(run.outputs, str) else run.outputs)
    run.outlet = above.outlet
    run.run_control = call.control or above.run_control
    own = () if put is None else ((frozenset(call.modes), call.subgraphs, put),)
    up = tuple(sink for sink in above.sinks if sink[1])
    run.sinks = (*up, *own)
    run.withheld = above.withheld or any("messages" in modes and not deep for modes, deep, _ in above.sinks)
    if up:
        modes = {mode for modes, _, _ in run.sinks for mode in modes}
        run.listen({mode: fan_out(run.sinks, mode) for mode in modes})


def fan_out(sinks: Sequence[tuple[frozenset[str], bool, Put]], mode: str) -> Put:
    """One function that puts an event into every queue that asked for its mode."""
    puts = [put for modes, _, put in sinks if mode in modes]
    if len(puts) == 1:
        return puts[0]

    def put(item: Item) -> None:
        for one in puts:
            one(item)

    return put


def context_of(setup: Setup, call: Call, run: Run) -> Any:
    """The runtime's context: what was passed, as the graph's context schema; else that of the run around it."""
    if call.context is None:
        return run.parent.run.user_context if run.parent is not None else None
    convert = setup.program.context
    return call.context if convert is None else convert(call.context)


def equip(run: Run, setup: Setup, call: Call) -> None:
    """What the run stores, and where it pauses."""
    above = None if run.parent is None else run.parent.run
    if setup.store is not None or above is not None:
        run.store = setup.store if setup.store is not None or above is None else above.store
    if setup.cache is not None or above is not None:
        run.cache = setup.cache if setup.cache is not None or above is None else above.cache
    saver = setup.checkpointer
    if saver is not None and not isinstance(saver, bool):
        run.saver = saver
    elif saver is not False and above is not None:
        run.saver = above.saver
    if run.saver is not None:
        run.durability = call.durability or (above.durability if above is not None else "sync")
        run.saver_ns = "|".join(run.ns)
    run.interrupt_before = setup.interrupt_before if call.interrupt_before is None else call.interrupt_before
    run.interrupt_after = setup.interrupt_after if call.interrupt_after is None else call.interrupt_after
    if call.output_keys is not None:
        run.outputs = run.streamed = keys = call.output_keys
        run.shown = frozenset((keys,) if isinstance(keys, str) else keys)
