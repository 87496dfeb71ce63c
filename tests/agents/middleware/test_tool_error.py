"""Telling the model of a tool's error in words of one's own."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import tool

from headrace.agents import create_agent
from headrace.agents.middleware.tool_error import ToolErrorMiddleware
from headrace.testing import ScriptedChatModel
from tests.agents.middleware.tool_calls import HI, calling, last_answer
from tests.drive import Drive


@tool
def fail(at: str) -> str:
    """Fail."""
    raise ValueError(f"no {at}")


@tool
def other(at: str) -> str:
    """Another one."""
    return at


async def say_later(error: Exception, request: Any) -> str:
    return f"later: {error} in {request.tool_call['name']}"


def say(error: Exception, request: Any) -> str:
    return f"now: {error} in {request.tool_call['name']}"


def answer(drive: Drive, *args: Any, call: Any = ("fail", {"at": "x"}), **settings: Any) -> ToolMessage:
    middleware: Any = ToolErrorMiddleware(*args, **settings)
    model = ScriptedChatModel(replies=[calling(call), "done"])
    return last_answer(drive.invoke(create_agent(model, [fail, other], middleware=[middleware]), HI)["messages"])


def test_the_function_says_what_the_model_is_told(drive: Drive) -> None:
    told = answer(drive, say)
    assert (told.content, told.status, told.name, told.tool_call_id) == ("now: no x in fail", "error", "fail", "1")


def test_it_may_say_it_in_parts(drive: Drive) -> None:
    parts = [{"type": "text", "text": "sorry"}]
    assert answer(drive, lambda error, request: parts).content == parts


def test_what_it_says_nothing_to_is_left_to_the_agent(drive: Drive) -> None:
    told = answer(drive, lambda error, request: None)
    assert (told.status, "ValueError: no x" in told.text) == ("error", True)


def test_each_driver_takes_its_own_function(drive: Drive) -> None:
    expected = "now: no x in fail" if drive.way == "sync" else "later: no x in fail"
    assert answer(drive, say, aon_error=say_later).content == expected


def test_a_coroutine_function_alone_serves_both(drive: Drive) -> None:
    assert answer(drive, aon_error=say_later).content == "later: no x in fail"


def test_it_is_about_the_tools_named(drive: Drive) -> None:
    assert answer(drive, say, tools=[fail]).content == "now: no x in fail"
    assert answer(drive, say, tools=["other"]).content != "now: no x in fail"


def test_bad_arguments_are_answered_before_it(drive: Drive) -> None:
    assert "now:" not in answer(drive, say, call=("fail", {"to": 1})).text


def test_an_error_of_the_function_is_its_authors_to_see(drive: Drive) -> None:
    def broken(error: Exception, request: Any) -> str:
        raise KeyError("oops")

    with pytest.raises(KeyError, match="oops"):
        answer(drive, broken)


def test_without_a_function_it_is_refused() -> None:
    with pytest.raises(ValueError, match="pass on_error"):
        ToolErrorMiddleware()


def test_a_coroutine_function_in_the_wrong_place_is_refused() -> None:
    with pytest.raises(ValueError, match="pass a coroutine function as aon_error"):
        ToolErrorMiddleware(say_later)  # type: ignore[arg-type] # what the test is about


def test_names_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="got 3"):
        ToolErrorMiddleware(say, tools=[3])  # type: ignore[list-item] # what the test is about
