"""One task, from its input to its outcome: cache, the call itself, retries, routing, error translation.

Written once, over a port. What went wrong, or which interrupts were raised, ends up in the task; only a stop of
the whole run leaves as an exception.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from headrace import clock, ids
from headrace.engine.apply import folded
from headrace.engine.program import Branch, Callee, Write, prepared
from headrace.engine.task import ENDED, RUNNING, Task
from headrace.errors import GraphInterrupt, InvalidUpdateError, NodeError, ParentCommand, add_note, ungrouped
from headrace.types import Command, Interrupt

if TYPE_CHECKING:
    from headrace.engine.port import Port

GIVEN: dict[str, Callable[[Task], Any]] = {
    "config": lambda task: task.config,
    "runtime": lambda task: task.runtime,
    "writer": lambda task: task.writer,
    "store": lambda task: task.run.store,
    "previous": lambda task: task.run.runtime.previous,
    "error": lambda task: task.error,
}
"""What the engine passes for each parameter that it injects."""


async def attempt(task: Task, port: Port) -> None:
    """Run a task to its outcome: `writes`, or `error`, or `interrupts`."""
    run, node, guest = task.run, task.node, task.run.guest
    try:
        if node.cache is not None and run.cache is not None and await recall(task, port):
            return
        if node.retry:
            task.first_attempt = clock.now()
        while True:
            try:
                if guest is None or not guest.observes:
                    await once(task, port)
                else:
                    await guest.around(task, lambda: once(task, port), port.sync)
                break
            except Exception as error:
                delay = backoff(task, error)
                task.writes = None
                if delay is None:
                    task.error = error
                    return
                error = None  # type: ignore[assignment] # releases its frames while we wait
            await port.sleep(delay)
            renew(task)
        if node.cache is not None and run.cache is not None:
            await keep(task, port)
    except GraphInterrupt as up:
        pause(task, up)
    except ParentCommand as up:
        task.error = up if run.parent is not None else orphaned(task, up)
        task.writes = None
    except BaseException:  # it was stopped, perhaps before its edges were followed
        task.writes = None
        raise
    finally:
        if task.state is RUNNING:
            task.state = ENDED


def pause(task: Task, up: GraphInterrupt) -> None:
    """End a task with what it, or a subgraph inside it, asked."""
    task.paused, task.interrupts, task.writes = True, named(task, up.interrupts), None


async def once(task: Task, port: Port) -> Any:
    """One attempt: call the node, translate what it returned, follow its edges; what it returned."""
    node, guest = task.node, task.run.guest
    args = given(task, node.callee)
    try:
        output = await port.call(task, args)
    except BaseException as error:
        output = received(task, ungrouped(error))
    writes = node.write(output)
    if task.extra is not None:
        writes = [*task.extra, *writes]
    writes = prepared(task.run.program, writes)
    task.writes = writes
    if guest is not None:
        guest.returned(task)
    if node.signals:
        writes.extend(node.signals)
    if node.branches:
        await follow(task, writes, port)
    return output


async def follow(task: Task, writes: list[Write], port: Port) -> None:
    """Add what the node's routing functions answer. They see the state with this node's own writes."""
    own = list(writes)
    for index, branch in enumerate(task.node.branches):
        answer = await routed(task, index, seen(task, branch, own), port)
        writes.extend(branch.goals(answer))


async def routed(task: Task, index: int, input: Any, port: Port) -> Any:
    """The answer of a node's routing function."""
    callee, guest = task.node.branches[index].callee, task.run.guest
    if guest is not None and guest.observes:
        call = partial(port.route, task, callee, input)
        return await guest.around_route(task, index, input, lambda: call(given(task, callee)), port.sync)
    return await port.route(task, callee, input, given(task, callee))


def seen(task: Task, branch: Branch, writes: list[Write]) -> Any:
    """The input of a routing function."""
    run = task.run
    if task.folded is None:
        task.folded = folded(run, writes, run.program.state)
    return branch.read(run, task.folded)


def given(task: Task, callee: Callee) -> dict[str, Any]:
    """The injected arguments of a function."""
    return {name: GIVEN[name](task) for name in callee.wants} if callee.wants else {}


def received(task: Task, error: BaseException) -> Command[Any]:
    """The command that a subgraph sent to this graph; one that is meant for a graph further up goes on, as all else."""
    if isinstance(error, ParentCommand) and error.command.graph in (Command.PARENT, task.run.program.name):
        return replace(error.command, graph=None)
    raise error


def orphaned(task: Task, up: ParentCommand) -> InvalidUpdateError:
    """The error of a command for a graph above where there is none."""
    where = "the graph above" if up.command.graph == Command.PARENT else f"graph {up.command.graph!r}"
    return InvalidUpdateError(
        f"node {task.name!r} returned a command for {where}, but {task.run.program.label} runs in no such graph;"
        " leave out `graph=`"
    )


def backoff(task: Task, error: Exception) -> float | None:
    """Seconds until the next attempt; None when the error is final."""
    for policy in task.node.retry:
        if policy.covers(error):
            return policy.wait(task.attempt, ids.chance()) if task.attempt < policy.max_attempts else None
    return None


def renew(task: Task) -> None:
    """Ready for the next attempt: nothing of the failed one is left."""
    task.attempt += 1
    task.kept = 0
    task.writes = task.extra = task.folded = None
    task.children = None
    task.calls = 0
    task._runtime = None


def named(task: Task, interrupts: tuple[Interrupt, ...]) -> tuple[Interrupt, ...]:
    """The interrupts, with an id for those that a node raised without one."""
    anonymous = Interrupt(None).id
    return tuple(
        replace(interrupt, id=task.interrupt_id(index)) if interrupt.id == anonymous else interrupt
        for index, interrupt in enumerate(interrupts)
    )


def cache_place(task: Task) -> tuple[tuple[str, ...], str]:
    """Where a task's result is kept: by graph, node and what the node's key function says of its input."""
    policy = task.node.cache
    assert policy is not None
    key = policy.key_func(task.input)
    text = key.decode() if isinstance(key, bytes) else str(key)
    return ("nodes", task.run.program.name, task.node.identity), text


async def recall(task: Task, port: Port) -> bool:
    """Take the writes from the cache, if they are there."""
    cache = task.run.cache
    assert cache is not None
    place = cache_place(task)
    found = await port.io(cache, cache.get, cache.aget, [place])
    if place not in found:
        return False
    task.writes = list(found[place])
    task.cached = True
    return True


async def keep(task: Task, port: Port) -> None:
    """Put the writes into the cache."""
    cache, policy = task.run.cache, task.node.cache
    assert cache is not None and policy is not None
    await port.io(cache, cache.set, cache.aset, {cache_place(task): (list(task.writes or ()), policy.ttl)})


def rescue(task: Task) -> Task | None:
    """The task that handles another's error, if its node has a handler for it."""
    handler = task.node.handler
    if handler is None or not isinstance(task.error, Exception):
        return None
    task.helper = Task(task.run, task.run.program.nodes[handler], task.input, task.sent)
    task.helper.error = NodeError(task.name, task.error)  # type: ignore[assignment] # what its parameter `error` gets
    return task.helper


def noted(task: Task) -> BaseException:
    """A task's error, with a note that says where it happened."""
    error = task.error
    assert error is not None
    add_note(error, f"in node {task.name!r}, step {task.step}, task {task.id}")
    return error
