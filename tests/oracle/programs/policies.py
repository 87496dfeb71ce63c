"""Retries, caches and handlers of errors."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ..program import Turn, program
from ..roots import Kit
from .control import saying
from .returns import State

if TYPE_CHECKING:
    from headrace.types import StreamWriter

ZERO = Turn({"x": 0})


def _failing_first(kit: Kit, times: int, error: type[Exception] = ConnectionError) -> Any:
    """A node that fails so many times before it returns."""

    def n(state: State, writer: StreamWriter) -> Any:
        kit.calls.append("n")
        writer({"by": "n", "attempt": len(kit.calls)})
        if len(kit.calls) <= times:
            raise error("not yet")
        return {"x": len(kit.calls)}

    return n


def _retried(kit: Kit, node: Any, *policies: Any) -> Any:
    builder = kit.StateGraph(State)
    builder.add_node("n", kit.node(node), retry_policy=list(policies) if len(policies) > 1 else policies[0])
    return builder.add_edge(kit.START, "n").compile()


def _at_once(kit: Kit, **facts: Any) -> Any:
    return kit.RetryPolicy(**{"initial_interval": 0.0, "jitter": False, **facts})


@program(ZERO)
def retried_until_it_works(kit: Kit) -> Any:
    return _retried(kit, _failing_first(kit, 2), _at_once(kit, max_attempts=3))


@program(ZERO)
def retried_in_vain(kit: Kit) -> Any:
    return _retried(kit, _failing_first(kit, 9), _at_once(kit, max_attempts=2))


@program(ZERO)
def not_retried_by_default_for_a_mistake(kit: Kit) -> Any:
    return _retried(kit, _failing_first(kit, 1, ValueError), _at_once(kit))


@program(ZERO)
def retried_for_a_named_error(kit: Kit) -> Any:
    return _retried(kit, _failing_first(kit, 1, ValueError), _at_once(kit, retry_on=ValueError))


@program(ZERO)
def retried_by_the_policy_that_fits(kit: Kit) -> Any:
    first, second = _at_once(kit, retry_on=KeyError), _at_once(kit, retry_on=lambda error: "yet" in str(error))
    return _retried(kit, _failing_first(kit, 1, ValueError), first, second)


@program(ZERO, Turn({"x": 0}), Turn({"x": 1}))
def cached_node(kit: Kit) -> Any:
    def n(state: State, writer: StreamWriter) -> Any:
        kit.calls.append("n")
        writer({"by": "n"})
        return {"log": [len(kit.calls)]}

    builder = kit.StateGraph(State).add_node("n", kit.node(n), cache_policy=kit.CachePolicy())
    return builder.add_edge(kit.START, "n").compile(cache=kit.InMemoryCache())


@program(ZERO, Turn({"x": 5}))
def cached_by_its_own_key(kit: Kit) -> Any:
    def n(state: State) -> Any:
        kit.calls.append("n")
        return {"log": [len(kit.calls)]}

    policy = kit.CachePolicy(key_func=lambda state: "one key")
    builder = kit.StateGraph(State).add_node("n", kit.node(n), cache_policy=policy)
    return builder.add_edge(kit.START, "n").compile(cache=kit.InMemoryCache())


def _handled(kit: Kit, handler: Any, saver: Any = None, **options: Any) -> Any:
    def n(state: State) -> Any:
        raise ValueError("boom")

    builder = kit.StateGraph(State)
    builder.add_node("n", kit.node(n), error_handler=handler, **options).add_node("after", kit.node(saying("after")))
    return builder.add_edge(kit.START, "n").add_edge("n", "after").compile(checkpointer=saver)


@program(ZERO, saved=True, differences=("handled error in the history", "start of a handler"))
def handled_error_in_the_history(kit: Kit) -> Any:
    return _handled(kit, kit.node(lambda state: {"log": ["handled"]}), kit.InMemorySaver())


@program(ZERO, differences=("start of a handler",))
def handler_gives_an_update(kit: Kit) -> Any:
    return _handled(kit, kit.node(lambda state: {"log": ["handled"]}))


@program(ZERO, differences=("start of a handler",))
def handler_sees_the_error(kit: Kit) -> Any:
    def handler(state: State, error: Any) -> Any:
        return {"log": [type(error).__name__, error.node, str(error.error)]}

    handler.__annotations__ = {"state": State, "error": kit.NodeError}
    return _handled(kit, kit.node(handler))


@program(ZERO, differences=("start of a handler",))
def handler_goes_elsewhere(kit: Kit) -> Any:
    return _handled(kit, kit.node(lambda state: kit.Command(update={"x": 1}, goto=kit.END)))


@program(ZERO, differences=("start of a handler",))
def handler_fails_too(kit: Kit) -> Any:
    def handler(state: State) -> Any:
        raise KeyError("worse")

    return _handled(kit, kit.node(handler))


@program(ZERO, differences=("start of a handler",))
def handler_comes_after_the_retries(kit: Kit) -> Any:
    return _handled(kit, kit.node(lambda state: {"log": ["handled"]}), retry_policy=_at_once(kit, retry_on=ValueError))


@program(ZERO, drivers=("async",))
def time_enough(kit: Kit) -> Any:
    builder = kit.StateGraph(State).add_node("n", kit.node(saying("n")), timeout=60)
    return builder.add_edge(kit.START, "n").compile()


@program(ZERO, drivers=("async",))
def time_is_up(kit: Kit) -> Any:
    async def n(state: State) -> Any:
        await asyncio.Event().wait()

    builder = kit.StateGraph(State).add_node("n", n, timeout=0.001)
    return builder.add_edge(kit.START, "n").compile()


@program(ZERO, drivers=("async",))
def time_is_up_and_tried_again(kit: Kit) -> Any:
    async def n(state: State) -> Any:
        kit.calls.append("n")
        if len(kit.calls) == 1:
            await asyncio.Event().wait()
        return {"x": len(kit.calls)}

    builder = kit.StateGraph(State).add_node("n", n, timeout=0.001, retry_policy=_at_once(kit))
    return builder.add_edge(kit.START, "n").compile()
