"""Callbacks, tags and metadata of the caller's config reach what nodes call, below one run per graph and per node."""

from __future__ import annotations

import asyncio
import logging
from typing import Any
from uuid import UUID

import pytest
from langchain_core.callbacks import (
    AsyncCallbackHandler,
    AsyncCallbackManager,
    BaseCallbackHandler,
    CallbackManager,
    adispatch_custom_event,
    dispatch_custom_event,
    get_usage_metadata_callback,
)
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langchain_core.tracers import LangChainTracer
from langsmith import Client, traceable
from langsmith.run_helpers import tracing_context

from headrace.callbacks import GraphCallbackHandler, GraphInterruptEvent, GraphResumeEvent
from headrace.checkpoint.memory import InMemorySaver
from headrace.graph import START, StateGraph
from headrace.testing import ScriptedChatModel
from headrace.types import Command, interrupt
from tests.messages.build import DRIVERS, Driver, Said, asking, counting, gather, model, one, result, streamed

every_driver = pytest.mark.parametrize("driver", DRIVERS)


class Tree(BaseCallbackHandler):
    """Where each run stands, as `graph/node/model`, how it ended, and what came with its start."""

    def __init__(self) -> None:
        self.paths: dict[UUID, str] = {}
        self.started: list[str] = []
        self.ended: list[str] = []
        self.failed: list[tuple[str, str]] = []
        self.about: dict[str, dict[str, Any]] = {}

    def begin(self, serialized: Any, run_id: UUID, about: dict[str, Any]) -> None:
        name = about.get("name") or (serialized or {}).get("name") or (serialized or {})["id"][-1]
        above = about.get("parent_run_id")
        path = f"{self.paths[above]}/{name}" if above else str(name)
        self.paths[run_id] = path
        self.started.append(path)
        self.about[path] = about

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: UUID, **about: Any) -> None:
        self.begin(serialized, run_id, {**about, "input": inputs})

    def on_chat_model_start(self, serialized: Any, messages: Any, *, run_id: UUID, **about: Any) -> None:
        self.begin(serialized, run_id, about)

    def on_tool_start(self, serialized: Any, input_str: Any, *, run_id: UUID, **about: Any) -> None:
        self.begin(serialized, run_id, about)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **_: Any) -> None:
        self.ended.append(self.paths[run_id])
        self.about[self.paths[run_id]]["output"] = outputs

    def on_tool_end(self, output: Any, *, run_id: UUID, **_: Any) -> None:
        self.ended.append(self.paths[run_id])

    def on_llm_end(self, response: Any, *, run_id: UUID, **_: Any) -> None:
        self.ended.append(self.paths[run_id])

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        self.failed.append((self.paths[run_id], type(error).__name__))


