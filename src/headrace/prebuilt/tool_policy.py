"""How long a tool may take, and how often it may try: kept around one call, in sync and in async code."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from dataclasses import dataclass
from datetime import timedelta
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from headrace import clock, ids, workers
from headrace.config import current
from headrace.engine.abandoned import warn
from headrace.engine.calls import enter, seen, wait_through
from headrace.engine.limits import adopt, ended_in_grace, fenced
from headrace.engine.task import Task
from headrace.graph.node import as_tuple
from headrace.prebuilt.injection import ToolInjectionError
from headrace.prebuilt.tool_errors import ToolInvocationError, ToolTimeoutError
from headrace.types import RetryPolicy, TimeoutPolicy

if TYPE_CHECKING:
    from langchain_core.messages import ToolCall

ErrorT = TypeVar("ErrorT", bound=Exception)


@dataclass(frozen=True, kw_only=True)
class ToolPolicy:
    """What one tool may cost: `ToolNode([...], policies={"search": ToolPolicy(timeout=10)})`."""

    timeout: float | timedelta | None = None
    """Seconds for one attempt; then it is stopped as a node would be, and fails with `ToolTimeoutError`."""
    retry: RetryPolicy | tuple[RetryPolicy, ...] = ()
    """When to try again; of several, the first that covers the error counts."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "retry", as_tuple(self.retry or None))
        limit = TimeoutPolicy.of(self.timeout)
        object.__setattr__(self, "timeout", None if limit is None else limit.run_timeout)

    def delay(self, attempt: int, error: Exception) -> float | None:
        """Seconds until the attempt after number `attempt`; None: there is none."""
        if isinstance(error, (ToolInvocationError, ToolInjectionError)):  # which the next attempt has, too
            return None
        for policy in as_tuple(self.retry):
            if policy.covers(error):
                return policy.wait(attempt, ids.chance()) if attempt < policy.max_attempts else None
        return None


NO_POLICY = ToolPolicy()


def kept(policy: ToolPolicy, asked: ToolCall, call: Callable[[], Any]) -> Any:
    """The answer of a sync call under a policy."""
    attempt, again = 1, renewal()
    while True:
        try:
            return call() if policy.timeout is None else in_time(policy, asked, call)
        except Exception as error:
            delay = policy.delay(attempt, error)
            if delay is None:
                raise
        attempt += 1
        clock.sleep(delay)
        again()


async def akept(policy: ToolPolicy, asked: ToolCall, call: Callable[[], Awaitable[Any]]) -> Any:
    """The answer of an async call under a policy."""
    attempt, again = 1, renewal()
    while True:
        try:
            return await (call() if policy.timeout is None else ain_time(policy, asked, call))
        except Exception as error:
            delay = policy.delay(attempt, error)
            if delay is None:
                raise
        attempt += 1
        await clock.asleep(delay)
        again()


def renewal() -> Callable[[], None]:
    """What makes the task ready for the next attempt: its questions are asked, and its subgraphs counted, from where
    the first attempt found them. NodeCancelled, if the run was stopped."""
    task = current.get()
    if not isinstance(task, Task):
        return lambda: None
    kept, calls = task.kept, task.calls

    def again() -> None:
        task.check()
        task.kept, task.calls = kept, calls

    return again


def told(id: str | None, error: ErrorT) -> ErrorT:
    """The error of a call, told in mode `tools`: langchain-core tells only of errors that the tool itself raised."""
    task = current.get()
    if id is not None and isinstance(task, Task):
        task.emit("tools", {"event": "tool-error", "tool_call_id": id, "message": str(error)})
    return error


def in_time(policy: ToolPolicy, asked: ToolCall, call: Callable[[], Any]) -> Any:
    """Call on a worker; ToolTimeoutError leaves the code behind, fenced off from the run."""
    task, stand_in, enclosed = enclosed_in_fence()
    answer: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

    def job() -> None:
        if stand_in is not None:
            stand_in.thread = threading.current_thread().name
        try:
            answer.put((enclosed(call), None))
        except BaseException as error:
            answer.put((None, error))

    workers.submit(job)
    try:
        output, error = answer.get(timeout=seconds(policy))
    except BaseException as late:
        if stand_in is not None:
            stand_in.stop()
            if not ended_in_grace(answer):
                warn(stand_in, stand_in.thread)
        if isinstance(late, Empty):
            raise told(asked["id"], ToolTimeoutError(asked["name"], seconds(policy))) from None
        raise
    if task is not None and stand_in is not None:
        adopt(task, stand_in)
    if error is not None:
        raise error
    return output


async def ain_time(policy: ToolPolicy, asked: ToolCall, call: Callable[[], Awaitable[Any]]) -> Any:
    """Await in a task of its own; ToolTimeoutError once it was fenced off from the run, cancelled, and has ended."""
    task, stand_in, enclosed = enclosed_in_fence()

    async def code() -> Any:
        return await call()

    running, late = enclosed(lambda: asyncio.ensure_future(code())), False
    try:
        await asyncio.wait([running], timeout=seconds(policy))
    finally:
        if not running.done():
            if stand_in is not None:
                stand_in.stop()
            running.cancel()
            late = True
            await wait_through(running)
            seen(running)
    if late:
        raise told(asked["id"], ToolTimeoutError(asked["name"], seconds(policy)))
    if task is not None and stand_in is not None:
        adopt(task, stand_in)
    return running.result()


def enclosed_in_fence() -> tuple[Task | None, Task | None, Callable[[Callable[[], Any]], Any]]:
    """The running task, a stand-in for it that can be stopped alone, and how to run code inside the latter."""
    task, context = current.get(), copy_context()
    if not isinstance(task, Task):
        return None, None, context.run
    stand_in = fenced(task)
    stand_in.guest = task.guest
    context.run(enter, stand_in)
    return task, stand_in, context.run


def seconds(policy: ToolPolicy) -> float:
    """The timeout of a policy that has one."""
    assert isinstance(policy.timeout, (int, float))
    return policy.timeout
