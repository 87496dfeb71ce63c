"""A call whose arguments were never closed is not made, whoever streams it and however; the model is told so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.tools import BaseTool, tool

from headrace.agents import create_agent
from headrace.messages.tool_calls import ToolCallFragments
from headrace.testing import ScriptedChatModel
from tests.agents.build import HI, kinds
from tests.chat_models.servers import Answer, Provider, ProviderServer, ToolCall
from tests.chat_models.wires import fragments
from tests.drive import Drive, Way

How = Literal["messages", "updates", "streaming"]
HOWS: tuple[How, ...] = ("messages", "updates", "streaming")
"""What makes the model stream: the mode, nothing, or the model itself."""

WIRES: dict[str, tuple[Provider, dict[str, Any]]] = {
    "chat completions": ("openai", {}),
    "responses": ("openai", {"use_responses_api": True}),
    "anthropic": ("anthropic", {}),
}

FIRST, SECOND = {"text": "the first"}, {"text": "the second"}


def noting(noted: list[Any]) -> BaseTool:
    """A tool that notes what it is called with."""

    @tool
    def note(text: str = "nothing") -> str:
        """Note something."""
        noted.append(text)
        return "noted"

    return note


def history(drive: Drive, agent: Any, how: How) -> list[Any]:
    """The messages at the end."""
    modes = ["messages", "values"] if how == "messages" else ["updates", "values"]
    *_, (_, state) = (part for part in drive.stream(agent, HI, stream_mode=modes) if part[0] == "values")
    messages: list[Any] = state["messages"]
    return messages


# the providers' own clients


def named(value: Any, call: str, answer: str) -> Iterator[tuple[str, str]]:
    """Of a request, the ids of calls and of answers, wherever they stand."""
    if isinstance(value, list):
        for one in value:
            yield from named(one, call, answer)
    elif isinstance(value, dict):
        kind = value.get("type") or value.get("role")
        if kind in (call, answer) or value.get("role") == answer:
            yield ("answer" if answer in (kind, value.get("role")) else "call", id_of(value))
        for one in value.values():
            yield from named(one, call, answer)


def id_of(value: dict[str, Any]) -> str:
    return next(str(value[key]) for key in ("call_id", "tool_call_id", "tool_use_id", "id") if key in value)


NAMES = {
    "chat completions": ("function", "tool"),
    "responses": ("function_call", "function_call_output"),
    "anthropic": ("tool_use", "tool_result"),
}
"""What calls and answers are in a request."""


def said_and_answered(wire: str, body: Any) -> tuple[list[str], list[str]]:
    """The ids of calls, and those of answers, in a request's history."""
    found = list(named(body.get("messages") or body.get("input"), *NAMES[wire]))
    return sorted(id for kind, id in found if kind == "call"), sorted(id for kind, id in found if kind == "answer")


def cases() -> Iterator[tuple[str, How, str, Any]]:
    """Whose stream, asked for how, ends how, with how many fragments lost."""
    for wire, how in product(WIRES, HOWS):
        if how != "updates":
            # Arguments that are lost to the last letter look like none where nothing says why the message ends.
            yield from ((wire, how, ending, lost) for ending in ("limit", "stop") for lost in (1, 2))
            yield wire, how, "limit", "all"
        elif wire != "anthropic":  # without a stream its arguments are an object, which cannot end in the middle
            yield from ((wire, how, "limit", lost) for lost in (1, 2))


