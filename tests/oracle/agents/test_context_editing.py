"""Edited histories: what the model is shown, here and there.

Differences, on purpose: negative counts, ways of counting that there are not, and names of tools that the agent does
not have, are refused here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.messages import BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool

from tests.agents.middleware.listening import calling
from tests.drive import Drive

from .updates import HEADRACE, LANGCHAIN, Library, scripted

pytestmark = pytest.mark.main_only


@tool
def look(at: int) -> str:
    """Look at something."""
    return "seen"


@tool
def read(at: int) -> str:
    """Read something."""
    return "read"


def letters(messages: Sequence[BaseMessage]) -> int:
    return sum(len(message.text) for message in messages)


def history() -> list[BaseMessage]:
    result: list[BaseMessage] = [HumanMessage("q"), ToolMessage("lone" * 5, tool_call_id="?")]
    for at, name in enumerate(["look", "read", "look"]):
        result += [
            calling((name, {"at": at}, f"{at}a"), ("read", {"at": at}, f"{at}b"), text="t"),
            ToolMessage("r" * 10, tool_call_id=f"{at}a", name=name, artifact=at),
            ToolMessage("s" * 20, tool_call_id=f"{at}b"),
        ]
    return [message.model_copy(update={"id": str(at)}) for at, message in enumerate([*result, HumanMessage("now")])]


@pytest.mark.parametrize("keep", [0, 1, 3, 99])
@pytest.mark.parametrize(
    "settings",
    [
        {"trigger": 116}, {"trigger": 117}, {"trigger": 118}, {"trigger": 1, "clear_tool_inputs": True},
        {"trigger": 1, "exclude_tools": ["look"]}, {"trigger": 1, "exclude_tools": ["read"], "placeholder": "-"},
        {"trigger": 1, "clear_at_least": 10}, {"trigger": 1, "clear_at_least": 12},
        {"trigger": 1, "clear_at_least": 999},
    ],
    ids=str,
)  # fmt: skip
def test_the_model_is_shown_the_same(drive: Drive, settings: Any, keep: int) -> None:
    def shown(library: Library) -> list[BaseMessage]:
        model = scripted("done")
        edit = library.ClearToolUsesEdit(keep=keep, **settings)
        middleware = library.ContextEditingMiddleware(edits=[edit], token_counter=letters)
        agent = library.create_agent(model, [look, read], middleware=[middleware])
        drive.invoke(agent, {"messages": history()})
        return model.calls[0]

    assert shown(HEADRACE) == shown(LANGCHAIN)


def test_settings_are_the_same_by_default() -> None:
    names = ("trigger", "clear_at_least", "keep", "clear_tool_inputs", "exclude_tools", "placeholder")
    ours, theirs = (library.ClearToolUsesEdit() for library in (HEADRACE, LANGCHAIN))
    assert [getattr(ours, name) for name in names] == [getattr(theirs, name) for name in names]
