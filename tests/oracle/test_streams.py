"""Every program, asked in every way, says on headrace what it says on langgraph."""

from __future__ import annotations

import pytest

from . import programs
from .compare import recorded, same_stream, side_by_side
from .program import MODES, Asking, Program
from .roots import SUBJECT

pytestmark = pytest.mark.main_only

CASES = [
    pytest.param(program, asking, id=f"{program.name}-{asking}")
    for program in programs.ALL
    for asking in program.askings()
]


@pytest.mark.parametrize(("program", "asking"), CASES)
def test_streams_are_the_same(program: Program, asking: Asking) -> None:
    same_stream(program, asking)


@pytest.mark.parametrize("program", [p for p in programs.ALL if len(p.drivers) > 1], ids=lambda program: program.name)
def test_every_driver_says_the_same(program: Program) -> None:
    """Of headrace alone: plain nodes, coroutine nodes, and plain nodes under `astream`."""
    first, *others = program.drivers
    expected = recorded(program, SUBJECT, Asking(MODES, first, program.subgraphs))
    for driver in others:
        found = recorded(program, SUBJECT, Asking(MODES, driver, program.subgraphs))
        assert found == expected, side_by_side(expected, found, f"{program.name} [{first} and {driver}]")
