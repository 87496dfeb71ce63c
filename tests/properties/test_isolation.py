"""What was handed out never changes: chunks, checkpoints and the inputs of nodes stay as they were.

The values of the state are lists, dicts, sets and messages. Nodes change what they were given in place, keep what
they returned and change that too, and the consumer changes what the stream yields: nobody else may see it.
"""

from __future__ import annotations

import asyncio
import copy
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage
from typing_extensions import TypedDict

from headrace.checkpoint.memory import InMemorySaver
from headrace.graph import START, StateGraph, add_messages
from tests.drive import Drive

few = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
THREAD: Any = {"configurable": {"thread_id": "1"}}
KEYS = ("log", "plain", "table", "names", "messages")


class State(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]
    plain: list[Any]
    table: dict[str, Any]
    names: set[Any]
    messages: Annotated[list[Any], add_messages]


def seed() -> dict[str, Any]:
    return {"log": [0], "plain": [0], "table": {"0": 0}, "names": {0}, "messages": [HumanMessage("0", id="0")]}


Deed = Literal["leave", "add", "clear"]


@dataclass(frozen=True)
class Step:
    """What one node does: the keys it writes, and its misdeeds."""

    writes: tuple[str, ...]
    input: Deed
    """To the state it was given, in place, before it returns."""
    kept: Deed
    """To what the node before it returned, which it got hold of."""


deeds: st.SearchStrategy[Deed] = st.sampled_from(("leave", "add", "clear"))
steps = st.builds(Step, st.sets(st.sampled_from(KEYS)).map(sorted).map(tuple), deeds, deeds)
chains = st.lists(steps, min_size=1, max_size=4)


def harm(values: Any, deed: Deed) -> None:
    """Change the containers of a state in place."""
    if deed == "leave":
        return
    for value in list(values.values()):
        if deed == "clear":
            value.clear()
        elif isinstance(value, list):
            value.append("harm")
        elif isinstance(value, set):
            value.add("harm")
        elif isinstance(value, dict):
            value["harm"] = "harm"


def update(name: str, writes: tuple[str, ...]) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "log": [name],
        "plain": [name],
        "table": {name: name},
        "names": {name},
        "messages": [HumanMessage(name, id=name)],
    }
    return {key: whole[key] for key in writes}


class Nodes:
    """The nodes of one graph, and what they held in their hands."""

    def __init__(self) -> None:
        self.returned: list[dict[str, Any]] = []
        self.seen: dict[str, Any] = {}

    def node(self, name: str, step: Step) -> Callable[[State], Any]:
        def run(state: State) -> Any:
            self.seen[name] = copy.deepcopy(dict(state))
            harm(state, step.input)
            for kept in self.returned:
                harm(kept, step.kept)
            self.returned.append(update(name, step.writes))
            return self.returned[-1]

        return run

    def chain(self, plan: list[Step]) -> Any:
        builder = StateGraph(State)
        before = START
        for at, step in enumerate(plan):
            builder.add_node(f"n{at}", self.node(f"n{at}", step)).add_edge(before, f"n{at}")
            before = f"n{at}"
        return builder.compile(checkpointer=InMemorySaver())

    def fan(self, plan: list[Step]) -> Any:
        builder = StateGraph(State)
        for at, step in enumerate(plan):
            builder.add_node(f"n{at}", self.node(f"n{at}", step)).add_edge(START, f"n{at}")
        return builder.compile(checkpointer=InMemorySaver())


def expected(plan: list[Step]) -> list[dict[str, Any]]:
    """The state after the input and after each node, reckoned by hand."""
    state = seed()
    found = [state]
    for at, step in enumerate(plan):
        new = update(f"n{at}", step.writes)
        joined: dict[str, Any] = {key: state[key] + new[key] for key in ("log", "messages") if key in new}
        state = {**state, **new, **joined}
        found.append(state)
    return found


@few
@given(chains)
def test_values_stay_as_they_were(drive: Drive, plan: list[Step]) -> None:
    told = drive.stream(Nodes().chain(plan), seed(), THREAD, stream_mode="values")
    wanted = [state for at, state in enumerate(expected(plan)) if at == 0 or plan[at - 1].writes]
    assert told == wanted


@few
@given(chains)
def test_updates_and_inputs_stay_as_they_were(drive: Drive, plan: list[Step]) -> None:
    told = drive.stream(Nodes().chain(plan), seed(), THREAD, stream_mode=["updates", "tasks"])
    updates = [data for mode, data in told if mode == "updates"]
    inputs = [data["input"] for mode, data in told if mode == "tasks" and "input" in data]
    results = [data["result"] for mode, data in told if mode == "tasks" and "result" in data]
    assert updates == [{f"n{at}": update(f"n{at}", step.writes) or None} for at, step in enumerate(plan)]
    assert results == [update(f"n{at}", step.writes) for at, step in enumerate(plan)]
    assert inputs == expected(plan)[:-1]


@few
@given(chains, st.booleans())
def test_checkpoints_stay_as_they_were(drive: Drive, plan: list[Step], twice: bool) -> None:
    graph = Nodes().chain(plan)
    drive.invoke(graph, seed(), THREAD)
    before = drive.history(graph, THREAD)
    assert [state.values for state in before if state.metadata["step"] >= 0] == expected(plan)[::-1]
    frozen = copy.deepcopy([state.values for state in before])
    if twice:
        drive.invoke(graph, seed(), THREAD)
    after = [state.values for state in drive.history(graph, THREAD)]
    assert after[-len(frozen) :] == frozen == [state.values for state in before]


