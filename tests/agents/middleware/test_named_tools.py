"""Settings that name tools which the agent does not have."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.tools import tool

from headrace.agents.middleware.base import AgentMiddleware, unknown_tools
from headrace.agents.middleware.context_editing import ClearToolUsesEdit, ContextEditingMiddleware
from headrace.agents.middleware.human_in_the_loop import HumanInTheLoopMiddleware
from headrace.agents.middleware.model_call_limit import ModelCallLimitMiddleware
from headrace.agents.middleware.provider_tool_search import ProviderToolSearchMiddleware
from headrace.agents.middleware.tool_call_limit import ToolCallLimitMiddleware
from headrace.agents.middleware.tool_emulator import LLMToolEmulator
from headrace.agents.middleware.tool_error import ToolErrorMiddleware
from headrace.agents.middleware.tool_retry import ToolRetryMiddleware
from headrace.agents.middleware.tool_selection import LLMToolSelectorMiddleware
from headrace.testing import ScriptedChatModel


@tool
def wpie(at: str) -> str:
    """A tool that the agent is not given."""
    return at


def naming(given: Any) -> list[AgentMiddleware[Any, Any, Any]]:
    """Each middleware whose settings name tools, with these, by name or as they are."""
    model = ScriptedChatModel(replies=["x"])
    names = [one if isinstance(one, str) else one.name for one in given]
    return [
        HumanInTheLoopMiddleware(dict.fromkeys(names, True)),
        ToolCallLimitMiddleware(tool_name=names[0], run_limit=1),
        ToolRetryMiddleware(tools=given),
        ToolErrorMiddleware(lambda error, request: "no", tools=given),
        LLMToolSelectorMiddleware(always_include=given),
        LLMToolSelectorMiddleware(on_parsing_failure=names),
        LLMToolEmulator(given, model),
        ProviderToolSearchMiddleware(searchable_tools=given),
        ContextEditingMiddleware(edits=[ClearToolUsesEdit(), ClearToolUsesEdit(exclude_tools=given)]),
    ]


@pytest.mark.parametrize("given", ["wpie", wpie], ids=["by name", "as it is"])
def test_a_tool_that_there_is_not_is_told_with_what_may_be_meant(given: Any) -> None:
    for middleware in naming([given]):
        (mistake,) = unknown_tools(middleware, ["wipe", "look"])
        assert mistake == (
            f"{middleware.name} names the tool 'wpie', which the agent does not have; did you mean 'wipe'?"
        )


def test_tools_that_there_are_may_be_named() -> None:
    assert [unknown_tools(middleware, {"wipe": 1, "look": 2}) for middleware in naming(["wipe"])] == [[]] * 9


def test_all_mistakes_are_told_and_the_tools_where_none_is_like_it() -> None:
    retry: Any = ToolRetryMiddleware(tools=["zzz", "aaa"])
    said = [mistake.partition("; ")[2] for mistake in unknown_tools(retry, ["wipe", "look"])]
    assert said == ["its tools are: 'wipe', 'look'"] * 2
    assert unknown_tools(retry, [])[0].endswith("'aaa', which the agent does not have; its tools are: none")


@pytest.mark.parametrize(
    "middleware",
    [
        AgentMiddleware(),
        ModelCallLimitMiddleware(run_limit=1),
        ToolCallLimitMiddleware(run_limit=1),
        ToolRetryMiddleware(),
        ToolErrorMiddleware(lambda error, request: "no"),
        LLMToolSelectorMiddleware(on_parsing_failure=lambda answer: []),
        LLMToolEmulator(model=ScriptedChatModel(replies=["x"])),
        ContextEditingMiddleware(),
        HumanInTheLoopMiddleware({"wpie": False}),
    ],
    ids=lambda one: one.name,
)
def test_nothing_is_wrong_where_no_tool_is_named(middleware: AgentMiddleware[Any, Any, Any]) -> None:
    assert unknown_tools(middleware, []) == []


def test_a_subclass_may_name_tools_that_only_come_with_a_request() -> None:
    class Remote(HumanInTheLoopMiddleware[Any, Any, Any]):
        named_tools = frozenset()

    assert unknown_tools(Remote({"remote": True}), []) == []


@pytest.mark.parametrize(
    ("make", "setting"),
    [
        (lambda: ClearToolUsesEdit(exclude_tools="look"), "exclude_tools"),
        (lambda: LLMToolSelectorMiddleware(always_include="look"), "always_include"),
        (lambda: ProviderToolSearchMiddleware(searchable_tools="look"), "searchable_tools"),
        (lambda: ToolRetryMiddleware(tools="look"), "tools"),
    ],
)
def test_one_name_is_no_list(make: Any, setting: str) -> None:
    with pytest.raises(ValueError, match=f"^{setting} is a list of tools or of their names, got 'look'"):
        make()
