"""What a node may return, and what it is told when it returns something else."""

from __future__ import annotations

import warnings
from collections import UserDict
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, TypedDict

import pytest
from pydantic import BaseModel

from headrace.errors import InvalidUpdateError
from headrace.graph import END, START, StateGraph
from headrace.types import Command, Send
from tests.drive import Drive
from tests.engine.build import chain, says
from tests.engine.test_loop import notes


class State(TypedDict, total=False):
    one: int
    two: int


@dataclass
class Update:
    one: int = 1
    strange: int = 0


class Model(BaseModel):
    one: int = 1
    strange: int = 0


class Pair(NamedTuple):
    one: int


def returning(output: Any, **more: Any) -> Any:
    """A graph whose first node, `a`, returns this; nothing leads to its node `b`."""
    builder = StateGraph(State).add_node("a", lambda state: output).add_node("b", lambda state: {"two": 2}, **more)
    return builder.add_edge(START, "a").compile()


@pytest.mark.parametrize(
    "output",
    [
        {"one": 1},
        MappingProxyType({"one": 1}),
        UserDict({"one": 1}),
        Update(),
        Model(),
        Command(update={"one": 1}),
        Command(update=[("one", 1)]),
        Command(update=(("one", 1),)),
        Command(update=Update()),
        [Command(update={"one": 1})],
        (Command(), {"one": 1}),
        [{"one": 1}, Command(goto=END)],
    ],
    ids=repr,
)
def test_an_update_can_come_in_many_forms(output: Any, drive: Drive) -> None:
    assert drive.invoke(returning(output), {"one": 0}) == {"one": 1}


@pytest.mark.parametrize("output", [None, {}, Command(), Command(update={}), Command(update=[])], ids=repr)
def test_no_update_changes_nothing(output: Any, drive: Drive) -> None:
    assert drive.invoke(returning(output), {"one": 0}) == {"one": 0}


@pytest.mark.parametrize("output", ["text", 7, ["one"], [("one", 1)], {"one"}, Pair(1), State], ids=repr)
def test_any_other_return_value_is_shown_with_its_node_and_the_keys_there_are(output: Any, drive: Drive) -> None:
    with pytest.raises(InvalidUpdateError) as caught:
        drive.invoke(returning(output), {"one": 0})
    text = str(caught.value)
    assert f"node 'a' returned {output!r} ({type(output).__name__})" in text
    assert "a dict of the keys it updates ('one', 'two'), a Command, or None" in text


def test_a_long_return_value_is_cut_short(drive: Drive) -> None:
    with pytest.raises(InvalidUpdateError, match=r"returned 'x{76}\.\.\. \(str\)"):
        drive.invoke(returning("x" * 1000), {"one": 0})


@pytest.mark.parametrize("output", [{"oen": 1}, {"oen": 1, "tow": 2}, Command(update={"oen": 1})], ids=repr)
def test_an_update_of_which_no_key_is_known_is_an_error(output: Any, drive: Drive) -> None:
    with pytest.raises(InvalidUpdateError, match=r"node 'a' returned 'oen'.*its keys are: 'one', 'two'"):
        drive.invoke(returning(output), {"one": 0})


