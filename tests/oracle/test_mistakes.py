"""Graphs that are refused by both, with the same type of error.

Each is built and compiled: headrace keeps some mistakes for `compile`, which reports them all at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .programs.control import saying
from .programs.returns import State
from .roots import REFERENCE, SUBJECT, Kit, Root

pytestmark = pytest.mark.main_only


def no_entry(kit: Kit) -> None:
    kit.StateGraph(State).add_node("a", saying("a")).compile()


def edge_to_an_unknown_node(kit: Kit) -> None:
    kit.graph(State, {"a": saying("a")}, (kit.START, "a"), ("a", "zz")).compile()


def edge_from_an_unknown_node(kit: Kit) -> None:
    kit.graph(State, {"a": saying("a")}, (kit.START, "a"), ("zz", "a")).compile()


def edge_from_the_end(kit: Kit) -> None:
    kit.graph(State, {"a": saying("a")}, (kit.START, "a"), (kit.END, "a")).compile()


def edge_to_the_start(kit: Kit) -> None:
    kit.graph(State, {"a": saying("a")}, (kit.START, "a"), ("a", kit.START)).compile()


def join_from_an_unknown_node(kit: Kit) -> None:
    kit.graph(State, {"a": saying("a"), "b": saying("b")}, (kit.START, "a"), (("a", "zz"), "b")).compile()


def node_twice(kit: Kit) -> None:
    kit.chain(State, a=saying("a")).add_node("a", saying("a")).compile()


def node_named_as_the_end(kit: Kit) -> None:
    kit.graph(State, {kit.END: saying("a")}, (kit.START, kit.END)).compile()


def node_named_with_a_reserved_sign(kit: Kit) -> None:
    kit.graph(State, {"a|b": saying("a")}, (kit.START, "a|b")).compile()


def branch_map_to_an_unknown_node(kit: Kit) -> None:
    builder = kit.graph(State, {"a": saying("a")}, (kit.START, "a"))
    builder.add_conditional_edges("a", lambda state: "x", {"x": "zz"}).compile()


def branch_from_an_unknown_node(kit: Kit) -> None:
    builder = kit.graph(State, {"a": saying("a")}, (kit.START, "a"))
    builder.add_conditional_edges("zz", lambda state: "a").compile()


def branch_twice_under_one_name(kit: Kit) -> None:
    def choose(state: State) -> str:
        return "a"

    builder = kit.graph(State, {"a": saying("a")}, (kit.START, "a"))
    builder.add_conditional_edges("a", choose).add_conditional_edges("a", choose).compile()


def stop_before_an_unknown_node(kit: Kit) -> None:
    kit.chain(State, a=saying("a")).compile(interrupt_before=["zz"])


BUILDS: list[Callable[[Kit], None]] = [
    no_entry,
    edge_to_an_unknown_node,
    edge_from_an_unknown_node,
    edge_from_the_end,
    edge_to_the_start,
    join_from_an_unknown_node,
    node_twice,
    node_named_as_the_end,
    node_named_with_a_reserved_sign,
    branch_map_to_an_unknown_node,
    branch_from_an_unknown_node,
    branch_twice_under_one_name,
    stop_before_an_unknown_node,
]


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.__name__)
def test_mistakes_are_refused_alike(build: Callable[[Kit], None]) -> None:
    expected = refused(build, REFERENCE)
    assert issubclass(expected, ValueError)
    assert issubclass(refused(build, SUBJECT), expected)


def refused(build: Callable[[Kit], Any], root: Root) -> type[Exception]:
    with pytest.raises(Exception) as caught:  # which type it is, is the question
        build(Kit(root))
    return caught.type
