"""A model called in a coroutine with the config passed on by hand.

Other libraries ask for this on Python 3.10. Here the tokens come with it and without it, on every Python.
"""

import asyncio
from typing import Any

from langchain_core.runnables import RunnableConfig
from typing_extensions import TypedDict

from headrace.graph import START, StateGraph
from headrace.testing import ScriptedChatModel

llm = ScriptedChatModel(replies=["What do you call a frozen cat? A purr-sicle."])


class State(TypedDict):
    topic: str
    joke: str


async def call_model(state: State, config: RunnableConfig) -> dict[str, Any]:
    print("Generating joke...")
    answer = await llm.ainvoke([{"role": "user", "content": f"Write a joke about {state['topic']}"}], config)
    return {"joke": answer.content}


graph = StateGraph(State).add_node("call_model", call_model).add_edge(START, "call_model").compile()


async def main() -> None:
    async for chunk, _metadata in graph.astream({"topic": "ice cream"}, stream_mode="messages"):
        if chunk.content:
            print(chunk.content, end="", flush=True)
    print()


if __name__ == "__main__":
    asyncio.run(main())
