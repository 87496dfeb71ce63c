"""The providers' own clients, over real sockets: what they stream arrives, adds up, and fails as it is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import reduce
from operator import add
from typing import Any, Literal

import pytest
from langchain_core.messages import AIMessageChunk
from pydantic import BaseModel

from headrace.chat_models import init_chat_model
from headrace.graph import START, MessagesState, StateGraph
from tests.chat_models.servers import PROVIDERS, Answer, Provider, ProviderServer, ToolCall
from tests.drive import Drive, Way

pytestmark = pytest.mark.main_only

CALLS = [ToolCall("weather", {"city": "Rome", "days": 2}, "c1"), ToolCall("time", {}, "c2")]

ANSWERS = {
    "text": Answer("Why did the  ice cream\n cross?"),
    "tool calls": Answer("let me see", CALLS),
    "only tool calls": Answer(tool_calls=CALLS),
    "long": Answer("word " * 200, usage=(1000, 200)),
}

THINKING = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2048}

FIRST_WORD = {"openai": 1, "anthropic": 3}
"""The number of the event with the first word of a text."""


def weather(city: str, days: int = 1) -> str:
    """The weather in a city."""
    return city


def time() -> str:
    """What time it is."""
    return "now"


every_provider = pytest.mark.parametrize("provider", PROVIDERS)


def streamed(model: Any, way: Way) -> list[AIMessageChunk]:
    return Drive(way).all(model, "stream", "hi")


def facts(message: Any) -> dict[str, Any]:
    """What must be the same whether it came whole or in pieces."""
    reasons = [message.response_metadata.get(key) for key in ("finish_reason", "stop_reason")]
    return {
        "text": str(message.text),
        "calls": [(call["name"], call["args"], call["id"]) for call in message.tool_calls],
        "invalid": message.invalid_tool_calls,
        "usage": [message.usage_metadata[key] for key in ("input_tokens", "output_tokens", "total_tokens")],
        "reason": [reason for reason in reasons if reason],
        "model": message.response_metadata["model_name"],
    }


# --- alone


@every_provider
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_stream_adds_up_to_the_message(provider: Provider, answer: Answer, drive: Drive) -> None:
    with ProviderServer(answer, answer) as server:
        model = server.model(provider).bind_tools([weather, time])
        whole, chunks = drive.invoke(model, "hi"), streamed(model, drive.way)
    assert facts(reduce(add, chunks)) == facts(whole)
    told = facts(whole)
    assert told["text"] == "".join(answer.words) == answer.text
    assert told["calls"] == [(call.name, call.args, call.id) for call in answer.tool_calls]
    assert told["usage"] == [*answer.usage, sum(answer.usage)]
    assert [request.body.get("stream", False) for request in server.requests] == [False, True]


@every_provider
def test_a_stream_has_one_id_and_tells_usage_and_reason_once(provider: Provider, drive: Drive) -> None:
    with ProviderServer(Answer("a b c", CALLS)) as server:
        chunks = streamed(server.model(provider).bind_tools([weather, time]), drive.way)
    assert len({chunk.id for chunk in chunks}) == 1
    assert sum(chunk.usage_metadata is not None for chunk in chunks) == 1
    reasons = [chunk.response_metadata for chunk in chunks]
    assert sum("finish_reason" in one or "stop_reason" in one for one in reasons) == 1
    assert len([chunk for chunk in chunks if chunk.tool_call_chunks]) > len(CALLS)


def test_thinking_is_a_block_of_its_own_with_its_signature(drive: Drive) -> None:
    answer = Answer("so it is", CALLS[:1], thinking="let me see")
    with ProviderServer(answer, answer) as server:
        model = server.model("anthropic", **THINKING)
        whole, chunks = drive.invoke(model, "hi"), streamed(model, drive.way)
    for message in (whole, reduce(add, chunks)):
        block: Any = message.content[0]
        assert (block["type"], block["thinking"], block["signature"]) == ("thinking", "let me see", "signed")
        assert [block["type"] for block in message.content_blocks] == ["reasoning", "text", "tool_call"]
    assert "".join(str(chunk.text) for chunk in chunks) == "so it is"


@every_provider
@pytest.mark.parametrize("ending", ["error", "drop"])
def test_an_error_in_mid_stream_comes_after_the_words_before_it(
    provider: Provider, ending: Literal["error", "drop"], drive: Drive
) -> None:
    with ProviderServer(Answer("a b", ending=ending)) as server:
        told, error = drive.broken(server.model(provider), "hi")
    assert "".join(str(chunk.text) for chunk in told) == "a b"
    assert_is_the_client_s(error, provider, ending)


def assert_is_the_client_s(error: BaseException, provider: Provider, ending: str) -> None:
    names = {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(error).__mro__}
    if ending == "error":
        assert f"{provider}.APIError" in names
        assert ("the server had an error" if provider == "openai" else "Overloaded") in str(error)
    else:
        assert names & {"openai.APIConnectionError", "httpx.RemoteProtocolError", "httpx2.RemoteProtocolError"}


@every_provider
def test_a_refused_request_is_the_client_s_error(provider: Provider, drive: Drive) -> None:
    with ProviderServer(Answer("closed for today", status=503)) as server, pytest.raises(Exception, match="closed"):
        drive.invoke(server.model(provider), "hi")


@every_provider
def test_words_arrive_while_the_server_holds_back_the_rest(provider: Provider) -> None:
    rest = threading.Event()

    def pace(number: int) -> None:
        if number > FIRST_WORD[provider]:
            assert rest.wait(60)

    with ProviderServer(Answer("first second", pace=pace)) as server:
        chunks = server.model(provider).stream("hi")
        assert next(text for chunk in chunks if (text := str(chunk.text))) == "first"
        rest.set()
        assert "".join(str(chunk.text) for chunk in chunks) == " second"


# --- what init_chat_model was given


@every_provider
def test_disabled_streaming_is_one_answer_asked_for_whole(provider: Provider, drive: Drive) -> None:
    with ProviderServer("a b") as server:
        model = server.model(provider, disable_streaming=True, temperature=0.5)
        assert [str(chunk.text) for chunk in streamed(model, drive.way)] == ["a b"]
    body = server.requests[0].body
    assert (body.get("stream", False), body["temperature"]) == (False, 0.5)


def at_run_time() -> Any:
    return init_chat_model(configurable_fields=("model", "base_url"), api_key="none", max_retries=0)


def choosing(server: ProviderServer, provider: Provider) -> Any:
    """A config that chooses a provider's model."""
    url = {"openai": server.openai_url, "anthropic": server.anthropic_url}[provider]
    name = {"openai": "openai:gpt-test", "anthropic": "anthropic:claude-test"}[provider]
    return {"configurable": {"model": name, "base_url": url}}


