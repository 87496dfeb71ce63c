"""Tokens of a model that is no langchain model: whatever streams can be written on as custom data."""

from collections.abc import Iterator
from typing import Any

from typing_extensions import TypedDict

from headrace.config import get_stream_writer
from headrace.graph import START, StateGraph


class State(TypedDict):
    prompt: str
    result: str


def custom_streaming_client(prompt: str) -> Iterator[str]:
    """Stands for your own client."""
    yield from ("You ", "said: ", prompt)


def call_custom_model(state: State) -> dict[str, Any]:
    writer = get_stream_writer()
    for token in custom_streaming_client(state["prompt"]):
        writer({"llm_token": token})
    return {"result": "completed"}


graph = (
    StateGraph(State).add_node("call_custom_model", call_custom_model).add_edge(START, "call_custom_model").compile()
)


if __name__ == "__main__":
    for chunk in graph.stream({"prompt": "hello"}, stream_mode="custom"):
        print(chunk)
