from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage
from langchain_core.messages.utils import message_chunk_to_message
from langchain_core.tools import tool
from pydantic import BaseModel, ValidationError

from headrace.testing import Reply, ScriptedChatModel, ScriptExhaustedError

CALLS: Any = [{"name": "f", "args": {"city": "New York", "days": 2}, "id": "t1"}, {"name": "g", "args": {}, "id": "t2"}]
USAGE: Any = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}

REPLIES: dict[str, Any] = {
    "text": "Why did the  ice cream\n cross? ",
    "empty": "",
    "message": AIMessage("one two", usage_metadata=USAGE, response_metadata={"model_name": "scripted-1"}),
    "message with an id": AIMessage("one two", id="mine"),
    "tool calls": AIMessage("let me see", tool_calls=CALLS, usage_metadata=USAGE),
    "only tool calls": AIMessage("", tool_calls=CALLS),
    "blocks": AIMessage([{"type": "reasoning", "summary": []}, {"type": "text", "text": "a b"}], tool_calls=CALLS),
    "extras": AIMessage("a", additional_kwargs={"refusal": "no"}),
    "chunks": ["one", AIMessageChunk(content=" two"), " three"],
    "function": lambda messages: f"you said {messages[-1].content}",
}


def model(*replies: Any, **options: Any) -> ScriptedChatModel:
    return ScriptedChatModel(replies=list(replies), **options)


def words(scripted: ScriptedChatModel) -> list[Any]:
    return [chunk.content for chunk in scripted.stream("hi") if chunk.content]


def added_up(chunks: list[AIMessageChunk]) -> BaseMessage:
    return message_chunk_to_message(sum(chunks[1:], chunks[0]))


def described(message: BaseMessage) -> dict[str, Any]:
    """All but an id that langchain-core made up."""
    fields = message.model_dump()
    return {**fields, "id": None if str(message.id).startswith("lc_") else message.id}


# --- the message


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES.keys())
@pytest.mark.parametrize("chunks", ["word", "char", 3])
async def test_invoke_and_stream_give_the_same_message_sync_and_async(reply: Reply, chunks: Any) -> None:
    scripted = model(reply, chunks=chunks)
    messages = [
        scripted.invoke("hi"),
        await scripted.ainvoke("hi"),
        added_up(list(scripted.stream("hi"))),
        added_up([chunk async for chunk in scripted.astream("hi")]),
    ]
    assert [described(message) for message in messages] == [described(messages[0])] * 4


@pytest.mark.parametrize("name", ["message", "message with an id", "tool calls", "only tool calls", "blocks", "extras"])
def test_scripted_message_arrives_whole(name: str) -> None:
    reply = REPLIES[name]
    message = model(reply).invoke("hi")
    for part in ("content", "tool_calls", "usage_metadata", "additional_kwargs"):
        assert getattr(message, part) == getattr(reply, part)
    assert reply.response_metadata.items() <= message.response_metadata.items()
    assert message.id == reply.id or reply.id is None


# --- chunks


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [("word", ["Why", " did", "\n it"]), ("char", list("Why did\n it")), (4, ["Why ", "did\n", " it"])],
)
def test_text_is_cut_as_asked(chunks: Any, expected: list[str]) -> None:
    assert words(model("Why did\n it", chunks=chunks)) == expected


def test_last_chunk_is_marked_and_there_is_no_other() -> None:
    assert [chunk.chunk_position for chunk in model("a b").stream("hi")] == [None, "last"]


def test_tool_call_comes_in_fragments_name_first() -> None:
    chunks = list(model(AIMessage("", tool_calls=CALLS[:1])).stream("hi"))
    fragments = [fragment for chunk in chunks for fragment in chunk.tool_call_chunks]
    assert [(fragment["name"], fragment["id"]) for fragment in fragments] == [("f", "t1")] + [(None, None)] * 5
    assert "".join(fragment["args"] or "" for fragment in fragments) == '{"city": "New York", "days": 2}'
    assert {fragment["index"] for fragment in fragments} == {0}


