"""Rows 6 and 7 through an agent: `messages` mode above the model's own stream."""

from __future__ import annotations

from collections.abc import Iterator

import budget
from harness.measure import Engine, Probe, Workload

from workloads.agents import speaker
from workloads.tokens import SHORT, THOROUGH, TOKENS, aeach_token, ato_first, each_token, to_first


def workloads() -> Iterator[Workload]:
    for name, build, model, goal in (
        ("agent: messages, sync", _sync, _model, budget.TOKEN_SYNC),
        ("agent: messages, async", _async, _amodel, budget.TOKEN_ASYNC),
    ):
        yield Workload(6, name, "token", build, goal, reference=model, effort=THOROUGH)
    for name, build, model in (
        ("agent: time to first token, sync", _first, _first_of_model),
        ("agent: time to first token, async", _afirst, _afirst_of_model),
    ):
        yield Workload(7, name, "run", build, budget.FIRST_TOKEN, reference=model, effort=THOROUGH)


def _sync(engine: Engine) -> Probe | None:
    stream = speaker(engine, TOKENS).tokens
    return None if stream is None else each_token(stream)


def _model(engine: Engine) -> Probe | None:
    return each_token(speaker(engine, TOKENS).bare)


def _async(engine: Engine) -> Probe:
    return aeach_token(speaker(engine, TOKENS).atokens)


def _amodel(engine: Engine) -> Probe:
    return aeach_token(speaker(engine, TOKENS).abare)


def _first(engine: Engine) -> Probe | None:
    speaking = speaker(engine, SHORT)
    return None if speaking.tokens is None else to_first(speaking.model, speaking.tokens)


def _first_of_model(engine: Engine) -> Probe:
    speaking = speaker(engine, SHORT)
    return to_first(speaking.model, speaking.bare)


def _afirst(engine: Engine) -> Probe:
    speaking = speaker(engine, SHORT)
    return ato_first(speaking.model, speaking.atokens)


def _afirst_of_model(engine: Engine) -> Probe:
    speaking = speaker(engine, SHORT)
    return ato_first(speaking.model, speaking.abare)
