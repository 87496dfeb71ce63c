"""Graphs without langchain for the command line's tests."""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypedDict

from headrace.config import get_stream_writer
from headrace.graph import START, StateGraph
from headrace.types import interrupt

NUMBER = 3


class Joke(TypedDict, total=False):
    topic: str
    joke: str


def refine_topic(state: Joke) -> Joke:
    return {"topic": f"{state['topic']} and cats"}


def generate_joke(state: Joke) -> Joke:
    return {"joke": f"This is a joke about {state['topic']}"}


builder = StateGraph(Joke).add_sequence([refine_topic, generate_joke]).add_edge(START, "refine_topic")
graph = builder.compile()
stopping = builder.compile(interrupt_before=["generate_joke"])


def factory() -> Any:
    return builder


async def async_factory(config: Any) -> Any:
    if config["configurable"]["thread_id"] == "fail":
        raise LookupError("no such model")
    return graph


@asynccontextmanager
async def held(config: Any) -> AsyncIterator[Any]:
    try:
        yield graph
    finally:
        print("released", file=sys.stderr)


def unfinished() -> Any:
    return StateGraph(Joke).add_edge("nowhere", "no place")


def single(node: Any, **options: Any) -> Any:
    return StateGraph(Joke).add_node("node", node).add_edge(START, "node").compile(**options)


def boom(state: Joke) -> Joke:
    raise ValueError(f"no joke about {state['topic']}")


def leave(state: Joke) -> Joke:
    sys.exit(0)


def talk(state: Joke) -> Joke:
    print("printed by the node")
    get_stream_writer()({"progress": 1})
    return {"joke": "done"}


def ask(state: Joke) -> Joke:
    answer = interrupt({"question": "good?"})
    return {"joke": f"{state['topic']}: {answer!r}"}


def ask_twice(state: Joke) -> Joke:
    return {"joke": f"{interrupt('first?')!r} {interrupt('second?', response_schema={'type': 'integer'})!r}"}


async def wait(state: Joke) -> Joke:
    get_stream_writer()("waiting")
    try:
        await asyncio.Event().wait()
    finally:
        print("cleaned up", file=sys.stderr, flush=True)
    return {}


def block(state: Joke) -> Joke:
    get_stream_writer()("waiting")
    threading.Event().wait()
    return {}


async def count(state: Joke) -> Joke:
    writer = get_stream_writer()
    try:
        for number in range(1_000_000):
            writer(number)
            await asyncio.sleep(0)
    finally:
        print("cleaned up", file=sys.stderr, flush=True)
    return {}


def see_context(state: Joke, runtime: Any) -> Joke:
    return {"joke": f"{runtime.context}"}


failing, leaving, talking = single(boom), single(leave), single(talk)
asking, asking_twice = single(ask), single(ask_twice)
waiting, blocking, counting = single(wait), single(block), single(count)
inside = StateGraph(Joke).add_node("outer", asking).add_edge(START, "outer").compile()
parallel = (
    StateGraph(Joke).add_node("one", ask).add_node("two", lambda state: None)
    .add_node("three", lambda state: {"topic": interrupt("three?")})
    .add_edge(START, "one").add_edge(START, "two").add_edge(START, "three").compile()
)  # fmt: skip


def with_context() -> Any:
    return StateGraph(Joke, dict).add_node("node", see_context).add_edge(START, "node")
