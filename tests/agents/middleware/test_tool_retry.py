"""Calling a tool again when the call failed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import tool

from headrace import clock
from headrace.agents import create_agent
from headrace.agents.middleware.human_in_the_loop import HumanInTheLoopMiddleware
from headrace.agents.middleware.tool_error import ToolErrorMiddleware
from headrace.agents.middleware.tool_retry import ToolRetryMiddleware
from headrace.checkpoint.memory import InMemorySaver
from headrace.testing import ScriptedChatModel
from headrace.types import Command, interrupt
from tests.agents.middleware.tool_calls import HI, calling, last_answer
from tests.drive import Drive


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, none of which took any time."""
    made: list[float] = []

    async def asleep(seconds: float) -> None:
        made.append(seconds)

    monkeypatch.setattr(clock, "sleep", made.append)
    monkeypatch.setattr(clock, "asleep", asleep)
    return made


@tool
def other() -> str:
    """Another one."""
    return ""


class Shop:
    """An agent with a tool that fails so many times."""

    def __init__(self, fails: int, *more: Any, call: Any = None, **settings: Any) -> None:
        self.tries = 0

        @tool
        def buy(what: str) -> str:
            """Buy something."""
            self.tries += 1
            if self.tries <= fails:
                raise ConnectionError(f"no {what}")
            return f"one {what}"

        retry: Any = ToolRetryMiddleware(**{"jitter": False, **settings})
        model = ScriptedChatModel(replies=[call or calling(("buy", {"what": "tea"})), "done"])
        self.agent = create_agent(model, [buy, other], middleware=[*more, retry])

    def answer(self, drive: Drive) -> ToolMessage:
        return last_answer(drive.invoke(self.agent, HI)["messages"])


def test_a_failed_call_is_made_again_after_a_pause(drive: Drive, pauses: list[float]) -> None:
    shop = Shop(2)
    answer = shop.answer(drive)
    assert (answer.text, answer.status, shop.tries, pauses) == ("one tea", "success", 3, [1, 2])


def test_in_the_end_the_model_is_told_of_the_error(drive: Drive, pauses: list[float]) -> None:
    shop = Shop(9, max_retries=1)
    answer = shop.answer(drive)
    assert answer.text == "Error: this call was made 2 times and failed. ConnectionError: no tea"
    assert (answer.status, answer.name, shop.tries) == ("error", "buy", 2)


def test_in_the_end_a_function_can_say_what_the_model_is_told(drive: Drive, pauses: list[float]) -> None:
    answer = Shop(9, on_failure=lambda error: f"sorry, {error}").answer(drive)
    assert (answer.text, answer.status) == ("sorry, no tea", "error")


def test_in_the_end_the_error_can_fail_the_run(drive: Drive, pauses: list[float]) -> None:
    shop = Shop(9, on_failure="error")
    with pytest.raises(ConnectionError, match="no tea"):
        drive.invoke(shop.agent, HI)
    assert shop.tries == 3


def test_an_error_of_the_function_is_its_authors_to_see(drive: Drive, pauses: list[float]) -> None:
    shop = Shop(9, on_failure=lambda error: str(1 / 0))
    with pytest.raises(ZeroDivisionError):
        drive.invoke(shop.agent, HI)


def test_middleware_around_it_sees_the_error_that_it_raises(drive: Drive, pauses: list[float]) -> None:
    around: Any = ToolErrorMiddleware(lambda error, request: f"heard of {error}")
    assert Shop(9, around, on_failure="error").answer(drive).text == "heard of no tea"


@pytest.mark.parametrize("retry_on", [ValueError, (ValueError,), lambda error: False])
def test_other_errors_are_left_to_the_agent(drive: Drive, pauses: list[float], retry_on: Any) -> None:
    shop = Shop(9, retry_on=retry_on)
    answer = shop.answer(drive)
    assert (shop.tries, answer.status, "no tea" in answer.text) == (1, "error", True)


def test_it_is_about_the_tools_named(drive: Drive, pauses: list[float]) -> None:
    for tools, tries in ((["buy"], 3), (["other"], 1), ([other], 1), ([], 1), (None, 3)):
        shop = Shop(9, tools=tools)
        shop.answer(drive)
        assert shop.tries == tries


def test_bad_arguments_are_not_tried_again(drive: Drive, pauses: list[float]) -> None:
    shop = Shop(0, call=calling(("buy", {"who": "me"})))
    assert (shop.answer(drive).status, shop.tries, pauses) == ("error", 0, [])


def test_a_question_is_no_failure(drive: Drive, thread: Any, pauses: list[float]) -> None:
    @tool
    def ask() -> str:
        """Ask."""
        return str(interrupt("sure?"))

    model = ScriptedChatModel(replies=[calling(("ask", {})), "done"])
    agent = create_agent(model, [ask], middleware=[ToolRetryMiddleware()], checkpointer=InMemorySaver())
    assert drive.invoke(agent, HI, thread)["__interrupt__"][0].value == "sure?"
    assert last_answer(drive.invoke(agent, Command(resume="yes"), thread)["messages"]).text == "yes"
    assert pauses == []


def test_each_attempt_gets_the_answer_that_was_given(drive: Drive, thread: Any, pauses: list[float]) -> None:
    tries: list[Any] = []

    @tool
    def ask() -> str:
        """Ask, and fail at first."""
        tries.append(interrupt("sure?"))
        if len(tries) < 2:
            raise ConnectionError("gone")
        return str(tries)

    model = ScriptedChatModel(replies=[calling(("ask", {})), "done"])
    middleware = [
        ToolRetryMiddleware[Any, Any, Any](),
        HumanInTheLoopMiddleware[Any, Any, Any]({"ask": True}, interrupt_mode="per_call"),
    ]
    agent = create_agent(model, [ask], middleware=middleware, checkpointer=InMemorySaver())
    drive.invoke(agent, HI, thread)
    asked = drive.invoke(agent, Command(resume={"type": "approve"}), thread)
    assert asked["__interrupt__"][0].value == "sure?"
    answer = last_answer(drive.invoke(agent, Command(resume="yes"), thread)["messages"])
    assert (answer.text, len(pauses)) == ("['yes', 'yes']", 1)


async def test_a_cancelled_run_ends_in_the_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    pausing = asyncio.Event()

    async def asleep(seconds: float) -> None:
        pausing.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(clock, "asleep", asleep)
    shop = Shop(9)
    run = asyncio.create_task(shop.agent.ainvoke(HI))
    await pausing.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert shop.tries == 1


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"max_retries": -1}, "max_retries is a number that is not below 0, got -1"),
        ({"tools": "buy"}, "tools is a list of tools or of their names, got 'buy'"),
        ({"tools": [3]}, "tools names tools by themselves or by their names, got 3"),
        ({"on_failure": 3}, "on_failure is 'continue', 'error' or a function"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ToolRetryMiddleware(**settings)
