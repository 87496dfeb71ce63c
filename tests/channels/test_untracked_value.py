from __future__ import annotations

from typing import Annotated, Any, TypedDict

import pytest

from headrace.channels import UntrackedValue
from headrace.checkpoint.memory import InMemorySaver
from headrace.errors import InvalidUpdateError
from headrace.graph import START, StateGraph
from headrace.types import MISSING, interrupt
from tests.drive import Drive


class State(TypedDict, total=False):
    secret: Annotated[str, UntrackedValue]
    told: str


def test_guarded_it_takes_one_write_a_step() -> None:
    channel = UntrackedValue(int)
    assert channel.fold(1, [2]) == 2
    with pytest.raises(InvalidUpdateError):
        channel.fold(MISSING, [1, 2])


def test_unguarded_the_last_write_counts() -> None:
    assert UntrackedValue(int, guard=False).fold(MISSING, [1, 2]) == 2


def test_nodes_see_the_value_and_checkpoints_do_not(drive: Drive, thread: Any) -> None:
    def ask(state: State) -> State:
        return {"told": f"{state.get('secret')} {interrupt('?')}"}

    builder = StateGraph(State).add_node("give", lambda state: {"secret": "s"}).add_node("ask", ask)
    graph = builder.add_edge(START, "give").add_edge("give", "ask").compile(checkpointer=InMemorySaver())
    values = drive.stream(graph, {"told": ""}, thread, stream_mode="values")
    assert [value.get("secret") for value in values[:2]] == [None, "s"]
    stored = drive.state(graph, thread)
    assert stored.next == ("ask",)
    assert stored.values == {"told": ""}
