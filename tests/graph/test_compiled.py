"""The face of a compiled graph."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.cache.memory import InMemoryCache
from headrace.checkpoint.memory import InMemorySaver
from headrace.graph import START, StateGraph
from headrace.types import CachePolicy, GraphOutput
from tests.drive import Drive
from tests.engine.build import State, chain, says


def nested() -> Any:
    """A graph `outer` in which `middle` contains `inner`."""
    inner = chain(says("leaf"))
    middle = StateGraph(State).add_node("inner", inner).add_node("f", says("f")).add_edge(START, "inner").compile()
    return StateGraph(State).add_node("middle", middle).add_node("g", says("g")).add_edge(START, "middle").compile()


# results


def test_invoke_returns_the_last_state(drive: Drive) -> None:
    assert drive.invoke(chain(says("a"), says("b")), {"log": []}) == {"log": ["a", "b"]}


@pytest.mark.parametrize("mode", ["updates", ["updates", "values"]])
def test_invoke_with_another_mode_returns_its_events(mode: Any, drive: Drive) -> None:
    graph = chain(says("a"))
    assert drive.invoke(graph, {"log": []}, stream_mode=mode) == drive.stream(graph, {"log": []}, stream_mode=mode)


def test_a_graph_streams_updates_unless_asked_for_something_else(drive: Drive) -> None:
    assert drive.stream(chain(says("a")), {"log": []}) == [{"a": {"log": ["a"]}}]


def test_no_modes_tell_nothing_and_run_everything(drive: Drive) -> None:
    calls: list[int] = []
    assert drive.stream(chain(lambda state: calls.append(1)), {"log": []}, stream_mode=[]) == []
    assert calls == [1]


# printing


def test_printed_modes_are_printed_beside_what_is_streamed(drive: Drive, capsys: pytest.CaptureFixture[str]) -> None:
    events = drive.stream(chain(says("a")), {"log": []}, stream_mode="values", print_mode="updates")
    assert events == [{"log": []}, {"log": ["a"]}]
    assert "[updates]" in (printed := capsys.readouterr().out)
    assert "{'a': {'log': ['a']}}" in printed
    assert "[values]" not in printed


def test_a_printed_event_of_a_subgraph_says_where_it_is_from(drive: Drive, capsys: pytest.CaptureFixture[str]) -> None:
    drive.stream(nested(), {"log": []}, stream_mode="values", print_mode="updates", subgraphs=True)
    assert "[middle:" in capsys.readouterr().out


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize(("compiled", "called"), [(True, None), (False, True)])
def test_debug_prints_every_step_and_changes_no_result(
    version: str, compiled: bool, called: Any, drive: Drive, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = chain(says("a"), debug=compiled)
    result = drive.invoke(graph, {"log": []}, debug=called, version=version)
    assert result == ({"log": ["a"]} if version == "v1" else GraphOutput({"log": ["a"]}))
    assert "[tasks]" in (printed := capsys.readouterr().out)
    assert "[values]" in printed


def test_a_call_can_keep_a_debugged_graph_silent(drive: Drive, capsys: pytest.CaptureFixture[str]) -> None:
    drive.stream(chain(says("a"), debug=True), {"log": []}, debug=False)
    assert capsys.readouterr().out == ""


# copies


def test_a_graph_with_a_config_is_another_graph(drive: Drive) -> None:
    graph = chain(says("a"))
    bound = graph.with_config({"tags": ["a"]}, run_name="bound")
    again = bound.with_config(tags=["b"])
    assert (graph.config, bound.config) == ({}, {"tags": ["a"], "run_name": "bound"})
    assert again.config == {"tags": ["a", "b"], "run_name": "bound"}
    assert drive.invoke(again, {"log": []}) == {"log": ["a"]}


def test_a_copy_has_some_attributes_replaced() -> None:
    graph = chain(says("a"), name="one")
    other = graph.copy({"name": "two"})
    assert (graph.name, other.name, graph.copy().name) == ("one", "two", "one")


# caches


@pytest.mark.parametrize(("nodes", "calls"), [(None, 2), (["a"], 2), (["b"], 1)])
def test_cached_results_can_be_forgotten_by_node(nodes: Any, calls: int, drive: Drive) -> None:
    ran: list[int] = []
    builder = StateGraph(State).add_node("a", lambda state: ran.append(1), cache_policy=CachePolicy())
    graph = builder.add_edge(START, "a").compile(cache=InMemoryCache())
    drive.invoke(graph, {"log": []})
    drive.call(graph, "clear_cache", nodes)
    drive.invoke(graph, {"log": []})
    assert len(ran) == calls


def test_without_a_cache_there_is_nothing_to_forget(drive: Drive) -> None:
    drive.call(chain(says("a")), "clear_cache")


# what it is made of


def test_nodes_and_channels_are_there_by_name() -> None:
    graph = chain(says("a"))
    assert list(graph.nodes) == [START, "a"]
    assert {"log", "branch:to:a"} <= set(graph.channels)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, ["middle"]),
        ({"recurse": True}, ["middle", "middle|inner"]),
        ({"namespace": "middle"}, ["middle"]),
        ({"namespace": "middle|inner"}, ["middle|inner"]),
        ({"namespace": "g"}, []),
        ({"namespace": "middle", "recurse": True}, ["middle", "middle|inner"]),
    ],
)
def test_the_graphs_inside_are_found_by_name(options: Any, names: list[str], drive: Drive) -> None:
    assert [name for name, _ in drive.all(nested(), "get_subgraphs", **options)] == names


def test_a_drawing_can_be_had_both_ways(drive: Drive) -> None:
    drawing = drive.call(nested(), "get_graph", xray=True)
    assert "leaf" in drawing.draw_mermaid()


def test_input_and_output_have_schemas() -> None:
    graph = chain(says("a"))
    assert list(graph.get_input_jsonschema()["properties"]) == ["log"]
    assert list(graph.get_output_jsonschema()["properties"]) == ["log"]
    assert graph.get_context_jsonschema() is None
    assert graph.get_config_jsonschema()["type"] == "object"


def test_a_context_schema_has_a_schema_too() -> None:
    graph = StateGraph(State, State).add_node("a", says("a")).add_edge(START, "a").compile()
    schema = graph.get_context_jsonschema()
    assert schema is not None
    assert "log" in schema["properties"]


def test_a_graph_holds_no_state_of_a_run(drive: Drive) -> None:
    graph = chain(says("a"))
    first, second = graph.stream({"log": [1]}, stream_mode="values"), graph.stream({"log": [2]}, stream_mode="values")
    assert [next(first), next(second), next(first), next(second)] == [
        {"log": [1]},
        {"log": [2]},
        {"log": [1, "a"]},
        {"log": [2, "a"]},
    ]


def test_a_graph_with_a_checkpointer_and_without_comes_to_the_same(drive: Drive, thread: Any) -> None:
    assert drive.invoke(chain(says("a")), {"log": []}) == drive.invoke(
        chain(says("a"), checkpointer=InMemorySaver()), {"log": []}, thread
    )