def test_each_fragment_of_a_call_is_shown_and_the_last_chunk_is_empty() -> None:
    *chunks, last = model(AIMessage("", tool_calls=CALLS)).stream("hi")
    assert [chunk.content_blocks for chunk in chunks] == [chunk.tool_call_chunks for chunk in chunks]
    assert all(chunk.content_blocks for chunk in chunks)
    assert (last.content_blocks, last.tool_call_chunks, last.chunk_position) == ([], [], "last")


def test_usage_comes_with_an_empty_last_chunk() -> None:
    chunks = list(model(AIMessage("a b", usage_metadata=USAGE)).stream("hi"))
    assert [(chunk.content, chunk.usage_metadata) for chunk in chunks] == [("a", None), (" b", None), ("", USAGE)]


def test_listed_chunks_are_sent_as_they_are_and_stay_so() -> None:
    chunk = AIMessageChunk(content="two")
    scripted = model(["one", chunk])
    assert words(scripted) == words(scripted) == ["one", "two"]
    assert chunk == AIMessageChunk(content="two")


def test_replies_without_their_name_are_refused_with_what_to_write() -> None:
    make: Any = ScriptedChatModel
    with pytest.raises(TypeError, match=r"by name: ScriptedChatModel\(replies=\[\.\.\.\]\)"):
        make(["a"])


def test_zero_chunk_size_and_empty_script_are_refused() -> None:
    with pytest.raises(ValidationError):
        model("a", chunks=0)
    with pytest.raises(ValidationError):
        model()


# --- the script


def test_replies_come_in_order_and_begin_again() -> None:
    scripted = model("a", "b")
    assert [scripted.invoke("hi").content for _ in range(3)] == ["a", "b", "a"]


def test_exhausted_script_can_raise() -> None:
    scripted = model("a", when_exhausted="raise")
    scripted.invoke("hi")
    with pytest.raises(ScriptExhaustedError, match="has 1 replies"):
        scripted.invoke("hi")


def test_function_sees_the_messages_and_may_give_any_reply() -> None:
    answers: list[Callable[[list[BaseMessage]], Any]] = [
        lambda messages: f"{len(messages)}",
        lambda messages: AIMessage("whole"),
        lambda messages: ["in", " parts"],
        lambda messages: KeyError("no"),
    ]
    scripted = model(*answers)
    assert [words(scripted) for _ in range(3)] == [["1"], ["whole"], ["in", " parts"]]
    with pytest.raises(KeyError):
        scripted.invoke("hi")


def test_calls_hold_what_the_model_saw() -> None:
    scripted = model("a")
    messages: list[BaseMessage] = [SystemMessage("s"), HumanMessage("hi")]
    scripted.invoke(messages)
    messages.append(AIMessage("later"))
    list(scripted.stream("again", stop=["x"]))
    assert scripted.calls == [messages[:2], [HumanMessage("again")]]
    assert scripted.options == [{}, {"stop": ["x"]}]


# --- errors


class Stop(BaseException):
    """What `except Exception` does not catch."""


@pytest.mark.parametrize("error", [ValueError("boom"), Stop()])
def test_error_is_raised_at_once(error: BaseException) -> None:
    scripted = model(error)
    with pytest.raises(type(error)):
        scripted.invoke("hi")
    with pytest.raises(type(error)):
        next(scripted.stream("hi"))


async def test_error_is_raised_at_once_in_async_calls() -> None:
    scripted = model(ValueError("boom"))
    with pytest.raises(ValueError, match="boom"):
        await scripted.ainvoke("hi")
    with pytest.raises(ValueError, match="boom"):
        await anext(scripted.astream("hi"))


