"""A limit on how often the model is called."""

from __future__ import annotations

from typing import Any, cast

import pytest
from langchain_core.tools import tool

from headrace.agents import create_agent
from headrace.agents.middleware.model_call_limit import ModelCallLimitExceededError, ModelCallLimitMiddleware
from headrace.checkpoint.memory import InMemorySaver
from headrace.testing import ScriptedChatModel
from tests.agents.middleware.tool_calls import HI, calling, every_call_has_one_answer, outline
from tests.drive import Drive


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def looping(**settings: Any) -> Any:
    """An agent whose model calls a tool for ever."""
    model = ScriptedChatModel(replies=[calling(("add", {"a": 1, "b": 2}))])
    middleware = [ModelCallLimitMiddleware(**settings)]
    return create_agent(model, [add], middleware=middleware, checkpointer=InMemorySaver())


def answering(**settings: Any) -> Any:
    """An agent whose model answers at once."""
    middleware = [ModelCallLimitMiddleware(**settings)]
    return create_agent(ScriptedChatModel(replies=["yes"]), middleware=middleware, checkpointer=InMemorySaver())


def test_the_run_ends_with_a_message_at_its_limit(drive: Drive, thread: Any) -> None:
    messages = drive.invoke(looping(run_limit=2), HI, thread)["messages"]
    assert outline(messages) == ["human", "ai: add#1", "add#1 success", "ai: add#1", "add#1 success", "ai"]
    assert "2 of 2 model calls of this run" in messages[-1].text
    assert every_call_has_one_answer(messages)


def test_each_run_has_the_limit_for_itself(drive: Drive, thread: Any) -> None:
    agent = answering(run_limit=1)
    for _ in range(3):
        assert drive.invoke(agent, HI, thread)["messages"][-1].text == "yes"


def test_all_runs_of_a_thread_share_its_limit(drive: Drive, thread: Any) -> None:
    agent = answering(thread_limit=2)
    texts = [drive.invoke(agent, HI, thread)["messages"][-1].text for _ in range(3)]
    assert texts[:2] == ["yes", "yes"]
    assert "2 of 2 model calls of this thread" in texts[2]
    other = {"configurable": {"thread_id": "2"}}
    assert drive.invoke(agent, HI, other)["messages"][-1].text == "yes"


def test_the_limit_can_be_an_error(drive: Drive, thread: Any) -> None:
    agent = looping(run_limit=1, thread_limit=5, exit_behavior="error")
    with pytest.raises(ModelCallLimitExceededError, match="1 of 1 model calls of this run are used") as caught:
        drive.invoke(agent, HI, thread)
    error = caught.value
    assert (error.thread_count, error.run_count, error.thread_limit, error.run_limit) == (1, 1, 5, 1)
    assert every_call_has_one_answer(drive.state(agent, thread).values["messages"])


def test_no_call_may_be_allowed(drive: Drive, thread: Any) -> None:
    assert outline(drive.invoke(answering(run_limit=0), HI, thread)["messages"]) == ["human", "ai"]


def test_counts_are_neither_input_nor_output(drive: Drive, thread: Any) -> None:
    agent = answering(thread_limit=1)
    state = drive.invoke(agent, {**HI, "thread_model_call_count": 7}, thread)
    assert (list(state), state["messages"][-1].text) == (["messages"], "yes")
    assert "thread_model_call_count" not in agent.get_input_jsonschema()["properties"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "pass thread_limit, run_limit or both"),
        ({"run_limit": -1}, "run_limit is a number of calls that is not below 0, got -1"),
        ({"thread_limit": "many"}, "thread_limit is a number of calls"),
        ({"run_limit": 1, "exit_behavior": "continue"}, "exit_behavior is 'end' or 'error', got 'continue'"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ModelCallLimitMiddleware(**cast("Any", settings))
