from __future__ import annotations

from headrace.channels import AnyValue
from headrace.types import MISSING


def test_writers_of_one_step_are_taken_to_agree() -> None:
    assert AnyValue(int).fold(MISSING, [1, 1]) == 1


def test_the_value_goes_with_the_step_that_does_not_write_it() -> None:
    assert AnyValue.transient
    assert AnyValue(int).fold(1, []) is MISSING
