"""Tools chosen by a model beforehand."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import StructuredTool

from headrace.agents import create_agent
from headrace.agents.middleware.tool_selection import LLMToolSelectorMiddleware
from headrace.testing import ScriptedChatModel
from tests.agents.middleware.listening import Calls, calling, streamed, texts
from tests.drive import Drive


def named(name: str) -> StructuredTool:
    return StructuredTool.from_function(lambda: name, name=name, description=f"Does {name}.")


TOOLS = [named(name) for name in ("dig", "fill", "plant", "water")]


def chosen(*names: str) -> AIMessage:
    """The selecting model's answer."""
    return calling(("ToolSelectionResponse", {"tools": [*names]}, "s"))


def offered(model: ScriptedChatModel) -> list[list[str]]:
    """The tools that each call of a model could use."""
    return [[one.get("function", one).get("name", one.get("type")) for one in each["tools"]] for each in model.options]


def seen(drive: Drive, *answers: Any, tools: Any = TOOLS, **settings: Any) -> list[str]:
    """The tools that the agent's model is shown."""
    selecting, model = ScriptedChatModel(replies=answers, when_exhausted="raise"), ScriptedChatModel(replies=["done"])
    agent = create_agent(model, tools, middleware=[LLMToolSelectorMiddleware(model=selecting, **settings)])
    drive.invoke(agent, {"messages": "a garden"})
    return offered(model)[0]


WEB = {"type": "web_search"}


@pytest.mark.parametrize(
    ("answer", "settings", "shown"),
    [
        (chosen("plant", "dig"), {}, ["dig", "plant"]),
        (chosen("plant", "plant", "dig", "fill"), {"max_tools": 2}, ["dig", "plant"]),
        (chosen("plant", "dig"), {"max_tools": 1, "always_include": ["water"]}, ["plant", "water"]),
        (chosen("dig"), {"tools": [*TOOLS, WEB]}, ["dig", "web_search"]),
    ],
)
def test_the_model_is_shown_the_tools_chosen(drive: Drive, answer: Any, settings: Any, shown: list[str]) -> None:
    assert seen(drive, answer, **settings) == shown


def test_no_tool_may_be_chosen(drive: Drive) -> None:
    selecting, model = ScriptedChatModel(replies=[chosen()]), ScriptedChatModel(replies=["done"])
    agent = create_agent(model, TOOLS, middleware=[LLMToolSelectorMiddleware(model=selecting)])
    drive.invoke(agent, {"messages": "a garden"})
    assert model.options == [{}]


def test_the_selecting_model_is_told_what_there_is_and_what_is_wanted(drive: Drive) -> None:
    selecting = ScriptedChatModel(replies=[chosen("dig")])
    middleware = LLMToolSelectorMiddleware(
        model=selecting, system_prompt="CHOOSE", max_tools=2, always_include=["water"]
    )
    agent = create_agent(ScriptedChatModel(replies=["done"]), TOOLS, middleware=[middleware])
    drive.invoke(agent, {"messages": [HumanMessage("old"), AIMessage("hm"), HumanMessage("a garden")]})
    [[system, said]] = selecting.calls
    assert system.text.startswith("CHOOSE") and "2" in system.text
    assert said.text == "a garden"
    names = selecting.options[0]["tools"][0]["function"]["parameters"]["properties"]["tools"]
    assert names["items"]["enum"] == ["dig", "fill", "plant"]
    assert "Does dig." in names["description"]


@pytest.mark.parametrize("bad", ["dig and fill", chosen("shovel"), calling(("ToolSelectionResponse", {"t": 1}, "s"))])
def test_an_answer_that_cannot_be_used_is_asked_for_again(drive: Drive, bad: Any) -> None:
    assert seen(drive, bad, bad, chosen("dig"), max_retries=2) == ["dig"]
    with pytest.raises(ValueError, match=r"was asked 1 time\(s\)"):
        seen(drive, bad, max_retries=0)


@pytest.mark.parametrize(
    ("policy", "shown"),
    [
        ("none", ["water"]),
        ("all", ["dig", "fill", "plant", "water"]),
        (["dig"], ["dig", "water"]),
        (lambda answer: ["fill"] if answer == {"t": 1} else ["plant"], ["fill", "water"]),
    ],
)
def test_what_is_shown_when_no_answer_can_be_used(drive: Drive, policy: Any, shown: list[str]) -> None:
    bad = calling(("ToolSelectionResponse", {"t": 1}, "s"))
    settings: Any = {"on_parsing_failure": policy, "always_include": ["water"], "max_tools": 1}
    assert seen(drive, "hm", bad, **settings) == shown


def test_a_policy_that_names_no_tool_is_named(drive: Drive) -> None:
    with pytest.raises(ValueError, match="'shovel'"):
        seen(drive, "hm", "hm", on_parsing_failure=["shovel"])


@pytest.mark.parametrize(
    ("tools", "messages", "settings"),
    [
        ([WEB], [HumanMessage("a garden")], {}),
        (TOOLS, [HumanMessage("a garden")], {"always_include": [one.name for one in TOOLS]}),
        (TOOLS, [AIMessage("a garden")], {}),
    ],
)
def test_nothing_is_asked_when_there_is_nothing_to_choose(
    drive: Drive, tools: Any, messages: Any, settings: Any
) -> None:
    selecting, model = ScriptedChatModel(replies=[chosen("dig")]), ScriptedChatModel(replies=["done"])
    agent = create_agent(model, tools, middleware=[LLMToolSelectorMiddleware(model=selecting, **settings)])
    drive.invoke(agent, {"messages": messages})
    assert selecting.calls == []
    assert len(offered(model)[0]) == len(tools)


def test_each_call_of_the_model_is_asked_for(drive: Drive) -> None:
    selecting = ScriptedChatModel(replies=[chosen("dig"), chosen("fill")])
    model = ScriptedChatModel(replies=[calling(("dig", {}, "1")), "done"])
    agent = create_agent(model, TOOLS, middleware=[LLMToolSelectorMiddleware(model=selecting)])
    drive.invoke(agent, {"messages": "a garden"})
    assert offered(model) == [["dig"], ["fill"]]


def test_the_agents_model_selects_by_default_and_in_no_stream(drive: Drive) -> None:
    model, calls = ScriptedChatModel(replies=[chosen("dig"), "done now"]), Calls()
    agent = create_agent(model, TOOLS, middleware=[LLMToolSelectorMiddleware()])
    assert texts(streamed(drive, agent, "a garden", config={"callbacks": [calls]})) == ["done", " now"]
    assert calls.sources == ["tool_selection", None]


def test_a_tool_that_is_always_there_must_be_there(drive: Drive) -> None:
    with pytest.raises(ValueError, match="'shovel'"):
        seen(drive, chosen("dig"), always_include=["shovel"])


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"max_tools": 0}, "at least 1, got 0"),
        ({"max_retries": -1}, "got -1"),
        ({"on_parsing_failure": "shrug"}, "got 'shrug'"),
        ({"model": 3}, "needs a chat model"),
    ],
)
def test_bad_settings_are_refused(settings: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        LLMToolSelectorMiddleware(**settings)