class LateTree(AsyncCallbackHandler):
    """A tree whose methods are coroutines."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree

    async def on_chain_start(self, *args: Any, **about: Any) -> None:
        self.tree.on_chain_start(*args, **about)

    async def on_chat_model_start(self, *args: Any, **about: Any) -> None:
        self.tree.on_chat_model_start(*args, **about)

    async def on_tool_start(self, *args: Any, **about: Any) -> None:
        self.tree.on_tool_start(*args, **about)

    async def on_chain_end(self, *args: Any, **about: Any) -> None:
        self.tree.on_chain_end(*args, **about)

    async def on_tool_end(self, *args: Any, **about: Any) -> None:
        self.tree.on_tool_end(*args, **about)

    async def on_llm_end(self, *args: Any, **about: Any) -> None:
        self.tree.on_llm_end(*args, **about)


def everything(driver: Driver) -> Any:
    """A graph with a model, a tool, a runnable and a subgraph in its nodes."""

    @tool
    async def alook(at: str) -> str:
        """Look at something."""
        return str((await model().ainvoke(at)).content)

    @tool
    def look(at: str) -> str:
        """Look at something."""
        return str(model().invoke(at).content)

    async def ause(state: Said) -> Any:
        return {"said": await alook.ainvoke({"at": "sky"}) + await RunnableLambda(str).ainvoke("x")}

    def use(state: Said) -> Any:
        return {"said": look.invoke({"at": "sky"}) + RunnableLambda(str).invoke("x")}

    builder = StateGraph(Said).add_node("sub", one(asking(model(), driver)))
    builder.add_node("use", ause if driver == "async" else use)
    return builder.add_edge(START, "sub").add_edge("sub", "use").compile(name="top")


def paths(driver: Driver) -> list[str]:
    look = "alook" if driver == "async" else "look"
    return [
        "top", "top/sub", "top/sub/LangGraph", "top/sub/LangGraph/ask", "top/sub/LangGraph/ask/ScriptedChatModel",
        "top/use", f"top/use/{look}", f"top/use/{look}/ScriptedChatModel", "top/use/str",
    ]  # fmt: skip


@every_driver
@pytest.mark.parametrize("given", ["list", "manager", "async manager", "coroutines"])
def test_one_run_per_graph_and_node_with_all_else_below(driver: Driver, given: str) -> None:
    tree = Tree()
    handlers: Any = [LateTree(tree)] if given == "coroutines" else [tree]
    if given == "manager":
        handlers = CallbackManager(handlers, handlers)
    elif given == "async manager":
        handlers = AsyncCallbackManager(handlers, handlers)
    result(everything(driver), driver, config={"callbacks": handlers})
    assert tree.started == paths(driver)
    assert sorted(tree.ended) == sorted(paths(driver))
    assert tree.failed == []


@every_driver
def test_tags_metadata_and_names_reach_everything(driver: Driver) -> None:
    tree = Tree()
    config = {
        "callbacks": [tree],
        "tags": ["mine"],
        "metadata": {"who": "me"},
        "run_name": "called",
        "run_id": UUID(int=7),
    }
    result(everything(driver), driver, config=config)
    assert tree.started == [path.replace("top", "called") for path in paths(driver)]
    for path, about in tree.about.items():
        assert "mine" in about["tags"], path
        assert about["metadata"]["who"] == "me", path
    assert tree.paths[UUID(int=7)] == "called"


@every_driver
def test_tags_and_metadata_reach_a_model_without_any_handler(driver: Driver) -> None:
    tree = Tree()
    listened = ScriptedChatModel(replies=["why"], callbacks=[BareTree(tree)])
    graph = one(asking(listened, driver)).with_config(tags=["graph"], metadata={"g": 1})
    result(graph, driver, config={"tags": ["mine"], "metadata": {"who": "me"}, "run_name": "called"})
    [about] = tree.about.values()
    assert about["tags"] == ["graph", "mine"]
    assert (about["metadata"]["g"], about["metadata"]["who"], about["metadata"]["langgraph_node"]) == (1, "me", "ask")
    assert about.get("name") is None  # the run's name is the graph's alone


class BareTree(BaseCallbackHandler):
    """Sees a model alone, without the runs around it."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree

    def on_chat_model_start(self, serialized: Any, messages: Any, *, run_id: UUID, **about: Any) -> None:
        self.tree.about["model"] = about


@every_driver
def test_input_and_output_of_graph_and_node_are_shown(driver: Driver) -> None:
    tree = Tree()
    result(one(asking(model(), driver)), driver, config={"callbacks": [tree]})
    graph, node = tree.about["LangGraph"], tree.about["LangGraph/ask"]
    assert (graph["input"], node["input"]) == ({"asked": "why"}, {"asked": "why"})
    assert graph["output"] == node["output"] == {"asked": "why", "said": "why not"}


def test_no_callback_run_is_made_when_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a callback manager was configured")

    monkeypatch.setattr(CallbackManager, "configure", refuse)
    monkeypatch.setattr(CallbackManager, "on_chain_start", refuse)
    assert one(lambda state: {"said": "x"}).invoke({"asked": ""}, {"tags": ["t"], "metadata": {"m": 1}}) == {
        "asked": "",
        "said": "x",
    }


def test_routing_functions_stand_below_their_node_and_below_the_graph_after_start() -> None:
    def route(state: Said) -> str:
        model().invoke("which?")
        return "b"

    def begin(state: Said) -> str:
        return "a"

    tree = Tree()
    builder = StateGraph(Said).add_node("a", lambda state: None).add_node("b", lambda state: None)
    builder.add_conditional_edges(START, begin, ["a"]).add_conditional_edges("a", route, ["b"])
    builder.compile(name="g").invoke({"asked": ""}, {"callbacks": [tree]})
    assert tree.started == ["g", "g/begin", "g/a", "g/a/route", "g/a/route/ScriptedChatModel", "g/b"]


def test_routing_function_that_fails_fails_its_node() -> None:
    def route(state: Said) -> str:
        raise ValueError("no way")

    tree = Tree()
    builder = StateGraph(Said).add_node("a", lambda state: None).add_edge(START, "a")
    with pytest.raises(ValueError, match="no way"):
        builder.add_conditional_edges("a", route, ["a"]).compile(name="g").invoke({"asked": ""}, {"callbacks": [tree]})
    assert tree.failed == [(path, "ValueError") for path in ("g/a/route", "g/a", "g")]


def test_a_node_whose_subgraph_sends_a_command_ends_with_it() -> None:
    tree = Tree()
    inner = one(lambda state: Command(graph=Command.PARENT, update={"said": "x"}), "in")
    assert one(inner, "out").invoke({"asked": ""}, {"callbacks": [tree]})["said"] == "x"
    assert tree.failed == [
        (path, "ParentCommand") for path in ("LangGraph/out/LangGraph/in", "LangGraph/out/LangGraph")
    ]
    assert tree.about["LangGraph/out"]["output"].update == {"said": "x"}


