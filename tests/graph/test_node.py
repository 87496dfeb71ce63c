"""A node as its author described it."""

from __future__ import annotations

import functools
from typing import Any, Literal

import pytest

from headrace.graph import END, START, StateGraph
from headrace.graph.node import NodeSpec, as_tuple, name_of, named_graph, possible_ends
from headrace.graph.state import as_names, labelled
from headrace.types import RetryPolicy
from tests.engine.build import State, chain, says

INNER = chain(says("inner"))


def function(state: State) -> State:
    return {}


def calls_a_graph(state: State) -> Any:
    return INNER.invoke(state)


class Action:
    def __call__(self, state: State) -> State:
        return {}


class Named:
    def get_name(self) -> str:
        return "its own name"

    def __call__(self, state: State) -> State:
        return {}


@pytest.mark.parametrize(
    ("action", "name"),
    [
        (function, "function"),
        (functools.partial(functools.partial(function)), "function"),
        (Action(), "Action"),
        (Named(), "its own name"),
        (INNER, "LangGraph"),
    ],
)
def test_a_node_is_named_after_what_it_does(action: Any, name: str) -> None:
    assert name_of(action) == name


def enclosing() -> Any:
    inner = chain(says("x"))

    def node(state: State) -> Any:
        return inner.invoke(state)

    return node


def test_a_graph_that_a_function_calls_is_found() -> None:
    assert named_graph(calls_a_graph) is INNER
    assert named_graph(functools.partial(calls_a_graph)) is INNER
    assert named_graph(enclosing()) is not None


@pytest.mark.parametrize("action", [function, Action(), len])
def test_where_none_is_called_none_is_found(action: Any) -> None:
    assert named_graph(action) is None


def test_a_graph_as_a_node_is_its_subgraph() -> None:
    assert NodeSpec("n", INNER).subgraph is INNER
    assert NodeSpec("n", INNER).inner is INNER
    assert NodeSpec("n", calls_a_graph).subgraph is None
    assert NodeSpec("n", calls_a_graph).inner is INNER


def route(state: State) -> Literal["a", "__end__"]:
    return "a"


def unknown(state: State) -> NoSuchName:  # type: ignore[name-defined] # noqa: F821 - that is the case
    return "a"


def somewhere(state: State) -> str:
    return "a"


@pytest.mark.parametrize(
    ("path", "path_map", "ends"),
    [
        (somewhere, {"x": "a"}, {"x": "a"}),
        (somewhere, ["a", "b"], {"a": "a", "b": "b"}),
        (route, None, {"a": "a", "__end__": "__end__"}),
        (somewhere, None, None),
        (unknown, None, None),
        (functools.partial(route), None, None),
        (Action(), None, None),
    ],
)
def test_where_an_edge_may_lead(path: Any, path_map: Any, ends: Any) -> None:
    assert possible_ends(path, path_map) == ends


def test_one_policy_or_several_or_none() -> None:
    one = RetryPolicy()
    assert as_tuple(None) == ()
    assert as_tuple(one) == (one,)
    assert as_tuple([one, one]) == (one, one)


def test_names_of_nodes() -> None:
    assert (as_names(None), as_names("*"), as_names(["a", "b"])) == ((), ("*",), ("a", "b"))


def test_destinations_may_have_labels() -> None:
    assert labelled({"a": "yes"}) == {"a": "yes"}
    assert labelled(("a", END)) == {"a": None, END: None}
    assert labelled(None) == {}


def test_destinations_are_drawn() -> None:
    builder = StateGraph(State).add_node("a", function, destinations={"b": "maybe"}).add_node("b", function)
    assert "maybe" in builder.add_edge(START, "a").compile().get_graph().draw_mermaid()
