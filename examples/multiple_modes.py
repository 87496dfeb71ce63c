"""Several modes at once: each item says which mode it belongs to."""

from typing import Any

from joke import State, refine_topic

from headrace.graph import END, START, StateGraph
from headrace.types import StreamWriter


def generate_joke(state: State, writer: StreamWriter) -> dict[str, Any]:
    writer({"custom_key": "Writing custom data while generating a joke"})
    writer({"progress": "50%"})
    writer({"progress": "100%"})
    return {"joke": f"This is a joke about {state['topic']}"}


graph = (
    StateGraph(State)
    .add_node("refine_topic", refine_topic)
    .add_node("generate_joke", generate_joke)
    .add_edge(START, "refine_topic")
    .add_edge("refine_topic", "generate_joke")
    .add_edge("generate_joke", END)
    .compile()
)


if __name__ == "__main__":
    for stream_mode, chunk in graph.stream({"topic": "ice cream"}, stream_mode=["updates", "custom"]):
        print(f"Stream mode: {stream_mode}")
        print(chunk)
        print()
