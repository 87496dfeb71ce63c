"""Two models in one node, and only one of them shown: its tokens are known by the model's tags."""

import asyncio
from typing import Any

from langchain_core.runnables import RunnableConfig
from typing_extensions import TypedDict

from headrace.graph import START, StateGraph
from headrace.testing import ScriptedChatModel

joke_model = ScriptedChatModel(replies=["Cats have nine lives and no alarm clock."], tags=["joke"])
poem_model = ScriptedChatModel(replies=["Soft paws on the stair, a moon in her stare."], tags=["poem"])


class State(TypedDict):
    topic: str
    joke: str
    poem: str


async def dual_generation(state: State, config: RunnableConfig) -> dict[str, Any]:
    # Passing the config on is allowed; no Python version needs it.
    joke = await joke_model.ainvoke([{"role": "user", "content": f"Write a joke about {state['topic']}"}], config)
    poem = await poem_model.ainvoke([{"role": "user", "content": f"Write a poem about {state['topic']}"}], config)
    return {"joke": joke.content, "poem": poem.content}


graph = StateGraph(State).add_node("dual_generation", dual_generation).add_edge(START, "dual_generation").compile()


async def main() -> None:
    async for message_chunk, metadata in graph.astream({"topic": "cats"}, stream_mode="messages"):
        if message_chunk.content and metadata["tags"] == ["joke"]:
            print(message_chunk.content, end="", flush=True)
    print()


if __name__ == "__main__":
    asyncio.run(main())
