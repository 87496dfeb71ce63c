"""What streams of agents tell: of agents inside of graphs, tools and agents by one rule, and of each message once."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from itertools import groupby
from operator import add as plus
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool

from headrace.agents import create_agent
from headrace.checkpoint.memory import InMemorySaver
from headrace.config import get_stream_writer
from headrace.graph import END, START, MessagesState, StateGraph
from headrace.messages import tokens
from headrace.prebuilt import ToolNode
from tests.agents.build import HI, ONE, add, calling, scripted
from tests.drive import Drive, Way

silent_about_subgraphs = pytest.mark.filterwarnings("ignore:node .* of a subgraph calls a chat model")


# agents inside


@tool
def look(at: str) -> str:
    """Look at something."""
    get_stream_writer()(f"looking at {at}")
    return f"saw {at}"


def observer() -> Any:
    """The agent that is inside."""
    return create_agent(scripted(calling(("look", {"at": "sky"})), "it is blue"), [look], name="observer")


def asking(way: Way) -> Any:
    """A tool that calls the agent, as the driver does."""
    agent = observer()
    task: Any = {"messages": [HumanMessage("look up")]}

    @tool("ask")
    def ask() -> str:
        """Ask somebody."""
        return str(agent.invoke(task)["messages"][-1].text)

    @tool("ask")
    async def aask() -> str:
        """Ask somebody."""
        return str((await agent.ainvoke(task))["messages"][-1].text)

    return ask if way == "sync" else aask


def as_a_node(way: Way) -> Any:
    return StateGraph(MessagesState).add_node("inner", observer()).add_edge(START, "inner").compile()


def as_a_tool(way: Way) -> Any:
    """A graph with a node for tools, one of which is the agent."""
    first = scripted(calling(("ask", {})))

    def begin(state: MessagesState) -> Any:
        return {"messages": [first.invoke(state["messages"])]}

    builder = StateGraph(MessagesState).add_node("begin", begin).add_node("tools", ToolNode([asking(way)]))
    return builder.add_edge(START, "begin").add_edge("begin", "tools").add_edge("tools", END).compile()


def in_an_agent(way: Way) -> Any:
    return create_agent(scripted(calling(("ask", {})), "blue, they say"), [asking(way)], name="boss")


PLACES: dict[str, Callable[[Way], Any]] = {
    "as a node": as_a_node,
    "as a tool": as_a_tool,
    "in an agent's tool": in_an_agent,
}

# (where, by whom, what) of each thing that is told; a message's chunks are one thing.
TOLD: dict[tuple[str, str, bool], list[Any]] = {
    ("as a node", "updates", False): [("", "inner")],
    ("as a node", "updates", True): [("inner", "model"), ("inner", "tools"), ("inner", "model"), ("", "inner")],
    ("as a node", "messages", False): [
        ("", "inner", "calls look"), ("", "inner", "saw sky"), ("", "inner", "it is blue"),
    ],
    ("as a node", "messages", True): [
        ("inner", "model", "calls look"), ("inner", "tools", "saw sky"), ("inner", "model", "it is blue"),
    ],
    ("as a node", "custom", False): [],
    ("as a node", "custom", True): [("inner", "looking at sky")],
    ("as a tool", "updates", False): [("", "begin"), ("", "tools")],
    ("as a tool", "updates", True): [
        ("", "begin"), ("tools", "model"), ("tools", "tools"), ("tools", "model"), ("", "tools"),
    ],
    ("as a tool", "messages", False): [("", "begin", "calls ask"), ("", "tools", "it is blue")],
    ("as a tool", "messages", True): [
        ("", "begin", "calls ask"), ("tools", "model", "calls look"), ("tools", "tools", "saw sky"),
        ("tools", "model", "it is blue"), ("", "tools", "it is blue"),
    ],
    ("as a tool", "custom", False): [],
    ("as a tool", "custom", True): [("tools", "looking at sky")],
    ("in an agent's tool", "updates", False): [("", "model"), ("", "tools"), ("", "model")],
    ("in an agent's tool", "updates", True): [
        ("", "model"), ("tools", "model"), ("tools", "tools"), ("tools", "model"), ("", "tools"), ("", "model"),
    ],
    ("in an agent's tool", "messages", False): [
        ("", "model", "calls ask"), ("", "tools", "it is blue"), ("", "model", "blue, they say"),
    ],
    ("in an agent's tool", "messages", True): [
        ("", "model", "calls ask"), ("tools", "model", "calls look"), ("tools", "tools", "saw sky"),
        ("tools", "model", "it is blue"), ("", "tools", "it is blue"), ("", "model", "blue, they say"),
    ],
    ("in an agent's tool", "custom", False): [],
    ("in an agent's tool", "custom", True): [("tools", "looking at sky")],
}  # fmt: skip


@silent_about_subgraphs
@pytest.mark.parametrize(("place", "mode", "subgraphs"), TOLD)
def test_what_is_told_of_an_agent_inside(place: str, mode: str, subgraphs: bool, drive: Drive) -> None:
    told = drive.stream(PLACES[place](drive.way), HI, stream_mode=mode, subgraphs=subgraphs)
    pairs = [(where(ns), data) for ns, data in told] if subgraphs else [("", data) for data in told]
    assert summed(pairs, mode) == TOLD[place, mode, subgraphs]


def where(ns: tuple[str, ...]) -> str:
    return "/".join(name.partition(":")[0] for name in ns)


def summed(pairs: list[tuple[str, Any]], mode: str) -> list[Any]:
    """The events as the table has them."""
    if mode == "updates":
        return [(place, node) for place, data in pairs for node in data]
    if mode == "custom":
        return pairs
    runs = groupby(pairs, lambda pair: (pair[0], pair[1][1]["langgraph_node"], pair[1][0].id))
    return [(place, node, said([data[0] for _, data in run])) for (place, node, _), run in runs]


def said(chunks: list[BaseMessage]) -> str:
    whole: Any = reduce(plus, chunks) if isinstance(chunks[0], AIMessageChunk) else chunks[0]
    calls = getattr(whole, "tool_calls", [])
    return f"calls {calls[0]['name']}" if calls else str(whole.text)


@pytest.mark.parametrize("place", PLACES)
def test_tokens_that_nobody_will_see_are_warned_of_once(
    place: str, drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens.WithheldTap, "warned", False)
    with pytest.warns(UserWarning, match="subgraphs=True") as told:
        drive.stream(PLACES[place](drive.way), HI, stream_mode="messages")
    assert len(told) == 1


@pytest.mark.parametrize("place", PLACES)
def test_tokens_have_the_name_of_the_agent_that_says_them(place: str, drive: Drive) -> None:
    told = drive.stream(PLACES[place](drive.way), HI, stream_mode="messages", subgraphs=True)
    outer = "boss" if place == "in an agent's tool" else None
    names = {(bool(ns), metadata.get("lc_agent_name")) for ns, (_, metadata) in told}
    assert names <= {(True, "observer"), (False, outer)}
    assert (True, "observer") in names


def test_an_agent_has_its_name_although_the_config_was_passed_on(drive: Drive) -> None:
    agent = observer()

    @tool("ask")
    def ask(config: RunnableConfig) -> str:
        """Ask somebody."""
        return str(agent.invoke({"messages": "look up"}, config)["messages"][-1].text)

    boss = create_agent(scripted(calling(("ask", {})), "ok"), [ask], name="boss")
    told = drive.stream(boss, HI, stream_mode="messages", subgraphs=True)
    assert {metadata["lc_agent_name"] for ns, (_, metadata) in told if ns} == {"observer"}


def test_a_caller_may_give_an_agent_another_name(drive: Drive) -> None:
    config: Any = {"metadata": {"lc_agent_name": "other"}}
    told = drive.stream(observer(), HI, config, stream_mode="messages")
    assert {metadata["lc_agent_name"] for _, metadata in told} == {"other"}


# each message once


REASONED = AIMessage(
    [
        {"type": "reasoning", "reasoning": "let me think", "index": 0},
        {"type": "text", "text": "it is blue", "index": 1},
    ],
    usage_metadata={
        "input_tokens": 11, "output_tokens": 7, "total_tokens": 18, "output_token_details": {"reasoning": 3},
    },
    response_metadata={"finish_reason": "stop", "model_name": "m", "model_provider": "p"},
)  # fmt: skip

CALLED = AIMessage(
    "let me see",
    tool_calls=[{"name": "add", "args": {"a": 1, "b": 2}, "id": "c1"}],
    usage_metadata={"input_tokens": 5, "output_tokens": 2, "total_tokens": 7},
    response_metadata={"finish_reason": "tool_calls", "model_name": "m"},
)

MODES: list[Any] = ["values", "updates", "messages", "tools", ["messages", "updates", "custom"]]


def full(**settings: Any) -> Any:
    """An agent whose model tells of usage, of why it ended and of what it thought."""
    model = scripted(CALLED, REASONED, **settings)
    return create_agent(model, [add], checkpointer=InMemorySaver())


def chunks_by_id(told: list[Any]) -> dict[str, BaseMessage]:
    """The messages that the chunks of a stream add up to."""
    found: dict[str, Any] = {}
    for message, _ in told:
        found[message.id] = found[message.id] + message if message.id in found else message
    return found


def plain(message: BaseMessage) -> dict[str, Any]:
    """What a message says, whether it came whole or in chunks; a run's own id aside."""
    return {
        "type": message.type.removesuffix("MessageChunk").lower(),
        "blocks": message.content_blocks,
        "usage": getattr(message, "usage_metadata", None),
        "response": {key: value for key, value in message.response_metadata.items() if key != "output_version"},
    }


