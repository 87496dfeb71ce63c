"""Answers as objects: how mistakes are corrected, and how an object is seen while it grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from headrace.agents import create_agent
from headrace.agents.middleware import AgentMiddleware
from headrace.agents.structured_output import (
    AutoStrategy,
    MultipleStructuredOutputsError,
    ProviderStrategy,
    StructuredOutputError,
    StructuredOutputValidationError,
    ToolStrategy,
)
from headrace.checkpoint.memory import InMemorySaver
from headrace.graph import END, START, MessagesState, StateGraph
from headrace.testing import ScriptedChatModel
from tests.agents.build import HI, ONE, add, calling, kinds, scripted
from tests.drive import Drive


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int = Field(ge=0)


class City(BaseModel):
    city: str


ADA: dict[str, Any] = {"name": "Ada", "age": 36}
GOOD = calling(("Person", ADA), first=9)
BAD = calling(("Person", {"name": "Ada", "age": -1}))


def by_tool(*replies: Any, schema: Any = Person, **settings: Any) -> tuple[ScriptedChatModel, Any]:
    model = scripted(*replies)
    return model, create_agent(model, [add], response_format=ToolStrategy(schema, **settings))


# mistakes


def test_the_model_is_shown_what_is_wrong_and_tries_again(drive: Drive) -> None:
    model, agent = by_tool(BAD, GOOD)
    answer = drive.invoke(agent, HI)
    assert answer["structured_response"] == Person(**ADA)
    shown = model.calls[1][-1]
    assert isinstance(shown, ToolMessage)
    assert (shown.tool_call_id, shown.name, shown.status) == ("c1", "Person", "error")
    assert "age: Input should be greater than or equal to 0" in shown.text


def test_every_call_of_an_output_tool_is_answered(drive: Drive) -> None:
    _, agent = by_tool(calling(("Person", ADA), ("City", {"city": "Rome"})), GOOD, schema=Person | City)
    messages = drive.invoke(agent, HI)["messages"]
    assert kinds(messages) == ["human", "ai", "error", "error", "ai", "success"]
    assert "2 objects (Person, City), but one is wanted" in messages[2].text


def test_an_object_whose_json_ends_in_the_middle_is_refused(drive: Drive) -> None:
    half = AIMessage("", invalid_tool_calls=[{"name": "Person", "args": '{"name": "A', "id": "c1", "error": None}])
    _, agent = by_tool(half, GOOD)
    answer = drive.invoke(agent, HI)
    assert kinds(answer["messages"]) == ["human", "ai", "error", "ai", "success"]
    assert answer["structured_response"] == Person(**ADA)


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_after_so_many_retries_the_mistake_is_the_callers(retries: int, drive: Drive) -> None:
    bad = [calling(("Person", {}), first=number) for number in range(9)]
    model, agent = by_tool(*bad, max_retries=retries)
    with pytest.raises(StructuredOutputValidationError, match="'Person' does not fit: name: Field required; age"):
        drive.invoke(agent, HI)
    assert len(model.calls) == retries + 1


def test_retries_are_counted_anew_for_each_question(drive: Drive, thread: Any) -> None:
    model = scripted(BAD, GOOD, BAD.model_copy(update={"id": None}), GOOD)
    strategy = ToolStrategy(Person, max_retries=1)
    agent = create_agent(model, response_format=strategy, checkpointer=InMemorySaver())
    for _ in range(2):
        assert drive.invoke(agent, HI, thread)["structured_response"] == Person(**ADA)


def test_own_words_are_shown_for_every_mistake(drive: Drive) -> None:
    model, agent = by_tool(BAD, GOOD, handle_errors="once more")
    drive.invoke(agent, HI)
    assert model.calls[1][-1].text == "once more"


def test_a_function_makes_the_words(drive: Drive) -> None:
    model, agent = by_tool(BAD, GOOD, handle_errors=lambda error: f"{type(error).__name__}!")
    drive.invoke(agent, HI)
    assert model.calls[1][-1].text == "StructuredOutputValidationError!"


def for_several(error: MultipleStructuredOutputsError) -> str:
    return "only one"


@pytest.mark.parametrize(
    "handle",
    [False, KeyError, (KeyError, MultipleStructuredOutputsError), for_several],
    ids=["none", "another kind", "other kinds", "a function for another kind"],
)
def test_a_mistake_that_is_not_handled_is_the_callers(handle: Any, drive: Drive) -> None:
    model, agent = by_tool(BAD, GOOD, handle_errors=handle)
    with pytest.raises(StructuredOutputValidationError) as caught:
        drive.invoke(agent, HI)
    assert caught.value.tool_name == "Person"
    assert caught.value.ai_message.tool_calls[0]["args"]["age"] == -1
    assert len(model.calls) == 1


@pytest.mark.parametrize(
    "handle",
    [True, StructuredOutputError, StructuredOutputValidationError, (KeyError, ValueError)],
    ids=["all", "a base of its kind", "its kind", "the kind of its source"],
)
def test_a_mistake_of_these_kinds_is_handled(handle: Any, drive: Drive) -> None:
    _, agent = by_tool(BAD, GOOD, handle_errors=handle)
    assert drive.invoke(agent, HI)["structured_response"] == Person(**ADA)


def test_a_refused_object_beside_a_call_is_asked_for_again(drive: Drive) -> None:
    wrong = calling(("Person", {}), ONE)
    _, agent = by_tool(wrong, GOOD)
    answer = drive.invoke(agent, HI)
    assert kinds(answer["messages"]) == ["human", "ai", "error", "success", "ai", "success"]
    assert answer["structured_response"] == Person(**ADA)


def test_words_in_place_of_an_object_end_the_run_without_one(drive: Drive) -> None:
    agent = create_agent(scripted("I do not know"), response_format=ToolStrategy(Person))
    answer = drive.invoke(agent, HI)
    assert answer["structured_response"] is None
    assert kinds(answer["messages"]) == ["human", "ai"]


@pytest.mark.parametrize("text", ["Ada, I think", '{"age": 36}', '{"name": "Ada", "age": 3', "[]"])
def test_what_a_provider_lets_through_and_does_not_fit_is_the_callers(text: str, drive: Drive) -> None:
    agent = create_agent(scripted(text), response_format=ProviderStrategy(Person))
    with pytest.raises(StructuredOutputValidationError, match="'Person' does not fit"):
        drive.invoke(agent, HI)


# schemas


@dataclass
class Named:
    name: str
    age: int


class Keyed(TypedDict):
    name: str
    age: int


JSON: dict[str, Any] = {"title": "Json", "type": "object", "properties": {"name": {"type": "string"}}}


@pytest.mark.parametrize(
    ("schema", "name", "value"),
    [
        (Person, "Person", Person(name="Ada", age=36)),
        (Named, "Named", Named("Ada", 36)),
        (Keyed, "Keyed", ADA),
        (JSON, "Json", ADA),
        (City | Person, "Person", Person(name="Ada", age=36)),
        ({"oneOf": [JSON, {"title": "Other"}]}, "Json", ADA),
    ],
    ids=["pydantic", "dataclass", "typed dict", "json schema", "union", "one of"],
)
def test_every_kind_of_schema_has_its_kind_of_object(schema: Any, name: str, value: Any, drive: Drive) -> None:
    _, agent = by_tool(calling((name, ADA)), schema=schema)
    assert drive.invoke(agent, HI)["structured_response"] == value


def test_a_model_that_can_is_asked_for_the_object_itself(drive: Drive) -> None:
    model = scripted('{"name": "Ada", "age": 36}', profile={"structured_output": True})
    answer = drive.invoke(create_agent(model, response_format=Person), HI)
    assert answer["structured_response"] == Person(**ADA)
    assert model.options[0]["response_format"]["json_schema"]["name"] == "Person"
    assert "tools" not in model.options[0]


def test_a_union_is_called_for_even_so(drive: Drive) -> None:
    model = scripted(calling(("City", {"city": "Rome"})), profile={"structured_output": True})
    answer = drive.invoke(create_agent(model, response_format=Person | City), HI)
    assert answer["structured_response"] == City(city="Rome")


@pytest.mark.parametrize("strict", [None, True, False])
def test_a_provider_is_told_how_strict_to_be(strict: bool | None, drive: Drive) -> None:
    model = scripted('{"name": "Ada", "age": 36}')
    drive.invoke(create_agent(model, response_format=ProviderStrategy(Person, strict=strict)), HI)
    assert model.options[0]["response_format"]["json_schema"].get("strict") == strict


def test_the_strategy_follows_the_model_of_a_wrapper(drive: Drive) -> None:
    other = scripted('{"name": "Ada", "age": 36}', profile={"structured_output": True})

    class Other(AgentMiddleware):
        def wrap_model_call(self, request: Any, handler: Any) -> Any:
            return handler(request.override(model=other))

        async def awrap_model_call(self, request: Any, handler: Any) -> Any:
            return await handler(request.override(model=other))

    agent = create_agent(scripted("never"), response_format=AutoStrategy(Person), middleware=[Other()])
    assert drive.invoke(agent, HI)["structured_response"] == Person(**ADA)


def test_an_object_of_the_last_question_is_not_the_answer_to_the_next(drive: Drive, thread: Any) -> None:
    strategy = ToolStrategy(Person)
    agent = create_agent(scripted(GOOD, "no idea"), response_format=strategy, checkpointer=InMemorySaver())
    assert drive.invoke(agent, HI, thread)["structured_response"] == Person(**ADA)
    assert drive.invoke(agent, HI, thread)["structured_response"] is None


# an object that grows


class Report(BaseModel):
    title: str
    score: float
    count: int
    tags: list[str]
    cities: list[City]
    nested: dict[str, list[int]]
    done: bool
    nothing: None = None


REPORT: dict[str, Any] = {
    "title": 'a "quoted" title, with ümlauts 🙂 and \\ more',
    "score": -12.5e3,
    "count": 1234567,
    "tags": ["one", "two", ""],
    "cities": [{"city": "Rome"}, {"city": "Oslo"}],
    "nested": {"a": [10, 20, 300], "b": []},
    "done": True,
    "nothing": None,
}
SIZES: list[Any] = ["char", 2, 5, 16, "word"]
STRATEGIES = ["tool", "provider"]


def growing(strategy: str, size: Any = "char") -> tuple[ScriptedChatModel, Any]:
    """An agent whose model streams the report in pieces of a size."""
    if strategy == "tool":
        model = scripted(calling(("Report", REPORT), text="here it is"), chunks=size)
        return model, create_agent(model, [add], response_format=ToolStrategy(Report))
    text = Report(**REPORT).model_dump_json()
    return (model := scripted(text, chunks=size)), create_agent(model, [add], response_format=ProviderStrategy(Report))


def events(drive: Drive, agent: Any, **options: Any) -> list[Any]:
    return drive.stream(agent, HI, stream_mode="structured", **options)


def is_part(part: Any, whole: Any) -> bool:
    """Whether this is the beginning of the whole: texts and lists cut short, later keys not there yet."""
    if isinstance(part, dict):
        keys = list(whole)[: len(part)]
        return list(part) == keys and complete_but_last(list(part.values()), [whole[key] for key in keys])
    if isinstance(part, list):
        return len(part) <= len(whole) and complete_but_last(part, whole[: len(part)])
    if isinstance(part, str):
        return isinstance(whole, str) and whole.startswith(part)
    return type(part) is type(whole) and bool(part == whole)


def complete_but_last(parts: Sequence[Any], wholes: Sequence[Any]) -> bool:
    pairs = list(zip(parts, wholes, strict=True))
    return all(part == whole for part, whole in pairs[:-1]) and all(is_part(*pair) for pair in pairs[-1:])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_each_partial_object_is_the_beginning_of_the_whole(strategy: str, size: Any, drive: Drive) -> None:
    *partial, last = events(drive, growing(strategy, size)[1])
    assert len(partial) > 5
    for event in partial:
        assert is_part(event["value"], REPORT), event["value"]
    assert last["value"] == Report(**REPORT)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_object_only_grows(strategy: str, drive: Drive) -> None:
    values = [event["value"] for event in events(drive, growing(strategy)[1])[:-1]]
    for before, after in pairwise(values):
        assert before != after
        assert is_part(before, after)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_object_is_complete_once_and_last(strategy: str, drive: Drive) -> None:
    told = events(drive, growing(strategy)[1])
    assert [event["complete"] for event in told] == [False] * (len(told) - 1) + [True]
    assert {event["name"] for event in told} == {"Report"}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_numbers_are_not_shown_half(strategy: str, drive: Drive) -> None:
    told = [event["value"] for event in events(drive, growing(strategy)[1])[:-1]]
    assert {value["score"] for value in told if "score" in value} == {REPORT["score"]}
    assert {value["count"] for value in told if "count" in value} == {REPORT["count"]}
    assert {number for value in told for number in value.get("nested", {}).get("a", [])} == {10, 20, 300}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_events_name_the_message_that_the_object_is_in(strategy: str, drive: Drive) -> None:
    _, agent = growing(strategy)
    told = drive.stream(agent, HI, stream_mode=["structured", "values"])
    ids = {data["message_id"] for mode, data in told if mode == "structured"}
    assert ids == {told[-1][1]["messages"][1].id}


def test_an_object_that_is_refused_is_never_complete(drive: Drive) -> None:
    _, agent = by_tool(BAD, GOOD)
    told = events(drive, agent)
    assert [event["value"] for event in told if event["complete"]] == [Person(**ADA)]
    first, second = dict.fromkeys(event["message_id"] for event in told)
    assert not any(event["complete"] for event in told if event["message_id"] == first)
    assert told[-1]["message_id"] == second


def test_each_object_of_a_union_is_told_under_its_name(drive: Drive) -> None:
    _, agent = by_tool(calling(("City", {"city": "Rome"})), schema=Person | City)
    assert {event["name"] for event in events(drive, agent)} == {"City"}


def test_calls_of_other_tools_are_no_objects(drive: Drive) -> None:
    _, agent = by_tool(calling(ONE), GOOD)
    assert all(is_part(event["value"], ADA) for event in events(drive, agent)[:-1])


def test_words_before_a_call_are_no_objects(drive: Drive) -> None:
    model = scripted(calling(ONE, text="let me see"), '{"name": "Ada", "age": 36}')
    agent = create_agent(model, [add], response_format=ProviderStrategy(Person))
    assert all(is_part(event["value"], ADA) for event in events(drive, agent)[:-1])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_model_that_does_not_stream_gives_the_whole(strategy: str, drive: Drive) -> None:
    model, agent = growing(strategy)
    model.disable_streaming = True
    (event,) = events(drive, agent)
    assert (event["complete"], event["value"]) == (True, Report(**REPORT))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("mode", ["values", "updates", "messages", "custom", "tools", "tasks", "debug"])
def test_other_modes_tell_nothing_of_it(mode: str, strategy: str, drive: Drive) -> None:
    _, agent = growing(strategy)
    assert not [event for event in drive.stream(agent, HI, stream_mode=mode) if "complete" in event]
    assert {told for told, _ in drive.stream(growing(strategy)[1], HI, stream_mode=[mode])} <= {mode}


@pytest.mark.parametrize("subgraphs", [False, True])
def test_an_agent_inside_a_graph_tells_of_its_object_to_those_who_ask_for_subgraphs(
    subgraphs: bool, drive: Drive
) -> None:
    builder = StateGraph(MessagesState).add_node("inner", growing("tool")[1]).add_edge(START, "inner")
    told = events(drive, builder.add_edge("inner", END).compile(), subgraphs=subgraphs)
    assert bool(told) is subgraphs
    assert {ns[0].partition(":")[0] for ns, _ in (told if subgraphs else [])} == ({"inner"} if subgraphs else set())


ASKED: list[Any] = ["values", "updates", "messages", "structured", "tools", ["structured", "messages"]]


def outcome(drive: Drive, agent: Any, mode: Any) -> Any:
    """What the state is after a run that was asked for these modes, without the ids of runs in it."""
    config: Any = {"configurable": {"thread_id": str(mode)}}
    drive.stream(agent, HI, config, stream_mode=mode)
    state = drive.state(agent, config).values
    return [without_id(message) for message in state["messages"]], state["structured_response"]


def without_id(message: BaseMessage) -> BaseMessage:
    return message.model_copy(update={"id": None})


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_state_is_the_same_whatever_was_asked(strategy: str, drive: Drive) -> None:
    outcomes = []
    for mode in ASKED:
        model, _ = growing(strategy)
        kind: Any = ToolStrategy if strategy == "tool" else ProviderStrategy
        agent = create_agent(model, [add], response_format=kind(Report), checkpointer=InMemorySaver())
        outcomes.append(outcome(drive, agent, mode))
    assert all(one == outcomes[0] for one in outcomes)
