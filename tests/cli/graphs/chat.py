"""A chat graph: a scripted model that streams, alone and two at once, and one inside a subgraph."""

from typing import Any

from headrace.graph import START, MessagesState, StateGraph
from headrace.testing import ScriptedChatModel

model = ScriptedChatModel(replies=["Why did the truck\nbreak \x1b[31mdown?"])


async def call_model(state: MessagesState) -> Any:
    return {"messages": [await model.ainvoke(state["messages"])]}


builder = StateGraph(MessagesState).add_node(call_model).add_edge(START, "call_model")
graph = builder.compile()
outer = StateGraph(MessagesState).add_node("inner", graph).add_edge(START, "inner").compile()
