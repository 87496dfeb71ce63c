"""Every agent, asked in every way, says on headrace what it says on langchain."""

from __future__ import annotations

import pytest

from ..compare import recorded, same_stream, side_by_side
from ..program import Asking, Program
from ..roots import SUBJECT
from . import programs

pytestmark = [
    pytest.mark.main_only,
    # langchain says so when a tool that has a runtime is called with a context.
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings"),
]


def askings(program: Program) -> list[Asking]:
    """All modes together, and one of those that most are read alone; every way there is for those with `shapes`."""
    if program.shapes:
        return program.askings()
    alone = {"sync": "messages", "async": "updates", "threads": "updates"}
    return [
        Asking(modes, driver, program.subgraphs)
        for driver in program.drivers
        for modes in (program.modes, alone[driver])
    ]


CASES = [
    pytest.param(program, asking, id=f"{program.name}-{asking}")
    for program in programs.ALL
    for asking in askings(program)
]


@pytest.mark.parametrize(("program", "asking"), CASES)
def test_streams_are_the_same(program: Program, asking: Asking) -> None:
    same_stream(program, asking)


@pytest.mark.parametrize("program", [p for p in programs.ALL if len(p.drivers) > 1], ids=lambda program: program.name)
def test_both_drivers_say_the_same(program: Program) -> None:
    """Of headrace alone."""
    expected, found = (
        recorded(program, SUBJECT, Asking(program.modes, driver, program.subgraphs)) for driver in program.drivers[:2]
    )
    assert found == expected, side_by_side(expected, found, f"{program.name} [sync and async]")