@every_driver
def test_a_failure_is_told_of_the_node_and_of_the_graph(driver: Driver) -> None:
    tree = Tree()
    broken = ScriptedChatModel(replies=[ConnectionError("the line went dead")])
    with pytest.raises(ConnectionError):
        result(one(asking(broken, driver)), driver, config={"callbacks": [tree]})
    assert tree.failed == [("LangGraph/ask", "ConnectionError"), ("LangGraph", "ConnectionError")]


def test_a_consumer_that_leaves_fails_the_run_and_no_node() -> None:
    tree = Tree()
    builder = StateGraph(Said).add_sequence([("a", lambda state: {"said": "1"}), ("b", lambda state: {"said": "2"})])
    events: Any = builder.add_edge(START, "a").compile(name="g").stream({"asked": ""}, {"callbacks": [tree]})
    next(events)
    events.close()
    assert (tree.failed, tree.ended) == ([("g", "GeneratorExit")], ["g/a"])


async def test_a_cancelled_run_is_told_as_failed() -> None:
    tree, started = Tree(), asyncio.Event()

    async def wait(state: Said) -> None:
        started.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(one(wait, "wait").ainvoke({"asked": ""}, {"callbacks": [tree]}))
    await started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert tree.failed == [("LangGraph/wait", "CancelledError"), ("LangGraph", "CancelledError")]


class Broken(BaseCallbackHandler):
    def on_chain_start(self, serialized: Any, inputs: Any, **_: Any) -> None:
        raise ValueError("broken handler")


