"""Tools whose answers a model makes up."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import tool

from headrace.agents import create_agent
from headrace.agents.middleware.tool_emulator import LLMToolEmulator
from headrace.testing import ScriptedChatModel
from tests.agents.middleware.listening import Calls, calling, streamed, texts
from tests.drive import Drive


@tool
def weather(at: str) -> str:
    """Tell the weather."""
    return "really sunny"


@tool
def news(at: str) -> str:
    """Tell the news."""
    return "really none"


def answers(drive: Drive, emulated: Any) -> dict[str, str]:
    """What each tool answers."""
    model = ScriptedChatModel(
        replies=[calling(("weather", {"at": "Bergen"}, "1"), ("news", {"at": "Bergen"}, "2")), "done"]
    )
    middleware = LLMToolEmulator(emulated, ScriptedChatModel(replies=["made up"]))
    result = drive.invoke(create_agent(model, [weather, news], middleware=[middleware]), {"messages": "?"})
    return {one.name or "": one.text for one in result["messages"] if isinstance(one, ToolMessage)}


@pytest.mark.parametrize(
    ("emulated", "weather_is", "news_are"),
    [
        (None, "made up", "made up"),
        (["weather"], "made up", "really none"),
        ([news], "really sunny", "made up"),
        ([], "really sunny", "really none"),
    ],
)
def test_the_tools_named_are_made_up(drive: Drive, emulated: Any, weather_is: str, news_are: str) -> None:
    assert answers(drive, emulated) == {"weather": weather_is, "news": news_are}


def test_the_model_is_told_of_the_call(drive: Drive) -> None:
    emulating = ScriptedChatModel(replies=["made up"])
    model = ScriptedChatModel(replies=[calling(("weather", {"at": "Tromsø"}, "1")), "done"])
    drive.invoke(create_agent(model, [weather], middleware=[LLMToolEmulator(model=emulating)]), {"messages": "?"})
    [[prompt]] = emulating.calls
    for part in ("weather", "Tell the weather.", '{"at": "Tromsø"}'):
        assert part in prompt.text


def test_the_answer_answers_the_call_and_streams_alone(drive: Drive) -> None:
    model, calls = ScriptedChatModel(replies=[calling(("weather", {"at": "B"}, "1")), "made up", "done"]), Calls()
    agent = create_agent(model, [weather], middleware=[LLMToolEmulator(model=model)])
    told = streamed(drive, agent, "?", config={"callbacks": [calls]})
    assert [text for text in texts(told) if text] == ["made up", "done"]
    [answer] = [one for one in told if isinstance(one, ToolMessage)]
    assert (answer.text, answer.tool_call_id, answer.name) == ("made up", "1", "weather")
    assert calls.sources == [None, "tool_emulation", None]


def test_a_tool_that_there_is_not_is_refused(drive: Drive) -> None:
    emulating = ScriptedChatModel(replies=["made up"])
    model = ScriptedChatModel(replies=[calling(("tides", {}, "1")), "done"])
    agent = create_agent(model, [weather], middleware=[LLMToolEmulator(model=emulating)])
    assert drive.invoke(agent, {"messages": "?"})["messages"][2].status == "error"
    assert emulating.calls == []


@pytest.mark.parametrize(
    ("tools", "model", "says"),
    [(None, None, "needs a chat model"), ([3], "fake", "names tools by themselves or by their names, got 3")],
)
def test_bad_settings_are_refused(tools: Any, model: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        LLMToolEmulator(tools, ScriptedChatModel(replies=["x"]) if model else None)


def test_of_a_model_that_fails_the_agents_model_is_told(drive: Drive) -> None:
    """It stands for the tool."""
    emulating = ScriptedChatModel(replies=[ConnectionError("gone")])
    model = ScriptedChatModel(replies=[calling(("weather", {"at": "B"}, "1")), "done"])
    agent = create_agent(model, [weather], middleware=[LLMToolEmulator(model=emulating)])
    messages = drive.invoke(agent, {"messages": "?"})["messages"]
    answer = messages[2]
    assert (answer.status, answer.tool_call_id, answer.name) == ("error", "1", "weather")
    assert answer.text.startswith("Error: ConnectionError: gone")
    assert messages[-1].text == "done"
