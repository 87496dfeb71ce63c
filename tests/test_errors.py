"""The tree of errors, and what each says."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

from headrace import errors
from headrace.errors import (
    GraphDrained,
    GraphInterrupt,
    HeadraceError,
    InvalidGraphError,
    NodeCancelledError,
    NodeInterrupt,
    NodeTimeoutError,
    ParentCommand,
    UnknownInterruptError,
)
from headrace.types import Command, Interrupt

TREE = re.findall(r"[├└]── (\w+)(?: \((\w+)\))?", errors.__doc__ or "")
"""The classes that the picture at the top of the module shows, with their second bases."""


def classes() -> dict[str, type]:
    """Every exception of the module."""
    found = inspect.getmembers(errors, inspect.isclass)
    return {
        name: kind for name, kind in found if kind.__module__ == errors.__name__ and issubclass(kind, BaseException)
    }


def test_the_picture_shows_every_error() -> None:
    assert {name for name, _ in TREE} == set(classes())


@pytest.mark.parametrize(("name", "base"), TREE)
def test_an_error_is_caught_as_the_picture_says(name: str, base: str) -> None:
    kind = classes()[name]
    if base:
        assert base in {one.__name__ for one in kind.__mro__}
    assert issubclass(kind, HeadraceError) is not issubclass(kind, errors.GraphBubbleUp)


def test_control_flow_is_not_caught_by_accident() -> None:
    assert not issubclass(errors.GraphBubbleUp, Exception)


def test_a_run_timeout_says_how_long_it_took_and_may_take() -> None:
    error = NodeTimeoutError("a", 1.2345, kind="run", run_timeout=1)
    assert str(error) == "node 'a' was stopped after 1.23 s: its run timeout is 1 s"
    assert (error.node, error.elapsed, error.kind, error.run_timeout, error.idle_timeout) == (
        "a",
        1.2345,
        "run",
        1,
        None,
    )


def test_an_idle_timeout_says_how_long_it_may_be_silent() -> None:
    error = NodeTimeoutError("a", 1.2, kind="idle", idle_timeout=0.5)
    assert str(error) == "node 'a' was silent for its idle timeout of 0.5 s and was stopped"


def test_a_drained_run_says_why() -> None:
    assert str(GraphDrained("deploy")) == "the run was drained between two super-steps: deploy"
    assert GraphDrained().reason == "shutdown"


def test_a_cancelled_node_is_named() -> None:
    assert str(NodeCancelledError("a")) == "node 'a' was cancelled from inside, not by the run it belongs to"
    assert (str(NodeCancelledError("a", "why")), NodeCancelledError("a").node) == ("why", "a")


@pytest.mark.parametrize(
    ("mistakes", "text"),
    [(["one"], "one"), (["one", "two"], "the graph has 2 mistakes:\n  - one\n  - two")],
)
def test_mistakes_are_listed(mistakes: list[str], text: str) -> None:
    assert str(InvalidGraphError(mistakes)) == text
    assert InvalidGraphError(mistakes).mistakes == tuple(mistakes)


def test_an_unknown_interrupt_says_what_was_given_and_what_waits() -> None:
    error = UnknownInterruptError("text", reason="not_pending", interrupt_ids=["a"], pending_ids=["b"])
    assert (str(error), error.reason, error.interrupt_ids, error.pending_ids) == ("text", "not_pending", ("a",), ("b",))


@pytest.mark.parametrize(
    ("error", "interrupts"),
    [
        (GraphInterrupt(), ()),
        (GraphInterrupt([Interrupt("?", "i")]), (Interrupt("?", "i"),)),
        (NodeInterrupt("?"), (Interrupt("?"),)),
        (NodeInterrupt("?", id="i"), (Interrupt("?", "i"),)),
    ],
)
def test_an_interrupt_carries_its_questions(error: GraphInterrupt, interrupts: Any) -> None:
    assert error.interrupts == interrupts


def test_a_parent_command_carries_its_command() -> None:
    command: Command[Any] = Command(graph=Command.PARENT)
    assert ParentCommand(command).command is command
