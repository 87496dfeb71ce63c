"""A joke in two steps: one node refines the topic, the next tells the joke.

headrace run examples/joke.py:graph '{"topic": "ice cream"}'
"""

from typing import Any

from typing_extensions import TypedDict

from headrace.graph import END, START, StateGraph


class State(TypedDict):
    topic: str
    joke: str


def refine_topic(state: State) -> dict[str, Any]:
    return {"topic": state["topic"] + " and cats"}


def generate_joke(state: State) -> dict[str, Any]:
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
    for chunk in graph.stream({"topic": "ice cream"}, stream_mode="updates"):
        print(chunk)
