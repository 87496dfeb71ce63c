"""What makes a graph fit wherever a Runnable is taken."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from headrace.config import get_config
from headrace.graph.runnable import added, one_each
from tests.drive import Drive, collected
from tests.engine.build import State, chain, says


def bad(state: State) -> State:
    if state["log"] == ["bad"]:
        raise ValueError("bad")
    return {"log": ["good"]}


def test_a_batch_gives_results_in_the_order_of_its_inputs(drive: Drive) -> None:
    results = drive.call(chain(says("a")), "batch", [{"log": [index]} for index in range(20)])
    assert results == [{"log": [index, "a"]} for index in range(20)]


def test_an_empty_batch_is_empty(drive: Drive) -> None:
    assert drive.call(chain(says("a")), "batch", []) == []


def test_a_failure_in_a_batch_is_raised(drive: Drive) -> None:
    with pytest.raises(ValueError, match="bad"):
        drive.call(chain(bad), "batch", [{"log": []}, {"log": ["bad"]}])


def test_a_failure_in_a_batch_can_be_returned_in_its_place(drive: Drive) -> None:
    results = drive.call(chain(bad), "batch", [{"log": ["bad"]}, {"log": []}], return_exceptions=True)
    assert repr(results[0]) == "ValueError('bad')"
    assert results[1] == {"log": ["good"]}


def test_each_input_can_have_its_own_config(drive: Drive) -> None:
    graph = chain(lambda state: {"log": [get_config()["configurable"]["who"]]})
    configs = [{"configurable": {"who": name}} for name in ("me", "you")]
    assert drive.call(graph, "batch", [{"log": []}] * 2, configs) == [{"log": ["me"]}, {"log": ["you"]}]


def test_there_must_be_as_many_configs_as_inputs(drive: Drive) -> None:
    with pytest.raises(ValueError, match="1 configs for 2 inputs; give one config, or one for each input"):
        drive.call(chain(says("a")), "batch", [{"log": []}] * 2, [{}])


def test_one_config_is_for_all_but_its_run_id_is_for_the_first() -> None:
    assert one_each({"run_id": 1, "tags": ["t"]}, 3) == [{"run_id": 1, "tags": ["t"]}, {"tags": ["t"]}, {"tags": ["t"]}]
    assert one_each(None, 2) == [{}, {}]
    assert one_each({"run_id": 1}, 0) == []


def test_a_batch_runs_no_more_at_a_time_than_it_is_told(drive: Drive) -> None:
    lock, running, most = threading.Lock(), 0, 0

    def node(state: State) -> State:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        with lock:
            running -= 1
        return {}

    drive.call(chain(node), "batch", [{"log": []}] * 12, {"max_concurrency": 2})
    assert most in (1, 2)


def test_a_graph_takes_an_input_in_chunks() -> None:
    graph = chain(says("a"))
    assert list(graph.transform(iter([{"log": [1]}]))) == [{"a": {"log": ["a"]}}]

    async def chunks() -> AsyncIterator[Any]:
        yield {"log": [1]}
        yield {"log": [2]}

    assert asyncio.run(collected(graph.atransform(chunks(), stream_mode="values"))) == [{"log": [2]}, {"log": [2, "a"]}]


@pytest.mark.parametrize(
    ("chunks", "total"), [([], None), ([1], 1), ([[1], [2]], [1, 2]), ([{"a": 1}, {"b": 2}], {"b": 2})]
)
def test_chunks_are_added_up_where_they_can_be(chunks: list[Any], total: Any) -> None:
    assert added(chunks) == total


def test_a_graph_has_a_name() -> None:
    graph = chain(says("a"), name="wheel")
    assert (graph.get_name(), graph.get_name("Input"), graph.get_name(name="other")) == ("wheel", "wheelInput", "other")


def test_an_attribute_that_is_nowhere_is_an_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="__nothing__"):
        _ = chain(says("a")).__nothing__


def test_a_graph_is_a_runnable_for_langchain() -> None:
    runnables = pytest.importorskip("langchain_core.runnables.base")
    graph = chain(says("a"))
    assert isinstance(graph, runnables.Runnable)
    assert (graph | (lambda state: state["log"])).invoke({"log": []}) == ["a"]
    assert ((lambda text: {"log": [text]}) | graph).invoke("x") == {"log": ["x", "a"]}
    assert graph.bind().invoke({"log": []}) == {"log": ["a"]}
    assert issubclass(graph.get_input_schema(), object)
    assert graph.InputType is State
    assert graph.OutputType is State
