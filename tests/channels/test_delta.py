from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, TypedDict

import pytest

from headrace.channels import DeltaChannel
from headrace.graph import START, StateGraph
from headrace.types import MISSING, Overwrite
from tests.drive import Drive


def joined(value: list[int], writes: Sequence[list[int]]) -> list[int]:
    return [*value, *(item for write in writes for item in write)]


def test_all_writes_of_a_step_are_folded_at_once() -> None:
    assert DeltaChannel(joined).fold([1], [[2], [3]]) == [1, 2, 3]


def test_the_first_write_is_folded_into_an_empty_value() -> None:
    assert DeltaChannel(joined).fold(MISSING, [[1]]) == [1]


@pytest.mark.parametrize(("typ", "empty"), [(dict, {}), (list, []), (list[int] | None, [])])
def test_the_empty_value_is_of_the_channels_type_or_a_list(typ: Any, empty: Any) -> None:
    assert DeltaChannel(joined, typ).initial() == empty


def test_an_overwrite_replaces_the_value() -> None:
    written = [9]
    value = DeltaChannel(joined).fold([1], [[2], Overwrite(written)])
    written.append(10)
    assert value == [9]


def test_a_reducer_that_answers_with_a_write_does_not_give_the_nodes_own_list_away() -> None:
    written = [1]
    value = DeltaChannel(lambda value, writes: writes[-1]).fold([], [written])
    written.append(2)
    assert value == [1]


def test_a_state_key_can_be_one(drive: Drive) -> None:
    class State(TypedDict):
        log: Annotated[list[int], DeltaChannel(joined)]

    builder = StateGraph(State).add_node("a", lambda state: {"log": [1]}).add_node("b", lambda state: {"log": [2]})
    graph = builder.add_edge(START, "a").add_edge(START, "b").compile()
    assert drive.invoke(graph, {"log": [0]}) == {"log": [0, 1, 2]}
