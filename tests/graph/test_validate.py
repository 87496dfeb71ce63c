"""All mistakes of a graph, at once, with names and remedy."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

import pytest

from headrace.errors import InvalidGraphError
from headrace.graph import END, START, StateGraph
from tests.engine.build import State, says

Builder = StateGraph[Any, Any, Any, Any]


def builder(*names: str) -> Builder:
    """A graph that starts at the first of these nodes."""
    graph = StateGraph(State)
    for name in names:
        graph.add_node(name, says(name))
    return graph.add_edge(START, names[0])


def mistakes(graph: Builder, **options: Any) -> tuple[str, ...]:
    with pytest.raises(InvalidGraphError) as caught:
        graph.compile(**options)
    return caught.value.mistakes


def mistake(graph: Builder, **options: Any) -> str:
    """The only one."""
    (only,) = mistakes(graph, **options)
    return only


def test_a_graph_without_mistakes_compiles() -> None:
    graph = builder("a", "b").add_edge("a", "b").add_edge("b", END)
    assert graph.validate() is graph


def test_all_mistakes_are_told_at_once() -> None:
    graph = StateGraph(State).add_node("first", says("a")).add_edge("frist", "secnod")
    with pytest.raises(InvalidGraphError) as caught:
        graph.compile(interrupt_before=["nobody"])
    text = str(caught.value)
    assert text.startswith("the graph has 4 mistakes:\n  - ")
    assert len(caught.value.mistakes) == 4
    assert all(one in text for one in caught.value.mistakes)


def test_one_mistake_is_the_message() -> None:
    with pytest.raises(InvalidGraphError) as caught:
        StateGraph(State).add_node("a", says("a")).compile()
    assert str(caught.value) == caught.value.mistakes[0]


def test_a_missing_entry_point_comes_with_the_edge_that_adds_it() -> None:
    text = mistake(StateGraph(State).add_node("a", says("a")))
    assert text == "the graph has no entry point; add one: add_edge(START, 'a')"


def test_an_empty_graph_has_no_entry_point() -> None:
    assert "no entry point" in mistake(StateGraph(State))


def test_an_unknown_target_comes_with_the_name_that_was_meant() -> None:
    text = mistake(builder("write", "review").add_edge("write", "reveiw"))
    assert text == "an edge from 'write' leads to unknown node 'reveiw'; did you mean 'review'?"


def test_where_none_is_close_all_names_are_told() -> None:
    assert mistake(builder("a", "b").add_edge("a", "zzzzzz")).endswith("the nodes are: 'a', 'b'")


def test_an_unknown_start_is_named() -> None:
    assert "an edge to 'a' starts at unknown node 'zz'" in mistake(builder("a").add_edge("zz", "a"))


def test_nothing_comes_after_the_end_or_before_the_start() -> None:
    assert "nothing comes after END" in mistake(builder("a").add_edge(END, "a"))
    assert "nothing comes before START" in mistake(builder("a").add_edge("a", START))


def test_a_join_names_its_unknown_starts() -> None:
    found = mistakes(builder("a", "b").add_edge(["a", "zz"], "b").add_edge([START, "a"], "b"))
    assert ["'zz'" in found[0], f"{START!r}" in found[1]] == [True, True]


def test_a_join_names_all_its_starts_where_it_leads_nowhere() -> None:
    assert "an edge from 'a' and 'b' leads to unknown node 'zz'" in mistake(
        builder("a", "b").add_edge(["a", "b"], "zz")
    )


def test_a_conditional_edge_names_its_unknown_start_and_targets() -> None:
    graph = builder("a")
    graph.add_conditional_edges("zz", lambda state: "a")

    def route(state: State) -> str:
        return "x"

    graph.add_conditional_edges("a", route, {"x": "yy", "end": END, "a": "a"})
    first, second = mistakes(graph)
    assert "a conditional edge starts at unknown node 'zz'" in first
    assert "the conditional edge 'route' from 'a' leads to unknown node 'yy'" in second


def test_a_conditional_edge_can_be_the_entry() -> None:
    graph = StateGraph(State).add_node("a", says("a"))
    assert graph.set_conditional_entry_point(lambda state: "a").validate() is graph


def test_a_destination_must_be_there() -> None:
    graph = StateGraph(State).add_node("a", says("a"), destinations=("b", END)).add_edge(START, "a")
    assert "node 'a' names the unknown destination 'b'" in mistake(graph)


@pytest.mark.parametrize("name", [START, END])
def test_a_node_cannot_be_called_as_the_start_or_the_end(name: str) -> None:
    assert any(f"a node cannot be called {name!r}" in text for text in mistakes(builder(name)))


def test_a_node_cannot_be_called_like_an_error_handler() -> None:
    assert "begins like the name of an error handler" in mistake(builder("__error_handler__a"))


@pytest.mark.parametrize("sign", ["|", ":"])
def test_signs_that_separate_namespaces_cannot_be_in_a_name(sign: str) -> None:
    assert mistake(builder(f"a{sign}b")).startswith(f"node 'a{sign}b' has {sign!r} in its name")


def test_two_nodes_of_one_name_are_told() -> None:
    assert "two nodes are called 'a'" in mistake(builder("a").add_node("a", says("a")))


def test_a_node_without_a_function_is_told() -> None:
    graph: Any = builder("a")
    assert mistake(graph.add_node("b")) == "node 'b' has no function; pass one: add_node('b', function)"


def test_two_conditional_edges_by_one_function_are_told() -> None:
    def route(state: State) -> str:
        return END

    graph = builder("a").add_conditional_edges("a", route).add_conditional_edges("a", route)
    assert "node 'a' has two conditional edges by 'route'" in mistake(graph)


def test_an_empty_sequence_is_told() -> None:
    assert "add_sequence() got no nodes" in mistake(builder("a").add_sequence([]))


@pytest.mark.parametrize("where", ["interrupt_before", "interrupt_after"])
def test_a_pause_at_an_unknown_node_is_told(where: str) -> None:
    assert "interrupt at unknown node 'b'" in mistake(builder("a"), **{where: ["b"]})


def test_a_pause_at_every_node_is_none() -> None:
    assert builder("a").compile(interrupt_before="*").interrupt_before == "*"
    builder("a").validate("*")


class Added(TypedDict):
    log: Annotated[list[int], operator.add]


class Joined(TypedDict):
    log: Annotated[list[int], operator.iadd]


class Plain(TypedDict):
    log: list[int]


def test_a_key_with_two_reducers_is_told() -> None:
    graph: Any = StateGraph(Added, input_schema=Joined).add_node("a", lambda state: {}).add_edge(START, "a")
    text = mistake(graph)
    assert text.startswith("key 'log' is BinaryOperatorAggregate('')")
    assert "in Joined; give it the same annotation in both" in text


@pytest.mark.parametrize(("state", "input"), [(Added, Plain), (Plain, Added)])
def test_a_key_that_one_schema_says_more_of_has_what_it_says(state: Any, input: Any) -> None:
    graph: Any = StateGraph(state, input_schema=input).add_node("a", lambda state: {"log": [2]}).add_edge(START, "a")
    assert graph.compile().invoke({"log": [1]}) == {"log": [1, 2]}


def test_a_node_that_is_a_builder_is_told() -> None:
    assert "is a graph that is not compiled; pass its compile()" in mistake(builder("a").add_node("b", builder("c")))