class Joke(BaseModel):
    """A joke."""

    setup: str


@every_provider
def test_tools_bound_beforehand_are_sent_as_the_chosen_provider_wants_them(provider: Provider, drive: Drive) -> None:
    with ProviderServer(Answer(tool_calls=CALLS[:1])) as server:
        answer = drive.invoke(at_run_time().bind_tools([weather]), "hi", choosing(server, provider))
    assert answer.tool_calls[0]["args"] == {"city": "Rome", "days": 2}
    tool = server.requests[0].body["tools"][0]
    assert (tool["function"] if provider == "openai" else tool)["name"] == "weather"


@every_provider
def test_structured_output_is_read_from_the_chosen_provider(provider: Provider, drive: Drive) -> None:
    answer = (
        Answer('{"setup": "Why?"}')
        if provider == "openai"
        else Answer(tool_calls=[ToolCall("Joke", {"setup": "Why?"})])
    )
    with ProviderServer(answer) as server:
        joke = drive.invoke(at_run_time().with_structured_output(Joke), "hi", choosing(server, provider))
    assert joke == Joke(setup="Why?")


# --- in a graph


def talking(model: Any, way: Way, how: str, after: Callable[[MessagesState], Any] | None = None) -> Any:
    """A graph whose node `talk` says what the model says."""

    def talk(state: MessagesState) -> Any:
        if how == "invoke":
            return {"messages": [model.invoke(state["messages"])]}
        return {"messages": [reduce(add, model.stream(state["messages"]))]}

    async def atalk(state: MessagesState) -> Any:
        if how == "invoke":
            return {"messages": [await model.ainvoke(state["messages"])]}
        return {"messages": [reduce(add, [chunk async for chunk in model.astream(state["messages"])])]}

    graph = StateGraph(MessagesState).add_node("talk", talk if way == "sync" else atalk).add_edge(START, "talk")
    if after is not None:
        graph.add_node("after", after).add_edge("talk", "after")
    return graph.compile()


HI = {"messages": [("human", "hi")]}

every_how = pytest.mark.parametrize("how", ["invoke", "stream"])


@every_provider
@every_how
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_tokens_of_a_node_add_up_to_its_message(provider: Provider, how: str, answer: Answer, drive: Drive) -> None:
    with ProviderServer(answer) as server:
        graph = talking(server.model(provider).bind_tools([weather, time]), drive.way, how)
        told = drive.stream(graph, HI, stream_mode=["messages", "values"])
    tokens = [data for mode, data in told if mode == "messages"]
    final = told[-1][1]["messages"][-1]
    chunks = [chunk for chunk, _ in tokens]
    assert facts(reduce(add, chunks)) == facts(final)
    assert {chunk.id for chunk in chunks} == {final.id}
    assert sum(chunk.usage_metadata is not None for chunk in chunks) == 1
    assert {metadata["langgraph_node"] for _, metadata in tokens} == {"talk"}
    assert [str(chunk.text) for chunk in chunks if chunk.text] == answer.words


