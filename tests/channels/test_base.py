"""What all kinds of channels have in common."""

from __future__ import annotations

import operator
from typing import Any

import pytest

from headrace.channels import BaseChannel, BinaryOperatorAggregate, EphemeralValue, LastValue, Topic
from headrace.channels.base import overwritten, own, single
from headrace.errors import InvalidUpdateError
from headrace.types import MISSING, Overwrite


def bound(channel: BaseChannel[Any, Any], key: str = "answer") -> BaseChannel[Any, Any]:
    channel.key = key
    return channel


def test_channels_of_one_kind_and_type_are_equal_whatever_their_key() -> None:
    assert bound(LastValue(int), "a") == bound(LastValue(int), "b")


@pytest.mark.parametrize(
    "other",
    [LastValue(str), EphemeralValue(int), EphemeralValue(int, guard=False), "LastValue"],
    ids=["another type", "another kind", "another option", "no channel"],
)
def test_channels_that_differ_are_not_equal(other: Any) -> None:
    assert LastValue(int) != other


def test_an_option_is_part_of_what_a_channel_is() -> None:
    assert Topic(int, accumulate=True) != Topic(int)
    assert Topic(int, accumulate=True) == Topic(int, accumulate=True)


def test_a_channel_can_be_a_key_of_a_dict() -> None:
    channel = bound(LastValue(int))
    assert {channel: 1}[bound(LastValue(int))] == 1


def test_a_copy_is_bound_to_a_key_of_its_own() -> None:
    channel = bound(LastValue(int), "a")
    copy = bound(channel.copy(), "b")
    assert (channel.key, copy.key) == ("a", "b")
    assert copy == channel


def test_the_text_of_a_channel_names_its_key() -> None:
    assert repr(bound(LastValue(int))) == "LastValue('answer')"


def test_a_kind_must_say_how_it_folds() -> None:
    with pytest.raises(NotImplementedError):
        BaseChannel(int).fold(MISSING, [1])


def test_a_channel_is_empty_at_first() -> None:
    assert LastValue(int).initial() is MISSING


def test_the_only_write_is_the_value() -> None:
    assert single(LastValue(int), [7]) == 7


@pytest.mark.parametrize(("writes", "count"), [([], 0), ([1, 2], 2)])
def test_any_other_number_of_writes_is_an_error_that_tells_the_remedy(writes: list[int], count: int) -> None:
    with pytest.raises(InvalidUpdateError) as caught:
        single(bound(LastValue(int)), writes)
    text = str(caught.value)
    assert "channel 'answer'" in text
    assert f"{count} times" in text
    assert "Annotated[int, fn]" in text


def test_the_remedy_shows_a_type_without_a_name_as_it_is_written() -> None:
    with pytest.raises(InvalidUpdateError, match=r"Annotated\[list\[int\] \| None, fn\]|Annotated\[.*Optional"):
        single(bound(LastValue(list[int] | None)), [1, 2])


@pytest.mark.parametrize("value", [[1], {"a": 1}, {1}, bytearray(b"a")], ids=lambda value: type(value).__name__)
def test_a_plain_container_is_copied(value: Any) -> None:
    assert own(value) == value
    assert own(value) is not value


class Box(list[int]):
    """A container that knows more than its items; how it is copied is not for us to say."""


@pytest.mark.parametrize("value", ["text", 1, (1,), Box([1])], ids=lambda value: type(value).__name__)
def test_anything_else_is_taken_as_it_is(value: Any) -> None:
    assert own(value) is value


@pytest.mark.parametrize("write", [Overwrite([9]), {"__overwrite__": [9]}], ids=["object", "as JSON"])
def test_an_overwrite_among_the_writes_is_found(write: Any) -> None:
    assert overwritten(bound(LastValue(list)), [[1], write]) == [9]


@pytest.mark.parametrize("write", [{}, {"__overwrite__": 1, "b": 2}, {"a": 1}, [1]])
def test_other_writes_are_no_overwrites(write: Any) -> None:
    assert overwritten(bound(LastValue(list)), [write]) is MISSING


def test_two_overwrites_in_one_step_are_an_error() -> None:
    channel = bound(BinaryOperatorAggregate(list, operator.add), "log")
    with pytest.raises(InvalidUpdateError, match="channel 'log' was overwritten 2 times in one super-step"):
        overwritten(channel, [Overwrite([1]), {"__overwrite__": [2]}])
