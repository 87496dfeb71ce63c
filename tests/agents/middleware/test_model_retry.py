"""Calling the model again when the call failed."""

from __future__ import annotations

from typing import Any

import pytest

from headrace import clock, ids
from headrace.agents import create_agent
from headrace.agents.middleware.model_retry import ModelRetryMiddleware
from headrace.testing import ScriptedChatModel
from tests.agents.middleware.tool_calls import HI
from tests.drive import Drive

LATE = TimeoutError("too late")


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, none of which took any time."""
    made: list[float] = []

    async def asleep(seconds: float) -> None:
        made.append(seconds)

    monkeypatch.setattr(clock, "sleep", made.append)
    monkeypatch.setattr(clock, "asleep", asleep)
    return made


def agent_with(*replies: Any, **settings: Any) -> tuple[Any, ScriptedChatModel]:
    model = ScriptedChatModel(replies=list(replies))
    return create_agent(model, middleware=[ModelRetryMiddleware(**{"jitter": False, **settings})]), model


def answer(drive: Drive, agent: Any) -> str:
    return str(drive.invoke(agent, HI)["messages"][-1].text)


def test_a_failed_call_is_made_again_after_a_pause(drive: Drive, pauses: list[float]) -> None:
    agent, model = agent_with(LATE, LATE, "yes")
    assert (answer(drive, agent), len(model.calls), pauses) == ("yes", 3, [1, 2])


def test_in_the_end_the_answer_tells_of_the_error(drive: Drive, pauses: list[float]) -> None:
    agent, model = agent_with(LATE, max_retries=1)
    assert answer(drive, agent) == "The model was called 2 times and gave no answer. TimeoutError: too late"
    assert (len(model.calls), pauses) == (2, [1])


def test_in_the_end_the_error_can_be_raised(drive: Drive, pauses: list[float]) -> None:
    agent, _ = agent_with(LATE, on_failure="error")
    with pytest.raises(TimeoutError, match="too late"):
        drive.invoke(agent, HI)


def test_in_the_end_a_function_can_say_the_answer(drive: Drive, pauses: list[float]) -> None:
    agent, _ = agent_with(LATE, on_failure=lambda error: f"sorry, {error}")
    assert answer(drive, agent) == "sorry, too late"


@pytest.mark.parametrize("retry_on", [ValueError, (ValueError, KeyError), lambda error: "early" in str(error)])
def test_other_errors_are_raised_at_once(drive: Drive, pauses: list[float], retry_on: Any) -> None:
    agent, model = agent_with(LATE, retry_on=retry_on)
    with pytest.raises(TimeoutError):
        drive.invoke(agent, HI)
    assert (len(model.calls), pauses) == (1, [])


@pytest.mark.parametrize("retry_on", [OSError, (ValueError, OSError), lambda error: "late" in str(error)])
def test_the_errors_meant_are_tried_again(drive: Drive, pauses: list[float], retry_on: Any) -> None:
    agent, _ = agent_with(LATE, "yes", retry_on=retry_on)
    assert answer(drive, agent) == "yes"


def test_no_retry_is_a_setting(drive: Drive, pauses: list[float]) -> None:
    agent, model = agent_with(LATE, max_retries=0)
    assert answer(drive, agent).startswith("The model was called once and")
    assert (len(model.calls), pauses) == (1, [])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"backoff_factor": 3.0, "max_delay": 10.0}, [1, 3, 9, 10]),
        ({"backoff_factor": 0}, [1, 1, 1, 1]),
        ({"initial_delay": 0}, [0, 0, 0, 0]),
        ({"initial_delay": 5, "max_delay": 2}, [2, 2, 2, 2]),
    ],
)
def test_pauses_grow_up_to_the_longest(drive: Drive, pauses: list[float], settings: Any, expected: Any) -> None:
    answer(drive, agent_with(LATE, max_retries=4, **settings)[0])
    assert pauses == expected


def test_jitter_makes_a_pause_a_quarter_longer_or_shorter(
    drive: Drive, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    chances = iter([0.0, 0.5, 1.0])
    monkeypatch.setattr(ids, "chance", lambda: next(chances))
    answer(drive, agent_with(LATE, max_retries=3, jitter=True, backoff_factor=1)[0])
    assert pauses == [0.75, 1.0, 1.25]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"max_retries": -1}, "max_retries is a number that is not below 0, got -1"),
        ({"initial_delay": -1}, "initial_delay"),
        ({"max_delay": -1}, "max_delay"),
        ({"backoff_factor": "2"}, "backoff_factor"),
        ({"retry_on": "ValueError"}, "retry_on takes exception types or a function"),
        ({"retry_on": (ValueError, 3)}, "retry_on takes exception types"),
        ({"retry_on": int}, "retry_on takes exception types"),
        ({"on_failure": "raise"}, "on_failure is 'continue', 'error' or a function of the error"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ModelRetryMiddleware(**settings)