async def test_error_in_mid_stream_comes_after_the_chunks_before_it() -> None:
    scripted = model(["one", " two", ConnectionError("lost"), " never"])
    seen: list[Any] = []
    with pytest.raises(ConnectionError):
        seen.extend(chunk.content for chunk in scripted.stream("hi"))
    with pytest.raises(ConnectionError):
        async for chunk in scripted.astream("hi"):
            seen.append(chunk.content)
    assert seen == ["one", " two"] * 2
    with pytest.raises(ConnectionError):
        scripted.invoke("hi")


def test_error_raised_again_does_not_gather_frames() -> None:
    error = ValueError("boom")
    scripted = model(error)
    depths = []
    for _ in range(3):
        with pytest.raises(ValueError, match="boom") as caught:
            scripted.invoke("hi")
        depths.append(len(caught.traceback))
    assert len(set(depths)) == 1


def test_empty_list_of_chunks_is_an_error() -> None:
    with pytest.raises(ValueError, match="empty list"):
        model([]).invoke("hi")


@pytest.mark.parametrize("reply", [None, lambda messages: 5])
def test_reply_of_another_kind_is_named(reply: Any) -> None:
    with pytest.raises(TypeError, match=r"not (None|5)"):
        model(reply).invoke("hi")


# --- pace


async def test_pace_holds_each_chunk_back_until_it_is_let_go() -> None:
    gates = [asyncio.Event() for _ in range(3)]
    stream = model("a b c", pace=lambda number: gates[number].wait()).astream("hi")
    for gate, word in zip(gates, ["a", " b", " c"], strict=True):
        pull = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        assert not pull.done()
        gate.set()
        assert (await pull).content == word


def test_pace_is_called_with_each_number_in_sync_calls() -> None:
    numbers: list[int] = []
    scripted = model("a b", pace=numbers.append)
    scripted.invoke("hi")
    assert words(scripted) == ["a", " b"]
    assert numbers == [0, 1, 0, 1]


def test_pace_that_would_have_to_be_awaited_is_refused_in_sync_calls() -> None:
    with pytest.raises(TypeError, match="awaitable in a sync call"):
        model("a", pace=lambda number: asyncio.sleep(0)).invoke("hi")


# --- what every chat model does


class Tokens(BaseCallbackHandler):
    def __init__(self) -> None:
        self.seen: list[str] = []

    def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
        self.seen.append(token)


def test_callbacks_see_each_token_once_and_tags() -> None:
    handler = Tokens()
    list(model("a b", tags=["joke"]).stream("hi", config={"callbacks": [handler]}))
    assert handler.seen == ["a", " b"]


def test_disabled_streaming_gives_one_whole_message() -> None:
    assert words(model("a b", disable_streaming=True)) == ["a b"]


def test_streaming_can_be_disabled_when_tools_are_bound() -> None:
    scripted = model("a b", disable_streaming="tool_calling")
    assert words(scripted) == ["a", " b"]
    assert [chunk.content for chunk in scripted.bind_tools([weather]).stream("hi")] == ["a b"]


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def test_bound_tools_are_recorded_and_share_the_script() -> None:
    scripted = model("a", "b")
    bound = scripted.bind_tools([weather], tool_choice="any")
    assert [bound.invoke("hi").content, scripted.invoke("hi").content] == ["a", "b"]
    assert scripted.tools == [weather]
    assert len(scripted.calls) == 2
    assert scripted.options[0]["tools"][0]["function"]["name"] == "weather"
    assert (scripted.options[0]["tool_choice"], scripted.options[1]) == ("any", {})


def test_structured_output_is_read_from_a_tool_call() -> None:
    class Joke(BaseModel):
        setup: str

    call: Any = {"name": "Joke", "args": {"setup": "Why?"}, "id": "1"}
    scripted = model(AIMessage("", tool_calls=[call]))
    assert cast("Joke", scripted.with_structured_output(Joke).invoke("hi")) == Joke(setup="Why?")


def test_copies_share_the_script() -> None:
    scripted = model("a", "b")
    tagged = scripted.model_copy(update={"tags": ["x"]})
    assert [scripted.invoke("hi").content, tagged.invoke("hi").content] == ["a", "b"]
