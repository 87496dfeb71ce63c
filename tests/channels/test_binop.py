from __future__ import annotations

import operator
from collections.abc import Mapping, MutableSet, Sequence
from typing import Annotated, Any, TypedDict

import pytest

from headrace.channels import BinaryOperatorAggregate, LastValue
from headrace.graph import START, StateGraph
from headrace.types import MISSING, Overwrite
from tests.drive import Drive


class Total:
    def __init__(self, start: int) -> None:
        self.start = start


@pytest.mark.parametrize(
    ("typ", "empty"),
    [(int, 0), (list, []), (list[int], []), (Sequence, []), (MutableSet[int], set()), (Mapping[str, int], {})],
)
def test_it_starts_as_an_empty_value_of_its_type(typ: Any, empty: Any) -> None:
    assert BinaryOperatorAggregate(typ, operator.add).initial() == empty


@pytest.mark.parametrize("typ", [Total, list[int] | None], ids=["needs an argument", "no class"])
def test_where_no_empty_value_can_be_made_the_first_write_is_the_start(typ: Any) -> None:
    channel = BinaryOperatorAggregate(typ, operator.add)
    assert channel.initial() is MISSING
    assert channel.fold(MISSING, [[1], [2]]) == [1, 2]


def test_writes_are_folded_one_after_the_other() -> None:
    assert BinaryOperatorAggregate(str, operator.add).fold("a", ["b", "c"]) == "abc"


def test_an_overwrite_replaces_the_value_and_the_steps_other_writes() -> None:
    channel = BinaryOperatorAggregate(list, operator.add)
    assert channel.fold([1], [[2], Overwrite([9]), [3]]) == [9]


def test_an_overwriting_list_stays_the_nodes_own() -> None:
    written = [9]
    value = BinaryOperatorAggregate(list, operator.add).fold([1], [Overwrite(written)])
    written.append(10)
    assert value == [9]


def test_a_written_dict_is_no_overwrite() -> None:
    assert BinaryOperatorAggregate(dict, operator.or_).fold({"a": 1}, [{"b": 2}]) == {"a": 1, "b": 2}


def test_a_dict_before_an_overwrite_does_not_hide_it() -> None:
    channel = BinaryOperatorAggregate(dict, operator.or_)
    assert channel.fold({"a": 1}, [{"b": 2}, Overwrite({"c": 3})]) == {"c": 3}


@pytest.mark.parametrize("start", [MISSING, [0]])
def test_a_reducer_that_answers_with_the_write_does_not_give_the_nodes_own_list_away(start: Any) -> None:
    written = [1]
    value = BinaryOperatorAggregate(Sequence, lambda value, write: write).fold(start, [written])
    written.append(2)
    assert value == [1]


def test_what_the_reducer_makes_is_not_copied() -> None:
    made = [7]
    assert BinaryOperatorAggregate(list, lambda value, write: made).fold([], [[1]]) is made


def test_the_reducer_alone_says_what_it_is() -> None:
    assert BinaryOperatorAggregate(list, operator.add) == BinaryOperatorAggregate(Sequence, operator.add)
    assert BinaryOperatorAggregate(list, operator.add) != BinaryOperatorAggregate(list, operator.iadd)
    assert BinaryOperatorAggregate(list, operator.add) != LastValue(list)


def test_it_can_be_a_key_of_a_dict() -> None:
    channel = BinaryOperatorAggregate(list, operator.add)
    assert {channel: 1}[channel] == 1


def shouted(value: list[str], write: list[str]) -> list[str]:
    return value + write


shouted.prepare = lambda write: [text.upper() for text in write]  # type: ignore[attr-defined] # the reducer's own way


class State(TypedDict):
    log: Annotated[list[str], shouted]
    plain: Annotated[list[str], operator.add]


def test_a_reducer_may_fill_in_what_is_written_before_anybody_sees_it(drive: Drive) -> None:
    builder = StateGraph(State).add_node("a", lambda state: {"log": ["a"], "plain": ["a"]}).add_edge(START, "a")
    events = drive.stream(builder.compile(), {"log": ["x"]}, stream_mode=["updates", "values"])
    assert events == [
        ("values", {"log": ["X"], "plain": []}),
        ("updates", {"a": {"log": ["A"], "plain": ["a"]}}),
        ("values", {"log": ["X", "A"], "plain": ["a"]}),
    ]