def test_thinking_comes_through_a_graph(drive: Drive) -> None:
    with ProviderServer(Answer("so it is", thinking="let me see")) as server:
        graph = talking(server.model("anthropic", **THINKING), drive.way, "invoke")
        chunks = [chunk for chunk, _ in drive.stream(graph, HI, stream_mode="messages")]
    blocks = [block for chunk in chunks for block in chunk.content_blocks]
    assert "".join(block.get("reasoning", "") for block in blocks) == "let me see"
    assert "".join(str(chunk.text) for chunk in chunks) == "so it is"


@every_provider
@every_how
@pytest.mark.parametrize("ending", ["error", "drop"])
def test_an_error_in_mid_stream_ends_the_graph_as_it_is(
    provider: Provider, how: str, ending: Literal["error", "drop"], drive: Drive
) -> None:
    went_on: list[Any] = []
    with ProviderServer(Answer("a b", ending=ending)) as server:
        graph = talking(server.model(provider), drive.way, how, went_on.append)
        told, error = drive.broken(graph, HI, stream_mode="messages")
    assert "".join(str(chunk.text) for chunk, _ in told) == "a b"
    assert_is_the_client_s(error, provider, ending)
    assert any("talk" in note for note in getattr(error, "__notes__", ()))
    assert went_on == []


@every_provider
async def test_leaving_a_graph_leaves_the_server(provider: Provider) -> None:
    with ProviderServer(Answer("a b", ending="silence")) as server:
        tokens = talking(server.model(provider), "async", "invoke").astream(HI, stream_mode="messages")
        async for chunk, _ in tokens:
            if chunk.text:
                break
        assert not server.requests[0].left.is_set()
        await tokens.aclose()
        assert await asyncio.to_thread(server.requests[0].left.wait, 60)


@every_provider
def test_parallel_nodes_keep_their_tokens_apart(provider: Provider, drive: Drive) -> None:
    def reply(body: Any) -> str:
        said = body["messages"][-1]["content"]
        return f"{said if isinstance(said, str) else said[0]['text']} said"

    with ProviderServer(*[reply] * 4) as server:
        model = server.model(provider)

        def node(name: str) -> Any:
            def talk(state: MessagesState) -> Any:
                model.invoke(name)

            async def atalk(state: MessagesState) -> Any:
                await model.ainvoke(name)

            return talk if drive.way == "sync" else atalk

        graph = StateGraph(MessagesState)
        for name in "abcd":
            graph.add_node(name, node(name)).add_edge(START, name)
        told = drive.stream(graph.compile(), HI, stream_mode="messages")
    texts: dict[tuple[str, Any], str] = {}
    for chunk, metadata in told:
        where = (metadata["langgraph_node"], chunk.id)
        texts[where] = texts.get(where, "") + str(chunk.text)
    assert sorted((node, text) for (node, _), text in texts.items()) == [(name, f"{name} said") for name in "abcd"]


def test_the_config_of_a_run_chooses_the_provider(drive: Drive) -> None:
    with ProviderServer("from one", "from the other") as server:
        graph = talking(at_run_time(), drive.way, "invoke")
        texts = []
        for provider in PROVIDERS:
            told = drive.stream(graph, HI, choosing(server, provider), stream_mode="messages")
            texts.append("".join(str(chunk.text) for chunk, _ in told))
    assert texts == ["from one", "from the other"]
    assert [request.path.partition("?")[0] for request in server.requests] == ["/v1/chat/completions", "/v1/messages"]


# --- the server


def test_a_request_too_many_is_refused_with_what_was_wrong(drive: Drive) -> None:
    with ProviderServer() as server, pytest.raises(Exception, match="has 0 replies and was asked once more"):
        drive.invoke(server.model("openai"), "hi")


def test_requests_are_recorded() -> None:
    with ProviderServer("a") as server:
        server.model("anthropic", default_headers={"X-Mine": "1"}).invoke("hi")
    request = server.requests[0]
    assert (request.headers["x-mine"], request.body["messages"]) == ("1", [{"role": "user", "content": "hi"}])


def test_leaving_the_server_lets_nobody_wait_for_ever() -> None:
    with ProviderServer(Answer("a", ending="silence")) as server:
        chunks = server.model("openai").stream("hi")
        while not next(chunks).text:
            pass
    with pytest.raises(Exception, match=r"Connection error|peer closed"):
        list(chunks)
