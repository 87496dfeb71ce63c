"""Running again from the past, and from inside of subgraphs: what counts is what stood there then."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.checkpoint.memory import InMemorySaver
from headrace.config import get_config
from headrace.errors import InvalidGraphError
from headrace.graph import START, StateGraph
from headrace.names import INTERRUPT
from headrace.types import Command, Send, interrupt
from tests.drive import Drive
from tests.engine.build import State, says
from tests.engine.watch import until

MEMORY = pytest.mark.parametrize("memory", [None, True], ids=["shared", "own"])
"""Of the subgraph: the saver of the graph above, or with `checkpointer=True` also a memory that outlives a run."""


class Journey:
    """A graph `first`, `sub` (of `a` and `b`), `last`, and which of the nodes have run since one looked last."""

    def __init__(self, drive: Drive, memory: Any, *, asks: str = "") -> None:
        self.drive = drive
        self.ran: list[str] = []
        sub = self.chain({"a": self.node("a", asks), "b": self.node("b", asks)}, checkpointer=memory)
        nodes = {"first": self.node("first", asks), "sub": sub, "last": self.node("last", asks)}
        self.graph = self.chain(nodes, checkpointer=InMemorySaver())
        self.thread: Any = {"configurable": {"thread_id": "1"}}

    def node(self, name: str, asks: str) -> Any:
        def node(state: State) -> State:
            self.ran.append(name)
            return {"log": [f"{name}:{interrupt(f'{name}?')}" if name in asks.split() else name]}

        return node

    def chain(self, nodes: dict[str, Any], **options: Any) -> Any:
        builder = StateGraph(State)
        for before, (name, node) in zip([START, *nodes], nodes.items(), strict=False):
            builder.add_node(name, node).add_edge(before, name)
        return builder.compile(**options)

    def go(self, input: Any, config: Any = None) -> tuple[list[str], list[str]]:
        """The nodes that run, and what is asked at the end."""
        del self.ran[:]
        result = self.drive.invoke(self.graph, input, config or self.thread)
        return self.ran[:], [question.value for question in result.get(INTERRUPT, ())]

    @property
    def log(self) -> list[str]:
        log: list[str] = self.drive.state(self.graph, self.thread).values["log"]
        return log

    def before(self, node: str) -> list[Any]:
        """The configs of the checkpoints before a node, newest first."""
        return [state.config for state in self.drive.history(self.graph, self.thread) if state.next == (node,)]

    def inside(self) -> Any:
        """The config of the subgraph that waits."""
        return self.drive.state(self.graph, self.thread, subgraphs=True).tasks[0].state.config


@MEMORY
def test_a_subgraph_runs_again_with_what_it_knew_then(memory: Any, drive: Drive) -> None:
    journey = Journey(drive, memory)
    journey.go({"log": ["1"]})
    first = journey.log
    journey.go({"log": ["2"]})
    second = journey.log
    later, earlier = journey.before("sub")
    assert journey.go(None, later) == (["a", "b", "last"], [])
    assert journey.log == second
    assert journey.go(None, earlier) == (["a", "b", "last"], [])
    assert journey.log == first
    journey.go({"log": ["2"]})
    assert journey.log == second


def test_a_resumed_run_gives_a_subgraph_with_a_memory_its_new_input(drive: Drive) -> None:
    journey = Journey(drive, True, asks="first b")
    for turn in ("1", "2"):
        assert journey.go({"log": [turn]}) == (["first"], ["first?"])
        assert journey.go(Command(resume="x")) == (["first", "a", "b"], ["b?"])
        assert journey.go(Command(resume="y")) == (["b", "last"], [])
    assert journey.log.count("2") == 2  # once as it came, once as the subgraph got it


@MEMORY
@pytest.mark.parametrize(("as_node", "runs"), [(None, ["b", "last"]), ("a", ["b", "last"]), ("b", ["last"])])
def test_a_waiting_subgraph_can_be_edited_and_goes_on_with_the_answer(
    memory: Any, as_node: str | None, runs: list[str], drive: Drive
) -> None:
    journey = Journey(drive, memory, asks="b")
    journey.go({"log": ["in"]})
    edited = drive.update(journey.graph, journey.inside(), {"log": ["edit"]}, as_node=as_node)
    assert drive.state(journey.graph, edited).values["log"][-1] == "edit"
    assert journey.go(Command(resume="x")) == (runs, [])
    assert journey.log[-3:] == (["edit", "b:x", "last"] if "b" in runs else ["a", "edit", "last"])


def test_an_edit_inside_names_the_checkpoints_around_it(drive: Drive) -> None:
    journey = Journey(drive, True, asks="b")
    journey.go({"log": ["in"]})
    inside = journey.inside()["configurable"]
    edited = drive.update(journey.graph, journey.inside(), {"log": ["edit"]})["configurable"]
    assert edited["checkpoint_map"] == {**inside["checkpoint_map"], "sub": edited["checkpoint_id"]}
    assert edited["checkpoint_id"] > inside["checkpoint_id"]


@pytest.mark.parametrize("answered_at", ["thread", "edit"])
def test_a_subgraph_with_a_memory_runs_again_from_inside(answered_at: str, drive: Drive) -> None:
    journey = Journey(drive, True, asks="a b")
    journey.go({"log": ["in"]})
    assert journey.go(Command(resume="x")) == (["a", "b"], ["b?"])
    edited = drive.update(journey.graph, journey.inside(), {"log": ["edit"]})
    assert journey.go(None, edited) == (["b"], ["b?"])
    assert journey.go(Command(resume="y"), edited if answered_at == "edit" else None) == (["b", "last"], [])
    assert journey.log[-4:] == ["a:x", "edit", "b:y", "last"]


def test_a_subgraph_with_a_memory_runs_again_from_any_of_its_checkpoints(drive: Drive) -> None:
    journey = Journey(drive, True, asks="b")
    journey.go({"log": ["in"]})
    inside = drive.history(journey.graph, journey.inside())
    before_a = next(state.config for state in inside if state.next == ("a",))
    assert journey.go(None, before_a) == (["a", "b"], ["b?"])
    assert journey.go(Command(resume="x")) == (["b", "last"], [])
    assert journey.log[-3:] == ["a", "b:x", "last"]


def test_a_subgraph_without_a_memory_is_one_step_of_the_graph_above(drive: Drive) -> None:
    journey = Journey(drive, None, asks="a b")
    journey.go({"log": ["in"]})
    journey.go(Command(resume="x"))
    assert journey.go(None, journey.inside()) == (["a"], ["a?"])


def test_runs_side_by_side_cannot_share_a_memory(drive: Drive, thread: Any) -> None:
    def goes_on(state: State) -> State:
        until(lambda: not get_config())  # which raises once the run was stopped
        return {}

    sub = Journey(drive, None).chain({"a": goes_on}, checkpointer=True)
    builder = StateGraph(State).add_node("sub", sub)
    builder.add_conditional_edges(START, lambda state: [Send("sub", {"log": []}) for _ in range(3)], ["sub"])
    with pytest.raises(InvalidGraphError, match=r"tasks of node 'sub' run side by side.*has one memory"):
        drive.invoke(builder.compile(checkpointer=InMemorySaver()), {"log": []}, thread)


def test_runs_one_after_the_other_share_a_memory(drive: Drive, thread: Any) -> None:
    sub = Journey(drive, None).chain({"a": says("a")}, checkpointer=True)
    builder = StateGraph(State).add_node("sub", sub)
    builder.add_conditional_edges(START, lambda state: [Send("sub", {"log": []}) for _ in range(3)], ["sub"])
    graph = builder.compile(checkpointer=InMemorySaver())
    assert drive.invoke(graph, {"log": []}, {**thread, "max_concurrency": 1})["log"] == ["a"] * 6


def test_an_edit_of_the_graph_above_gives_a_waiting_subgraph_its_input_anew(drive: Drive) -> None:
    journey = Journey(drive, True, asks="b")
    journey.go({"log": ["in"]})
    drive.update(journey.graph, journey.thread, {"log": ["edit"]}, as_node="first")
    assert journey.go(None) == (["a", "b"], ["b?"])
    assert journey.go(Command(resume="x")) == (["b", "last"], [])
    assert "edit" in journey.log
