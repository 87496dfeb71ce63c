"""Rows 6 and 7: `messages` mode above the model's own stream, per token and up to the first one."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypedDict

import budget
from harness.measure import LOOP, Engine, Probe, Workload, atimed, timed

from workloads.graphs import adrain, drain, expect, single
from workloads.models import Words

TOKENS = 1000
PASS_RUNS = 3
FIRST_RUNS = 30
SHORT = 5


class Joke(TypedDict):
    text: str


THOROUGH = 3.0
"""The model's own stream is most of a pass and is subtracted: its noise needs more rounds to settle."""


def workloads() -> Iterator[Workload]:
    for name, build, model, goal in (
        ("messages, node streams, sync", _sync, model_stream, budget.TOKEN_SYNC),
        ("messages, node streams, async", _async, model_astream, budget.TOKEN_ASYNC),
    ):
        yield Workload(6, name, "token", build, goal, reference=model, effort=THOROUGH)
    # The same with `model.invoke` in the node: it also merges the chunks, which the model's own
    # stream does not, so the difference is not the engine's alone.
    yield Workload(6, "messages, node invokes, sync", "token", _sync_invoke, reference=model_stream)
    yield Workload(6, "messages, node invokes, async", "token", _async_invoke, reference=model_astream)
    for name, build, model in (
        ("time to first token, sync", _first, first_of_model),
        ("time to first token, async", _afirst, afirst_of_model),
    ):
        yield Workload(7, name, "run", build, budget.FIRST_TOKEN, reference=model, effort=THOROUGH)


def _streaming(model: Words) -> Callable[[Joke], Any]:
    def node(state: Joke) -> dict[str, str]:
        return {"text": "".join(str(chunk.content) for chunk in model.stream("a joke"))}

    return node


def _astreaming(model: Words) -> Callable[[Joke], Any]:
    async def node(state: Joke) -> dict[str, str]:
        return {"text": "".join([str(chunk.content) async for chunk in model.astream("a joke")])}

    return node


def model_stream(engine: Engine) -> Probe:
    model = Words(number=TOKENS)
    return timed(lambda: drain(model.stream("a joke")), TOKENS, PASS_RUNS)


def model_astream(engine: Engine) -> Probe:
    model = Words(number=TOKENS)
    return atimed(lambda: adrain(model.astream("a joke")), TOKENS, PASS_RUNS)


def _sync(engine: Engine) -> Probe:
    return _messages(engine, _streaming(Words(number=TOKENS)))


def _sync_invoke(engine: Engine) -> Probe:
    model = Words(number=TOKENS)
    return _messages(engine, lambda state: {"text": str(model.invoke("a joke").content)})


def _messages(engine: Engine, node: Callable[[Joke], Any]) -> Probe:
    graph = single(engine, Joke, node)
    return each_token(lambda: graph.stream({"text": ""}, stream_mode="messages"))


def _async(engine: Engine) -> Probe:
    return _amessages(engine, _astreaming(Words(number=TOKENS)))


def _async_invoke(engine: Engine) -> Probe:
    model = Words(number=TOKENS)

    async def node(state: Joke) -> dict[str, str]:
        return {"text": str((await model.ainvoke("a joke")).content)}

    return _amessages(engine, node)


def _amessages(engine: Engine, node: Callable[[Joke], Any]) -> Probe:
    graph = single(engine, Joke, node)
    return aeach_token(lambda: graph.astream({"text": ""}, stream_mode="messages"))


def each_token(stream: Callable[[], Iterator[Any]]) -> Probe:
    """What a token costs in a stream of `TOKENS`."""
    _expect_tokens(drain(stream()))
    return timed(lambda: drain(stream()), TOKENS, PASS_RUNS)


def aeach_token(stream: Callable[[], AsyncIterator[Any]]) -> Probe:
    _expect_tokens(LOOP.run_until_complete(adrain(stream())))
    return atimed(lambda: adrain(stream()), TOKENS, PASS_RUNS)


def _expect_tokens(found: int) -> None:
    # A stream may have a few events more, such as an empty last chunk.
    expect(found - found % TOKENS, TOKENS)


def _first(engine: Engine) -> Probe:
    model = Words(number=SHORT)
    graph = single(engine, Joke, _streaming(model))
    return to_first(model, lambda: graph.stream({"text": ""}, stream_mode="messages"))


def first_of_model(engine: Engine) -> Probe:
    model = Words(number=SHORT)
    return to_first(model, lambda: model.stream("a joke"))


def to_first(model: Words, stream: Callable[[], Iterator[Any]]) -> Probe:
    """The model goes on only when its first token has arrived, so none of the later ones is counted."""

    def probe() -> float:
        spent = 0.0
        for _ in range(FIRST_RUNS):
            model.hold = threading.Event()
            start = time.process_time()
            events = stream()
            next(events)
            spent += time.process_time() - start
            model.hold.set()
            drain(events)
        return spent / FIRST_RUNS * 1e6

    return probe


def _afirst(engine: Engine) -> Probe:
    model = Words(number=SHORT)
    graph = single(engine, Joke, _astreaming(model))
    return ato_first(model, lambda: graph.astream({"text": ""}, stream_mode="messages"))


def afirst_of_model(engine: Engine) -> Probe:
    model = Words(number=SHORT)
    return ato_first(model, lambda: model.astream("a joke"))


def ato_first(model: Words, stream: Callable[[], AsyncIterator[Any]]) -> Probe:
    async def passing() -> float:
        spent = 0.0
        for _ in range(FIRST_RUNS):
            model.hold = asyncio.Event()
            overdue = LOOP.call_later(1, model.hold.set)  # for an engine that holds events back
            start = time.process_time()
            events = stream()
            await events.__anext__()
            spent += time.process_time() - start
            overdue.cancel()
            model.hold.set()
            await adrain(events)
        return spent / FIRST_RUNS * 1e6

    return lambda: LOOP.run_until_complete(passing())
