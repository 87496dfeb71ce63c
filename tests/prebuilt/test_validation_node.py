"""Tool calls that are checked against schemas, and not made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolCall, ToolMessage
from langchain_core.tools import BaseTool, tool
from pydantic import BaseModel, Field, field_validator

from headrace.errors import InvalidGraphError, InvalidInputError
from headrace.graph import END, START, MessagesState, StateGraph
from headrace.prebuilt import ValidationNode
from headrace.testing import ScriptedChatModel
from tests.drive import Drive
from tests.prebuilt.build import answer_of, asking, asks, call, graph_of


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int = Field(default=0, ge=0)

    @field_validator("name")
    @classmethod
    def known(cls, name: str) -> str:
        if name == "nobody":
            raise ValueError("that is nobody")
        return name


@tool
def visit(place: str, days: int = 1) -> str:
    """Visit a place."""
    raise AssertionError("it is not called")


def travel(place: str, days: int = 1) -> str:
    """Travel to a place."""
    raise AssertionError("it is not called")


@pytest.mark.parametrize(
    ("schema", "name", "args", "content"),
    [
        (Person, "Person", {"name": "Ann", "age": "7"}, '{"name":"Ann","age":7}'),
        (visit, "visit", {"place": "Rome"}, '{"place":"Rome","days":1}'),
        (travel, "travel", {"place": "Rome", "days": 2}, '{"place":"Rome","days":2}'),
    ],
    ids=["model", "tool", "function"],
)
def test_call_that_fits_is_answered_with_its_arguments(
    drive: Drive, schema: Any, name: str, args: dict[str, Any], content: str
) -> None:
    answer = answer_of(drive.invoke(graph_of(ValidationNode([schema])), asks(name, args)))
    assert (answer.content, answer.name, answer.tool_call_id, answer.status) == (content, name, "1", "success")
    assert "is_error" not in answer.additional_kwargs


@pytest.mark.parametrize(
    ("args", "reason"),
    [({}, "Field required"), ({"name": "Ann", "age": -1}, "greater than or equal"), ({"name": "nobody"}, "is nobody")],
)
def test_call_that_does_not_fit_is_answered_with_the_reasons(drive: Drive, args: Any, reason: str) -> None:
    answer = answer_of(drive.invoke(ValidationNode([Person]), asks("Person", args)))
    assert reason in answer.content
    assert (answer.status, answer.additional_kwargs) == ("error", {"is_error": True})


def test_mistake_is_told_in_the_callers_words(drive: Drive) -> None:
    def worded(error: BaseException, one: ToolCall, schema: type[BaseModel]) -> str:
        return f"{type(error).__name__} in {one['name']} {one['args']} for {schema.__name__}"

    answer = answer_of(drive.invoke(ValidationNode([Person], format_error=worded), asks("Person")))
    assert answer.content == "ValidationError in Person {} for Person"


def test_call_of_an_unknown_schema_is_told_those_that_there_are(drive: Drive) -> None:
    answer = answer_of(drive.invoke(ValidationNode([Person, visit]), asks("Persona")))
    assert answer.content == "There is no schema 'Persona'; the schemas are: Person, visit."
    assert answer.additional_kwargs == {"is_error": True}


def test_calls_are_answered_in_their_order(drive: Drive) -> None:
    calls = [call("visit", {}, "a"), call("Person", {"name": "Ann"}, "b"), call("travel", {"place": "Rome"}, "c")]
    answers = drive.invoke(ValidationNode([Person, visit, travel]), {"messages": [asking(*calls)]})["messages"]
    assert [(answer.tool_call_id, answer.status) for answer in answers] == [
        ("a", "error"), ("b", "success"), ("c", "success"),
    ]  # fmt: skip


def test_list_of_messages_is_answered_by_a_list(drive: Drive) -> None:
    (answer,) = drive.invoke(ValidationNode([Person]), [HumanMessage("who?"), asking(call("Person", {"name": "Ann"}))])
    assert answer.content == '{"name":"Ann","age":0}'


def test_state_may_be_an_object(drive: Drive) -> None:
    @dataclass
    class State:
        messages: list[Any]

    class ModelState(BaseModel):
        messages: list[Any]

    message = asking(call("Person", {"name": "Ann"}))
    for state in (State([message]), ModelState(messages=[message])):
        assert len(drive.invoke(ValidationNode([Person]), state)["messages"]) == 1


def test_calls_that_were_answered_are_left_out(drive: Drive) -> None:
    history = [asking(call("Person", {}, "a"), call("Person", {}, "b")), ToolMessage("done", tool_call_id="a")]
    answers = drive.invoke(ValidationNode([Person]), {"messages": history})["messages"]
    assert [answer.tool_call_id for answer in answers] == ["b"]


def test_message_without_calls_gets_no_answers(drive: Drive) -> None:
    assert drive.invoke(ValidationNode([Person]), {"messages": [AIMessage("hi")]}) == {"messages": []}


def test_input_without_messages_is_refused(drive: Drive) -> None:
    with pytest.raises(InvalidInputError, match="no 'messages' to look for tool calls in"):
        drive.invoke(ValidationNode([Person]), {"history": []})


def test_name_and_tags_are_the_callers() -> None:
    node = ValidationNode([Person], name="check", tags=["mine"])
    assert node.get_name() == "check"
    assert ValidationNode([Person]).get_name() == "validation"


class Loose(BaseTool):
    name: str = "loose"
    description: str = "No Pydantic model."
    args_schema: Any = Field(default={"type": "object", "properties": {}})

    def _run(self) -> str:
        return ""


@pytest.mark.parametrize(
    ("schema", "reason"),
    [(Loose(), "tool 'loose' has no Pydantic model as args_schema"), (3, "a schema is a Pydantic model, a tool or a")],
)
def test_what_is_no_schema_is_refused(schema: Any, reason: str) -> None:
    with pytest.raises(InvalidGraphError, match=reason):
        ValidationNode([schema])


def test_model_is_asked_again_until_its_calls_fit(drive: Drive) -> None:
    replies = [asking(call("Person", {"age": 3}, "1")), asking(call("Person", {"name": "Ann", "age": 3}, "2"))]
    model = ScriptedChatModel(replies=replies)

    def think(state: Any) -> Any:
        return {"messages": [model.invoke(state["messages"])]}

    def again(state: Any) -> str:
        return "think" if answer_of(state).additional_kwargs.get("is_error") else END

    builder = StateGraph(MessagesState)
    builder.add_node("think", think)
    builder.add_node("check", ValidationNode([Person]))
    builder.add_edge(START, "think")
    builder.add_edge("think", "check")
    builder.add_conditional_edges("check", again, ["think", END])
    state = drive.invoke(builder.compile(), {"messages": [("user", "who?")]})
    assert answer_of(state).content == '{"name":"Ann","age":3}'
    assert "Field required" in model.calls[1][-1].content
