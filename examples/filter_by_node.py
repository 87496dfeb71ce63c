"""Two nodes that ask a model at the same time, and only one of them shown: tokens are known by their node."""

from typing import Any

from typing_extensions import TypedDict

from headrace.graph import START, StateGraph
from headrace.testing import ScriptedChatModel

joke_model = ScriptedChatModel(replies=["Cats have nine lives and no alarm clock."])
poem_model = ScriptedChatModel(replies=["Soft paws on the stair, a moon in her stare."])


class State(TypedDict):
    topic: str
    joke: str
    poem: str


def write_joke(state: State) -> dict[str, Any]:
    answer = joke_model.invoke([{"role": "user", "content": f"Write a joke about {state['topic']}"}])
    return {"joke": answer.content}


def write_poem(state: State) -> dict[str, Any]:
    answer = poem_model.invoke([{"role": "user", "content": f"Write a short poem about {state['topic']}"}])
    return {"poem": answer.content}


graph = (
    StateGraph(State)
    .add_node("write_joke", write_joke)
    .add_node("write_poem", write_poem)
    # both at once
    .add_edge(START, "write_joke")
    .add_edge(START, "write_poem")
    .compile()
)


if __name__ == "__main__":
    for message_chunk, metadata in graph.stream({"topic": "cats"}, stream_mode="messages"):
        if message_chunk.content and metadata["langgraph_node"] == "write_poem":
            print(message_chunk.content, end="", flush=True)
    print()