def test_tokens_add_up_to_the_messages_of_the_state(drive: Drive, thread: Any) -> None:
    agent = full()
    told = chunks_by_id(drive.stream(agent, HI, thread, stream_mode="messages"))
    _, *kept = drive.state(agent, thread).values["messages"]
    assert list(told) == [message.id for message in kept]
    assert [plain(message) for message in told.values()] == [plain(message) for message in kept]


def test_usage_and_the_reason_of_the_end_come_once(drive: Drive) -> None:
    told = [message for message, _ in drive.stream(full(), HI, stream_mode="messages", config=one())]
    counted = [message.usage_metadata["total_tokens"] for message in told if getattr(message, "usage_metadata", None)]
    assert counted == [7, 18]
    reasons = [message.response_metadata.get("finish_reason") for message in told]
    assert [reason for reason in reasons if reason] == ["tool_calls", "stop"]


def test_reasoning_comes_once(drive: Drive) -> None:
    told = [message for message, _ in drive.stream(full(), HI, stream_mode="messages", config=one())]
    thoughts = [block["reasoning"] for one in told for block in one.content_blocks if block["type"] == "reasoning"]
    assert thoughts == ["let me think"]


def one() -> Any:
    return {"configurable": {"thread_id": "one"}}


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_invoke_and_stream_leave_the_same_state(mode: Any, drive: Drive) -> None:
    invoked = drive.invoke(full(), HI, one())["messages"]
    agent = full()
    drive.stream(agent, HI, one(), stream_mode=mode)
    streamed = drive.state(agent, one()).values["messages"]
    assert [without_id(message) for message in streamed] == [without_id(message) for message in invoked]


