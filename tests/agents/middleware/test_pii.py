"""Personal data on its way through an agent."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from headrace.agents import create_agent
from headrace.agents.middleware.base import AgentMiddleware
from headrace.agents.middleware.pii import PIIDetectionError, PIIMiddleware
from headrace.checkpoint.memory import InMemorySaver
from headrace.graph import START, MessagesState, StateGraph
from headrace.testing import ScriptedChatModel
from tests.agents.middleware.listening import Calls, calling, streamed, texts, updates
from tests.drive import Drive

NUMBER = r"\d{3,}"


@tool
def address(of: str) -> str:
    """Look an address up."""
    return f"{of}@x.org"


def last(drive: Drive, agent: Any, messages: Any) -> Any:
    return drive.invoke(agent, {"messages": messages})["messages"][-1]


def test_the_model_does_not_see_what_the_user_said(drive: Drive) -> None:
    model = ScriptedChatModel(replies=["hello"])
    agent = create_agent(model, middleware=[PIIMiddleware("email")])
    [human, _] = drive.invoke(agent, {"messages": [HumanMessage("i am ann@x.org", id="h")]})["messages"]
    assert model.calls[0][0].text == human.text == "i am [REDACTED_EMAIL]"
    assert human.id == "h"


def test_all_that_the_user_said_at_once_is_looked_at(drive: Drive) -> None:
    model = ScriptedChatModel(replies=["hello"])
    agent = create_agent(model, middleware=[PIIMiddleware("email")])
    drive.invoke(agent, {"messages": [("user", "a@x.org"), ("user", "b@x.org"), ("user", "who?")]})
    assert texts(model.calls[0]) == ["[REDACTED_EMAIL]", "[REDACTED_EMAIL]", "who?"]


def test_text_in_content_blocks_is_looked_at_and_the_rest_stays(drive: Drive) -> None:
    model = ScriptedChatModel(replies=["hello"])
    image = {"type": "image", "url": "https://x.org/ann@x.org"}
    agent = create_agent(model, middleware=[PIIMiddleware("email")])
    drive.invoke(agent, {"messages": [HumanMessage([{"type": "text", "text": "a@x.org"}, "b@x.org", image])]})
    assert model.calls[0][0].content == [{"type": "text", "text": "[REDACTED_EMAIL]"}, "[REDACTED_EMAIL]", image]


def test_tool_results_are_looked_at_only_on_demand(drive: Drive) -> None:
    for demanded, seen in ((False, "ann@x.org"), (True, "[REDACTED_EMAIL]")):
        model = ScriptedChatModel(replies=[calling(("address", {"of": "ann"}, "1")), "done"])
        agent = create_agent(model, [address], middleware=[PIIMiddleware("email", apply_to_tool_results=demanded)])
        drive.invoke(agent, {"messages": "where?"})
        assert model.calls[1][-1].text == seen


def test_a_refusal_ends_the_run_before_the_model_is_called(drive: Drive) -> None:
    model = ScriptedChatModel(replies=["hello"])
    agent = create_agent(model, middleware=[PIIMiddleware("email", strategy="block")])
    with pytest.raises(PIIDetectionError):
        drive.invoke(agent, {"messages": "i am ann@x.org"})
    assert model.calls == []


SECRET = ["write to an", "n@x.o", "rg today"]


def test_a_secret_in_three_chunks_never_appears_in_the_stream(drive: Drive) -> None:
    agent = create_agent(ScriptedChatModel(replies=[SECRET]), middleware=[PIIMiddleware("email", apply_to_output=True)])
    [message] = streamed(drive, agent, "where?")
    assert message.text == "write to [REDACTED_EMAIL] today"


def test_no_mode_and_no_checkpoint_has_the_secret(drive: Drive, thread: Any) -> None:
    agent = create_agent(
        ScriptedChatModel(replies=[SECRET]),
        middleware=[PIIMiddleware("email", apply_to_output=True)],
        checkpointer=InMemorySaver(),
    )
    modes = ["values", "updates", "messages", "debug", "tasks", "checkpoints", "custom"]
    parts = drive.stream(agent, {"messages": "where?"}, thread, stream_mode=modes)
    assert "n@x.o" not in repr(parts)
    assert "n@x.o" not in repr(drive.history(agent, thread))


def test_the_guarded_message_is_told_once_and_is_the_one_in_the_state(drive: Drive, thread: Any) -> None:
    agent = create_agent(
        ScriptedChatModel(replies=[SECRET]),
        middleware=[PIIMiddleware("email", apply_to_output=True)],
        checkpointer=InMemorySaver(),
    )
    [told] = streamed(drive, agent, "where?", config=thread)
    kept = drive.state(agent, thread).values["messages"][-1]
    assert (told.id, told.content) == (kept.id, kept.content)


def test_callbacks_see_what_the_model_said(drive: Drive) -> None:
    calls = Calls()
    agent = create_agent(ScriptedChatModel(replies=[SECRET]), middleware=[PIIMiddleware("email", apply_to_output=True)])
    drive.invoke(agent, {"messages": "where?"}, {"callbacks": [calls]})
    assert calls.texts == ["".join(SECRET)]


def test_several_guards_tell_one_message(drive: Drive) -> None:
    guards = [PIIMiddleware(kind, strategy="mask", apply_to_output=True) for kind in ("email", "ip", "url")]
    agent = create_agent(ScriptedChatModel(replies=["ann@x.org 10.0.0.7 www.x.org"]), middleware=guards)
    assert texts(streamed(drive, agent, "where?")) == ["ann@****.org *.*.*.7 [MASKED_URL]"]


def test_an_answer_that_is_refused_is_not_told(drive: Drive) -> None:
    agent = create_agent(
        ScriptedChatModel(replies=[SECRET]),
        middleware=[PIIMiddleware("email", strategy="block", apply_to_output=True)],
    )
    told, error = drive.broken(agent, {"messages": "where?"}, stream_mode=["messages", "updates"])
    assert told == [("updates", {"PIIMiddleware[email].before_model": None})]
    assert isinstance(error, PIIDetectionError)


def test_calls_of_tools_go_on_as_they_were_made(drive: Drive) -> None:
    model = ScriptedChatModel(replies=[calling(("address", {"of": "b@c"}, "1"), text="for a@x.org"), "done"])
    agent = create_agent(model, [address], middleware=[PIIMiddleware("email", apply_to_output=True)])
    first, answer, done = streamed(drive, agent, "where?")
    assert (first.text, answer.text, done.text) == ("for [REDACTED_EMAIL]", "b@c@x.org", "done")
    assert isinstance(first, AIMessage) and first.tool_calls[0]["id"] == "1"
    assert isinstance(answer, ToolMessage)


def test_a_run_that_is_silent_stays_so(drive: Drive) -> None:
    agent = create_agent(ScriptedChatModel(replies=[SECRET]), middleware=[PIIMiddleware("email", apply_to_output=True)])
    assert streamed(drive, agent, "where?", config={"tags": ["nostream"]}) == []


@pytest.mark.parametrize("deep", [True, False])
def test_a_guarded_agent_inside_another_graph_is_told_once(drive: Drive, deep: bool) -> None:
    model = ScriptedChatModel(replies=[SECRET])
    agent = create_agent(model, middleware=[PIIMiddleware("email", apply_to_output=True)])
    outer = StateGraph(MessagesState).add_node("agent", agent).add_edge(START, "agent").compile()
    parts = drive.stream(outer, {"messages": "where?"}, stream_mode="messages", subgraphs=deep)
    assert [part[-1][0].text if deep else part[0].text for part in parts] == ["write to [REDACTED_EMAIL] today"]


class Retrying(AgentMiddleware):
    """Asks the model again after an error."""

    def wrap_model_call(self, request: Any, handler: Any) -> Any:
        try:
            return handler(request)
        except ConnectionError:
            return handler(request)

    async def awrap_model_call(self, request: Any, handler: Any) -> Any:
        try:
            return await handler(request)
        except ConnectionError:
            return await handler(request)


@pytest.mark.parametrize("outside", [True, False])
def test_what_a_failed_attempt_said_is_not_told(drive: Drive, outside: bool) -> None:
    model = ScriptedChatModel(replies=[["half of ann@x", ConnectionError("gone")], SECRET])
    order: list[AgentMiddleware[Any, Any, Any]] = [Retrying(), PIIMiddleware("email", apply_to_output=True)]
    agent = create_agent(model, middleware=order if outside else order[::-1])
    assert texts(streamed(drive, agent, "where?")) == ["write to [REDACTED_EMAIL] today"]


def test_other_agents_of_the_same_model_still_stream(drive: Drive) -> None:
    model = ScriptedChatModel(replies=["one two"])
    guarded = create_agent(model, middleware=[PIIMiddleware("email", apply_to_output=True)])
    assert texts(streamed(drive, guarded, "hi")) == ["one two"]
    assert texts(streamed(drive, create_agent(model), "hi")) == ["one", " two"]


def test_only_hooks_with_something_to_do_are_nodes() -> None:
    agent = create_agent(
        ScriptedChatModel(replies=["x"]), middleware=[PIIMiddleware("email"), PIIMiddleware("ip", apply_to_input=False)]
    )
    assert "PIIMiddleware[email].before_model" in agent.nodes
    assert not any(node.startswith("PIIMiddleware[ip]") for node in agent.nodes)


class Answer(BaseModel):
    """What is known."""

    address: str


def test_structured_responses_are_left_alone(drive: Drive) -> None:
    model = ScriptedChatModel(replies=[calling(("Answer", {"address": "ann@x.org"}, "1"), text="for ann@x.org")])
    agent = create_agent(model, response_format=Answer, middleware=[PIIMiddleware("email", apply_to_output=True)])
    result = drive.invoke(agent, {"messages": "where?"})
    assert result["structured_response"] == Answer(address="ann@x.org")
    assert result["messages"][1].text == "for [REDACTED_EMAIL]"


def test_nothing_is_written_when_nothing_is_found(drive: Drive) -> None:
    agent = create_agent(ScriptedChatModel(replies=["x"]), middleware=[PIIMiddleware("email")])
    assert updates(drive, agent, "hi")[0] == ("PIIMiddleware[email].before_model", None)


def test_a_bad_rule_is_refused_when_it_is_made() -> None:
    with pytest.raises(ValueError, match="nothing detects 'shoe_size'"):
        PIIMiddleware("shoe_size")


@pytest.mark.parametrize(("strategy", "says"), [("hash", "<num_hash:8d969eef>"), ("mask", "****3456")])
def test_what_stands_for_a_match_is_not_replaced_again(drive: Drive, strategy: Any, says: str) -> None:
    calls = [calling(("address", {"of": "ann"}, str(turn))) for turn in range(3)]
    guard = PIIMiddleware("num", detector=NUMBER, strategy=strategy, apply_to_tool_results=True)
    agent = create_agent(ScriptedChatModel(replies=[*calls, "done"]), [address], middleware=[guard])
    assert drive.invoke(agent, {"messages": "it is 123456"})["messages"][0].text == f"it is {says}"


def test_a_thread_goes_on_when_the_refused_message_is_taken_out(drive: Drive, thread: Any) -> None:
    model = ScriptedChatModel(replies=["hello"])
    agent = create_agent(model, middleware=[PIIMiddleware("email", strategy="block")], checkpointer=InMemorySaver())
    for said in ("i am ann@x.org", "then i am nobody"):
        with pytest.raises(PIIDetectionError):
            drive.invoke(agent, {"messages": said}, thread)
    refused, _ = drive.state(agent, thread).values["messages"]
    agent.update_state(thread, {"messages": [RemoveMessage(refused.id)]})
    assert drive.invoke(agent, {"messages": "now?"}, thread)["messages"][-1].text == "hello"
    assert texts(model.calls[0]) == ["then i am nobody", "now?"]
