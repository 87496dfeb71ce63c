"""State keys that the engine fills in."""

from __future__ import annotations

import pytest

from headrace.managed import IS_LAST_STEP, REMAINING_STEPS


@pytest.mark.parametrize(("remaining", "last"), [(3, False), (2, False), (1, True), (0, True)])
def test_the_last_step_begins_one_early_so_that_a_run_can_still_be_wound_up(remaining: int, last: bool) -> None:
    assert IS_LAST_STEP.read(remaining) is last
    assert REMAINING_STEPS.read(remaining) == remaining


def test_they_say_what_they_are() -> None:
    assert (repr(IS_LAST_STEP), repr(REMAINING_STEPS)) == ("IsLastStep", "RemainingSteps")
