"""What a real model said is said again, from a file that a person can read and that holds no secrets."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from pydantic import BaseModel, SecretStr, ValidationError

from headrace.graph import START, MessagesState, StateGraph
from headrace.testing import (
    InvalidRecordingError,
    RecordedChatModel,
    RecordedError,
    ScriptedChatModel,
    UnrecordedCallError,
)

USAGE: Any = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
CALL: Any = {"name": "weather", "args": {"city": "Zürich", "id": "x"}, "id": "call_1"}
REPLIES: dict[str, Any] = {
    "text": "Hello there",
    "provider's id and metadata": AIMessage("hi", id="msg_1", response_metadata={"model_name": "m", "logprobs": None}),
    "tool calls and usage": AIMessage("see", tool_calls=[CALL, {**CALL, "id": "call_2"}], usage_metadata=USAGE),
    "blocks": AIMessage([{"type": "reasoning", "summary": []}, {"type": "text", "text": "a b"}]),
    "kwargs": AIMessage("", additional_kwargs={"refusal": "no"}),
    "unclosed call": [
        AIMessageChunk(content="", tool_call_chunks=[{"name": "f", "args": '{"a', "id": "1", "index": 0}])
    ],
}
Way = str
WAYS = ("invoke", "stream", "ainvoke", "astream")
every_way = pytest.mark.parametrize("way", WAYS)


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tapes" / "call.json"


def recording(path: Path, *replies: Any, **options: Any) -> RecordedChatModel:
    return RecordedChatModel(path=path, model=ScriptedChatModel(replies=list(replies)), mode="record", **options)


def replay(path: Path, **options: Any) -> RecordedChatModel:
    return RecordedChatModel(path=path, mode="replay", **options)


async def asked(model: Any, way: Way, input: Any = "hi", **options: Any) -> list[dict[str, Any]]:
    """What comes, chunk by chunk, without ids that langchain-core made up."""
    if way == "stream":
        messages = list(model.stream(input, **options))
    elif way == "astream":
        messages = [chunk async for chunk in model.astream(input, **options)]
    else:
        messages = [model.invoke(input, **options) if way == "invoke" else await model.ainvoke(input, **options)]
    return [{**m.model_dump(), "id": None if str(m.id).startswith("lc_") else m.id} for m in messages]


def calls_in(path: Path) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = json.loads(path.read_text())["calls"]
    return calls


# --- the same again


@every_way
@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES.keys())
async def test_a_replay_says_what_the_model_said(path: Path, reply: Any, way: Way) -> None:
    real = await asked(ScriptedChatModel(replies=[reply]), way)
    assert await asked(recording(path, reply), way) == real
    assert await asked(replay(path), way) == real


@every_way
async def test_either_way_of_asking_replays_what_the_other_recorded(path: Path, way: Way) -> None:
    for first in WAYS:
        await asked(recording(path, REPLIES["tool calls and usage"]), first)
        assert await asked(replay(path), way) == await asked(
            ScriptedChatModel(replies=[REPLIES["tool calls and usage"]]), way
        )


class Whole(BaseChatModel):
    """A model that does not stream."""

    key: SecretStr = SecretStr("")
    model_name: str = "whole-1"
    answer: AIMessage = AIMessage("all of it", tool_calls=[CALL])

    @property
    def _llm_type(self) -> str:
        return "whole"

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self.answer)])


@every_way
async def test_a_model_that_does_not_stream_is_recorded_as_one_chunk(path: Path, way: Way) -> None:
    [heard] = await asked(RecordedChatModel(path=path, model=Whole(), mode="record"), way)
    assert [heard] == await asked(replay(path), way)
    assert (heard["content"], heard["tool_calls"][0]["args"]) == ("all of it", CALL["args"])
    assert calls_in(path)[0]["model"] == "whole-1"


def test_calls_are_known_by_what_they_ask_and_the_same_question_has_its_answers_in_order(path: Path) -> None:
    recorder = recording(path, "one", "two", "three")
    for question in ("a", "b", "a"):
        recorder.invoke(question)
    again = replay(path)
    assert [again.invoke(question).content for question in ("a", "a", "b")] == ["one", "three", "two"]


def test_a_history_is_known_whatever_ids_its_messages_and_calls_have(path: Path) -> None:
    def history(message_id: str, call_id: str) -> list[Any]:
        answer = AIMessage(
            "", id=message_id, tool_calls=[{**CALL, "id": call_id}], response_metadata={"at": message_id}
        )
        return [HumanMessage("hi", id=f"h-{message_id}"), answer, ToolMessage("sunny", tool_call_id=call_id)]

    recording(path, "fine").invoke(history("1", "x"))
    assert replay(path).invoke(history("2", "y")).content == "fine"
    unrelated = history("2", "y")
    unrelated[2].tool_call_id = "z"
    with pytest.raises(UnrecordedCallError):
        replay(path).invoke(unrelated)


@pytest.mark.parametrize("change", [{"stop": ["x"]}, {"temperature": 1}])
def test_options_are_part_of_the_question(path: Path, change: Any) -> None:
    recording(path, "fine").invoke("hi", **change)
    with pytest.raises(UnrecordedCallError):
        replay(path).invoke("hi")
    assert replay(path).invoke("hi", **change).content == "fine"


def test_what_differs_each_time_can_be_masked(path: Path) -> None:
    def mask(text: str) -> str:
        return re.sub(r"\d{4}-\d\d-\d\d", "<date>", text)

    recording(path, "fine", mask=mask).invoke("today is 2026-01-02")
    assert replay(path, mask=mask).invoke("today is 2027-03-04").content == "fine"
    assert "2026" not in path.read_text()


# --- tools


class InOwnForm(ScriptedChatModel):
    """A provider with a form of its own for tools."""

    def bind_tools(self, tools: Any, *, tool_choice: Any = None, **kwargs: Any) -> Any:
        self._script.tools = list(tools)
        return self.bind(own_tools=[tool.name for tool in tools], **kwargs)


def test_tools_are_bound_to_the_real_model_and_known_without_it(path: Path) -> None:
    real = InOwnForm(replies=["fine"])
    recorder = RecordedChatModel(path=path, model=real, mode="record")
    recorder.bind_tools([weather], tool_choice="any", strict=True).invoke("hi", temperature=1)
    assert real.options == [{"own_tools": ["weather"], "strict": True, "temperature": 1}]
    again = replay(path).bind_tools([weather], tool_choice="any", strict=True)
    assert again.invoke("hi", temperature=1).content == "fine"
    assert calls_in(path)[0]["options"]["tools"][0]["function"]["name"] == "weather"


def test_a_tool_that_changed_makes_another_question(path: Path) -> None:
    recording(path, "fine").bind_tools([weather]).invoke("hi")

    @tool("weather")
    def changed(city: str) -> str:
        """The weather of today in a city."""
        return city

    with pytest.raises(UnrecordedCallError, match="weather of today"):
        replay(path).bind_tools([changed]).invoke("hi")


def test_a_providers_own_tool_stays_as_it_is(path: Path) -> None:
    own = {"web": {"max_uses": 1}}
    recording(path, "fine").model_copy().bind(tools=[own]).invoke("hi")
    assert replay(path).bind_tools([own]).invoke("hi").content == "fine"


def test_structured_output_is_replayed(path: Path) -> None:
    class Joke(BaseModel):
        setup: str

    reply = AIMessage("", tool_calls=[{"name": "Joke", "args": {"setup": "Why?"}, "id": "1"}])
    assert recording(path, reply).with_structured_output(Joke).invoke("hi") == Joke(setup="Why?")
    assert replay(path).with_structured_output(Joke).invoke("hi") == Joke(setup="Why?")


# --- errors


class Overloaded(Exception):
    """Of a provider."""


@every_way
async def test_an_error_comes_after_the_chunks_before_it(path: Path, way: Way) -> None:
    with pytest.raises(Overloaded):
        await asked(recording(path, ["one", " two", Overloaded("try later")]), way)
    seen: list[Any] = []
    model = replay(path)
    with pytest.raises(RecordedError, match=r"\.Overloaded: try later$") as caught:
        if way == "stream":
            seen.extend(chunk.content for chunk in model.stream("hi"))
        elif way == "astream":
            async for chunk in model.astream("hi"):
                seen.append(chunk.content)
        else:
            await asked(model, way)
    assert seen in ([], ["one", " two"])
    assert (caught.value.kind.rpartition(".")[2], caught.value.text) == ("Overloaded", "try later")


def test_a_missing_call_shows_the_nearest(path: Path) -> None:
    recorder = recording(path, "a", "b")
    recorder.invoke([("system", "You know cities."), ("user", "what of Oslo?")])
    recorder.invoke("unlike")
    with pytest.raises(UnrecordedCallError) as caught:
        replay(path).invoke([("system", "You know cities."), ("user", "what of Bergen?")])
    text = str(caught.value)
    assert "the nearest is call 1 of 2 (- recorded, + asked):" in text
    assert text.splitlines()[1:] == ['-   "content": "what of Oslo?"', '+   "content": "what of Bergen?"']
    assert caught.value.nearest == {key: calls_in(path)[0][key] for key in ("messages", "options")}
    assert caught.value.asked["messages"][1]["content"] == "what of Bergen?"


def test_a_call_asked_more_often_than_recorded_says_so(path: Path) -> None:
    recording(path, "a").invoke("hi")
    model = replay(path)
    model.invoke("hi")
    with pytest.raises(UnrecordedCallError, match="has the call once, and it is asked once more"):
        model.invoke("hi")


@pytest.mark.parametrize("mode", ["replay", "auto"])
def test_without_a_file_and_a_model_nothing_can_be_said(path: Path, mode: Any) -> None:
    with pytest.raises(UnrecordedCallError, match="does not exist"):
        RecordedChatModel(path=path, mode=mode).invoke("hi")


def test_recording_needs_a_model(path: Path) -> None:
    with pytest.raises(ValidationError, match="needs the model"):
        RecordedChatModel(path=path, mode="record")


# --- modes


def test_auto_asks_the_model_only_for_what_is_missing(path: Path) -> None:
    recording(path, "one").invoke("a")
    real = ScriptedChatModel(replies=["two"])
    model = RecordedChatModel(path=path, model=real)
    assert [model.invoke(question).content for question in "abb"] == ["one", "two", "two"]
    assert [messages[0].content for messages in real.calls] == ["b", "b"]
    assert [replay(path).invoke(question).content for question in "ab"] == ["one", "two"]


def test_record_begins_anew_at_the_first_call(path: Path) -> None:
    recording(path, "old").invoke("a")
    anew = recording(path, "new")
    assert len(calls_in(path)) == 1
    anew.invoke("b")
    assert [call["messages"][0]["content"] for call in calls_in(path)] == ["b"]


def test_replay_leaves_the_model_alone(path: Path) -> None:
    real = ScriptedChatModel(replies=["a"])
    with pytest.raises(UnrecordedCallError):
        RecordedChatModel(path=path, model=real, mode="replay").invoke("hi")
    assert real.calls == []


def test_a_model_and_its_copies_share_the_recording(path: Path) -> None:
    recorder = recording(path, "a", "b")
    recorder.bind_tools([weather]).invoke("hi")
    recorder.invoke("hi")
    assert len(calls_in(path)) == 2
    model = replay(path)
    assert [model.bind_tools([weather]).invoke("hi").content, model.invoke("hi").content] == ["a", "b"]


# --- the file


def test_the_file_has_a_line_for_each_message_tool_and_chunk(path: Path) -> None:
    recording(path, "Grüezi mitenand").bind_tools([weather, weather]).invoke("hi")
    lines = [line.strip().rstrip(",") for line in path.read_text(encoding="utf-8").splitlines()]
    assert '{"type": "human", "content": "hi"}' in lines
    assert '{"content": "Grüezi"}' in lines
    assert sum(line.startswith('{"type": "function"') for line in lines) == 2


def test_the_calls_before_a_crash_are_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = recording(path, "a", "b")
    recorder.invoke("one")

    def crash(*_: Any, **__: Any) -> Any:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", crash)
    with pytest.raises(OSError, match="disk full"):
        recorder.invoke("two")
    monkeypatch.undo()
    assert replay(path).invoke("one").content == "a"
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("way", ["stream", "astream"])
async def test_a_stream_that_was_left_is_not_recorded(path: Path, way: Way) -> None:
    recorder = recording(path, "one two three", "whole")
    if way == "stream":
        stream: Iterator[Any] = recorder.stream("hi")
        next(stream)
        stream.close()  # type: ignore[attr-defined]  # it is a generator
    else:
        astream: AsyncIterator[Any] = recorder.astream("hi")
        await anext(astream)
        await astream.aclose()  # type: ignore[attr-defined]  # it is a generator
    recorder.invoke("hi")
    assert [len(call["chunks"]) for call in calls_in(path)] == [1]


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "{}", '{"format": 2, "calls": []}', '{"format": 1, "calls": [{"messages": []}]}',
        '{"format": 1, "calls": [{"messages": [], "options": {}, "chunks": [{"content": 5}]}]}',
        '{"format": 1, "calls": [{"messages": [], "options": {}, "chunks": 5}]}',
        "<<<<<<< ours",
    ],
)  # fmt: skip
def test_a_file_that_is_no_recording_is_named(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(InvalidRecordingError, match=r"call\.json' is no recording"):
        replay(path).invoke("hi")


def test_nothing_is_imported_or_made_because_a_file_names_it(path: Path) -> None:
    recording(path, "a").invoke("hi")
    named = {"lc": 1, "type": "constructor", "id": ["os", "system"], "kwargs": {"command": "true"}}
    data = json.loads(path.read_text())
    data["calls"][0]["chunks"] = [{"content": [named], "type": "human", "lc_id": "x", "chunk_position": "last"}]
    data["calls"][0]["error"] = {"type": "os.system", "text": "true"}
    path.write_text(json.dumps(data))
    stream = replay(path).stream("hi")
    assert next(stream).content == [named]
    with pytest.raises(RecordedError, match=r"os\.system: true"):
        next(stream)


# --- secrets

KEY = "sk-proj-4f9a8b7c6d5e4f3a2b1c"


class Client(ScriptedChatModel):
    """A model with secrets, as those of providers have them."""

    openai_api_key: SecretStr = SecretStr("first secret")
    default_headers: dict[str, str]
    model_kwargs: dict[str, Any]


def test_keys_and_headers_never_get_into_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "fourth-secret")
    told = "first secret, second-secret, third-secret, fourth-secret"
    real = Client(
        replies=[["all of my app: ", told, ValueError(f"bad key {KEY}, {told}, https://me:pass@proxy")]],
        default_headers={"Authorization": "Bearer second-secret", "X-Title": "my app"},
        model_kwargs={"auth_token": "third-secret"},
    )
    recorder = RecordedChatModel(path=path, model=real, mode="record")
    own = {"type": "function", "function": {"name": "f", "parameters": {"properties": {"api_key": {"type": "string"}}}}}
    with pytest.raises(ValueError, match=KEY):
        recorder.bind(tools=[own, {"type": "mcp", "authorization": "fifth", "headers": {"x": "sixth"}}]).invoke(
            f"my key is {KEY}, {told}", api_key="seventh", extra_headers={"a": "eighth"}, max_tokens=5,
            extra_body={"x-api-key": "ninth"},
        )  # fmt: skip
    text = path.read_text()
    for secret in (KEY, "secret", "pass@", "fifth", "sixth", "seventh", "eighth", "ninth"):
        assert secret not in text
    [call] = calls_in(path)
    assert (call["options"]["max_tokens"], call["options"]["tools"][0]) == (5, own)
    assert call["chunks"][0]["content"] == "all of my app: "


def test_a_model_held_no_secret_for_a_replay_to_need(path: Path) -> None:
    RecordedChatModel(path=path, model=Whole(key=SecretStr("very secret")), mode="record").invoke("hi", api_key="abc")
    assert replay(path).invoke("hi", api_key="another").content == "all of it"


# --- in a graph


class Tokens(BaseCallbackHandler):
    def __init__(self) -> None:
        self.seen: list[str] = []
        self.started = 0

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        self.started += 1

    def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
        self.seen.append(token)


@pytest.mark.parametrize("mode", ["record", "replay"])
async def test_tokens_are_told_once(path: Path, mode: Any) -> None:
    recording(path, "one two").invoke("hi")
    model = RecordedChatModel(path=path, model=ScriptedChatModel(replies=["one two"]), mode=mode)

    async def think(state: MessagesState) -> Any:
        return {"messages": [await model.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState).add_node(think).add_edge(START, "think").compile()
    handler = Tokens()
    events = graph.astream({"messages": ["hi"]}, {"callbacks": [handler]}, stream_mode="messages")
    assert [message.content async for message, _ in events] == ["one", " two"]
    assert (handler.seen, handler.started) == (["one", " two"], 1)
