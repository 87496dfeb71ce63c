"""The random graphs of the comparison with the reference, for what must hold of headrace alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.oracle.canonical import Outline, lines
from tests.oracle.program import Asking, Program
from tests.oracle.random_graphs import Plan, all_plans, as_program, without_exit
from tests.oracle.record import Played, play
from tests.oracle.roots import Kit, Root

HEADRACE = Root("headrace")

few = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
"""Each example plays a whole graph, so few of them say much."""

# Without durability "exit", which forgets a task's question while its checkpoint is only told.
graphs: st.SearchStrategy[Plan] = all_plans().map(without_exit)
threads: st.SearchStrategy[Plan] = graphs.map(lambda plan: replace(plan, saved=True))
"""Graphs on a thread, whose state can be read afterwards."""


def kit(coroutines: bool = False) -> Kit:
    return Kit(HEADRACE, coroutines)


def program(plan: Plan) -> Program:
    return as_program(plan)


def played(plan: Plan, asking: Asking) -> list[Played]:
    return play(as_program(plan), HEADRACE, asking)


def endings(turns: Sequence[Played]) -> list[str]:
    """How each turn ended, and the states it left; ids are ordinals.

    Where a turn failed, how far the siblings of the failing task came is luck, and is left out.
    """
    silent: list[Any] = [Played([], turn.error, turn.states) for turn in turns]
    return lines(silent, [Outline((0,), wide_end=True)] * len(silent))
