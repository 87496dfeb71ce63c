"""The super-steps of a run: plan, run, apply, save, tell; written once, over a port.

It yields nothing but PAUSE, where no node may start before the consumer has pulled all events so far. State
first, then event: a finished task's writes are stored before its `updates`, a step's checkpoint before its
`values`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from headrace.engine import tell
from headrace.engine.apply import apply
from headrace.engine.attempt import attempt, noted, rescue
from headrace.engine.begin import begin
from headrace.engine.plan import plan
from headrace.engine.port import PAUSE
from headrace.engine.record import save_last, save_step, save_writes
from headrace.engine.run import Run
from headrace.errors import GraphDrained, GraphInterrupt, GraphRecursionError, NodeCancelled, ParentCommand

if TYPE_CHECKING:
    from headrace.engine.port import Port
    from headrace.engine.task import Task


async def loop(run: Run, port: Port) -> None:
    """Run to the end, a pause or a failure. Raises what a node raised, and GraphInterrupt inside a parent run."""
    guest = run.guest
    try:
        if guest is not None and guest.observes:
            await guest.around_run(run, lambda: steps(run, port), port.sync)
        else:
            await steps(run, port)
    finally:
        run.over = True
        run.stop()
        try:
            await port.dismiss()
        finally:
            if run.saver is not None:
                await save_last(run, port)


async def steps(run: Run, port: Port) -> None:
    """All super-steps, until nothing is due."""
    tasks = await begin(run, port)
    if tasks and tasks[0].paused:  # START: one of its routing functions asked something
        await finished(run, tasks[0], port)
        return suspend(run)
    resumed = run.resuming
    while tasks:
        if run.step > run.stop_at or run.run_control is not None:
            check(run)
        if run.interrupt_before and not resumed and run.named(run.interrupt_before, tasks):
            return halt(run, "interrupt_before")
        resumed = False
        if run.tells_tasks:
            tell.starts(run, tasks)
        if run.paced:
            await PAUSE
        await step(run, tasks, port)
        if run.suspended:
            return suspend(run)
        if run.parent is None and run.answers:
            run.answers = {}  # meant for what was waiting, not for later questions
        run.step += 1
        done, tasks = run.active, plan(run)
        if run.tells_checkpoints:
            tell.checkpoint(run, tasks)
        if run.interrupt_after and run.named(run.interrupt_after, done):
            return halt(run, "interrupt_after")


def check(run: Run) -> None:
    """Whether another step may run: GraphRecursionError, GraphDrained."""
    if run.step > run.stop_at:
        raise GraphRecursionError.of(run.program.label, run.stop_at - run.first_step + 1)
    if run.run_control is not None and run.run_control.drain_requested:
        raise GraphDrained(run.run_control.drain_reason or "shutdown")


async def step(run: Run, tasks: list[Task], port: Port) -> None:
    """Run the tasks, then apply, save and tell what came of them; nothing is applied if one asked something."""
    run.active = tasks
    if run.stopped:  # looked at after the tasks can be seen, so that a stop from another thread misses none
        raise NodeCancelled("the run was stopped")
    if len(tasks) == 1 and not tasks[0].cached:
        # a step of one task needs no scheduling, and its result is stored in one go with the step's checkpoint
        alone = tasks[0]
        await attempt(alone, port)
        left = 0 if alone.writes is not None else await ended(run, alone, port)
    else:
        alone = None
        left = await started(run, tasks, port)
    while left:
        left += await ended(run, await port.next(), port) - 1
        if left and run.pulled:
            await PAUSE  # what one task told is for the consumer at once, while the others go on
    if run.suspended:
        return
    if run.stopped:
        raise NodeCancelled("the run was stopped")
    if alone is not None and alone.writes is None:
        alone = None
    try:
        apply(run, run.active)
    except Exception:
        if alone is not None:  # the step is refused, but what its task did stands
            await finished(run, alone, port)
        raise
    if run.saver is not None:
        await save_step(run, port)
    if run.puts:
        if alone is not None:
            tell.result(run, alone)
        tell.values(run)


async def started(run: Run, tasks: list[Task], port: Port) -> int:
    """Set several tasks going, those with a result from before told at once; the number that run."""
    waiting = []
    for task in tasks:
        if task.cached:
            tell.result(run, task)
        elif task.helper is None:  # else it failed in an earlier run
            waiting.append(task)
    await port.start(waiting)
    return len(waiting)


async def ended(run: Run, task: Task, port: Port) -> int:
    """Store and tell what came of a task; the number of tasks that go on because of it. Raises its error."""
    if run.stopped:
        raise NodeCancelled("the run was stopped")
    if isinstance(task.error, ParentCommand):
        raise task.error
    helper = None if task.writes is not None or task.paused else rescue(task)
    if helper is not None:
        await finished(run, task, port)
        if run.tells_tasks:
            tell.starts(run, [helper])
        at = run.active.index(task) + 1  # its writes come in the failed task's place
        run.active = [*run.active[:at], helper, *run.active[at:]]
        await port.start([helper])
        return 1
    await finished(run, task, port)
    if task.writes is None and not task.paused:
        raise noted(task)
    return 0


async def finished(run: Run, task: Task, port: Port) -> None:
    """Store what came of a task, then tell it."""
    if run.saver is not None:
        await save_writes(run, task, port)
    if task.paused:
        run.suspended = True
        run.interrupts += task.interrupts
        tell.interrupted(run, task)
    else:
        tell.result(run, task)


def suspend(run: Run) -> None:
    """The end of a run that asked something: what its finished tasks wrote can be seen, and waits for the others."""
    run.interrupts = tuple(one for task in run.active for one in task.interrupts)  # in task order, not the clock's
    if any(task.writes is not None and not task.paused for task in run.active):
        tell.preview(run)
    run.pause = "pending"
    if run.parent is not None:
        raise GraphInterrupt(run.interrupts)


def halt(run: Run, where: Literal["interrupt_before", "interrupt_after"]) -> None:
    """A pause before or after a node, which the caller asked for."""
    run.pause = where
    if run.parent is not None:
        raise GraphInterrupt
    tell.paused(run)
