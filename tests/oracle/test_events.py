"""`astream_events(version="v2")`: the same events, in the same order, of the same parents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool

from .canonical import Ordinals
from .compare import side_by_side
from .differences import EVENTS_OF_PROGRAMS
from .models import Words
from .programs.control import saying
from .programs.returns import State
from .programs.spec import Joke, asking, generate_joke, refine_topic
from .render import render
from .roots import REFERENCE, SUBJECT, Kit, Root

pytestmark = pytest.mark.main_only


def chain(kit: Kit) -> Any:
    return kit.chain(Joke, refine_topic=refine_topic, generate_joke=generate_joke).compile()


def named_chain(kit: Kit) -> Any:
    return kit.chain(Joke, refine_topic=refine_topic).compile(name="jokes")


def configured_chain(kit: Kit) -> Any:
    graph = kit.chain(Joke, refine_topic=refine_topic).compile()
    return graph.with_config(tags=["mine"], metadata={"m": 1}, run_name="called so")


def model_in_a_node(kit: Kit) -> Any:
    async def ask(state: Joke) -> Any:
        return {"joke": (await Words(tags=["t"]).ainvoke("joke")).content}

    return kit.StateGraph(Joke).add_node("ask", ask).add_edge(kit.START, "ask").compile()


def model_in_a_sync_node(kit: Kit) -> Any:
    return Kit(kit.root).chain(Joke, ask=asking(Words(), "joke")).compile()


def tool_in_a_node(kit: Kit) -> Any:
    @tool
    async def look(at: str) -> str:
        """Look at something."""
        return f"saw {at}"

    async def use(state: Joke) -> Any:
        return {"joke": await look.ainvoke({"at": state["topic"]})}

    return kit.StateGraph(Joke).add_node("use", use).add_edge(kit.START, "use").compile()


def runnable_as_a_node(kit: Kit) -> Any:
    sequence = RunnableLambda(lambda state: state["topic"]) | Words() | (lambda answer: {"joke": answer.content})
    return kit.StateGraph(Joke).add_node("sequence", sequence).add_edge(kit.START, "sequence").compile()


def subgraph(kit: Kit) -> Any:
    inner = kit.chain(Joke, refine_topic=refine_topic).compile()
    builder = kit.StateGraph(Joke).add_node("sub", inner).add_node("generate_joke", kit.node(generate_joke))
    return builder.add_edge(kit.START, "sub").add_edge("sub", "generate_joke").compile()


def branch(kit: Kit) -> Any:
    def choose(state: State) -> str:
        return "b"

    nodes = {name: saying(name) for name in ("a", "b")}
    return kit.graph(State, nodes, (kit.START, "a")).add_conditional_edges("a", choose).compile()


def graph_then_function(kit: Kit) -> Any:
    return kit.chain(Joke, refine_topic=refine_topic).compile() | RunnableLambda(lambda state: state["topic"])


def prompt_then_graph(kit: Kit) -> Any:
    prompt = ChatPromptTemplate.from_messages([("user", "about {topic}")])

    def answer(state: Any) -> Any:
        return {"messages": [("ai", f"{len(state['messages'])} read")]}

    read: Any = RunnableLambda(lambda value: {"messages": value.to_messages()})
    return prompt | read | kit.chain(kit.MessagesState, answer=answer).compile()


def failing_node(kit: Kit) -> Any:
    def fail(state: Joke) -> Any:
        raise ValueError("boom")

    return kit.chain(Joke, refine_topic=refine_topic, fail=fail).compile()


def custom_event(kit: Kit) -> Any:
    from langchain_core.callbacks import adispatch_custom_event

    async def tell(state: Joke) -> Any:
        await adispatch_custom_event("told", {"topic": state["topic"]})
        return {"joke": "told"}

    return kit.StateGraph(Joke).add_node("tell", tell).add_edge(kit.START, "tell").compile()


BUILDS = [
    chain,
    named_chain,
    configured_chain,
    model_in_a_node,
    model_in_a_sync_node,
    tool_in_a_node,
    runnable_as_a_node,
    subgraph,
    branch,
    graph_then_function,
    prompt_then_graph,
    failing_node,
    custom_event,
]


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.__name__)
def test_events_are_the_same(build: Callable[[Kit], Any]) -> None:
    expected, found = events(build, REFERENCE), events(build, SUBJECT)
    if build.__name__ in EVENTS_OF_PROGRAMS:
        narrowed = EVENTS_OF_PROGRAMS[build.__name__]
        expected, found = narrowed.apply(expected), narrowed.apply(found)
        assert expected  # enough is left to be compared
    assert expected == found, side_by_side(expected, found, build.__name__)


def events(build: Callable[[Kit], Any], root: Root) -> list[str]:
    graph = build(Kit(root, coroutines=True))
    ordinals = Ordinals()
    lines: list[str] = []

    async def read() -> None:
        given = {"topic": "ice cream", "x": 0}
        async for event in graph.astream_events(given, {"metadata": {"who": "me"}, "tags": ["run"]}, version="v2"):
            lines.append(ordinals.number(line(event)))

    try:
        asyncio.run(read())
    except Exception as error:
        lines.append(f"raised {render(error)}")
    return lines


def line(event: Any) -> str:
    rest = {key: event[key] for key in ("run_id", "parent_ids", "metadata", "data")}
    return f"{event['event']} {event['name']} {sorted(event['tags'])} {render(rest)}"