def without_id(message: BaseMessage) -> BaseMessage:
    return message.model_copy(update={"id": None})


def test_both_drivers_leave_the_same_state() -> None:
    first, second = (Drive(way).invoke(full(), HI, one())["messages"] for way in ("sync", "async"))
    assert [without_id(message) for message in first] == [without_id(message) for message in second]


def test_a_message_has_one_id_wherever_it_is_told(drive: Drive, thread: Any) -> None:
    agent = full()
    ids: dict[str, list[str | None]] = {"messages": [], "updates": [], "values": [], "tools": []}
    for mode, data in drive.stream(agent, HI, thread, stream_mode=list(ids)):
        ids[mode] += [message.id for message in messages_in(mode, data)]
    kept = [message.id for message in drive.state(agent, thread).values["messages"]]
    assert list(dict.fromkeys(ids["messages"])) == kept[1:] == ids["updates"]
    assert list(dict.fromkeys(ids["values"])) == kept
    assert ids["tools"] == [kept[2]]


def messages_in(mode: str, data: Any) -> list[BaseMessage]:
    """The messages in an event."""
    if mode == "messages":
        return [data[0]]
    if mode == "tools":
        return [data["output"]] if "output" in data else []
    return list(data["messages"] if mode == "values" else next(iter(data.values()))["messages"])