@every_driver
def test_errors_of_handlers_are_logged_and_do_no_harm(driver: Driver, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert result(one(asking(model(), driver)), driver, config={"callbacks": [Broken()]})["said"] == "why not"
    assert "broken handler" in caplog.text


@every_driver
def test_errors_of_handlers_that_insist_end_the_run(driver: Driver) -> None:
    insisting = Broken()
    insisting.raise_error = True
    with pytest.raises(ValueError, match="broken handler"):
        result(one(asking(model(), driver)), driver, config={"callbacks": [insisting]})


@every_driver
def test_custom_events_can_be_sent_with_and_without_a_handler(driver: Driver) -> None:
    heard: list[tuple[str, Any]] = []

    class Hear(BaseCallbackHandler):
        def on_custom_event(self, name: str, data: Any, **_: Any) -> None:
            heard.append((name, data))

    def tell(state: Said) -> Any:
        dispatch_custom_event("told", 1)

    async def atell(state: Said, config: Any) -> Any:
        await adispatch_custom_event("told", 1)

    graph = one(atell if driver == "async" else tell)
    result(graph, driver)
    assert heard == []
    result(graph, driver, config={"callbacks": [Hear()]})
    assert heard == [("told", 1)]


@every_driver
def test_context_managers_of_langchain_see_the_models_in_nodes(driver: Driver) -> None:
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    metered = ScriptedChatModel(replies=[AIMessage("why", usage_metadata=usage, response_metadata={"model_name": "m"})])
    with get_usage_metadata_callback() as counted:
        result(one(asking(metered, driver)), driver)
    assert counted.usage_metadata["m"]["total_tokens"] == 3


@every_driver
def test_a_graph_inside_a_runnable_takes_over_its_config(driver: Driver) -> None:
    tree = Tree()
    graph = one(asking(model(), driver))

    async def acall(state: Said) -> Any:
        return await graph.ainvoke(state, {"configurable": {"own": 1}})

    call: Any = acall if driver == "async" else graph.invoke
    around = RunnableLambda(call, name="around").with_config(tags=["around"], metadata={"a": 1})
    if driver == "sync":
        around.invoke({"asked": "x"}, {"callbacks": [tree]})
    else:
        asyncio.run(around.ainvoke({"asked": "x"}, {"callbacks": [tree]}))
    top = "around/LangGraph" if "around/LangGraph" in tree.about else "LangGraph"
    assert top == "around/LangGraph"
    assert (tree.about[top]["tags"], tree.about[top]["metadata"]["a"]) == (["around"], 1)


def test_a_graph_inside_a_runnable_keeps_its_own_recursion_limit() -> None:
    graph = counting(40)

    def call(state: Said) -> Any:
        return graph.invoke(state)

    assert len(RunnableLambda(call).invoke({"asked": ""})["said"]) == 40


@every_driver
def test_messages_and_callbacks_go_together(driver: Driver) -> None:
    tree = Tree()
    assert len(streamed(one(asking(model(), driver)), driver, config={"callbacks": [tree]})) == 2
    assert tree.started == ["LangGraph", "LangGraph/ask", "LangGraph/ask/ScriptedChatModel"]


@pytest.mark.parametrize("run_id", ["00000000-0000-0000-0000-000000000007", "not a uuid", 5])
def test_a_run_id_of_another_type_does_no_harm(run_id: Any) -> None:
    tree = Tree()
    one(asking(model(), "sync")).invoke({"asked": ""}, {"callbacks": [tree], "run_id": run_id})
    [graph] = [seen for seen, path in tree.paths.items() if path == "LangGraph"]
    assert isinstance(graph, UUID)
    assert graph == UUID(int=7) or run_id in ("not a uuid", 5)


# --- pauses


class Pauses(GraphCallbackHandler):
    def __init__(self) -> None:
        self.events: list[Any] = []

    def on_interrupt(self, event: GraphInterruptEvent) -> None:
        self.events.append(event)

    def on_resume(self, event: GraphResumeEvent) -> None:
        self.events.append(event)


class LatePauses(GraphCallbackHandler):
    def __init__(self) -> None:
        self.events: list[Any] = []

    async def on_interrupt(self, event: GraphInterruptEvent) -> None:
        self.events.append(event)

    async def on_resume(self, event: GraphResumeEvent) -> None:
        self.events.append(event)


@every_driver
@pytest.mark.parametrize("kind", [Pauses, LatePauses])
def test_a_question_and_its_answer_are_told(driver: Driver, kind: type[Pauses]) -> None:
    def ask(state: Said) -> Any:
        return {"said": interrupt("which?")}

    async def aask(state: Said) -> Any:
        return ask(state)

    handler = kind()
    inner = one(aask if driver == "async" else ask)
    graph = one(inner, "sub").copy({"checkpointer": InMemorySaver()})
    config = {"callbacks": [handler], "configurable": {"thread_id": "T"}, "run_id": UUID(int=3)}
    [question] = result(graph, driver, config=config)["__interrupt__"]
    result(graph, driver, Command(resume="this"), config)
    asked, resumed, below = handler.events
    assert asked == GraphInterruptEvent(UUID(int=3), "pending", asked.checkpoint_id, (), (question,))
    assert resumed == GraphResumeEvent(UUID(int=3), "pending", asked.checkpoint_id, ())
    assert [part.split(":")[0] for part in below.checkpoint_ns] == ["sub"]


@pytest.mark.parametrize("where", ["interrupt_before", "interrupt_after"])
async def test_a_pause_that_was_asked_for_is_told(where: Any) -> None:
    handler = Pauses()
    graph = one(asking(model(), "async")).copy({"checkpointer": InMemorySaver()})
    config = {"callbacks": [handler], "configurable": {"thread_id": "T"}}
    await gather(graph.astream({"asked": ""}, config, **{where: ["ask"]}))
    assert [(event.status, event.interrupts) for event in handler.events] == [(where, ())]


def test_a_run_that_does_not_pause_tells_nothing() -> None:
    handler = Pauses()
    one(asking(model(), "sync")).invoke({"asked": ""}, {"callbacks": [handler]})
    assert handler.events == []


# --- tracing


class Sheet(Client):
    """A LangSmith client that sends nothing and notes what stands below what."""

    def __init__(self) -> None:
        super().__init__(api_key="none", auto_batch_tracing=False, info={})
        self.names: dict[Any, str] = {}
        self.lines: list[str] = []

    def create_run(self, name: str, inputs: Any, run_type: Any, **about: Any) -> None:
        self.names[about["id"]] = name
        self.lines.append(f"{name} < {self.names.get(about.get('parent_run_id'))}")

    def update_run(self, *_: Any, **__: Any) -> None:
        pass


@every_driver
def test_a_traced_function_in_a_node_stands_below_it(driver: Driver) -> None:
    sheet = Sheet()

    @traceable(client=sheet)
    def helper(asked: str) -> str:
        return str(model().invoke(asked).content)

    @traceable(client=sheet, name="helper")
    async def ahelper(asked: str) -> str:
        return str((await model().ainvoke(asked)).content)

    def node(state: Said) -> Any:
        return {"said": helper(state["asked"])}

    async def anode(state: Said) -> Any:
        return {"said": await ahelper(state["asked"])}

    graph = one(anode if driver == "async" else node, "node")
    with tracing_context(enabled=True):
        result(graph, driver, config={"callbacks": [LangChainTracer(client=sheet)]})
    expected = ["LangGraph < None", "node < LangGraph", "helper < node", "ScriptedChatModel < helper"]
    assert sheet.lines == expected


def test_tracing_that_is_switched_on_needs_no_handler() -> None:
    sheet = Sheet()
    with tracing_context(enabled=True, client=sheet):
        one(asking(model(), "sync")).invoke({"asked": "why"})
    assert sheet.lines == ["LangGraph < None", "ask < LangGraph", "ScriptedChatModel < ask"]