def test_an_unknown_key_beside_a_known_one_is_dropped_with_one_warning(drive: Drive) -> None:
    graph = returning({"one": 1, "oen": 5})
    with pytest.warns(RuntimeWarning, match="node 'a' returned 'oen', .*it was dropped. Its keys are: 'one', 'two'"):
        assert drive.invoke(graph, {"one": 0}) == {"one": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert drive.invoke(graph, {"one": 0}) == {"one": 1}


def test_each_unknown_key_is_warned_of_once(drive: Drive) -> None:
    outputs = [{"one": 1, "x": 1}, {"one": 1, "x": 1, "y": 1}]
    builder = StateGraph(State).add_node("a", lambda state: outputs.pop(0)).add_edge(START, "a").add_edge("a", END)
    graph = builder.compile()
    with pytest.warns(RuntimeWarning, match="returned 'x'"):
        drive.invoke(graph, {"one": 0})
    with pytest.warns(RuntimeWarning, match="returned 'x', 'y'"):
        drive.invoke(graph, {"one": 0})


def test_a_subgraph_may_have_keys_that_the_graph_above_does_not_have(drive: Drive) -> None:
    class Wide(State, total=False):
        more: int

    inner = StateGraph(Wide).add_node("n", lambda state: {"one": 1, "more": 2}).add_edge(START, "n").compile()
    assert drive.invoke(StateGraph(State).add_node("sub", inner).add_edge(START, "sub").compile(), {"one": 0}) == {
        "one": 1
    }


# going somewhere


@pytest.mark.parametrize("goto", ["b", ["b"], Send("b", {}), [Send("b", {})], ["b", END]], ids=repr)
def test_a_command_goes_where_it_says(goto: Any, drive: Drive) -> None:
    assert drive.invoke(returning(Command(goto=goto, update={"one": 1})), {"one": 0}) == {"one": 1, "two": 2}


@pytest.mark.parametrize("goto", [END, [END], ()], ids=repr)
def test_a_command_can_go_nowhere(goto: Any, drive: Drive) -> None:
    assert drive.invoke(returning(Command(goto=goto, update={"one": 1})), {"one": 0}) == {"one": 1}


@pytest.mark.parametrize(
    ("goto", "words"),
    [
        ("bb", ("leads to unknown node 'bb'", "did you mean 'b'?")),
        (Send("zzz", {}), ("sends a task to unknown node 'zzz'", "the nodes are: 'a', 'b'")),
        (["b", 7], ("unknown node 7", "END, or a Send")),
        (START, (f"unknown node {START!r}",)),
    ],
    ids=repr,
)
def test_an_unknown_goal_is_told_with_the_node_that_has_it(goto: Any, words: Any, drive: Drive) -> None:
    with pytest.raises(InvalidUpdateError) as caught:
        drive.invoke(returning(Command(goto=goto)), {"one": 0})
    assert str(caught.value).startswith("node 'a' ")
    assert all(word in str(caught.value) for word in words)


def test_a_callers_command_is_told_as_the_callers(drive: Drive) -> None:
    with pytest.raises(InvalidUpdateError, match=r"the caller's command.* unknown node 'zz'"):
        drive.invoke(returning(None), Command(update={"one": 0}, goto="zz"))
    with pytest.raises(InvalidUpdateError, match=r"the caller's command.*'oen'"):
        drive.invoke(returning(None), Command(update={"oen": 0}))


# a state that is one value


def rooted(output: Any) -> Any:
    builder: Any = StateGraph(int).add_node("a", lambda state: output).add_node("b", lambda state: state + 1)
    return builder.add_edge(START, "a").compile()


@pytest.mark.parametrize(
    ("output", "value"),
    [
        (5, 5),
        (None, 1),
        ({"any": 1}, {"any": 1}),
        (Command(update=5), 5),
        (Command(update=5, goto="b"), 6),
        ([Command(update=5)], 5),
        ([1, 2], [1, 2]),
        (Command(update=[("a", 1)]), [("a", 1)]),
    ],
    ids=repr,
)
def test_whatever_a_node_returns_is_the_value(output: Any, value: Any, drive: Drive) -> None:
    assert drive.invoke(rooted(output), 1) == value


# inputs


@pytest.mark.parametrize(
    "input", [{"one": 1}, {"one": 1, "strange": 2}, Update(), Model(), UserDict({"one": 1})], ids=repr
)
def test_an_input_can_come_in_many_forms_and_its_unknown_keys_are_left_out(input: Any, drive: Drive) -> None:
    assert drive.invoke(returning(None), input) == {"one": 1}


def test_an_empty_input_starts_a_run(drive: Drive) -> None:
    assert drive.invoke(returning({"two": 3}), {}) == {"two": 3}


@pytest.mark.parametrize("input", ["text", 7, [("one", 1)], State], ids=repr)
def test_an_input_that_stands_for_no_keys_is_refused(input: Any, drive: Drive) -> None:
    with pytest.raises(InvalidUpdateError, match=r"the input is .*, not a dict; its input keys are: 'one', 'two'"):
        drive.invoke(returning(None), input)


def test_typed_values_that_are_not_complete_stay_a_dict(drive: Drive) -> None:
    @dataclass
    class Strict:
        one: int
        two: int

    builder: Any = StateGraph(Strict, input_schema=State).add_node("a", lambda state: {"two": 2}, input_schema=State)
    graph = builder.add_edge(START, "a").compile()
    parts = drive.stream(graph, {"one": 1}, stream_mode="values", version="v2")
    assert [part["data"] for part in parts] == [{"one": 1}, Strict(1, 2)]


def test_tags_of_a_graph_as_a_node_are_known() -> None:
    inner = chain(says("a")).with_config(tags=["t"])
    outer: Any = StateGraph(State).add_node("sub", inner).add_node("f", lambda state: {}).add_edge(START, "sub")
    nodes = outer.compile().program.nodes
    assert (nodes["sub"].tags, nodes["f"].tags) == (("t",), ())


def test_an_input_that_its_schema_refuses_says_whose_it_is(drive: Drive) -> None:
    def mistaken(state: Any) -> dict[str, Any]:
        return {"one": "no number"}

    builder = StateGraph(Model).add_sequence([("a", mistaken), ("b", lambda model: None)]).add_edge(START, "a")
    with pytest.raises(ValueError, match="one") as caught:
        drive.invoke(builder.compile(), {"one": 1})
    assert notes(caught.value) == ["in the input of node 'b', step 2"]


def test_an_input_sent_to_a_node_that_its_schema_refuses_says_whose_it_is(drive: Drive) -> None:
    builder = StateGraph(Model).add_node("a", lambda model: None).add_edge("a", END)
    builder.add_conditional_edges(START, lambda model: [Send("a", {"one": "no number"})], ["a"])
    with pytest.raises(ValueError, match="one") as caught:
        drive.invoke(builder.compile(), {"one": 1})
    assert notes(caught.value) == ["in the input of node 'a', step 1"]


@pytest.mark.parametrize("saver", ["memory", 1.5, object()])
def test_what_is_no_saver_is_refused(saver: Any) -> None:
    with pytest.raises(TypeError, match=r"checkpointer must be a saver such as InMemorySaver\(\)"):
        StateGraph(State).add_node("a", says("a")).add_edge(START, "a").compile(checkpointer=saver)
