"""What code can ask of the run it belongs to, and how configs are merged."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.config import discard, get_config, get_store, get_stream_writer, join_callbacks, merge
from headrace.runtime import get_runtime
from tests.drive import Drive
from tests.engine.build import State, chain


@pytest.mark.parametrize("ask", [get_config, get_store, get_runtime], ids=lambda ask: ask.__name__)
def test_outside_a_run_the_error_says_what_was_asked_for(ask: Any) -> None:
    with pytest.raises(RuntimeError, match=rf"{ask.__name__}\(\) works inside a node of a running graph"):
        ask()


def test_outside_a_run_a_writer_does_nothing() -> None:
    assert get_stream_writer() is discard
    get_stream_writer()("x")


def test_inside_a_node_all_can_be_asked(drive: Drive) -> None:
    def node(state: State) -> State:
        get_stream_writer()("told")
        return {"log": [get_config()["configurable"]["who"], get_store(), get_runtime().context]}

    graph = chain(node, store="the store")
    config = {"configurable": {"who": "me"}}
    events = drive.stream(graph, {"log": []}, config, context="c", stream_mode=["custom", "updates"])
    assert events == [("custom", "told"), ("updates", {"node": {"log": ["me", "the store", "c"]}})]


def test_after_a_run_nothing_can_be_asked(drive: Drive) -> None:
    drive.invoke(chain(lambda state: {}), {"log": []})
    with pytest.raises(RuntimeError):
        get_config()


# merging


@pytest.mark.parametrize(
    ("configs", "merged"),
    [
        ([], {}),
        ([None, {}], {}),
        ([{"run_name": "a", "recursion_limit": 1}, {"run_name": "b"}], {"run_name": "b", "recursion_limit": 1}),
        ([{"recursion_limit": 1}, {"recursion_limit": None}], {"recursion_limit": 1}),
        ([{"metadata": {"a": 1, "b": 1}}, {"metadata": {"b": 2}}], {"metadata": {"a": 1, "b": 2}}),
        ([{"configurable": {"a": 1}}, {"configurable": {"b": 2}}], {"configurable": {"a": 1, "b": 2}}),
        ([{"tags": ["a", "b"]}, {"tags": ["b", "c"]}], {"tags": ["a", "b", "c"]}),
        ([{"callbacks": [1]}, {"callbacks": [2]}], {"callbacks": [1, 2]}),
        ([{"callbacks": []}, {"callbacks": [2]}], {"callbacks": [2]}),
    ],
)
def test_later_configs_win_and_collections_are_joined(configs: Any, merged: Any) -> None:
    assert merge(*configs) == merged


def test_merging_changes_neither() -> None:
    one: Any = {"metadata": {"a": 1}, "tags": ["a"]}
    other: Any = {"metadata": {"b": 1}, "tags": ["b"]}
    merge(one, other)["metadata"]["c"] = 1
    assert (one, other) == ({"metadata": {"a": 1}, "tags": ["a"]}, {"metadata": {"b": 1}, "tags": ["b"]})


class Manager:
    """What langchain-core's callback managers have."""

    def __init__(self, *handlers: Any) -> None:
        self.handlers = list(handlers)

    def copy(self) -> Manager:
        return Manager(*self.handlers)

    def add_handler(self, handler: Any, inherit: bool) -> None:
        assert inherit
        self.handlers.append(handler)


@pytest.mark.parametrize(
    ("first", "second", "handlers"),
    [(Manager(1), [2], [1, 2]), ([1], Manager(2), [2, 1]), (Manager(1), Manager(2), [1, 2])],
)
def test_handlers_and_managers_are_joined_in_a_new_manager(first: Any, second: Any, handlers: list[int]) -> None:
    before = [list(getattr(one, "handlers", one)) for one in (first, second)]
    assert join_callbacks(first, second).handlers == handlers
    assert [list(getattr(one, "handlers", one)) for one in (first, second)] == before


@pytest.mark.parametrize("nothing", [None, []])
def test_no_callbacks_leave_the_others_as_they_are(nothing: Any) -> None:
    manager = Manager(1)
    assert join_callbacks(nothing, manager) is manager
