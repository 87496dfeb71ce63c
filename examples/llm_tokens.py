"""A chat model's tokens as they come: `stream_mode="messages"`.

The node only calls `invoke`; that the model streams is the doing of the mode.
"""

from typing import Any

from typing_extensions import TypedDict

from headrace.graph import START, StateGraph
from headrace.testing import ScriptedChatModel

JOKE = "Why did the ice cream go to therapy? Because it had too many sprinkle-related issues!"

llm = ScriptedChatModel(replies=[JOKE])


class State(TypedDict):
    topic: str
    joke: str


def generate_joke(state: State) -> dict[str, Any]:
    answer = llm.invoke([{"role": "user", "content": f"Generate a joke about {state['topic']}"}])
    return {"joke": answer.content}


graph = StateGraph(State).add_node("generate_joke", generate_joke).add_edge(START, "generate_joke").compile()


if __name__ == "__main__":
    for message_chunk, _metadata in graph.stream({"topic": "ice cream"}, stream_mode="messages"):
        if message_chunk.content:
            print(message_chunk.content, end="", flush=True)
        # the metadata tells who speaks: {'langgraph_step': 1, 'langgraph_node': 'generate_joke', ...}
    print()