def test_checkpoints_stay_even_where_objects_are_shared(drive: Drive) -> None:
    """A message or an inner list that a node edits is one object in memory for all who hold it; stored it is not."""

    def edit(state: State) -> Any:
        state["messages"][0].content = "edited"
        state["plain"][0].append("edited")
        return {"log": ["edit"]}

    graph: Any = StateGraph(State).add_node("edit", edit).add_edge(START, "edit").compile(InMemorySaver())
    drive.invoke(graph, {**seed(), "plain": [[0]]}, THREAD)
    after, before = drive.history(graph, THREAD)[:2]
    assert (before.values["messages"], before.values["plain"]) == ([HumanMessage("0", id="0")], [[0]])
    assert after.values["log"] == [0, "edit"]


def extend(left: list[Any], right: list[Any]) -> list[Any]:
    left.extend(right)
    return left


class Extended(TypedDict):
    log: Annotated[list[Any], extend]


def test_a_reducer_that_works_in_place_is_safe(drive: Drive) -> None:
    nodes = [("a", lambda state: {"log": ["a"]}), ("b", lambda state: {"log": ["b"]})]
    builder: Any = StateGraph(Extended).add_sequence(nodes).add_edge(START, "a")
    graph, given = builder.compile(InMemorySaver()), {"log": [0]}
    told = drive.stream(graph, given, THREAD, stream_mode="values")
    assert [values["log"] for values in told] == [[0], [0, "a"], [0, "a", "b"]]
    assert given == {"log": [0]}
    states = [state.values["log"] for state in drive.history(graph, THREAD)]
    assert states == [[0, "a", "b"], [0, "a"], [0], []]


@few
@given(chains, deeds)
def test_a_reader_of_states_changes_none(drive: Drive, plan: list[Step], deed: Deed) -> None:
    graph = Nodes().chain(plan)
    drive.invoke(graph, seed(), THREAD)
    for state in [drive.state(graph, THREAD), *drive.history(graph, THREAD)]:
        harm(state.values, deed)
    assert drive.state(graph, THREAD).values == expected(plan)[-1]
    assert drive.history(graph, THREAD)[0].values == expected(plan)[-1]


@few
@given(chains)
def test_parallel_nodes_are_given_their_own(drive: Drive, plan: list[Step]) -> None:
    """None sees what the others do to their inputs or to what they returned."""
    plan = [Step(("log",), step.input, step.kept) for step in plan]
    nodes = Nodes()
    told = drive.stream(nodes.fan(plan), seed(), THREAD, stream_mode=["values", "tasks"])
    assert list(nodes.seen.values()) == [seed()] * len(plan)
    assert [data["input"] for mode, data in told if mode == "tasks" and "input" in data] == [seed()] * len(plan)


@few
@given(chains, deeds, st.sampled_from([("values",), ("updates",), ("values", "updates", "tasks", "checkpoints")]))
def test_a_consumer_that_changes_what_it_got_changes_nothing(
    drive: Drive, plan: list[Step], deed: Deed, modes: tuple[str, ...]
) -> None:
    """The stream is read item by item, each one harmed before the next is asked for."""
    graph = Nodes().chain(plan)
    told: list[Any] = []

    def take(item: Any) -> None:
        mode, data = item
        told.append((mode, copy.deepcopy(payload(mode, data))))
        harm(payload(mode, data), deed)

    read(drive, graph.stream if drive.way == "sync" else graph.astream, take, list(modes))
    assert told == [
        (mode, payload(mode, data))
        for mode, data in drive.stream(Nodes().chain(plan), seed(), THREAD, stream_mode=list(modes))
    ]
    assert drive.state(graph, THREAD).values == expected(plan)[-1]


def read(drive: Drive, stream: Any, take: Callable[[Any], None], modes: list[str]) -> None:
    """Hand over each item before the next one is asked for."""
    items = stream(seed(), THREAD, stream_mode=modes)
    if drive.way == "sync":
        for item in items:
            take(item)
        return

    async def go() -> None:
        async for item in items:
            take(item)

    asyncio.run(go())


def payload(mode: str, data: Any) -> Any:
    """The containers in an event that come out of the state."""
    if mode == "updates":
        return next(iter(data.values())) or {}
    if mode == "tasks":
        return data["input"] if "input" in data else data["result"]
    return data["values"] if mode == "checkpoints" else data


@pytest.mark.parametrize("fanned", [False, True])
def test_the_input_stays_the_callers(drive: Drive, fanned: bool) -> None:
    """Neither does the run change what it was given, nor the giver the run's state."""
    plan = [Step(("log",), "clear", "leave" if fanned else "clear")] * 2
    nodes, given = Nodes(), seed()
    graph = nodes.fan(plan) if fanned else nodes.chain(plan)
    drive.invoke(graph, given, THREAD)
    assert given == seed()
    harm(given, "clear")
    assert drive.state(graph, THREAD).values == {**seed(), "log": [0, "n0", "n1"]}
