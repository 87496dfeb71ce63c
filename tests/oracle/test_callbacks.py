"""What a callback handler is told of graphs, nodes, models, tools and runnables: the same, below the same parents."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler, CallbackManager
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda, RunnableParallel
from langchain_core.tools import tool

from .canonical import Ordinals
from .compare import side_by_side
from .models import Words
from .programs.spec import Joke, asking, generate_joke, refine_topic
from .render import render
from .roots import REFERENCE, SUBJECT, Kit, Root

pytestmark = pytest.mark.main_only


class Notebook(BaseCallbackHandler):
    """Writes down what starts below what, and how it ends."""

    def __init__(self, title: str = "") -> None:
        self.title = title
        self.lines: list[str] = []
        self.names: dict[UUID | None, str] = {None: "nothing"}

    def begin(self, kind: str, serialized: Any, run_id: UUID, about: dict[str, Any]) -> None:
        name = about.get("name") or (serialized or {}).get("name") or (serialized or {})["id"][-1]
        above = self.names.get(about.get("parent_run_id"), "a stranger")
        self.names[run_id] = f"{name} [{run_id}]"
        tags, metadata = sorted(about.get("tags") or ()), about.get("metadata") or {}
        self.write(f"{kind} {self.names[run_id]} below {above} {tags} {render(metadata, 'metadata')}")

    def end(self, how: str, run_id: UUID, value: Any) -> None:
        self.write(f"{how} {self.names.get(run_id)} {render(value)}")

    def write(self, line: str) -> None:
        self.lines.append(f"{self.title}{line}")

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: UUID, **about: Any) -> None:
        self.begin("chain", serialized, run_id, about)

    def on_chat_model_start(self, serialized: Any, messages: Any, *, run_id: UUID, **about: Any) -> None:
        self.begin("model", serialized, run_id, about)

    def on_tool_start(self, serialized: Any, input_str: Any, *, run_id: UUID, **about: Any) -> None:
        self.begin("tool", serialized, run_id, about)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **_: Any) -> None:
        self.end("ended", run_id, outputs)

    def on_tool_end(self, output: Any, *, run_id: UUID, **_: Any) -> None:
        self.end("ended", run_id, output)

    def on_llm_end(self, response: Any, *, run_id: UUID, **_: Any) -> None:
        self.end("ended", run_id, [one.message.content for one in response.generations[0]])

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        self.end("failed", run_id, type(error).__name__)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        self.end("failed", run_id, type(error).__name__)


class AsyncNotebook(AsyncCallbackHandler):
    """The same as coroutines."""

    def __init__(self, book: Notebook) -> None:
        self.book = book
        for name in ("on_chain_start", "on_chat_model_start", "on_tool_start", "on_chain_end", "on_tool_end",
                     "on_llm_end", "on_chain_error", "on_llm_error"):  # fmt: skip
            setattr(self, name, later(getattr(book, name)))


def later(method: Callable[..., None]) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> None:
        method(*args, **kwargs)

    return call


# --- graphs


def chain(kit: Kit) -> Any:
    return kit.chain(Joke, refine_topic=refine_topic, generate_joke=generate_joke).compile()


def named(kit: Kit) -> Any:
    graph = kit.chain(Joke, refine_topic=refine_topic).compile(name="jokes")
    return graph.with_config(tags=["mine"], metadata={"m": 1}, run_name="called so")


def model_in_a_node(kit: Kit) -> Any:
    return Kit(kit.root).chain(Joke, ask=asking(Words(tags=["t"]), "joke")).compile()


def node_with_metadata(kit: Kit) -> Any:
    builder = kit.StateGraph(Joke).add_node("ask", kit.node(asking(Words(), "joke")), metadata={"kind": "talk"})
    return builder.add_edge(kit.START, "ask").compile()


def tool_in_a_node(kit: Kit) -> Any:
    @tool
    def look(at: str) -> str:
        """Look at something."""
        return f"saw {at} {Words().invoke('x').content}"

    return kit.chain(Joke, use=lambda state: {"joke": look.invoke({"at": state["topic"]})}).compile()


def runnables_in_a_node(kit: Kit) -> Any:
    prompt = ChatPromptTemplate.from_messages([("user", "about {topic}")])

    def use(state: Joke) -> Any:
        sequence = (prompt | Words() | (lambda answer: answer.content)).with_config(tags=["s"], metadata={"in": 1})
        return {"joke": sequence.invoke({"topic": state["topic"]})}

    return kit.chain(Joke, use=use).compile()


def runnable_as_a_node(kit: Kit) -> Any:
    node: Any = RunnableLambda(lambda state: {"joke": state["topic"]}).with_config(tags=["n"], run_name="lam")
    return kit.StateGraph(Joke).add_node("node", node).add_edge(kit.START, "node").compile()


def subgraph(kit: Kit) -> Any:
    inner = kit.chain(Joke, ask=asking(Words(), "joke")).compile(name="inner")
    middle = kit.StateGraph(Joke).add_node("mid", inner, metadata={"level": 2}).add_edge(kit.START, "mid").compile()
    return kit.StateGraph(Joke).add_node("sub", middle).add_edge(kit.START, "sub").compile()


def subgraph_called(kit: Kit) -> Any:
    inner = Kit(kit.root).chain(Joke, ask=asking(Words(), "joke")).compile(name="inner")

    def call(state: Joke) -> Any:
        inner.invoke(state, {"tags": ["call"], "metadata": {"c": 1}, "run_name": "first"})
        return inner.invoke(state)

    return Kit(kit.root).chain(Joke, call=call).compile()


def subgraph_given_a_handler(kit: Kit) -> Any:
    inner = Kit(kit.root).chain(Joke, refine_topic=refine_topic).compile()
    book = Notebook("own: ")

    def call(state: Joke) -> Any:
        inner.invoke(state, {"callbacks": [book]})
        return {"joke": "; ".join(book.lines)}

    return Kit(kit.root).chain(Joke, call=call).compile()


def subgraph_given_the_config(kit: Kit) -> Any:
    inner = Kit(kit.root).chain(Joke, ask=asking(Words(), "joke")).compile(name="inner")

    def call(state: Joke) -> Any:
        return inner.invoke(state, kit.get_config())

    return Kit(kit.root).chain(Joke, call=call).compile()


def subgraph_in_a_tool(kit: Kit) -> Any:
    inner = Kit(kit.root).chain(Joke, ask=asking(Words(), "joke")).compile(name="inner")

    @tool
    def look(at: str) -> str:
        """Look at something."""
        return str(inner.invoke({"topic": at})["joke"])

    return Kit(kit.root).chain(Joke, use=lambda state: {"joke": look.invoke({"at": "sky"})}).compile()


def graph_in_a_lambda(kit: Kit) -> Any:
    graph = Kit(kit.root).chain(Joke, ask=asking(Words(), "joke")).compile()
    return RunnableLambda(graph.invoke).with_config(tags=["around"], metadata={"a": 1})


def graph_in_a_sequence(kit: Kit) -> Any:
    return RunnableLambda(lambda state: state) | chain(kit) | RunnableLambda(lambda state: state["joke"])


def graph_in_a_parallel(kit: Kit) -> Any:
    return RunnableParallel(only=chain(kit))


def branch(kit: Kit) -> Any:
    def choose(state: Joke) -> str:
        Words().invoke("which?")
        return "b"

    nodes = {name: (lambda state: None) for name in ("a", "b")}
    return Kit(kit.root).graph(Joke, nodes, (kit.START, "a")).add_conditional_edges("a", choose).compile()


def failing_node(kit: Kit) -> Any:
    def fail(state: Joke) -> Any:
        raise ValueError("boom")

    return kit.chain(Joke, refine_topic=refine_topic, fail=fail).compile()


def failing_node_of_a_subgraph(kit: Kit) -> Any:
    return kit.StateGraph(Joke).add_node("sub", failing_node(kit)).add_edge(kit.START, "sub").compile()


def retried_node(kit: Kit) -> Any:
    tries: list[int] = []

    def fail(state: Joke) -> Any:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("boom")
        return {"joke": "at last"}

    policy = kit.RetryPolicy(initial_interval=0.001, retry_on=ValueError)
    return (
        kit.StateGraph(Joke).add_node("fail", kit.node(fail), retry_policy=policy).add_edge(kit.START, "fail").compile()
    )


def interrupted_node(kit: Kit) -> Any:
    inner = kit.chain(Joke, ask=lambda state: {"joke": kit.interrupt("which?")}).compile()
    return kit.StateGraph(Joke).add_node("sub", inner).add_edge(kit.START, "sub").compile()


BUILDS = [
    chain, named, model_in_a_node, node_with_metadata, tool_in_a_node, runnables_in_a_node, runnable_as_a_node,
    subgraph, subgraph_called, subgraph_given_a_handler, subgraph_given_the_config, subgraph_in_a_tool,
    graph_in_a_lambda, graph_in_a_sequence, graph_in_a_parallel, branch, failing_node, failing_node_of_a_subgraph,
    retried_node, interrupted_node,
]  # fmt: skip

CONFIG: dict[str, Any] = {
    "metadata": {"who": "me"},
    "tags": ["run"],
    "run_name": "mine",
    "configurable": {"thread_id": "T", "secret": "s"},
}


@pytest.mark.parametrize("handler", ["sync", "async", "manager"])
@pytest.mark.parametrize("driver", ["invoke", "ainvoke", "stream", "astream"])
@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.__name__)
def test_handlers_are_told_the_same(build: Callable[[Kit], Any], driver: str, handler: str) -> None:
    expected, found = told(build, REFERENCE, driver, handler), told(build, SUBJECT, driver, handler)
    assert expected == found, side_by_side(expected, found, f"{build.__name__} [{driver}]")


def told(build: Callable[[Kit], Any], root: Root, driver: str, handler: str) -> list[str]:
    graph, book = build(Kit(root, coroutines=driver[0] == "a")), Notebook()
    handlers: Any = [AsyncNotebook(book) if handler == "async" else book]
    config = {**CONFIG, "callbacks": CallbackManager(handlers, handlers) if handler == "manager" else handlers}
    try:
        run(graph, driver, config)
    except Exception as error:
        book.write(f"raised {render(error)}")
    ordinals = Ordinals()
    return [ordinals.number(line) for line in book.lines]


def run(graph: Any, driver: str, config: Any) -> None:
    given = {"topic": "ice cream"}
    if driver == "invoke":
        graph.invoke(given, config)
    elif driver == "stream":
        list(graph.stream(given, config))
    elif driver == "ainvoke":
        asyncio.run(graph.ainvoke(given, config))
    else:
        asyncio.run(drain(graph.astream(given, config)))


async def drain(stream: Any) -> None:
    async for _ in stream:
        pass


# --- pauses


@pytest.mark.parametrize("driver", ["invoke", "ainvoke"])
@pytest.mark.parametrize("static", [{}, {"interrupt_before": ["sub"]}, {"interrupt_after": ["sub"]}])
def test_pauses_are_told_the_same(driver: str, static: dict[str, Any]) -> None:
    expected, found = pauses(REFERENCE, driver, static), pauses(SUBJECT, driver, static)
    assert expected == found, side_by_side(expected, found, driver)


def pauses(root: Root, driver: str, static: dict[str, Any]) -> list[str]:
    kit = Kit(root, coroutines=driver == "ainvoke")
    graph = interrupted_node(kit).copy({"checkpointer": kit.InMemorySaver()})
    lines: list[str] = []

    class Pauses(importlib.import_module(f"{root.name}.callbacks").GraphCallbackHandler):  # type: ignore[misc]
        def on_interrupt(self, event: Any) -> None:
            lines.append(render(event))

        def on_resume(self, event: Any) -> None:
            lines.append(render(event))

    config = {**CONFIG, "callbacks": [Pauses()]}
    for given in ({"topic": "x"}, None, kit.Command(resume="a"), None):
        lines.append("== turn")
        try:
            if driver == "invoke":
                graph.invoke(given, config, **static)
            else:
                asyncio.run(graph.ainvoke(given, config, **static))
        except Exception as error:
            lines.append(f"raised {type(error).__name__}")
    ordinals = Ordinals()
    return [ordinals.number(line) for line in lines]
