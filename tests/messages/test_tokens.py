"""The `messages` mode: every token of every model, once, with where it comes from."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from functools import reduce
from itertools import count
from operator import add
from typing import Annotated, Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import FakeStreamingListLLM
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from typing_extensions import TypedDict

from headrace.checkpoint.memory import InMemorySaver
from headrace.config import RunnableConfig, current, get_config, get_stream_writer
from headrace.errors import NodeCancelled
from headrace.graph import START, MessagesState, StateGraph
from headrace.graph.message import push_message
from headrace.messages import tokens
from headrace.testing import ScriptedChatModel
from headrace.types import Command, Send, TimeoutPolicy
from tests.messages.build import (
    DRIVERS,
    Driver,
    How,
    Said,
    asking,
    gather,
    model,
    one,
    result,
    streamed,
    texts,
    told,
)
from tests.oracle.models import Whole

every_driver = pytest.mark.parametrize("driver", DRIVERS)
every_way = pytest.mark.parametrize("how", ["invoke", "stream"])


def talking(driver: Driver, model: Any, name: str = "talk") -> Any:
    """A graph whose node asks a model and returns its message."""

    def talk(state: MessagesState) -> Any:
        return {"messages": [model.invoke(state["messages"])]}

    async def atalk(state: MessagesState) -> Any:
        return {"messages": [await model.ainvoke(state["messages"])]}

    return one(atalk if driver == "async" else talk, name, MessagesState)


HELLO = {"messages": [HumanMessage("hi", id="h")]}


# --- from wherever a model is called


@every_driver
@every_way
def test_tokens_of_a_model_in_a_node(driver: Driver, how: How) -> None:
    assert told(streamed(one(asking(model("why not now"), driver, how)), driver)) == ["why", " not", " now"]


@every_driver
def test_tokens_of_a_model_in_a_tool(driver: Driver) -> None:
    @tool
    async def alook(at: str) -> str:
        """Look at something."""
        return str((await model().ainvoke(at)).content)

    @tool
    def look(at: str) -> str:
        """Look at something."""
        return str(model().invoke(at).content)

    async def ause(state: Said) -> Any:
        return {"said": await alook.ainvoke({"at": state["asked"]})}

    def use(state: Said) -> Any:
        return {"said": look.invoke({"at": state["asked"]})}

    assert told(streamed(one(ause if driver == "async" else use), driver)) == ["why", " not"]


@every_driver
def test_tokens_of_a_model_in_a_chain(driver: Driver) -> None:
    chain = ChatPromptTemplate.from_messages([("user", "{asked}")]) | model() | (lambda said: {"said": said.content})
    assert told(streamed(one(chain), driver)) == ["why", " not"]


@every_driver
def test_tokens_of_a_model_that_is_a_node(driver: Driver) -> None:
    graph = one(RunnableLambda(lambda state: state["messages"]) | model() | (lambda said: {"messages": said}),
                schema=MessagesState)  # fmt: skip
    assert told(streamed(graph, driver, input=HELLO)) == ["why", " not"]


@every_driver
@pytest.mark.parametrize("depth", [1, 2])
def test_tokens_of_a_model_in_a_subgraph(driver: Driver, depth: int) -> None:
    graph = one(asking(model(), driver))
    for _ in range(depth):
        graph = one(graph, "sub")
    events = streamed(graph, driver, subgraphs=True)
    assert [str(message.content) for _, (message, _) in events] == ["why", " not"]
    assert {len(ns) for ns, _ in events} == {depth}


@every_driver
def test_tokens_of_parallel_models_tell_their_node(driver: Driver) -> None:
    builder = StateGraph(MessagesState)
    for name in ("a", "b"):
        builder.add_node(name, talking(driver, model(f"{name} {name}")).builder.nodes["talk"].data)
        builder.add_edge(START, name)
    found: dict[str, str] = {}
    for message, metadata in streamed(builder.compile(), driver, input=HELLO):
        found[metadata["langgraph_node"]] = found.get(metadata["langgraph_node"], "") + str(message.content)
    assert found == {"a": "a a", "b": "b b"}


@every_driver
def test_tokens_of_tasks_made_by_send(driver: Driver) -> None:
    builder = StateGraph(MessagesState).add_node("talk", talking(driver, model()).builder.nodes["talk"].data)
    builder.add_conditional_edges(START, lambda state: [Send("talk", state), Send("talk", state)], ["talk"])
    events = streamed(builder.compile(), driver, input=HELLO)
    paths = {metadata["langgraph_path"] for _, metadata in events}
    assert (len(events), paths) == (4, {("__pregel_push", 0, False), ("__pregel_push", 1, False)})


async def test_tokens_of_models_in_child_tasks_and_threads_of_a_node() -> None:
    async def ask(state: Said) -> Said:
        said = await asyncio.gather(model("a").ainvoke("x"), asyncio.to_thread(model("b").invoke, "x"))
        return {"asked": "", "said": "".join(str(one.content) for one in said)}

    assert sorted(told(await gather(one(ask).astream({"asked": "x"}, stream_mode="messages")))) == ["a", "b"]


@every_driver
def test_config_passed_on_by_hand_changes_nothing(driver: Driver) -> None:
    def ask(state: Said, config: RunnableConfig) -> Any:
        return {"said": model().invoke("x", config).content}

    async def aask(state: Said, config: RunnableConfig) -> Any:
        return {"said": (await model().ainvoke("x", config)).content}

    assert told(streamed(one(aask if driver == "async" else ask), driver)) == ["why", " not"]


@every_driver
def test_config_passed_on_to_a_subgraph_gives_each_token_once(driver: Driver) -> None:
    inner = one(asking(model(), driver))

    def call(state: Said, config: RunnableConfig) -> Any:
        return inner.invoke(state, config)

    async def acall(state: Said, config: RunnableConfig) -> Any:
        return await inner.ainvoke(state, config)

    events = streamed(one(acall if driver == "async" else call), driver, subgraphs=True)
    assert [str(message.content) for _, (message, _) in events] == ["why", " not"]


# --- what comes with a token


@every_driver
def test_metadata_says_where_a_token_comes_from(driver: Driver) -> None:
    graph = one(asking(model(), driver), metadata={"kind": "talk"}).copy({"checkpointer": InMemorySaver()})
    config = {"metadata": {"who": "me"}, "configurable": {"thread_id": "T", "secret": "s"}}
    [(_, first), (_, second)] = streamed(graph, driver, config=config)
    assert first is second
    ns = first["langgraph_checkpoint_ns"]
    assert ns.startswith("ask:")
    expected = {
        "who": "me", "kind": "talk", "thread_id": "T", "langgraph_step": 1, "langgraph_node": "ask",
        "langgraph_triggers": ("branch:to:ask",), "langgraph_path": ("__pregel_pull", "ask"),
        "langgraph_checkpoint_ns": ns, "checkpoint_ns": ns, "ls_provider": "scriptedchatmodel", "ls_model_type": "chat",
    }  # fmt: skip
    assert {key: first[key] for key in expected} == expected
    assert set(first) - set(expected) <= {"ls_integration", "lc_versions"}


@every_driver
def test_tags_are_the_users_and_absent_without(driver: Driver) -> None:
    [(_, plain), _] = streamed(one(asking(model(), driver)), driver)
    assert "tags" not in plain
    tagged = one(asking(model(tags=["mine"]), driver))
    [(_, both), _] = streamed(tagged, driver, config={"tags": ["run"]})
    assert both["tags"] == ["run", "mine"]


@every_driver
@pytest.mark.parametrize("watched", [False, True])
def test_what_a_node_says_of_a_call_adds_to_what_the_caller_said(driver: Driver, watched: bool) -> None:
    own: Any = {"tags": ["call"], "metadata": {"c": 1}}

    def ask(state: Said) -> Any:
        return {"said": model(tags=["model"]).invoke("x", own).content}

    async def aask(state: Said) -> Any:
        return {"said": (await model(tags=["model"]).with_config(own).ainvoke("x")).content}

    config: Any = {"tags": ["run"], "metadata": {"who": "me"}, "configurable": {"thread_id": "T"}}
    if watched:
        config["callbacks"] = [BaseCallbackHandler()]
    [(_, metadata), _] = streamed(one(aask if driver == "async" else ask), driver, config=config)
    assert metadata["tags"] == ["run", "call", "model"]
    found = {key: metadata.get(key) for key in ("who", "c", "thread_id", "langgraph_node", "langgraph_step")}
    assert found == {"who": "me", "c": 1, "thread_id": "T", "langgraph_node": "ask", "langgraph_step": 1}


def test_tags_of_a_chain_do_not_show() -> None:
    chain = RunnableLambda(lambda state: state["asked"]) | model(tags=["mine"]) | (lambda said: {"said": said.content})
    [(_, metadata), _] = streamed(one(chain), "sync")
    assert metadata["tags"] == ["mine"]


@every_driver
def test_subgraph_tokens_name_both_graphs(driver: Driver) -> None:
    outer = one(one(asking(model(), driver), "inner"), "outer")
    [(ns, (_, metadata)), *_] = streamed(outer, driver, subgraphs=True, config={"configurable": {"thread_id": "T"}})
    assert metadata["langgraph_checkpoint_ns"].split("|")[0] == metadata["checkpoint_ns"] == ns[0]
    assert (metadata["langgraph_node"], metadata["thread_id"]) == ("inner", "T")


@every_driver
def test_a_message_has_one_id_in_chunks_and_state(driver: Driver) -> None:
    events = streamed(talking(driver, model()), driver, ["messages", "updates", "values"], input=HELLO)
    ids = {data[0].id for mode, data in events if mode == "messages"}
    [update] = [data["talk"]["messages"][0] for mode, data in events if mode == "updates"]
    last = [data["messages"][-1] for mode, data in events if mode == "values"][-1]
    assert ids == {update.id} == {last.id}


@every_driver
def test_chunks_add_up_to_the_message(driver: Driver) -> None:
    call = {"name": "look", "args": {"at": "the sky"}, "id": "c"}
    said = AIMessage("let me see", tool_calls=[call])
    events = streamed(talking(driver, ScriptedChatModel(replies=[said])), driver, ["messages", "values"], input=HELLO)
    chunks: list[AIMessageChunk] = [data[0] for mode, data in events if mode == "messages"]
    whole = reduce(add, chunks)
    last = [data["messages"][-1] for mode, data in events if mode == "values"][-1]
    assert (whole.content, whole.tool_calls) == (last.content, last.tool_calls)
    assert whole.tool_calls[0]["args"] == {"at": "the sky"}


# --- once, and in one piece where there are no tokens


@every_driver
def test_a_returned_message_that_was_streamed_is_not_told_again(driver: Driver) -> None:
    assert told(streamed(talking(driver, model()), driver, input=HELLO)) == ["why", " not"]


@every_driver
@pytest.mark.parametrize("silent", [Whole(answer="one piece"), model("one piece", disable_streaming=True)])
def test_a_model_that_does_not_stream_is_told_whole_and_once(driver: Driver, silent: Any) -> None:
    [(message, metadata)] = streamed(talking(driver, silent), driver, input=HELLO)
    assert (type(message), message.content, metadata["langgraph_node"]) == (AIMessage, "one piece", "talk")


@every_driver
def test_streaming_disabled_for_tool_calls_alone(driver: Driver) -> None:
    def look(at: str) -> str:
        """Look at something."""
        return at

    half = model("one piece", disable_streaming="tool_calling")
    assert told(streamed(talking(driver, half), driver, input=HELLO)) == ["one", " piece"]
    assert told(streamed(talking(driver, half.bind_tools([look])), driver, input=HELLO)) == ["one piece"]


@every_driver
def test_a_provider_told_not_to_stream_is_told_whole(driver: Driver) -> None:
    class Provider(ScriptedChatModel):
        streaming: bool = False

    assert told(streamed(talking(driver, Provider(replies=["one piece"], streaming=False)), driver, input=HELLO)) == [
        "one piece"
    ]


@every_driver
def test_messages_that_a_node_makes_are_told_whole(driver: Driver) -> None:
    def make(state: MessagesState) -> Any:
        return {"messages": [state["messages"][0], AIMessage("a"), ToolMessage("t", tool_call_id="1")]}

    events = streamed(one(make, "make", MessagesState), "sync" if driver == "sync" else "threads", input=HELLO)
    assert told(events) == ["a", "t"]
    assert all(message.id for message, _ in events)
    metadata = events[0][1]
    assert metadata["langgraph_node"] == "make"
    assert not {"checkpoint_ns", "ls_provider", "tags"} & set(metadata)


def test_messages_of_a_command_are_told() -> None:
    graph = one(lambda state: Command(update={"messages": AIMessage("a")}), "make", MessagesState)
    assert told(streamed(graph, "sync", input=HELLO)) == ["a"]


def test_a_message_returned_twice_is_told_once() -> None:
    said = AIMessage("a", id="a")
    builder = StateGraph(MessagesState).add_sequence([("x", lambda state: {"messages": said}),
                                                      ("y", lambda state: {"messages": [said]})])  # fmt: skip
    assert told(streamed(builder.add_edge(START, "x").compile(), "sync", input=HELLO)) == ["a"]


def test_a_pushed_message_is_told_once_and_its_chunks_each() -> None:
    def push(state: MessagesState) -> Any:
        for text in ("a", "b"):
            push_message(AIMessageChunk(content=text, id="p"), state_key=None)
        return {"messages": AIMessage("ab", id="p")}

    assert told(streamed(one(push, "push", MessagesState), "sync", input=HELLO)) == ["a", "b"]


@every_driver
def test_same_state_whatever_is_streamed(driver: Driver) -> None:
    def state_of(mode: Any) -> Any:
        events = streamed(talking(driver, model()), driver, [*mode, "values"], input=HELLO)
        return [(m.type, m.content) for m in [data for m, data in events if m == "values"][-1]["messages"]]

    plain = [(m.type, m.content) for m in result(talking(driver, model()), driver, HELLO)["messages"]]
    for mode in ([], ["messages"], ["updates"], ["custom", "messages", "debug", "tasks"]):
        assert state_of(mode) == plain


# --- subgraphs


@every_driver
def test_tokens_of_a_subgraph_are_withheld_and_a_warning_names_the_remedy(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens.WithheldTap, "warned", False)
    graph = one(one(asking(model(), driver)), "sub")
    with pytest.warns(UserWarning, match="subgraphs=True"):
        assert streamed(graph, driver) == []
    assert streamed(graph, driver) == []  # not warned of twice: a second warning would be an error here


def test_a_subgraph_that_returns_its_messages_is_told_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens.WithheldTap, "warned", True)
    graph = one(talking("sync", model()), "sub", MessagesState)
    assert told(streamed(graph, "sync", input=HELLO)) == ["why not"]


def test_a_node_that_listens_to_its_subgraph_alone_hides_nothing_from_the_consumer() -> None:
    inner = talking("sync", model())
    heard: list[str] = []

    def listen(state: MessagesState) -> Any:
        *parts, last = inner.stream(state, stream_mode=["messages", "values"])
        heard.extend(data[0].content for mode, data in parts if mode == "messages")
        return {"messages": last[1]["messages"]}

    assert told(streamed(one(listen, "listen", MessagesState), "sync", input=HELLO)) == ["why not"]
    assert heard == ["why", " not"]


def test_a_model_of_plain_text_has_no_messages() -> None:
    plain = FakeStreamingListLLM(responses=["why"])

    def ask(state: Said) -> Said:
        return {"asked": "", "said": "".join(plain.stream("x"))}

    assert streamed(one(ask), "sync", ["messages", "updates"]) == [("updates", {"ask": {"asked": "", "said": "why"}})]


def test_messages_without_ids_in_a_plain_list_are_all_told() -> None:
    class State(TypedDict):
        messages: Annotated[list[Any], add]

    graph = one(lambda state: {"messages": [AIMessage("a"), AIMessage("a")]}, schema=State)
    assert told(streamed(graph, "sync", input={"messages": [AIMessage("a")]})) == ["a", "a"]


# --- order, and who is speaking


@every_driver
def test_tokens_of_a_node_come_before_its_update_and_that_before_the_state(driver: Driver) -> None:
    builder = StateGraph(MessagesState)
    for name in ("a", "b", "c"):
        builder.add_node(name, talking(driver, model(f"{name} {name}")).builder.nodes["talk"].data)
        builder.add_edge(START, name)
    events = streamed(builder.compile(), driver, ["messages", "updates", "values"], input=HELLO)
    for name in ("a", "b", "c"):
        mine = [
            mode
            for mode, data in events
            if (mode == "messages" and data[1]["langgraph_node"] == name) or (mode == "updates" and name in data)
        ]
        assert mine == ["messages", "messages", "updates"]
    assert [mode for mode, _ in events].index("values", 1) == len(events) - 1


@every_driver
def test_tokens_of_two_runs_of_one_subgraph_can_be_told_apart(driver: Driver) -> None:
    inner = talking(driver, model("x y"))
    builder = StateGraph(MessagesState).add_node("agent", inner)
    builder.add_conditional_edges(START, lambda state: [Send("agent", state), Send("agent", state)], ["agent"])
    said: dict[str, list[str]] = {}
    for ns, (message, metadata) in streamed(builder.compile(), driver, input=HELLO, subgraphs=True):
        assert metadata["langgraph_checkpoint_ns"].split("|")[0] == ns[0]
        said.setdefault(ns[0], []).append(str(message.content))
    assert list(said.values()) == [["x", " y"], ["x", " y"]]


def test_what_a_subgraph_told_its_parent_does_not_tell_again() -> None:
    def push(state: MessagesState) -> Any:
        push_message(AIMessage("pushed", id="p"))
        return {"messages": [AIMessage("made", id="m")]}

    graph = one(one(push, "push", MessagesState), "sub", MessagesState)
    events = streamed(graph, "sync", input=HELLO, subgraphs=True)
    assert [(len(ns), message.content) for ns, (message, _) in events] == [(1, "pushed"), (1, "made")]


async def test_a_token_that_comes_after_the_end_of_its_node_is_dropped_with_a_warning() -> None:
    go = asyncio.Event()
    left: list[asyncio.Task[Any]] = []

    async def leave(state: Said) -> None:
        left.append(asyncio.create_task(late()))

    async def late() -> Any:
        await go.wait()
        return await model().ainvoke("x")

    with pytest.warns(RuntimeWarning, match="node 'leave' has ended"):
        assert await gather(one(leave, "leave").astream({"asked": ""}, stream_mode="messages")) == []
        go.set()
        assert (await left[0]).content == "why not"


# --- ends


@every_driver
@every_way
def test_an_error_in_mid_stream_comes_after_its_tokens(driver: Driver, how: How) -> None:
    broken = ScriptedChatModel(replies=[["well", ConnectionError("the line went dead")]])
    graph = one(asking(broken, driver, how))
    seen: list[str] = []

    async def aread() -> None:
        async for message, _ in graph.astream({"asked": ""}, stream_mode="messages"):
            seen.append(message.content)

    def read() -> None:
        for message, _ in graph.stream({"asked": ""}, stream_mode="messages"):
            seen.append(message.content)

    with pytest.raises(ConnectionError, match="the line went dead"):
        read() if driver == "sync" else asyncio.run(aread())
    assert seen == ["well"]


@every_way
@pytest.mark.parametrize("modes", [["custom"], ["custom", "messages"]])
def test_a_stopped_sync_node_ends_at_its_next_token(modes: list[str], how: How) -> None:
    waiting, ended = threading.Event(), threading.Event()
    sent: list[int] = []

    def pace(number: int) -> None:
        sent.append(number)
        if number == 1:
            waiting.set()
            until_stopped()

    def ask(state: Said) -> Any:
        try:
            get_stream_writer()("started")
            return asking(model("a b c d", pace=pace), "sync", how)(state)
        finally:
            ended.set()

    events = one(ask).stream({"asked": ""}, stream_mode=modes)
    assert next(events) == ("custom", "started")
    # without `messages`, invoke does not stream: there the model has no token to end at, and its answer is fenced off
    waiting.wait()
    events.close()
    assert ended.wait(30)
    assert sent == [0, 1] or (how == "invoke" and modes == ["custom"])


def until_stopped() -> None:
    """Wait for the run around to be stopped, as code does that never calls us."""
    while True:
        try:
            get_config()
        except NodeCancelled:
            return


@every_driver
@every_way
@pytest.mark.parametrize("mode", ["messages", "values"])
def test_tokens_are_signs_of_life_whatever_is_listened_to(
    driver: Driver, how: How, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = count(1000)
    time = next(times)
    monkeypatch.setattr("headrace.clock.monotonic", lambda: time)
    heard: list[bool] = []

    def pace(number: int) -> None:
        nonlocal time
        time = next(times)

    def note(said: Said) -> Said:
        heard.append(current.get().sign.__self__.heard == time)  # type: ignore[union-attr]
        return said

    ask = asking(model("a b c", pace=pace), driver, how)

    async def alisten(state: Said) -> Said:
        return note(await ask(state))

    def listen(state: Said) -> Said:
        return note(ask(state))

    graph = one(alisten if driver == "async" else listen, timeout=TimeoutPolicy(idle_timeout=3600))
    streamed(graph, driver, mode)
    assert heard == [True]


def test_tokens_reach_the_consumer_while_the_model_goes_on() -> None:
    taken = threading.Event()
    paced = model("a b", pace=lambda number: taken.wait(30) and None if number else None)
    events = one(asking(paced, "sync", "stream")).stream({"asked": ""}, stream_mode="messages")
    first = next(events)
    taken.set()
    assert texts([first, *events]) == "a b"


def test_tokens_reach_a_config_made_before_langchain_was_loaded() -> None:
    """Tags, metadata and messages of a graph whose node is the first to import langchain-core."""
    script = """
import sys
from typing import TypedDict
from headrace.graph import START, StateGraph

class State(TypedDict):
    text: str

seen = []

def ask(state):
    from langchain_core.callbacks import BaseCallbackHandler
    from headrace.testing import ScriptedChatModel

    class See(BaseCallbackHandler):
        def on_chat_model_start(self, serialized, messages, *, tags=None, metadata=None, **_):
            seen.append((tags, metadata["who"], metadata["langgraph_node"]))

    model = ScriptedChatModel(replies=["why not"], callbacks=[See()])
    return {"text": model.invoke("x").content}

graph = StateGraph(State).add_node("ask", ask).add_edge(START, "ask").compile()
assert "langchain_core" not in sys.modules
config = {"tags": ["t"], "metadata": {"who": "me"}}
if sys.argv[1] == "invoke":
    assert graph.invoke({"text": ""}, config) == {"text": "why not"}
else:
    events = list(graph.stream({"text": ""}, config, stream_mode="messages"))
    assert [(message.content, metadata["who"]) for message, metadata in events] == [("why", "me"), (" not", "me")]
assert seen == [(["t"], "me", "ask")], seen
"""
    for way in ("invoke", "stream"):
        subprocess.run([sys.executable, "-c", script, way], check=True)
