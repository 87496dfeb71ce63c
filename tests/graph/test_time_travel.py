"""Running again from the past, and from inside of subgraphs: what counts is what stood there then."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from headrace.checkpoint.memory import InMemorySaver
from headrace.errors import InvalidGraphError
from headrace.graph import END, START, StateGraph
from headrace.names import INTERRUPT
from headrace.types import Command, RetryPolicy, Send, interrupt
from tests.drive import Drive
from tests.engine.build import State, says

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


@pytest.mark.parametrize("at_once", [None, 1])
@pytest.mark.parametrize("called", [False, True])
def test_tasks_of_one_step_cannot_share_a_memory(at_once: Any, called: bool, drive: Drive, thread: Any) -> None:
    sub = Journey(drive, None).chain({"a": says("a")}, checkpointer=True)

    def call(state: State) -> Any:
        return sub.invoke(state)

    builder = StateGraph(State).add_node("sub", call if called else sub)
    builder.add_conditional_edges(START, lambda state: [Send("sub", {"log": []}) for _ in range(3)], ["sub"])
    graph = builder.compile(checkpointer=InMemorySaver())
    with pytest.raises(InvalidGraphError, match=r"several tasks of node 'sub'.*one memory for all of them"):
        drive.invoke(graph, {"log": []}, {**thread, "max_concurrency": at_once})


def test_tasks_of_several_steps_share_a_memory(drive: Drive, thread: Any) -> None:
    sub = Journey(drive, None).chain({"a": says("a")}, checkpointer=True)
    builder = StateGraph(State).add_node("sub", sub).add_edge(START, "sub")
    builder.add_conditional_edges("sub", lambda state: "sub" if len(state["log"]) < 5 else END, ["sub", END])
    assert drive.invoke(builder.compile(checkpointer=InMemorySaver()), {"log": []}, thread)["log"].count("a") > 5


def test_what_a_failed_attempt_left_in_a_subgraph_is_not_gone_on_with(drive: Drive, thread: Any) -> None:
    for memory, durability in product((None, True), ("sync", "exit")):
        failed: list[str] = []

        def fails_first(state: State, failed: list[str] = failed) -> State:
            failed.append("")
            if len(failed) % 2:
                raise ConnectionError
            return {"log": ["b"]}

        sub = Journey(drive, None).chain({"a": says("a"), "b": fails_first}, checkpointer=memory)
        again = RetryPolicy(initial_interval=0, jitter=False)
        builder = StateGraph(State).add_node(
            "sub", lambda state, sub=sub: {"log": sub.invoke(state)["log"]}, retry_policy=again
        )
        graph = builder.add_edge(START, "sub").compile(checkpointer=InMemorySaver())
        assert drive.invoke(graph, {"log": ["1"]}, thread, durability=durability)["log"] == ["1", "1", "a", "b"]
        log = drive.invoke(graph, {"log": ["2"]}, thread, durability=durability)["log"]
        assert log[4:7] == ["2", "1", "a"] if memory else log[4:6] == ["2", "1"]
        assert log.count("b") == (4 if memory else 3)


def test_what_a_failed_attempt_left_with_a_saver_of_the_subgraphs_own_is_not_gone_on_with(
    drive: Drive, thread: Any
) -> None:
    failed: list[str] = []

    def fails_first(state: State) -> State:
        failed.append("")
        if len(failed) == 1:
            raise ConnectionError
        return {"log": ["b"]}

    sub = Journey(drive, None).chain({"a": says("a"), "b": fails_first}, checkpointer=InMemorySaver())
    again = RetryPolicy(initial_interval=0, jitter=False)
    graph = StateGraph(State).add_node("sub", sub, retry_policy=again).add_edge(START, "sub").compile()
    assert drive.invoke(graph, {"log": ["1"]}, thread)["log"] == ["1", "1", "a", "b"]


def test_a_subgraph_that_has_not_begun_is_not_taken_for_begun(drive: Drive, thread: Any) -> None:
    ran: list[Any] = []

    def inside(state: State) -> State:
        ran.append(state["log"][-1])
        return {}

    sub = Journey(drive, None).chain({"inside": inside}, checkpointer=True)

    def call(state: State) -> State:
        sub.invoke({"log": [interrupt("what?")]})
        return {}

    builder = StateGraph(State).add_node("call", call).add_edge(START, "call")
    graph = builder.compile(checkpointer=InMemorySaver())
    for answer in ("one", "two"):
        drive.invoke(graph, {"log": []}, thread)
        drive.invoke(graph, Command(resume=answer), thread)
    assert ran == ["one", "two"]


def test_a_memory_stays_that_of_its_branch_after_a_question(drive: Drive) -> None:
    journey = Journey(drive, True, asks="first")
    journey.go({"log": ["1"]})
    past = drive.state(journey.graph, journey.thread).config
    journey.go(Command(resume="A"))
    before = journey.log
    journey.go({"log": ["2"]})
    journey.go(Command(resume="B"))
    journey.go(None, past)
    journey.go(Command(resume="A"))
    assert journey.log == before
    journey.go({"log": ["2"]})
    journey.go(Command(resume="C"))
    assert "first:B" not in journey.log


def test_a_threads_checkpoints_do_not_grow_with_its_branches(drive: Drive) -> None:
    journey = Journey(drive, True)
    journey.go({"log": ["1"]})
    (past,) = journey.before("sub")
    for _ in range(5):
        journey.go(None, past)
        drive.update(journey.graph, journey.thread, {"log": ["edit"]})
        journey.go({"log": ["2"]})
    saved = journey.graph.checkpointer.get(journey.thread)
    assert len(saved["branches"]) == 1


def test_an_answer_goes_to_the_inner_checkpoint_that_is_named(drive: Drive) -> None:
    journey = Journey(drive, None, asks="b")
    journey.go({"log": ["in"]})
    inside = journey.inside()
    drive.update(journey.graph, inside, {"log": ["edit"]})
    assert journey.go(Command(resume="x"), inside) == (["b", "last"], [])
    assert "edit" not in journey.log


def test_an_input_whose_way_was_asked_for_can_be_run_again(drive: Drive, thread: Any) -> None:
    builder = StateGraph(State).add_node("a", says("a"))
    builder.add_conditional_edges(START, lambda state: interrupt("which?"), ["a"])
    graph = builder.compile(checkpointer=InMemorySaver())
    drive.invoke(graph, {"log": ["in"]}, thread)
    asked = drive.state(graph, thread).config
    drive.invoke(graph, None, asked)
    assert drive.state(graph, thread).next == (START,)
    assert drive.invoke(graph, Command(resume="a"), thread) == {"log": ["in", "a"]}
    drive.invoke(graph, None, asked)
    first = [state.next for state in drive.history(graph, thread) if state.metadata["source"] == "input"]
    assert first == [(START,), (START,)]
    assert drive.state(graph, thread).values == {"log": ["in", "a"]}


def test_an_edit_of_the_graph_above_gives_a_waiting_subgraph_its_input_anew(drive: Drive) -> None:
    journey = Journey(drive, True, asks="b")
    journey.go({"log": ["in"]})
    drive.update(journey.graph, journey.thread, {"log": ["edit"]}, as_node="first")
    assert journey.go(None) == (["a", "b"], ["b?"])
    assert journey.go(Command(resume="x")) == (["b", "last"], [])
    assert "edit" in journey.log
