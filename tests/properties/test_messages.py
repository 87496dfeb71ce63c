"""The chunks of a model's answer add up to the message that the state gets."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk, message_chunk_to_message

from headrace.graph import START, MessagesState, StateGraph
from headrace.testing import ScriptedChatModel

Way = Literal["invoke", "stream", "ainvoke", "astream"]

texts = st.text(st.characters(codec="utf-8"), max_size=30)
sizes: Any = st.one_of(st.sampled_from(("word", "char")), st.integers(1, 7))
json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | texts, lambda inner: st.lists(inner, max_size=3), max_leaves=4
)
calls = st.builds(
    lambda name, args, key: {"name": name, "args": args, "id": f"call-{key}", "type": "tool_call"},
    st.sampled_from(("look", "search")),
    st.dictionaries(st.sampled_from("abc"), json, max_size=2),
    st.integers(0, 99),
)
usages = st.builds(
    lambda one, two: {"input_tokens": one, "output_tokens": two, "total_tokens": one + two},
    st.integers(0, 99),
    st.integers(0, 99),
)
answers = st.builds(
    AIMessage,
    content=texts,
    tool_calls=st.lists(calls, max_size=2),
    usage_metadata=st.none() | usages,
    response_metadata=st.just({}) | st.just({"stop": "done"}),
    id=st.none() | st.just("mine"),
)
few = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def graph(model: ScriptedChatModel, way: Way) -> Any:
    """A node that asks the model in one of four ways."""

    def call(state: MessagesState) -> Any:
        if way == "invoke":
            return {"messages": model.invoke(state["messages"])}
        return {"messages": summed(list(model.stream(state["messages"])))}

    async def acall(state: MessagesState) -> Any:
        if way == "ainvoke":
            return {"messages": await model.ainvoke(state["messages"])}
        return {"messages": summed([chunk async for chunk in model.astream(state["messages"])])}

    node: Any = acall if way[0] == "a" else call
    return StateGraph(MessagesState).add_node("call", node).add_edge(START, "call").compile()


def summed(chunks: list[Any]) -> Any:
    total = chunks[0]
    for chunk in chunks[1:]:
        total += chunk
    return message_chunk_to_message(total)


def streamed(run: Any, given: Any, way: Way, **options: Any) -> list[Any]:
    """What the stream of a graph yields, by the driver that the node needs."""
    if way[0] != "a":
        return list(run.stream(given, **options))

    async def read() -> list[Any]:
        return [item async for item in run.astream(given, **options)]

    return asyncio.run(read())


ASKED = {"messages": [("user", "hi")]}


@pytest.mark.parametrize("way", ["invoke", "stream", "ainvoke", "astream"])
@few
@given(answers, sizes)
def test_chunks_add_up_to_the_message(way: Way, answer: AIMessage, size: Any) -> None:
    run = graph(ScriptedChatModel(replies=[answer], chunks=size), way)
    told = streamed(run, ASKED, way, stream_mode=["messages", "values"])
    chunks = [data[0] for mode, data in told if mode == "messages"]
    final = told[-1][1]["messages"][-1]
    assert all(isinstance(chunk, AIMessageChunk) for chunk in chunks)
    assert {chunk.id for chunk in chunks} == {final.id}
    assert facts(summed(chunks)) == facts(final)


@few
@given(answers, sizes, st.sampled_from(["invoke", "ainvoke"]))
def test_the_message_does_not_depend_on_being_streamed(answer: AIMessage, size: Any, way: Way) -> None:
    """Asked for tokens or not, sync or async: the same message, but for the id that langchain-core makes."""
    found = [
        streamed(graph(ScriptedChatModel(replies=[answer], chunks=size), way), ASKED, way, stream_mode=modes)[-1]
        for modes in (["values"], ["messages", "values"])
    ]
    one, other = (facts(values["messages"][-1], with_id=answer.id is not None) for _, values in found)
    assert one == other


def facts(message: Any, *, with_id: bool = True) -> dict[str, Any]:
    """What a user may read of a message."""
    names = ("content", "tool_calls", "invalid_tool_calls", "usage_metadata", "response_metadata", "type")
    return {name: getattr(message, name) for name in (*names, *["id"] * with_id)}
