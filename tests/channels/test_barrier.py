from __future__ import annotations

import pytest

from headrace.channels import NamedBarrierValue, NamedBarrierValueAfterFinish
from headrace.errors import InvalidUpdateError
from headrace.types import MISSING


def test_a_barrier_opens_once_every_name_was_written_in_any_number_of_steps() -> None:
    barrier = NamedBarrierValue(str, ["a", "b"])
    half = barrier.fold(MISSING, ["a"])
    assert barrier.read(half) is MISSING
    whole = barrier.fold(half, ["b"])
    assert barrier.read(whole) is None


def test_a_name_may_be_written_twice() -> None:
    barrier = NamedBarrierValue(str, ["a", "b"])
    assert barrier.fold(frozenset("a"), ["a", "a"]) == frozenset("a")


def test_an_empty_barrier_is_closed() -> None:
    assert NamedBarrierValue(str, ["a"]).read(MISSING) is MISSING


def test_its_reader_closes_it_again() -> None:
    assert NamedBarrierValue.consumed


def test_a_name_that_it_does_not_wait_for_is_refused() -> None:
    barrier = NamedBarrierValue(str, ["a", "b"])
    barrier.key = "join"
    with pytest.raises(InvalidUpdateError, match=r"barrier 'join' waits for \['a', 'b'\], not for \['c'\]"):
        barrier.fold(MISSING, ["a", "c"])


def test_after_the_finish_its_reader_waits_for_the_end_as_well() -> None:
    assert NamedBarrierValueAfterFinish.after_finish
    assert not NamedBarrierValue.after_finish
