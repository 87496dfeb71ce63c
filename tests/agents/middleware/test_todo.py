"""The list of what is to be done."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import SystemMessage, ToolMessage
from langchain_core.tools import tool

from headrace.agents import create_agent
from headrace.agents.middleware.todo import Todo, TodoListMiddleware
from headrace.agents.middleware.tool_call_limit import ToolCallLimitMiddleware
from headrace.checkpoint.memory import InMemorySaver
from headrace.testing import ScriptedChatModel
from tests.agents.middleware.listening import calling, updates
from tests.agents.middleware.tool_calls import every_call_has_one_answer
from tests.drive import Drive

TODOS: list[Todo] = [{"content": "dig", "status": "in_progress"}, {"content": "fill", "status": "pending"}]


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def test_the_list_is_in_the_state(drive: Drive) -> None:
    model = ScriptedChatModel(replies=[calling(("write_todos", {"todos": TODOS}, "1")), "done"])
    result = drive.invoke(create_agent(model, middleware=[TodoListMiddleware()]), {"messages": "dig"})
    assert result["todos"] == TODOS
    answer = result["messages"][2]
    assert isinstance(answer, ToolMessage)
    assert (answer.tool_call_id, answer.name, answer.status) == ("1", "write_todos", "success")


def test_the_list_can_be_watched(drive: Drive) -> None:
    model = ScriptedChatModel(replies=[calling(("write_todos", {"todos": TODOS}, "1")), "done"])
    told = updates(drive, create_agent(model, middleware=[TodoListMiddleware()]), "dig")
    assert [update["todos"] for _, update in told if update and "todos" in update] == [TODOS]


def test_the_list_stays_with_the_thread(drive: Drive, thread: Any) -> None:
    model = ScriptedChatModel(replies=[calling(("write_todos", {"todos": TODOS}, "1")), "done", "again"])
    agent = create_agent(model, middleware=[TodoListMiddleware()], checkpointer=InMemorySaver())
    drive.invoke(agent, {"messages": "dig"}, thread)
    assert drive.invoke(agent, {"messages": "more"}, thread)["todos"] == TODOS


def test_a_caller_cannot_set_the_list(drive: Drive) -> None:
    agent = create_agent(ScriptedChatModel(replies=["done"]), middleware=[TodoListMiddleware()])
    assert "todos" not in drive.invoke(agent, {"messages": "dig", "todos": TODOS})


@pytest.mark.parametrize(
    ("own", "whole"),
    [
        (None, "KEEP A LIST"),
        ("be brief", "be brief\n\nKEEP A LIST"),
        (
            SystemMessage([{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}]),
            [
                {"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}},
                {"type": "text", "text": "\n\nKEEP A LIST"},
            ],
        ),
    ],
)
def test_the_model_is_told_of_it_after_its_own_prompt(drive: Drive, own: Any, whole: Any) -> None:
    model = ScriptedChatModel(replies=["done"])
    middleware = TodoListMiddleware(system_prompt="KEEP A LIST", tool_description="THE LIST")
    drive.invoke(create_agent(model, system_prompt=own, middleware=[middleware]), {"messages": "dig"})
    assert model.calls[0][0].content == whole
    assert [offered.description for offered in model.tools] == ["THE LIST"]


def test_several_lists_at_once_are_refused_and_other_calls_are_made(drive: Drive) -> None:
    both = [("write_todos", {"todos": TODOS[:at]}, str(at)) for at in (1, 2)]
    model = ScriptedChatModel(replies=[calling(*both, ("add", {"a": 1, "b": 2}, "3")), "done"])
    result = drive.invoke(create_agent(model, [add], middleware=[TodoListMiddleware()]), {"messages": "dig"})
    answers = [one for one in result["messages"] if isinstance(one, ToolMessage)]
    assert [(one.tool_call_id, one.status) for one in answers] == [("1", "error"), ("2", "error"), ("3", "success")]
    assert "todos" not in result


def test_the_model_may_mend_it(drive: Drive) -> None:
    both = [("write_todos", {"todos": TODOS[:at]}, str(at)) for at in (1, 2)]
    model = ScriptedChatModel(replies=[calling(*both), calling(("write_todos", {"todos": TODOS}, "3")), "done"])
    assert drive.invoke(create_agent(model, middleware=[TodoListMiddleware()]), {"messages": "dig"})["todos"] == TODOS


def test_a_status_that_there_is_not_is_refused(drive: Drive) -> None:
    bad = [{"content": "dig", "status": "maybe"}]
    model = ScriptedChatModel(replies=[calling(("write_todos", {"todos": bad}, "1")), "done"])
    result = drive.invoke(create_agent(model, middleware=[TodoListMiddleware()]), {"messages": "dig"})
    assert result["messages"][2].status == "error"
    assert "todos" not in result


@pytest.mark.parametrize(("first", "statuses"), [("list", ["success", "error"]), ("limit", ["error", "error"])])
def test_a_call_that_another_middleware_answered_is_not_answered_again(
    drive: Drive, first: str, statuses: list[str]
) -> None:
    both = [("write_todos", {"todos": TODOS[:at]}, str(at)) for at in (1, 2)]
    model = ScriptedChatModel(replies=[calling(*both), "done"])
    middleware: list[Any] = [TodoListMiddleware(), ToolCallLimitMiddleware(run_limit=1)]
    agent = create_agent(model, middleware=middleware if first == "list" else middleware[::-1])
    messages = drive.invoke(agent, {"messages": "dig"})["messages"]
    assert every_call_has_one_answer(messages)
    answers = {one.tool_call_id: one.status for one in messages if isinstance(one, ToolMessage)}
    assert [answers["1"], answers["2"]] == statuses
