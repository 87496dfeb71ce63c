"""The examples of the streaming guide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.runnables import RunnableConfig
from typing_extensions import TypedDict

from ..models import Words
from ..program import Turn, program
from ..roots import Kit

if TYPE_CHECKING:
    from headrace.types import StreamWriter


class Joke(TypedDict):
    topic: str
    joke: str


class Both(Joke):
    poem: str


def refine_topic(state: Joke) -> Any:
    return {"topic": state["topic"] + " and cats"}


def generate_joke(state: Joke) -> Any:
    return {"joke": f"This is a joke about {state['topic']}"}


ICE_CREAM = Turn({"topic": "ice cream"})


@program(ICE_CREAM, drivers=("sync", "async", "threads"), shapes=True)
def basic(kit: Kit) -> Any:
    return kit.chain(Joke, refine_topic=refine_topic, generate_joke=generate_joke).compile()


@program(ICE_CREAM, Turn({"topic": "again"}), saved=True, drivers=("sync", "async", "threads"))
def basic_on_a_thread(kit: Kit) -> Any:
    return kit.chain(Joke, refine_topic=refine_topic, generate_joke=generate_joke).compile(
        checkpointer=kit.InMemorySaver()
    )


@program(Turn({"query": "example"}), drivers=("sync", "async", "threads"))
def custom_data(kit: Kit) -> Any:
    class State(TypedDict):
        query: str
        answer: str

    def process_node(state: State) -> Any:
        writer = kit.get_stream_writer()
        writer({"status": "Starting processing"})
        writer({"progress": 50, "message": "Halfway done"})
        writer({"status": "Processing complete"})
        return {"answer": "Completed"}

    return kit.chain(State, process_node=process_node).compile()


@program(Turn({"prompt": "say it"}))
def any_llm(kit: Kit) -> Any:
    class State(TypedDict):
        prompt: str
        result: str

    def call_custom_model(state: State) -> Any:
        writer = kit.get_stream_writer()
        for token in (state["prompt"], " again"):
            writer({"llm_token": token})
        return {"result": "completed"}

    return kit.chain(State, call_custom_model=call_custom_model).compile()


@program(Turn({"query": "kitchen"}), drivers=("async",))
def token_generator(kit: Kit) -> Any:
    class State(TypedDict):
        query: str
        result: str

    async def tokens() -> Any:
        for word in ("pots", " pans"):
            yield {"role": "assistant", "content": word}

    async def get_items(state: State) -> Any:
        writer = kit.get_stream_writer()
        response = ""
        async for chunk in tokens():
            response += chunk["content"]
            writer(chunk)
        return {"result": response}

    builder = kit.StateGraph(State).add_node("get_items", get_items)
    return builder.add_edge(kit.START, "get_items").add_edge("get_items", kit.END).compile()


@program(ICE_CREAM, shapes=True)
def several_modes(kit: Kit) -> Any:
    def joke_with_news(state: Joke, writer: StreamWriter) -> Any:
        writer({"custom_key": "Writing custom data while generating a joke"})
        writer({"progress": "50%"})
        writer({"progress": "100%"})
        return generate_joke(state)

    return kit.chain(Joke, refine_topic=refine_topic, generate_joke=joke_with_news).compile()


@program(ICE_CREAM, drivers=("sync", "async", "threads"))
def model_in_a_node(kit: Kit) -> Any:
    return kit.chain(Joke, generate_joke=asking(Words(), "joke")).compile()


@program(Turn({"topic": "cats"}), drivers=("async",))
def two_tagged_models(kit: Kit) -> Any:
    joke_model = Words(answer="a joke", tags=["joke"])
    poem_model = Words(answer="a poem", tags=["poem"])

    async def dual_generation(state: Both, config: RunnableConfig) -> Any:
        joke = await joke_model.ainvoke([{"role": "user", "content": "joke"}], config)
        poem = await poem_model.ainvoke([{"role": "user", "content": "poem"}])
        return {"joke": joke.content, "poem": poem.content}

    builder = kit.StateGraph(Both).add_node("dual_generation", dual_generation)
    return builder.add_edge(kit.START, "dual_generation").compile()


@program(Turn({"topic": "cats"}), parallel=True, drivers=("sync", "async", "threads"))
def two_models_at_once(kit: Kit) -> Any:
    nodes = {"write_joke": asking(Words(answer="a b c"), "joke"), "write_poem": asking(Words(answer="d e"), "poem")}
    return kit.graph(Both, nodes, (kit.START, "write_joke"), (kit.START, "write_poem")).compile()


def asking(model: Any, key: str) -> Any:
    """A node that asks `model` and writes what it answered to `key`."""

    def ask(state: Any) -> Any:
        return {key: model.invoke([{"role": "user", "content": str(state.get("topic"))}]).content}

    return ask