@pytest.mark.main_only
@pytest.mark.parametrize(("wire", "how", "ending", "lost"), list(cases()))
def test_a_call_that_breaks_off_is_not_made(wire: str, how: How, ending: Any, lost: Any, drive: Drive) -> None:
    provider, options = WIRES[wire]
    missing = len(fragments(ToolCall("note", SECOND))) if lost == "all" else lost
    calls = [ToolCall("note", FIRST, "c1"), ToolCall("note", SECOND, "c2", missing)]
    noted: list[Any] = []
    with ProviderServer(Answer("let me see", calls, ending=ending), "well then") as server:
        model = server.model(provider, **options, **({"streaming": True} if how == "streaming" else {}))
        messages = history(drive, create_agent(model, [noting(noted)]), how)
    assert noted == ["the first"]
    assert kinds(messages) == ["human", "ai", "error", "success", "ai"]
    assert [call["id"] for call in messages[1].tool_calls] == ["c1"]
    assert [call["id"] for call in messages[1].invalid_tool_calls] == ["c2"]
    first, second = (request.body for request in server.requests)
    assert bool(first.get("stream")) is (how != "updates")
    assert "the arguments of this call cannot be read" in json.dumps(second)
    assert said_and_answered(wire, second) == (["c1", "c2"], ["c1", "c2"])


@pytest.mark.main_only
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("wire", WIRES)
def test_calls_that_are_whole_are_made(wire: str, how: How, drive: Drive) -> None:
    provider, options = WIRES[wire]
    calls = [ToolCall("note", FIRST, "c1"), ToolCall("note", {}, "c2")]
    noted: list[Any] = []
    with ProviderServer(Answer("let me see", calls), "well then") as server:
        model = server.model(provider, **options, **({"streaming": True} if how == "streaming" else {}))
        messages = history(drive, create_agent(model, [noting(noted)]), how)
    assert sorted(noted) == ["nothing", "the first"]
    assert kinds(messages) == ["human", "ai", "success", "success", "ai"]
    assert said_and_answered(wire, server.requests[1].body) == (["c1", "c2"], ["c1", "c2"])


# any model


class StreamingModel(ScriptedChatModel):
    """One that streams by itself."""

    streaming: bool = True


TEXTS = ('{"text": "a b"}', "{}", "", '{"text": "a b"', '{"text": "a', '{"text"', "{", '{"text": "a"}}')

IDS: dict[str, Any] = {
    "none": lambda at: None,
    "the same": lambda at: "msg",
    "of the first": lambda at: "msg" if at == 0 else None,
    "of the last ones": lambda at: None if at == 0 else "msg",
    "different": lambda at: f"msg{at}",
}
"""The ids of the chunks by their numbers."""


def cut(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


@pytest.mark.parametrize("ids", IDS)
@pytest.mark.parametrize("how", HOWS)
@given(
    texts=st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3),
    size=st.integers(1, 9),
    reason=st.sampled_from((None, "tool_calls", "length")),
    way=st.sampled_from(("sync", "async")),
)
@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_the_calls_that_are_made_are_those_of_the_fragments(
    how: How, ids: str, texts: list[str], size: int, reason: str | None, way: Way
) -> None:
    parts = [
        part
        for at, text in enumerate(texts)
        for part in (
            tool_call_chunk(name="note", id=f"c{at}", args="", index=at),
            *(tool_call_chunk(args=piece, index=at) for piece in cut(text, size)),
        )
    ]
    whole = ToolCallFragments()
    whole.add(parts)
    valid, invalid = whole.calls(cut=reason == "length")
    chunks = [AIMessageChunk(content="", tool_call_chunks=[part], id=IDS[ids](at)) for at, part in enumerate(parts)]
    if reason is not None:
        end = AIMessageChunk(content="", id=IDS[ids](len(parts)), response_metadata={"finish_reason": reason})
        chunks.append(end)
    noted: list[Any] = []
    kind = StreamingModel if how == "streaming" else ScriptedChatModel
    model = kind(replies=[chunks, "well then"], when_exhausted="raise")
    messages = history(Drive(way), create_agent(model, [noting(noted)]), how)
    assert isinstance(messages[1], AIMessage)
    assert described(messages[1].tool_calls) == described(valid)
    assert described(messages[1].invalid_tool_calls) == described(invalid)
    assert sorted(noted) == sorted(call["args"].get("text", "nothing") for call in valid)
    assert sorted(kinds(messages[2:-1])) == ["error"] * len(invalid) + ["success"] * len(valid)


def described(calls: Any) -> list[tuple[Any, ...]]:
    return [(call["name"], call["args"], call["id"]) for call in calls]
