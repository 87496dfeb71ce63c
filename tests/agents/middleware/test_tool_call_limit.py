"""A limit on how often tools are called."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.tools import tool
from pydantic import BaseModel

from headrace.agents import create_agent
from headrace.agents.middleware.tool_call_limit import ToolCallLimitExceededError, ToolCallLimitMiddleware
from headrace.agents.structured_output import ToolStrategy
from headrace.checkpoint.memory import InMemorySaver
from headrace.testing import ScriptedChatModel
from tests.agents.middleware.tool_calls import HI, calling, every_call_has_one_answer, outline
from tests.drive import Drive


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def look(at: str) -> str:
    """Look at something."""
    return f"saw {at}"


ADD = ("add", {"a": 1, "b": 2})
LOOK = ("look", {"at": "x"})


def agent_with(*limits: ToolCallLimitMiddleware[Any, Any], replies: Any, **settings: Any) -> Any:
    model = ScriptedChatModel(replies=list(replies))
    return create_agent(model, [add, look], middleware=limits, checkpointer=InMemorySaver(), **settings)


def history(drive: Drive, agent: Any, thread: Any) -> list[str]:
    messages = drive.invoke(agent, HI, thread)["messages"]
    assert every_call_has_one_answer(messages)
    return outline(messages)


def test_calls_beyond_the_limit_are_refused_and_the_model_goes_on(drive: Drive, thread: Any) -> None:
    replies = [calling(ADD, LOOK, ADD), calling(LOOK, first=4), "done"]
    agent = agent_with(ToolCallLimitMiddleware(run_limit=2), replies=replies)
    assert history(drive, agent, thread) == [
        "human", "ai: add#1 look#2 add#3", "add#3 error", "add#1 success", "look#2 success", "ai: look#4",
        "look#4 error", "ai",
    ]  # fmt: skip


def test_a_limit_for_one_tool_leaves_the_others(drive: Drive, thread: Any) -> None:
    limit: ToolCallLimitMiddleware[Any, Any] = ToolCallLimitMiddleware(tool_name="add", run_limit=1)
    agent = agent_with(limit, replies=[calling(ADD, LOOK, ADD), "done"])
    assert limit.name == "ToolCallLimitMiddleware[add]"
    assert history(drive, agent, thread)[2:] == ["add#3 error", "add#1 success", "look#2 success", "ai"]


def test_each_run_has_the_limit_for_itself(drive: Drive, thread: Any) -> None:
    agent = agent_with(
        ToolCallLimitMiddleware(run_limit=1), replies=[calling(ADD), "one", calling(ADD, first=2), "two"]
    )
    history(drive, agent, thread)
    assert history(drive, agent, thread)[-3:] == ["ai: add#2", "add#2 success", "ai"]


def test_all_runs_of_a_thread_share_its_limit(drive: Drive, thread: Any) -> None:
    limit: ToolCallLimitMiddleware[Any, Any] = ToolCallLimitMiddleware(thread_limit=1)
    agent = agent_with(limit, replies=[calling(ADD), "one", calling(ADD, first=2), "two"])
    history(drive, agent, thread)
    assert history(drive, agent, thread)[-3:] == ["ai: add#2", "add#2 error", "ai"]


def test_the_run_can_end_at_the_limit_with_no_call_made(drive: Drive, thread: Any) -> None:
    limit: ToolCallLimitMiddleware[Any, Any] = ToolCallLimitMiddleware(
        tool_name="add", run_limit=1, exit_behavior="end"
    )
    agent = agent_with(limit, replies=[calling(ADD, LOOK, ADD), "two"])
    told = ["human", "ai: add#1 look#2 add#3", "add#3 error", "add#1 error", "look#2 error", "ai"]
    assert history(drive, agent, thread) == told
    assert history(drive, agent, thread) == [*told, "human", "ai"]


def test_the_limit_can_be_an_error_and_the_thread_goes_on(drive: Drive, thread: Any) -> None:
    limit: ToolCallLimitMiddleware[Any, Any] = ToolCallLimitMiddleware(
        tool_name="add", thread_limit=5, run_limit=1, exit_behavior="error"
    )
    agent = agent_with(limit, replies=[calling(ADD, ADD), "two"])
    with pytest.raises(
        ToolCallLimitExceededError, match="calls of 'add': 2 in this run, where 1 may be made"
    ) as caught:
        drive.invoke(agent, HI, thread)
    error = caught.value
    assert (error.thread_count, error.run_count, error.thread_limit, error.run_limit) == (2, 2, 5, 1)
    assert error.tool_name == "add"
    assert history(drive, agent, thread) == ["human", "ai: add#1 add#2", "add#1 error", "add#2 error", "human", "ai"]


def test_of_several_limits_only_one_answers_a_call(drive: Drive, thread: Any) -> None:
    limits = [
        ToolCallLimitMiddleware[Any, Any](run_limit=2),
        ToolCallLimitMiddleware[Any, Any](tool_name="add", run_limit=1),
    ]
    agent = agent_with(*limits, replies=[calling(ADD, LOOK, ADD, LOOK), "done"])
    assert history(drive, agent, thread)[2:] == [
        "add#3 error", "look#4 error", "add#1 success", "look#2 success", "ai",
    ]  # fmt: skip


def test_an_object_for_the_answer_is_no_call_of_a_tool(drive: Drive, thread: Any) -> None:
    class Sum(BaseModel):
        total: int

    agent = agent_with(
        ToolCallLimitMiddleware(run_limit=0, exit_behavior="error"),
        replies=[calling(("Sum", {"total": 3}))],
        response_format=ToolStrategy(Sum),
    )
    assert drive.invoke(agent, HI, thread)["structured_response"] == Sum(total=3)


def test_counts_are_private(drive: Drive, thread: Any) -> None:
    agent = agent_with(ToolCallLimitMiddleware(thread_limit=3), replies=[calling(ADD), "done"])
    assert list(drive.invoke(agent, HI, thread)) == ["messages"]
    values = drive.state(agent, thread).values
    assert (values["thread_tool_call_count"], "run_tool_call_count" in values) == ({"__all__": 1}, False)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "pass thread_limit, run_limit or both"),
        ({"tool_name": "add"}, "pass thread_limit, run_limit or both"),
        ({"run_limit": -1}, "not below 0, got -1"),
        ({"run_limit": 3, "thread_limit": 2}, "run_limit 3 is above thread_limit 2"),
        ({"run_limit": 1, "exit_behavior": "stop"}, "'continue', 'error' or 'end', got 'stop'"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ToolCallLimitMiddleware(**settings)
