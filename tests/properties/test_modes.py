"""What a run comes to does not depend on what was asked of its stream."""

from __future__ import annotations

import itertools
import operator
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import TypedDict

from headrace.checkpoint.memory import InMemorySaver
from headrace.config import get_stream_writer
from headrace.graph import START, StateGraph, add_messages
from headrace.testing import ScriptedChatModel
from headrace.types import Send, interrupt
from tests.drive import Drive
from tests.oracle.program import MODES, Asking, Driver
from tests.oracle.random_graphs import Plan

from .plans import endings, few, played, threads

SUBSETS = [chosen for size in range(len(MODES) + 1) for chosen in itertools.combinations(MODES, size)]


@few
@given(
    threads, st.sampled_from(SUBSETS), st.sampled_from(("sync", "async")), st.booleans(), st.sampled_from(("v1", "v2"))
)
def test_states_do_not_depend_on_the_modes(plan: Plan, modes: Any, driver: Driver, subgraphs: bool, shape: Any) -> None:
    expected = endings(played(plan, Asking(("updates",), driver)))
    assert endings(played(plan, Asking(modes, driver, subgraphs, shape))) == expected


class State(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]
    messages: Annotated[list[Any], add_messages]


def graph(drive: Drive) -> Any:
    """A model, custom data, a fan-out by Send, a subgraph and a question."""
    model = ScriptedChatModel(replies=["all is well"])

    def ask(state: State) -> Any:
        get_stream_writer()("asking")
        answer = model.invoke("how?")
        return {"log": [str(answer.content)], "messages": [("user", str(answer.content))]}

    def sends(state: State) -> Any:
        return [Send("work", {"log": [at]}) for at in range(3)]

    inner: Any = StateGraph(State).add_node("answer", lambda state: {"log": [interrupt("sure?")]})
    builder: Any = StateGraph(State).add_node("ask", ask).add_node("work", lambda state: {"log": state["log"]})
    builder.add_node("sub", inner.add_edge(START, "answer").compile())
    builder.add_edge(START, "ask").add_conditional_edges("ask", sends).add_edge("work", "sub")
    return builder.compile(checkpointer=InMemorySaver())


@pytest.mark.parametrize("subgraphs", [False, True])
def test_every_set_of_modes_leads_to_the_same_state(drive: Drive, subgraphs: bool, thread: Any) -> None:
    found = {ended(drive, modes, subgraphs, thread) for modes in SUBSETS}
    assert found == {ended(drive, None, False, thread)}


def ended(drive: Drive, modes: tuple[str, ...] | None, subgraphs: bool, thread: Any) -> str:
    """The state of a thread as text; `None` for a run by `invoke`."""
    run = graph(drive)
    if modes is None:
        drive.invoke(run, {"log": []}, thread)
    else:
        drive.stream(run, {"log": []}, thread, stream_mode=list(modes), subgraphs=subgraphs)
    state = drive.state(run, thread)
    said = [message.content for message in state.values["messages"]]
    asked = [question.value for question in state.interrupts]
    return repr((state.values["log"], said, state.next, asked, len(drive.history(run, thread))))
