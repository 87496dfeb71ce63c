from __future__ import annotations

import pytest

from headrace.channels import EphemeralValue
from headrace.errors import InvalidUpdateError
from headrace.types import MISSING


def test_a_value_is_there_for_the_next_step_only() -> None:
    channel = EphemeralValue(int)
    assert channel.transient
    assert channel.fold(MISSING, [1]) == 1
    assert channel.fold(1, []) is MISSING


def test_guarded_it_takes_one_write_a_step() -> None:
    with pytest.raises(InvalidUpdateError):
        EphemeralValue(int).fold(MISSING, [1, 2])


def test_unguarded_the_last_write_counts() -> None:
    assert EphemeralValue(int, guard=False).fold(MISSING, [1, 2]) == 2
