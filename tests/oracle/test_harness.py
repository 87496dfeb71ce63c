"""The comparison itself: it sees what it must see, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from . import programs
from .canonical import lines, outlines
from .compare import recorded, side_by_side
from .differences import DIFFERENCES, WARNINGS
from .program import MODES, PROGRAMS, Asking
from .record import Event, Played
from .roots import REFERENCE

pytestmark = pytest.mark.main_only

ONE, TWO, OTHER = (f"{digit * 8}-{digit * 4}-{digit * 4}-{digit * 4}-{digit * 12}" for digit in "123")


def start(name: str, key: str) -> Event:
    return Event((), "tasks", {"id": key, "name": name, "input": {}, "triggers": ()})


def result(name: str, key: str) -> Event:
    return Event((), "tasks", {"id": key, "name": name, "error": None, "result": {}, "interrupts": []})


def said(name: str, what: Any) -> Event:
    return Event((), "custom", {"by": name, "what": what})


def update(name: str) -> Event:
    return Event((), "updates", {name: None})


VALUES = Event((), "values", {"x": 1})
STARTS = [start("a", ONE), start("b", TWO)]
A = [said("a", 1), said("a", 2), update("a"), result("a", ONE)]
B = [said("b", 1), update("b"), result("b", TWO)]
IN_TURN = [*STARTS, *A, *B, VALUES]


def settled(events: list[Event], error: Exception | None = None) -> list[str]:
    played = [Played(events, error)]
    return lines(played, outlines(played, MODES))


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([*STARTS, *B, *A, VALUES], id="the other way round"),
        pytest.param([*STARTS, A[0], B[0], *A[1:], *B[1:], VALUES], id="interleaved"),
    ],
)
def test_order_between_tasks_is_free(events: list[Event]) -> None:
    assert settled(events) == settled(IN_TURN)


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([*STARTS, A[1], A[0], *A[2:], *B, VALUES], id="order within a task"),
        pytest.param([*STARTS, *A, VALUES, *B], id="values before the step's end"),
        pytest.param([STARTS[1], STARTS[0], *A, *B, VALUES], id="order of the starts"),
        pytest.param([*STARTS, *A[:-1], result("a", TWO), *B, VALUES], id="id of another task"),
        pytest.param([*STARTS, *A[:-1], result("a", OTHER), *B, VALUES], id="id of no task"),
        pytest.param([*STARTS, *A, *B, *B[1:2], VALUES], id="an event twice"),
        pytest.param([*STARTS, *A, *B[1:], VALUES], id="an event less"),
        pytest.param([*STARTS, *A, said("b", "1"), *B[1:], VALUES], id="text for a number"),
    ],
)
def test_anything_else_is_seen(events: list[Event]) -> None:
    assert settled(events) != settled(IN_TURN)


def test_siblings_of_a_failed_task_are_luck() -> None:
    error = ValueError("not of a program")
    assert settled([*STARTS, *A], error) == settled([*STARTS, *B], error)
    assert settled([*STARTS[:1], *A], error) != settled(STARTS[:1], error)


def test_steps_of_one_mode_are_kept_apart() -> None:
    """Without the tasks in the stream, the outline of a full one tells where a step ends."""
    full = [Played([*STARTS, *A, *B, start("c", OTHER), update("c"), result("c", OTHER)])]
    outline = outlines(full, "updates")

    def only(*names: str) -> list[str]:
        return lines([Played([update(name) for name in names])], outline)

    assert only("a", "b", "c") == only("b", "a", "c")
    assert only("a", "b", "c") != only("a", "c", "b")


@pytest.mark.parametrize("driver", ["sync", "async"])
@pytest.mark.parametrize(
    "name",
    ["fan_out_and_in", "send_three", "two_models_at_once", "questions_in_parallel_subgraphs", "parallel_subgraphs"],
)
def test_the_reference_agrees_with_itself(name: str, driver: Any) -> None:
    program, asking = PROGRAMS[name], Asking(MODES, driver, PROGRAMS[name].subgraphs)
    assert recorded(program, REFERENCE, asking) == recorded(program, REFERENCE, asking)


def test_every_difference_is_met_by_a_program() -> None:
    named = {name for program in programs.ALL for name in program.differences}
    assert named == set(DIFFERENCES)


@pytest.mark.parametrize("program", [p for p in programs.ALL if p.differences], ids=lambda program: program.name)
def test_a_difference_changes_what_is_expected(program: Any) -> None:
    askings = [Asking(MODES, program.drivers[0], program.subgraphs), Asking(MODES, program.drivers[0])]
    told = [recorded(program, REFERENCE, asking) for asking in askings]
    for name in program.differences:
        difference = DIFFERENCES[name]
        assert difference.reason
        assert difference.both or any(difference.apply(lines) != lines for lines in told)


def test_both_streams_are_shown_side_by_side() -> None:
    shown = side_by_side(["same", "left", "gone"], ["same", "right"], "a program").splitlines()
    assert shown[0] == "a program"
    assert [row[0] for row in shown[2:]] == [" ", "|", "~", "<"]
    assert "left" in shown[3]
    assert "right" in shown[3]
    assert shown[4].endswith("[left] | [right]")


@pytest.mark.parametrize("part", WARNINGS)
def test_every_listed_warning_has_a_reason(part: str) -> None:
    assert len(WARNINGS[part]) > 40
