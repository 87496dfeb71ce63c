"""Chat graphs: a scripted model that streams, alone and inside a subgraph, and one that calls tools."""

from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, ToolMessage

from headrace.graph import START, MessagesState, StateGraph
from headrace.testing import ScriptedChatModel

model = ScriptedChatModel(replies=["Why did the truck\nbreak \x1b[31mdown?"])


async def call_model(state: MessagesState) -> Any:
    return {"messages": [await model.ainvoke(state["messages"])]}


builder = StateGraph(MessagesState).add_node(call_model).add_edge(START, "call_model")
graph = builder.compile()
outer = StateGraph(MessagesState).add_node("inner", graph).add_edge(START, "inner").compile()


CALLS: Any = [{"name": "look", "args": {"at": at}, "id": at} for at in ("sky", "sea")]
caller = ScriptedChatModel(replies=[AIMessage("let me see", tool_calls=CALLS), "All blue."])


def fragments(*parts: tuple[int, str | None, str]) -> AIMessageChunk:
    pieces: Any = [{"index": i, "name": name, "args": args, "id": name and str(i)} for i, name, args in parts]
    return AIMessageChunk(content="", tool_call_chunks=pieces)


both_at_once = [
    fragments((0, "look", ""), (1, "hear", "")),
    fragments((0, None, '{"at": '), (1, None, '{"what": ')),
    fragments((1, None, '"sea"}')),
    fragments((0, None, '"sky"}')),
]
mixer = ScriptedChatModel(replies=[both_at_once, [*both_at_once[:2], ConnectionError("lost")]])


async def think(state: MessagesState) -> Any:
    return {"messages": [await caller.ainvoke(state["messages"])]}


def look(state: MessagesState) -> Any:
    calls = state["messages"][-1].tool_calls  # type: ignore[union-attr]  # after `think`
    return {"messages": [ToolMessage("blue", name=call["name"], tool_call_id=call["id"]) for call in calls]}


async def mix(state: MessagesState) -> Any:
    return {"messages": [await mixer.ainvoke(state["messages"])]}


calling = StateGraph(MessagesState).add_sequence([think, look, ("again", think)]).set_entry_point("think").compile()
mixing = StateGraph(MessagesState).add_sequence([mix, ("again", mix)]).set_entry_point("mix").compile()