def test_ids_of_a_provider_are_kept(drive: Drive) -> None:
    agent = create_agent(scripted(AIMessage("hello there", id="msg_1")))
    assert {message.id for message, _ in drive.stream(agent, HI, stream_mode="messages")} == {"msg_1"}


# models that do not stream, and models that nobody is to hear


def heard(drive: Drive, agent: Any, **options: Any) -> list[tuple[str, str]]:
    told = drive.stream(agent, HI, stream_mode="messages", **options)
    return [(type(message).__name__, message.text) for message, _ in told]


@pytest.mark.parametrize("disabled", [True, "tool_calling"])
def test_a_model_that_does_not_stream_is_told_whole_and_once(disabled: Any, drive: Drive) -> None:
    agent = create_agent(scripted(calling(ONE, text="let me see"), "it is 3", disable_streaming=disabled), [add])
    assert heard(drive, agent) == [("AIMessage", "let me see"), ("ToolMessage", "3"), ("AIMessage", "it is 3")]


def test_streaming_disabled_for_calls_alone_is_no_matter_without_tools(drive: Drive) -> None:
    agent = create_agent(scripted("it is 3", disable_streaming="tool_calling"))
    assert heard(drive, agent) == [("AIMessageChunk", "it"), ("AIMessageChunk", " is"), ("AIMessageChunk", " 3")]


def test_streaming_is_disabled_for_each_model_alone(drive: Drive) -> None:
    whole = scripted("said by the tool", disable_streaming=True)

    @tool
    def say() -> str:
        """Say something."""
        return str(whole.invoke("say").text)

    agent = create_agent(scripted(calling(("say", {})), "so it is"), [say])
    kinds = [kind for kind, text in heard(drive, agent) if text]
    assert kinds == ["AIMessage", "ToolMessage", *["AIMessageChunk"] * 3]


def test_a_silent_model_is_not_heard_and_its_message_is_kept(drive: Drive) -> None:
    agent = create_agent(scripted(calling(ONE), "it is 3", tags=["nostream"]), [add])
    assert heard(drive, agent) == [("ToolMessage", "3")]
    assert drive.invoke(create_agent(scripted("it is 3", tags=["nostream"])), HI)["messages"][-1].text == "it is 3"


def test_a_silent_model_in_a_tool_is_not_heard(drive: Drive) -> None:
    quiet = scripted("a secret", tags=["nostream"])

    @tool
    def think() -> str:
        """Think."""
        quiet.invoke("think")
        return "thought"

    agent = create_agent(scripted(calling(("think", {})), "ok"), [think])
    assert [text for _, text in heard(drive, agent) if text] == ["thought", "ok"]


def test_a_silent_node_for_tools_is_not_heard(drive: Drive) -> None:
    agent = create_agent(scripted(calling(ONE), "it is 3"), ToolNode([add], tags=["nostream"]))
    told = drive.stream(agent, HI, stream_mode="messages")
    assert not [message for message, _ in told if isinstance(message, ToolMessage)]


@pytest.mark.parametrize("subgraphs", [False, True])
def test_a_silent_agent_is_not_heard_in_a_graph(subgraphs: bool, drive: Drive) -> None:
    inner = observer().with_config(tags=["nostream"])
    graph = StateGraph(MessagesState).add_node("inner", inner).add_edge(START, "inner").compile()
    assert drive.stream(graph, HI, stream_mode="messages", subgraphs=subgraphs) == []


def test_a_model_is_called_once_per_turn_however_it_is_streamed(drive: Drive) -> None:
    model = scripted(calling(ONE), "it is 3")
    drive.stream(create_agent(model, [add]), HI, stream_mode=["messages", "values", "updates", "tools", "debug"])
    assert len(model.calls) == 2


def test_tools_are_told_of_while_they_run(drive: Drive) -> None:
    agent = create_agent(scripted(calling(ONE), "it is 3"), [add])
    told = [(data["event"], data["tool_call_id"]) for data in drive.stream(agent, HI, stream_mode="tools")]
    assert told == [("tool-started", "c1"), ("tool-finished", "c1")]
