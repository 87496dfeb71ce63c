"""A node's own news while it works: `stream_mode="custom"`."""

from typing import Any

from typing_extensions import TypedDict

from headrace.config import get_stream_writer
from headrace.graph import START, StateGraph


class State(TypedDict):
    query: str
    answer: str


def process_node(state: State) -> dict[str, Any]:
    writer = get_stream_writer()
    writer({"status": "Starting processing"})
    # Do some work
    writer({"progress": 50, "message": "Halfway done"})
    # More work
    writer({"status": "Processing complete"})
    return {"answer": "Completed"}


graph = StateGraph(State).add_node("process_node", process_node).add_edge(START, "process_node").compile()


if __name__ == "__main__":
    for chunk in graph.stream({"query": "example"}, stream_mode="custom"):
        print(chunk)
