from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, HumanMessage, RemoveMessage
from pydantic import BaseModel

from headrace.checkpoint.memory import InMemorySaver
from headrace.graph import START, StateGraph
from headrace.graph.message import MessageGraph, MessagesState, add_messages, push_message

Node = Callable[[MessagesState], "dict[str, Any] | None"]

HI = {"messages": [HumanMessage("hi", id="h")]}


def one_node(node: Node) -> Any:
    return StateGraph(MessagesState).add_node("node", node).add_edge(START, "node").compile()


def streamed(node: Node) -> tuple[list[Any], list[Any]]:
    """The (content, id, node) of each message event, and the contents of the last state."""
    events = list(one_node(node).stream(HI, stream_mode=["messages", "values"]))
    sent = [
        (m.content, m.id, meta["langgraph_node"]) for m, meta in (data for mode, data in events if mode == "messages")
    ]
    [*_, state] = [data for mode, data in events if mode == "values"]
    return sent, [(message.content, message.id) for message in state["messages"]]


# --- MessagesState


def test_messages_state_appends_what_nodes_return() -> None:
    result = one_node(lambda state: {"messages": AIMessage("yo", id="y")}).invoke({"messages": [("user", "hi")]})
    assert [message.content for message in result["messages"]] == ["hi", "yo"]


def test_messages_state_can_be_given_more_keys() -> None:
    class State(MessagesState):
        count: int

    def node(state: State) -> dict[str, Any]:
        return {"messages": "more", "count": len(state["messages"])}

    graph = StateGraph(State).add_node("node", node).add_edge(START, "node").compile()
    result = graph.invoke(HI)
    assert (len(result["messages"]), result["count"]) == (2, 1)


def test_history_of_a_node_is_its_own() -> None:
    def node(state: MessagesState) -> dict[str, Any]:
        state["messages"].clear()
        return {"messages": [("ai", "yo")]}

    states = list(one_node(node).stream(HI, stream_mode="values"))
    assert [len(state["messages"]) for state in states] == [1, 2]


def test_updates_and_values_show_the_same_ids() -> None:
    bare = AIMessage("yo")
    events = list(one_node(lambda state: {"messages": [bare]}).stream(HI, stream_mode=["updates", "values"]))
    [update] = [data["node"]["messages"][0] for mode, data in events if mode == "updates"]
    [*_, state] = [data for mode, data in events if mode == "values"]
    assert update.id
    assert state["messages"][-1].id == update.id
    assert bare.id is None


# --- push_message


def test_pushed_message_is_streamed_and_written() -> None:
    def node(state: MessagesState) -> None:
        push_message(AIMessage("yo", id="y"))

    assert streamed(node) == ([("yo", "y", "node")], [("hi", "h"), ("yo", "y")])


def test_pushed_messages_come_before_returned_ones() -> None:
    def node(state: MessagesState) -> dict[str, Any]:
        push_message(AIMessage("first", id="1"))
        push_message({"role": "ai", "content": "second", "id": "2"})
        return {"messages": [AIMessage("third", id="3")]}

    sent, state = streamed(node)
    assert [content for content, *_ in sent] == ["first", "second", "third"]
    assert [content for content, _ in state] == ["hi", "first", "second", "third"]


def test_pushed_message_is_written_when_nobody_streams_messages() -> None:
    def node(state: MessagesState) -> None:
        push_message(AIMessage("yo", id="y"))

    assert [message.content for message in one_node(node).invoke(HI)["messages"]] == ["hi", "yo"]


def test_pushed_message_without_a_key_is_only_streamed() -> None:
    def node(state: MessagesState) -> None:
        push_message(AIMessage("yo", id="y"), state_key=None)

    assert streamed(node) == ([("yo", "y", "node")], [("hi", "h")])


def test_message_returned_after_its_pushed_chunks_is_streamed_once() -> None:
    def node(state: MessagesState) -> dict[str, Any]:
        for word in ("one", " two"):
            push_message(AIMessageChunk(content=word, id="y"), state_key=None)
        return {"messages": AIMessage("one two", id="y")}

    sent, state = streamed(node)
    assert [content for content, *_ in sent] == ["one", " two"]
    assert state == [("hi", "h"), ("one two", "y")]


def test_push_returns_the_message_it_sent() -> None:
    pushed = []

    def node(state: MessagesState) -> None:
        pushed.append(push_message({"role": "ai", "content": "yo", "id": "y"}))

    one_node(node).invoke(HI)
    assert pushed == [AIMessage("yo", id="y")]


@pytest.mark.parametrize("message", [AIMessage("yo"), ("ai", "yo"), "yo"])
def test_pushed_message_needs_an_id(message: Any) -> None:
    def node(state: MessagesState) -> None:
        push_message(message)

    with pytest.raises(ValueError, match="id"):
        one_node(node).invoke(HI)


def test_push_outside_a_run_is_refused() -> None:
    with pytest.raises(RuntimeError):
        push_message(AIMessage("yo", id="y"))


# --- MessageGraph


def test_message_graph_is_a_graph_of_one_history_and_says_it_is_deprecated() -> None:
    with pytest.warns(DeprecationWarning, match="MessageGraph is deprecated"):
        builder = MessageGraph()
    builder.add_node("node", lambda messages: ("ai", f"{len(messages)} so far"))
    builder.add_edge(START, "node")
    result = builder.compile().invoke([("user", "hi"), ("user", "there")])
    assert [message.content for message in result] == ["hi", "there", "2 so far"]


# --- a long history


def test_history_grows_by_one_message_per_step() -> None:
    def grow(state: MessagesState) -> dict[str, Any]:
        return {"messages": [("ai", f"m{len(state['messages'])}")]}

    builder = StateGraph(MessagesState)
    for number in range(20):
        builder.add_node(f"n{number}", grow)
        builder.add_edge(START if number == 0 else f"n{number - 1}", f"n{number}")
    result = builder.compile().invoke(HI)["messages"]
    assert [message.content for message in result] == ["hi", *(f"m{number}" for number in range(1, 21))]
    assert len({message.id for message in result}) == 21


@pytest.mark.parametrize("said", ["hi", ("user", "hi"), [("user", "hi")], [{"role": "user", "content": "hi"}]])
def test_a_pydantic_state_takes_messages_as_they_are_written(said: Any) -> None:
    class Chat(BaseModel):
        messages: Annotated[list[AnyMessage], add_messages]

    seen: list[Any] = []
    graph = StateGraph(Chat).add_node("n", lambda state: seen.append(state.messages)).set_entry_point("n").compile()
    graph.invoke({"messages": said})
    assert [message.content for message in seen[0]] == ["hi"]


def test_an_input_can_remove_a_message_of_a_pydantic_state() -> None:
    class Chat(BaseModel):
        messages: Annotated[list[AnyMessage], add_messages]

    graph = (
        StateGraph(Chat).add_node("n", lambda state: None).set_entry_point("n").compile(checkpointer=InMemorySaver())
    )
    config: Any = {"configurable": {"thread_id": "1"}}
    first = graph.invoke({"messages": [("user", "one"), ("user", "two")]}, config)["messages"][0]
    left = graph.invoke({"messages": [RemoveMessage(first.id)]}, config)["messages"]
    assert [message.content for message in left] == ["two"]
