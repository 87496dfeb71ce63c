"""What the model is shown of a long history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool

from headrace.agents import create_agent
from headrace.agents.middleware.context_editing import (
    ClearToolUsesEdit,
    ContextEdit,
    ContextEditingMiddleware,
)
from headrace.agents.middleware.model_facts import TokenCounter
from headrace.testing import ScriptedChatModel
from tests.agents.middleware.listening import calling
from tests.drive import Drive


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
    """Four calls of two tools with answers of ten letters each: 44 letters."""
    result: list[BaseMessage] = [HumanMessage("q")]
    for at, name in enumerate(["look", "read", "look", "read"]):
        result += [
            calling((name, {"at": at}, str(at))),
            ToolMessage(str(at) * 10, tool_call_id=str(at), name=name, artifact=at),
        ]
    return [*result, HumanMessage("now")]


def shown(drive: Drive, *edits: Any, messages: Any = None, **settings: Any) -> list[BaseMessage]:
    model = ScriptedChatModel(replies=["done"])
    settings = {"token_counter": letters, **settings}
    agent = create_agent(model, [look, read], middleware=[ContextEditingMiddleware(edits=edits, **settings)])
    drive.invoke(agent, {"messages": messages or history()})
    return model.calls[0]


def answers(messages: list[BaseMessage]) -> list[str]:
    return [message.text[0] for message in messages if isinstance(message, ToolMessage)]


@pytest.mark.parametrize(
    ("settings", "left"),
    [
        ({"trigger": 44}, "0123"),
        ({"trigger": 43}, "[123"),
        ({"trigger": 9, "keep": 0}, "[[[["),
        ({"trigger": 9, "keep": 4}, "0123"),
        ({"trigger": 9, "keep": 9}, "0123"),
        ({"trigger": 9, "keep": 1, "clear_at_least": 2}, "[[23"),
        ({"trigger": 9, "keep": 1, "clear_at_least": 1}, "[123"),
        ({"trigger": 9, "keep": 1, "clear_at_least": 999}, "[[[3"),
        ({"trigger": 9, "keep": 0, "exclude_tools": ["look"]}, "0[2["),
        ({"trigger": 9, "keep": 0, "exclude_tools": [look]}, "0[2["),
        ({"trigger": 9, "keep": 0, "placeholder": "x"}, "xxxx"),
    ],
)
def test_the_oldest_answers_are_cleared(drive: Drive, settings: Any, left: str) -> None:
    assert "".join(answers(shown(drive, ClearToolUsesEdit(**settings)))) == left


def test_a_cleared_answer_still_answers_its_call(drive: Drive) -> None:
    first = shown(drive, ClearToolUsesEdit(trigger=9))[2]
    assert isinstance(first, ToolMessage)
    assert (first.tool_call_id, first.name, first.artifact) == ("0", "look", None)
    assert first.response_metadata == {"context_editing": {"cleared": True, "strategy": "clear_tool_uses"}}


def test_arguments_are_cleared_on_demand(drive: Drive) -> None:
    block = {"type": "tool_use", "id": "0", "name": "look", "input": {"at": 0}}
    messages = history()
    messages[1] = messages[1].model_copy(update={"content": [block]})
    for demanded, args in ((False, {"at": 0}), (True, {})):
        seen = shown(drive, ClearToolUsesEdit(trigger=9, clear_tool_inputs=demanded), messages=messages)
        first, second = seen[1], seen[3]
        assert isinstance(first, AIMessage) and isinstance(second, AIMessage)
        assert first.tool_calls[0]["args"] == args
        assert first.content[0]["input"] == args  # type: ignore[index] # a list of blocks
        assert second.tool_calls[0]["args"] == {"at": 1}


def test_answers_to_nothing_are_left_alone(drive: Drive) -> None:
    lone = [HumanMessage("q"), ToolMessage("r" * 10, tool_call_id="?"), HumanMessage("now")]
    edit, messages = ClearToolUsesEdit(trigger=1, keep=0), list(lone)
    edit.apply(messages, count_tokens=letters)  # type: ignore[arg-type] # messages of three kinds
    assert messages == lone


def test_the_state_keeps_the_whole_history(drive: Drive) -> None:
    agent = create_agent(
        ScriptedChatModel(replies=["done"]),
        middleware=[ContextEditingMiddleware(edits=[ClearToolUsesEdit(trigger=1, keep=0)])],
    )
    assert answers(drive.invoke(agent, {"messages": history()})["messages"]) == ["0", "1", "2", "3"]


class Shortening:
    """Drops the first message, and marks the next one."""

    def apply(self, messages: list[AnyMessage], *, count_tokens: TokenCounter) -> None:
        del messages[0]
        messages[-1].content = f"{count_tokens(messages)} letters before this"


def test_own_edits_run_in_order_and_do_not_reach_the_state(drive: Drive) -> None:
    model = ScriptedChatModel(replies=["done"])
    edits: list[ContextEdit] = [ClearToolUsesEdit(trigger=1, keep=0, placeholder="-"), Shortening()]
    agent = create_agent(model, middleware=[ContextEditingMiddleware(edits=edits, token_counter=letters)])
    kept = drive.invoke(agent, {"messages": history()})["messages"]
    assert model.calls[0][-1].text == "7 letters before this"
    assert [kept[0].text, kept[-2].text] == ["q", "now"]


class Counting(ScriptedChatModel):
    """Counts as its provider would."""

    def get_num_tokens_from_messages(self, messages: Any, tools: Any = None) -> int:
        system = [message for message in messages if message.type == "system"]
        return 1000 * len(tools) + 100 * len(system) + len(messages)


def test_the_model_counts_with_system_message_and_tools(drive: Drive) -> None:
    model = Counting(replies=["done"])
    agent = create_agent(
        model, [look], system_prompt="be brief",
        middleware=[ContextEditingMiddleware(edits=[Shortening()], token_count_method="model")],
    )  # fmt: skip
    drive.invoke(agent, {"messages": history()})
    assert model.calls[0][-1].text == "1110 letters before this"


def test_by_default_only_very_long_histories_are_edited(drive: Drive) -> None:
    long = [one.model_copy(update={"content": "x" * 200_000}) if one.type == "tool" else one for one in history()]
    for messages, left in ((history(), ["0", "1", "2", "3"]), (long, ["[", "x", "x", "x"])):
        model = ScriptedChatModel(replies=["done"])
        drive.invoke(create_agent(model, middleware=[ContextEditingMiddleware()]), {"messages": messages})
        assert answers(model.calls[0]) == left


@pytest.mark.parametrize("name", ["trigger", "keep", "clear_at_least"])
def test_counts_are_not_negative(name: str) -> None:
    settings: Any = {name: -1}
    with pytest.raises(ValueError, match=f"{name} counts from 0, got -1"):
        ClearToolUsesEdit(**settings)


def test_a_way_of_counting_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="got 'exact'"):
        ContextEditingMiddleware(token_count_method="exact")  # type: ignore[arg-type] # that is the mistake
