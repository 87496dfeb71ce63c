"""From a call to a run: what of the call, of the graph and of the run around it counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

import pytest

from headrace.cache.memory import InMemoryCache
from headrace.checkpoint.memory import InMemorySaver
from headrace.config import get_config, get_store
from headrace.errors import GraphDrained, GraphRecursionError
from headrace.graph import START, StateGraph
from headrace.runtime import RunControl, Runtime, get_runtime
from headrace.stream.modes import MODES
from headrace.types import CachePolicy
from tests.drive import Drive
from tests.engine.build import State, chain, says


def calling(inner: Any, config: Any = None, **options: Any) -> Any:
    """A node that runs a graph and adds what it comes to."""

    def node(state: State) -> State:
        return {"log": [inner.invoke({"log": []}, config, **options)["log"]]}

    return node


# bad input


@pytest.mark.parametrize("mode", ["zz", ["values", "zz"]])
@pytest.mark.parametrize("method", ["stream", "astream", "events", "aevents"])
def test_an_unknown_mode_is_refused_at_the_call_and_the_modes_are_named(mode: Any, method: str) -> None:
    with pytest.raises(ValueError, match="'zz'") as caught:
        getattr(chain(says("a")), method)({"log": []}, stream_mode=mode)
    assert all(known in str(caught.value) for known in MODES)


def test_an_unknown_mode_is_refused_by_invoke_too(drive: Drive) -> None:
    ran: list[int] = []
    with pytest.raises(ValueError, match="unknown stream mode 'zz'"):
        drive.invoke(chain(lambda state: ran.append(1)), {"log": []}, stream_mode="zz")
    assert ran == []


def test_an_unknown_mode_to_print_is_refused(drive: Drive) -> None:
    with pytest.raises(ValueError, match="unknown stream mode 'zz'"):
        drive.stream(chain(says("a")), {"log": []}, print_mode="zz")


@pytest.mark.parametrize("method", ["stream", "astream"])
@pytest.mark.parametrize("keys", ["zz", ["log", "zz"]])
def test_an_unknown_output_key_is_refused_at_the_call_and_the_keys_are_named(keys: Any, method: str) -> None:
    with pytest.raises(ValueError, match="output key 'zz' is not in the state; its keys are: 'log'"):
        getattr(chain(says("a")), method)({"log": []}, output_keys=keys)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_recursion_limit_below_one_is_refused(limit: int, drive: Drive) -> None:
    with pytest.raises(ValueError, match=f"recursion_limit must be .*at least 1, got {limit}"):
        drive.invoke(chain(says("a")), {"log": []}, {"recursion_limit": limit})


@pytest.mark.parametrize("limit", ["5", 2.5])
def test_a_recursion_limit_that_is_no_whole_number_is_refused(limit: Any, drive: Drive) -> None:
    with pytest.raises(ValueError, match=f"recursion_limit must be a whole number.*got {limit!r}"):
        drive.invoke(chain(says("a")), {"log": []}, {"recursion_limit": limit})


def test_no_recursion_limit_is_the_default_one(drive: Drive) -> None:
    assert drive.invoke(chain(says("a")), {"log": []}, {"recursion_limit": None}) == {"log": ["a"]}


def test_an_unknown_durability_is_refused_with_those_there_are(drive: Drive) -> None:
    with pytest.raises(ValueError, match="unknown durability 'never'; there are: 'sync', 'async', 'exit'"):
        drive.invoke(chain(says("a")), {"log": []}, durability="never")


def test_an_unknown_option_is_refused(drive: Drive) -> None:
    with pytest.raises(TypeError, match="colour"):
        drive.invoke(chain(says("a")), {"log": []}, colour="red")


# the config


def test_the_graphs_own_config_is_the_ground_for_the_calls(drive: Drive) -> None:
    seen: list[Any] = []
    graph = chain(lambda state: seen.append(get_config())).with_config(
        {"tags": ["own"], "configurable": {"a": 1, "b": 1}, "recursion_limit": 7}
    )
    drive.invoke(graph, {"log": []}, {"tags": ["call"], "configurable": {"b": 2}})
    (config,) = seen
    assert (config["tags"], config["recursion_limit"]) == (["own", "call"], 7)
    assert (config["configurable"]["a"], config["configurable"]["b"]) == (1, 2)


def test_a_graph_inside_a_node_inherits_the_config(drive: Drive) -> None:
    inner = chain(lambda state: {"log": [(get_config()["configurable"]["who"], get_config()["metadata"]["topic"])]})
    config = {"configurable": {"who": "me"}, "metadata": {"topic": "cats"}}
    assert drive.invoke(chain(calling(inner)), {"log": []}, config) == {"log": [[("me", "cats")]]}


def test_what_a_node_passes_on_itself_wins(drive: Drive) -> None:
    inner = chain(lambda state: {"log": [get_config()["configurable"]["who"], get_config().get("tags")]})
    outer = chain(calling(inner, {"configurable": {"who": "you"}, "tags": ["inner"]}))
    result = drive.invoke(outer, {"log": []}, {"configurable": {"who": "me"}, "tags": ["outer"]})
    assert result == {"log": [["you", ["outer", "inner"]]]}


def test_a_config_passed_on_does_not_bring_the_callers_place_along(drive: Drive, thread: Any) -> None:
    inner = chain(lambda state: {"log": [get_config()["metadata"]["langgraph_node"]]})

    def outer(state: State, config: Any) -> State:
        return {"log": inner.invoke({"log": []}, config)["log"]}

    graph = chain(outer, checkpointer=InMemorySaver())
    assert drive.invoke(graph, {"log": []}, thread) == {"log": ["<lambda>"]}


def test_a_limit_is_inherited(drive: Drive) -> None:
    inner = StateGraph(State).add_node("a", says("a")).add_edge(START, "a").add_edge("a", "a").compile(name="inner")
    with pytest.raises(GraphRecursionError, match=r"'inner'.* 2 super-steps"):
        drive.invoke(chain(calling(inner)), {"log": []}, {"recursion_limit": 2})


# context, store, cache, control


@dataclass
class Context:
    user: str


class Dict(TypedDict):
    user: str


def asks_context(state: State, runtime: Runtime[Any]) -> State:
    return {"log": [runtime.context]}


@pytest.mark.parametrize(
    ("schema", "given", "seen"),
    [
        (None, {"user": "me"}, {"user": "me"}),
        (Dict, {"user": "me"}, {"user": "me"}),
        (Context, {"user": "me"}, Context("me")),
        (Context, Context("me"), Context("me")),
        (Context, None, None),
    ],
)
def test_the_context_is_made_what_its_schema_says(schema: Any, given: Any, seen: Any, drive: Drive) -> None:
    graph = StateGraph(State, schema).add_node("a", asks_context).add_edge(START, "a").compile()
    assert drive.invoke(graph, {"log": []}, context=given) == {"log": [seen]}


def test_a_graph_inside_a_node_has_the_context_of_the_one_around_it_unless_it_is_given_one(drive: Drive) -> None:
    inner = StateGraph(State, Context).add_node("a", asks_context).add_edge(START, "a").compile()
    outer = chain(calling(inner))
    assert drive.invoke(outer, {"log": []}, context="around") == {"log": [["around"]]}
    own = chain(calling(inner, context={"user": "own"}))
    assert drive.invoke(own, {"log": []}, context="around") == {"log": [[Context("own")]]}


@pytest.mark.parametrize(("own", "seen"), [(None, "outer"), ("inner", "inner")])
def test_a_graph_inside_a_node_has_its_own_store_or_the_one_around_it(own: Any, seen: str, drive: Drive) -> None:
    inner = chain(lambda state: {"log": [get_store(), get_runtime().store]}, store=own)
    assert drive.invoke(chain(calling(inner), store="outer"), {"log": []}) == {"log": [[seen, seen]]}


@pytest.mark.parametrize("own", [True, False])
def test_a_graph_inside_a_node_has_its_own_cache_or_the_one_around_it(own: bool, drive: Drive) -> None:
    calls: list[int] = []

    def counted(state: State) -> State:
        calls.append(1)
        return {"log": ["a"]}

    cache = InMemoryCache()
    builder = StateGraph(State).add_node("a", counted, cache_policy=CachePolicy()).add_edge(START, "a")
    inner = builder.compile(cache=cache if own else None)
    outer = chain(calling(inner), cache=None if own else cache)
    for _ in range(2):
        assert drive.invoke(outer, {"log": []}) == {"log": [["a"]]}
    assert calls == [1]


def test_a_control_drains_the_graphs_inside_nodes_too(drive: Drive) -> None:
    control = RunControl()

    def first(state: State, runtime: Runtime) -> State:
        assert runtime.control is control
        control.request_drain()
        return {}

    with pytest.raises(GraphDrained):
        drive.invoke(chain(calling(chain(first, says("never")))), {"log": []}, control=control)


# what is shown


def test_output_keys_narrow_what_is_told_and_what_comes_out(drive: Drive) -> None:
    builder = StateGraph(Two).add_node("n", lambda state: {"a": 1, "b": 2}).add_edge(START, "n")
    graph = builder.compile()
    assert drive.invoke(graph, {"a": 0}, output_keys=["b"]) == {"b": 2}
    assert drive.invoke(graph, {"a": 0}, output_keys="b") == 2
    assert drive.stream(graph, {"a": 0}, output_keys="b") == [{"n": 2}]
    assert drive.stream(graph, {"a": 0}, output_keys=["b"]) == [{"n": {"b": 2}}]
    assert drive.stream(graph, {"a": 0}, output_keys=["b"], stream_mode="values") == [{"b": 2}]


class Two(TypedDict, total=False):
    a: int
    b: int


# graphs inside nodes


def spaces(drive: Drive, graph: Any, **options: Any) -> list[Any]:
    """The namespaces of all events, with task ids cut off."""
    events = drive.stream(graph, {"log": []}, stream_mode="updates", subgraphs=True, **options)
    return [tuple(part.split(":")[0] for part in ns) for ns, _ in events]


def test_two_runs_inside_one_task_have_namespaces_of_their_own(drive: Drive) -> None:
    inner = chain(says("a"))

    def twice(state: State) -> State:
        inner.invoke({"log": []})
        inner.invoke({"log": []})
        return {}

    assert spaces(drive, chain(twice)) == [("twice",), ("twice", "1"), ()]


def test_a_stream_inside_a_node_has_its_own_consumer_beside_the_one_above(drive: Drive) -> None:
    inner = chain(says("a"))
    seen: list[Any] = []

    def node(state: State) -> State:
        seen.extend(inner.stream({"log": []}, stream_mode="updates"))
        return {}

    assert spaces(drive, chain(node)) == [("node",), ()]
    assert seen == [{"a": {"log": ["a"]}}]


def test_a_subgraph_without_consumers_tells_nobody(drive: Drive) -> None:
    graph = StateGraph(State).add_node("sub", chain(says("a"))).add_edge(START, "sub").compile()
    assert drive.stream(graph, {"log": []}, stream_mode="updates") == [{"sub": {"log": ["a"]}}]


def test_a_checkpointer_of_its_own_keeps_a_subgraphs_thread(drive: Drive, thread: Any) -> None:
    saver = InMemorySaver()
    inner = chain(says("a"), checkpointer=saver)
    outer = chain(calling(inner))
    drive.invoke(outer, {"log": []}, thread)
    spaces_stored = {one.config["configurable"]["checkpoint_ns"].split(":")[0] for one in saver.list(thread)}
    assert spaces_stored == {"node"}
