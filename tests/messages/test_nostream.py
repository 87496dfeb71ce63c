"""The tag `nostream` silences models and the messages of nodes in `messages` mode, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableLambda

from headrace.graph import START, MessagesState, StateGraph
from headrace.messages import tokens
from tests.messages.build import DRIVERS, Driver, model, one, result, streamed, told

every_driver = pytest.mark.parametrize("driver", DRIVERS)

HELLO = {"messages": [HumanMessage("hi", id="h")]}
QUIET = ["nostream"]


def talk(driver: Driver, tags: list[str] | None = None, text: str = "why not") -> Any:
    """A node's function that returns the message of a model, and one of its own."""
    said = model(text, tags=tags)

    def node(state: MessagesState) -> Any:
        return {"messages": [said.invoke(state["messages"]), AIMessage("of my own")]}

    async def anode(state: MessagesState) -> Any:
        return {"messages": [await said.ainvoke(state["messages"]), AIMessage("of my own")]}

    return anode if driver == "async" else node


def quiet(driver: Driver) -> Any:
    """The same as a node that is tagged as a whole."""
    return RunnableLambda(talk(driver)).with_config(tags=QUIET)


def contents(graph: Any, driver: Driver, **options: Any) -> list[str]:
    return told([event[-1] for event in streamed(graph, driver, ["messages"], input=HELLO, **options)])


def last(graph: Any, driver: Driver) -> list[str]:
    return [message.content for message in result(graph, driver, HELLO)["messages"]]


ALL = ["hi", "why not", "of my own"]


@every_driver
def test_a_tagged_model_is_silent(driver: Driver) -> None:
    graph = one(talk(driver, QUIET), schema=MessagesState)
    assert contents(graph, driver) == ["of my own"]
    assert last(graph, driver) == ALL


@every_driver
def test_a_tagged_model_that_does_not_stream_is_silent(driver: Driver) -> None:
    silent = model(tags=QUIET, disable_streaming=True)
    graph = one(RunnableLambda(lambda state: state["messages"]) | silent | (lambda _: {}), schema=MessagesState)
    assert contents(graph, driver) == []


@every_driver
def test_a_tagged_node_is_silent_in_messages_alone(driver: Driver) -> None:
    graph = one(quiet(driver), schema=MessagesState)
    assert contents(graph, driver) == []
    assert last(graph, driver) == ALL
    [update] = streamed(graph, driver, "updates", input=HELLO)
    assert [message.content for message in update["ask"]["messages"]] == ALL[1:]


@every_driver
def test_other_nodes_go_on_talking(driver: Driver) -> None:
    builder = StateGraph(MessagesState).add_node("quiet", quiet(driver)).add_node("loud", talk(driver, text="yes"))
    graph = builder.add_edge(START, "quiet").add_edge("quiet", "loud").compile()
    assert contents(graph, driver) == ["yes", "of my own"]


@every_driver
def test_a_tagged_subgraph_is_silent(driver: Driver) -> None:
    inner = one(talk(driver), schema=MessagesState).with_config(tags=QUIET)
    graph = one(inner, "sub", schema=MessagesState)
    assert contents(graph, driver, subgraphs=True) == []
    assert contents(graph, driver) == []
    assert last(graph, driver) == ALL


@every_driver
def test_a_subgraph_called_in_a_tagged_node_is_silent(driver: Driver) -> None:
    inner = one(talk(driver), schema=MessagesState)

    async def acall(state: MessagesState) -> Any:
        return await inner.ainvoke(state)

    call: Any = acall if driver == "async" else (inner.invoke)
    graph = one(RunnableLambda(call).with_config(tags=QUIET), "sub", MessagesState)
    assert contents(graph, driver, subgraphs=True) == []
    assert last(graph, driver) == ALL


@every_driver
def test_a_tagged_run_is_silent(driver: Driver) -> None:
    graph = one(talk(driver), schema=MessagesState)
    assert contents(graph, driver, config={"tags": QUIET}) == []
    assert contents(graph.with_config(tags=QUIET), driver) == []


@every_driver
def test_what_a_tag_silences_is_not_warned_of_as_withheld(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning would be an error here."""
    monkeypatch.setattr(tokens.WithheldTap, "warned", False)
    inner = one(talk(driver), schema=MessagesState)

    async def acall(state: MessagesState) -> Any:
        return await inner.ainvoke(state)

    call: Any = acall if driver == "async" else inner.invoke
    assert contents(one(RunnableLambda(call).with_config(tags=QUIET), "sub", MessagesState), driver) == []
    loud_node_in_quiet_graph = one(inner.with_config(tags=QUIET), "sub", MessagesState)
    assert contents(loud_node_in_quiet_graph, driver) == []
    quiet_node_in_loud_graph = one(one(quiet(driver), schema=MessagesState), "sub", MessagesState)
    assert contents(quiet_node_in_loud_graph, driver) == ALL[1:]  # the outer node returns them, and it is not tagged
