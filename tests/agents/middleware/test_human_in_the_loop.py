"""Asking a person before tools are called."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

import pytest
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import BaseTool, StructuredTool, tool

from headrace.agents import create_agent
from headrace.agents.middleware.human_in_the_loop import HumanInTheLoopMiddleware, InvalidAnswerError
from headrace.agents.middleware.tool_call_limit import ToolCallLimitMiddleware
from headrace.agents.middleware.tool_error import ToolErrorMiddleware
from headrace.agents.middleware.tool_retry import ToolRetryMiddleware
from headrace.checkpoint.memory import InMemorySaver
from headrace.graph import START, MessagesState, StateGraph
from headrace.prebuilt.tool_runtime import ToolRuntime
from headrace.runtime import Runtime
from headrace.testing import ScriptedChatModel
from headrace.types import Command
from tests.agents.middleware.tool_calls import HI, calling, every_call_has_one_answer, last_answer, outline
from tests.drive import Drive

ADD = ("add", {"a": 1, "b": 2})
OTHER = ("add", {"a": 5, "b": 6})
LOOK = ("look", {"at": "x"})

APPROVE = {"type": "approve"}
REJECT = {"type": "reject"}
NODE = "HumanInTheLoopMiddleware.after_model"
ALL = ["approve", "edit", "reject", "respond"]


def edit(name: str = "add", **args: Any) -> dict[str, Any]:
    return {"type": "edit", "edited_action": {"name": name, "args": args}}


def respond(message: str) -> dict[str, Any]:
    return {"type": "respond", "message": message}


def decided(*decisions: Any) -> Command[Any]:
    return Command(resume={"decisions": list(decisions)})


class Office:
    """An agent whose tools keep a list of what they did."""

    def __init__(
        self, *replies: Any, on: Any = None, more: tuple[Any, ...] = (), after: tuple[Any, ...] = (), **settings: Any
    ) -> None:
        self.done: list[Any] = []
        self.model = ScriptedChatModel(replies=[*replies, "done"])
        middleware = [*more, HumanInTheLoopMiddleware({"add": True} if on is None else on, **settings), *after]
        self.agent = create_agent(self.model, self.tools(), middleware=middleware, checkpointer=InMemorySaver())

    def tools(self) -> list[BaseTool]:
        @tool
        def add(a: int, b: int) -> int:
            """Add two numbers."""
            self.done.append(("add", a, b))
            return a + b

        @tool
        def look(at: str) -> str:
            """Look at something."""
            self.done.append(("look", at))
            return f"saw {at}"

        @tool
        def parts(at: str) -> list[Any]:
            """An answer in parts."""
            return [{"type": "text", "text": at}]

        @tool
        def change(at: str, runtime: ToolRuntime) -> Command[Any]:
            """An answer with a change of the state."""
            return Command(update={"messages": [ToolMessage(at, tool_call_id=runtime.tool_call_id)]})

        return [add, look, parts, change]


@pytest.fixture
def start(drive: Drive, thread: Any) -> Callable[..., Office]:
    """An office that waits for a decision."""

    def make(*replies: Any, **settings: Any) -> Office:
        office = Office(*(replies or (calling(ADD),)), **settings)
        drive.invoke(office.agent, HI, thread)
        return office

    return make


def question(drive: Drive, office: Office, thread: Any) -> Any:
    (pending,) = drive.state(office.agent, thread).interrupts
    return pending.value


# what is asked


def test_the_run_pauses_before_the_call_and_asks(drive: Drive, thread: Any) -> None:
    office = Office(calling(ADD))
    events = drive.stream(office.agent, HI, thread, stream_mode="updates")
    (asked,) = events[-1]["__interrupt__"]
    (request,) = asked.value["action_requests"]
    assert list(asked.value) == ["action_requests", "review_configs"]
    assert {key: request[key] for key in ("name", "args")} == {"name": "add", "args": {"a": 1, "b": 2}}
    assert json.dumps({"a": 1, "b": 2}) in request["description"]
    assert asked.value["review_configs"] == [{"action_name": "add", "allowed_decisions": ALL}]
    assert (drive.state(office.agent, thread).next, office.done) == ((NODE,), [])


def test_values_repeat_the_state_with_the_question(drive: Drive, thread: Any) -> None:
    *_, last = drive.stream(Office(calling(ADD)).agent, HI, thread, stream_mode="values")
    assert outline(last["messages"]) == ["human", "ai: add#1"]
    (asked,) = last["__interrupt__"]
    assert asked.value["action_requests"][0]["name"] == "add"


def test_after_the_answer_values_begin_with_the_state_and_grow(drive: Drive, thread: Any, start: Any) -> None:
    states = drive.stream(start().agent, decided(APPROVE), thread, stream_mode="values")
    assert [len(state["messages"]) for state in states] == [2, 2, 3, 4]


def test_what_was_decided_is_no_part_of_the_answer(drive: Drive, thread: Any, start: Any) -> None:
    assert list(drive.invoke(start().agent, decided(APPROVE), thread)) == ["messages"]


def test_messages_show_each_message_once(drive: Drive, thread: Any) -> None:
    office = Office(calling(ADD, OTHER))
    first = drive.stream(office.agent, HI, thread, stream_mode="messages")
    assert {metadata["langgraph_node"] for _, metadata in first} == {"model"}
    second = drive.stream(office.agent, decided(APPROVE, REJECT), thread, stream_mode="messages")
    told = [(message.type, metadata["langgraph_node"]) for message, metadata in second]
    assert told == [("tool", NODE), ("tool", "tools"), ("AIMessageChunk", "model")]


def test_only_calls_of_the_named_tools_are_asked_about(drive: Drive, thread: Any, start: Any) -> None:
    office = start(calling(LOOK, ADD), on={"add": True, "look": False})
    assert [one["name"] for one in question(drive, office, thread)["action_requests"]] == ["add"]


def test_without_such_calls_nothing_is_asked(drive: Drive, thread: Any) -> None:
    state = drive.invoke(Office(calling(LOOK)).agent, HI, thread)
    assert outline(state["messages"]) == ["human", "ai: look#1", "look#1 success", "ai"]


def test_when_says_which_calls_are_asked_about(drive: Drive, thread: Any, start: Any) -> None:
    seen: list[Any] = []

    def when(request: Any) -> bool:
        seen.append((request.tool_call["id"], type(request.runtime), [one.type for one in request.state["messages"]]))
        return bool(request.tool_call["args"]["a"] > 1)

    office = start(calling(ADD, OTHER), on={"add": {"allowed_decisions": ["approve"], "when": when}})
    assert [one["args"]["a"] for one in question(drive, office, thread)["action_requests"]] == [5]
    assert seen == [("1", ToolRuntime, ["human", "ai"]), ("2", ToolRuntime, ["human", "ai"])]
    drive.invoke(office.agent, decided(APPROVE), thread)
    assert sorted(office.done) == [("add", 1, 2), ("add", 5, 6)]


def test_a_description_is_a_text_or_a_function(drive: Drive, thread: Any, start: Any) -> None:
    def described(call: Any, state: Any, runtime: Runtime[Any]) -> str:
        assert isinstance(runtime, Runtime)
        return f"{call['name']} after {len(state['messages'])} messages"

    config = {"allowed_decisions": ["approve"]}
    on = {"add": {**config, "description": described}, "look": {**config, "description": "really?"}}
    office = start(calling(ADD, LOOK), on=on)
    told = [one["description"] for one in question(drive, office, thread)["action_requests"]]
    assert told == ["add after 2 messages", "really?"]


def test_descriptions_begin_with_the_prefix(drive: Drive, thread: Any, start: Any) -> None:
    office = start(description_prefix="Look here")
    assert question(drive, office, thread)["action_requests"][0]["description"].startswith("Look here\n\n")


def test_a_schema_of_arguments_is_shown_with_the_review(drive: Drive, thread: Any, start: Any) -> None:
    schema = {"type": "object"}
    office = start(on={"add": {"allowed_decisions": ["edit"], "args_schema": schema}})
    (review,) = question(drive, office, thread)["review_configs"]
    assert review == {"action_name": "add", "allowed_decisions": ["edit"], "args_schema": schema}


# what is decided


def test_an_approved_call_is_made(drive: Drive, thread: Any, start: Any) -> None:
    office = start()
    state = drive.invoke(office.agent, decided(APPROVE), thread)
    assert office.done == [("add", 1, 2)]
    assert [message.text for message in state["messages"]] == ["hi", "", "3", "done"]
    assert drive.state(office.agent, thread).next == ()


def test_a_rejected_call_is_not_made_and_the_model_is_told_why(drive: Drive, thread: Any, start: Any) -> None:
    office = start()
    state = drive.invoke(office.agent, decided({**REJECT, "message": "too dear"}), thread)
    assert outline(state["messages"]) == ["human", "ai: add#1", "add#1 error", "ai"]
    assert (office.done, "too dear" in last_answer(state["messages"]).text) == ([], True)


def test_a_call_can_be_rejected_without_a_word(drive: Drive, thread: Any, start: Any) -> None:
    office = start()
    state = drive.invoke(office.agent, decided(REJECT), thread)
    assert "'add'" in last_answer(state["messages"]).text


def test_a_response_stands_for_the_tools_answer(drive: Drive, thread: Any, start: Any) -> None:
    office = start(on={"add": {"allowed_decisions": ["respond"]}})
    state = drive.invoke(office.agent, decided(respond("twelve")), thread)
    answer = last_answer(state["messages"])
    assert (answer.content, answer.status, answer.name, office.done) == ("twelve", "success", "add", [])


def test_an_edited_call_is_made_in_place_of_the_models(drive: Drive, thread: Any, start: Any) -> None:
    office = start()
    state = drive.invoke(office.agent, decided(edit(a=8, b=9)), thread)
    assert office.done == [("add", 8, 9)]
    assert state["messages"][1].tool_calls[0]["args"] == {"a": 1, "b": 2}
    answer = last_answer(state["messages"])
    assert (answer.tool_call_id, answer.text.endswith("\n\n17"), '{"a": 8, "b": 9}' in answer.text) == ("1", True, True)


@pytest.mark.parametrize("notice", [None, ""])
def test_the_model_need_not_be_told_of_an_edit(drive: Drive, thread: Any, start: Any, notice: Any) -> None:
    state = drive.invoke(start(edit_notice=notice).agent, decided(edit(a=8, b=9)), thread)
    assert last_answer(state["messages"]).text == "17"


@pytest.mark.parametrize("name", ["look", "parts", "change"])
def test_an_edit_may_name_another_tool(drive: Drive, thread: Any, start: Any, name: str) -> None:
    office = start(edit_notice="Edited:")
    state = drive.invoke(office.agent, decided(edit(name, at="y")), thread)
    answer = last_answer(state["messages"])
    assert every_call_has_one_answer(state["messages"])
    assert answer.text.startswith(f'Edited: {name}({{"at": "y"}})')
    assert answer.text.endswith("y")


def test_an_edit_of_a_call_of_no_tool_is_the_models_to_hear_of(drive: Drive, thread: Any) -> None:
    class Brought(HumanInTheLoopMiddleware[Any, Any, Any]):
        """About a tool that a wrapper may bring."""

        named_tools = frozenset()

    agent = create_agent(
        ScriptedChatModel(replies=[calling(("nothing", {"at": "x"})), "done"]),
        Office().tools(),
        middleware=[Brought({"nothing": True})],
        checkpointer=InMemorySaver(),
    )
    drive.invoke(agent, HI, thread)
    state = drive.invoke(agent, decided(edit("nothing", at="y")), thread)
    assert outline(state["messages"]) == ["human", "ai: nothing#1", "nothing#1 error", "ai"]


def test_a_rejected_call_leaves_its_twin(drive: Drive, thread: Any, start: Any) -> None:
    office = start(calling(ADD, ADD))
    state = drive.invoke(office.agent, decided(REJECT, APPROVE), thread)
    assert office.done == [("add", 1, 2)]
    assert outline(state["messages"])[1:] == ["ai: add#1 add#2", "add#1 error", "add#2 success", "ai"]


def test_an_edit_is_not_for_a_later_call_of_the_same_id(drive: Drive, thread: Any, start: Any) -> None:
    def when(request: Any) -> bool:
        return bool(request.tool_call["args"]["a"] == 1)

    office = start(calling(ADD), "first", calling(OTHER), on={"add": {"allowed_decisions": ["edit"], "when": when}})
    drive.invoke(office.agent, decided(edit(a=8, b=9)), thread)
    drive.invoke(office.agent, HI, thread)
    assert office.done == [("add", 8, 9), ("add", 5, 6)]


@pytest.mark.parametrize(
    ("decisions", "done", "statuses"),
    [
        ([APPROVE, APPROVE], [1, 5], ["success", "success", "success"]),
        ([APPROVE, REJECT], [1], ["error", "success", "success"]),
        ([REJECT, APPROVE], [5], ["error", "success", "success"]),
        ([REJECT, REJECT], [], ["error", "error", "success"]),
        ([respond("3"), edit(a=7, b=7)], [7], ["success", "success", "success"]),
        ([edit(a=7, b=7), REJECT], [7], ["error", "success", "success"]),
    ],
)
def test_with_mixed_decisions_every_call_has_one_answer(
    drive: Drive, thread: Any, start: Any, decisions: Any, done: list[int], statuses: list[str]
) -> None:
    office = start(calling(ADD, LOOK, OTHER))
    state = drive.invoke(office.agent, decided(*decisions), thread)
    assert every_call_has_one_answer(state["messages"])
    assert sorted(call[1] for call in office.done if call[0] == "add") == done
    assert [call for call in office.done if call[0] == "look"] == [("look", "x")]
    assert sorted(one.status for one in state["messages"] if isinstance(one, ToolMessage)) == statuses
    assert every_call_has_one_answer(office.model.calls[-1])


def test_each_turn_is_asked_about_anew(drive: Drive, thread: Any, start: Any) -> None:
    office = start(calling(ADD), calling(OTHER, first=2))
    drive.invoke(office.agent, decided(APPROVE), thread)
    assert [one["args"]["a"] for one in question(drive, office, thread)["action_requests"]] == [5]
    drive.invoke(office.agent, decided(APPROVE), thread)
    assert office.done == [("add", 1, 2), ("add", 5, 6)]


def test_calls_that_were_answered_before_are_not_asked_about(drive: Drive, thread: Any, start: Any) -> None:
    office = start(calling(ADD, OTHER), after=(ToolCallLimitMiddleware(run_limit=1),))
    assert len(question(drive, office, thread)["action_requests"]) == 1
    state = drive.invoke(office.agent, decided(APPROVE), thread)
    assert (every_call_has_one_answer(state["messages"]), office.done) == (True, [("add", 1, 2)])


# answers that do not fit

BAD = [
    pytest.param("approve", "decisions", id="text"),
    pytest.param([APPROVE, APPROVE], "decisions", id="list"),
    pytest.param({"decision": [APPROVE]}, "decisions", id="other key"),
    pytest.param({"decisions": APPROVE}, "decisions", id="no list"),
    pytest.param(
        {"decisions": [APPROVE]},
        "2 decisions, one on each call in the order of the question .'add', 'look'.; it holds 1",
        id="too few",
    ),
    pytest.param({"decisions": [APPROVE] * 3}, "it holds 3", id="too many"),
    pytest.param({"decisions": [APPROVE, {"type": "maybe"}]}, "decision 2, on the call of 'look'", id="unknown"),
    pytest.param({"decisions": [APPROVE, REJECT]}, "out of 'approve', 'edit', 'respond', got", id="not allowed"),
    pytest.param({"decisions": ["approve", APPROVE]}, "decision 1, on the call of 'add'", id="text in list"),
    pytest.param({"decisions": [APPROVE, {"type": "respond"}]}, "message", id="no message"),
    pytest.param({"decisions": [{"type": "edit"}, APPROVE]}, "edited_action", id="no edit"),
    pytest.param({"decisions": [{"type": "edit", "edited_action": {"args": {}}}, APPROVE]}, "name", id="no name"),
    pytest.param({"decisions": [edit("adds", a=1, b=2), APPROVE]}, "'adds'; the tools are: 'add'", id="no tool"),
    pytest.param({"decisions": [edit(a="many", b=2), APPROVE]}, "args.a", id="arguments that do not fit"),
    pytest.param({"decisions": [edit("look", where="x"), APPROVE]}, "args.at", id="not those of the other tool"),
]


@pytest.mark.parametrize(("answer", "said"), BAD)
def test_an_answer_that_does_not_fit_is_refused_and_can_be_given_again(
    drive: Drive, thread: Any, start: Any, answer: Any, said: str
) -> None:
    office = start(calling(ADD, LOOK), on={"add": True, "look": {"allowed_decisions": ["approve", "edit", "respond"]}})
    asked = question(drive, office, thread)
    for _ in range(2):
        with pytest.raises(InvalidAnswerError, match=said):
            drive.invoke(office.agent, Command(resume=answer), thread)
    assert (office.done, drive.state(office.agent, thread).next) == ([], (NODE,))
    assert question(drive, office, thread) == asked
    state = drive.invoke(office.agent, decided(APPROVE, APPROVE), thread)
    assert (every_call_has_one_answer(state["messages"]), len(office.done)) == (True, 2)


def test_one_call_wants_one_decision(drive: Drive, thread: Any, start: Any) -> None:
    with pytest.raises(InvalidAnswerError, match="'decisions' must hold one decision on the call of 'add'; it holds 0"):
        drive.invoke(start().agent, decided(), thread)


@pytest.mark.parametrize("mode", ["batched", "per_call"])
def test_a_given_schema_does_not_take_the_place_of_the_check(drive: Drive, thread: Any, start: Any, mode: str) -> None:
    on = {"add": {"allowed_decisions": ["edit"], "args_schema": {"type": "object"}}}
    office, wrong = start(on=on, interrupt_mode=mode), edit(a="many", b=2)
    if mode == "batched":
        with pytest.raises(InvalidAnswerError, match=r"args\.a"):
            drive.invoke(office.agent, decided(wrong), thread)
    else:
        (asked,) = drive.invoke(office.agent, Command(resume=wrong), thread)["__interrupt__"]
        assert "args.a" in asked.value["error"]
    assert office.done == []


def test_a_refused_answer_can_be_given_again_by_the_questions_id(drive: Drive, thread: Any, start: Any) -> None:
    office = start()
    (pending,) = drive.state(office.agent, thread).interrupts
    with pytest.raises(InvalidAnswerError):
        drive.invoke(office.agent, Command(resume={pending.id: "yes"}), thread)
    drive.invoke(office.agent, Command(resume={pending.id: {"decisions": [APPROVE]}}), thread)
    assert office.done == [("add", 1, 2)]


def test_a_thread_can_go_on_without_the_answer(drive: Drive, thread: Any, start: Any) -> None:
    office = start()
    state = drive.invoke(office.agent, HI, thread)
    assert every_call_has_one_answer(state["messages"])
    assert (office.done, state["messages"][-1].text) == ([], "done")


# one question per call


@pytest.fixture
def ask_each(start: Any) -> Callable[..., Office]:
    return lambda *replies, **settings: start(*replies, interrupt_mode="per_call", **settings)


def pending(drive: Drive, office: Office, thread: Any) -> dict[str, Any]:
    """The open questions by the id of the call."""
    return {one.value["tool_call_id"]: one for one in drive.state(office.agent, thread).interrupts}


def by_id(questions: dict[str, Any], **answers: Any) -> Command[Any]:
    """Decisions on calls c1, c2 and so on."""
    return Command(resume={questions[call[1:]].id: answer for call, answer in answers.items()})


def test_each_call_is_asked_about_by_itself_while_others_are_made(drive: Drive, thread: Any, ask_each: Any) -> None:
    office = ask_each(calling(ADD, LOOK, OTHER))
    questions = pending(drive, office, thread)
    assert (list(questions), office.done) == (["1", "3"], [("look", "x")])
    value = questions["3"].value
    assert list(value) == ["type", "tool_call_id", "name", "args", "description"]
    assert (value["type"], value["name"], value["args"]) == ("tool_approval", "add", {"a": 5, "b": 6})
    state = drive.invoke(office.agent, by_id(questions, c1=APPROVE, c3=REJECT), thread)
    assert office.done == [("look", "x"), ("add", 1, 2)]
    assert outline(state["messages"])[1:] == [
        "ai: add#1 look#2 add#3",
        "add#1 success",
        "look#2 success",
        "add#3 error",
        "ai",
    ]


def test_the_questions_can_be_answered_one_by_one(drive: Drive, thread: Any, ask_each: Any) -> None:
    office = ask_each(calling(ADD, OTHER))
    drive.invoke(office.agent, by_id(pending(drive, office, thread), c2=APPROVE), thread)
    assert (office.done, list(pending(drive, office, thread))) == ([("add", 5, 6)], ["1"])
    state = drive.invoke(office.agent, Command(resume=REJECT), thread)
    assert every_call_has_one_answer(state["messages"])
    assert office.done == [("add", 5, 6)]


@pytest.mark.parametrize(
    ("decision", "done", "answer"),
    [
        (APPROVE, [("add", 1, 2)], "success 3"),
        (REJECT, [], "error"),
        (respond("nine"), [], "success nine"),
        (edit(a=8, b=9), [("add", 8, 9)], "success 17"),
    ],
)
def test_a_call_is_decided_on(
    drive: Drive, thread: Any, ask_each: Any, decision: Any, done: list[Any], answer: str
) -> None:
    office = ask_each(edit_notice=None)
    state = drive.invoke(office.agent, Command(resume=decision), thread)
    message = last_answer(state["messages"])
    assert office.done == done
    assert f"{message.status} {message.text}".startswith(answer)


def test_the_model_is_told_of_an_edit_of_one_call(drive: Drive, thread: Any, ask_each: Any) -> None:
    state = drive.invoke(ask_each(edit_notice="Edited:").agent, Command(resume=edit(a=8, b=9)), thread)
    assert last_answer(state["messages"]).text == 'Edited: add({"a": 8, "b": 9})\n\n17'


def test_a_question_says_what_its_answer_must_look_like(drive: Drive, thread: Any, ask_each: Any) -> None:
    (asked,) = pending(drive, ask_each(), thread).values()
    schema = asked.response_schema
    assert [one["$ref"] for one in schema["oneOf"]] == [
        f"#/$defs/{kind}Decision" for kind in ("Approve", "Edit", "Reject", "Respond")
    ]
    action = schema["$defs"]["EditedAction"]["properties"]
    assert action["name"]["const"] == "add"
    assert list(schema["$defs"]["add"]["properties"]) == ["a", "b"]
    json.dumps(schema)


def test_one_allowed_decision_has_a_plain_schema(drive: Drive, thread: Any, ask_each: Any) -> None:
    (asked,) = pending(drive, ask_each(on={"add": {"allowed_decisions": ["approve"]}}), thread).values()
    assert asked.response_schema["required"] == ["type"]
    assert asked.response_schema["properties"]["type"]["const"] == "approve"


def test_a_given_schema_of_arguments_takes_the_place_of_the_tools(drive: Drive, thread: Any, ask_each: Any) -> None:
    part = {"$ref": "#/$defs/Part"}
    schema = {"type": "object", "properties": {"a": part}, "$defs": {"Part": {"type": "integer"}}}
    office = ask_each(on={"add": {"allowed_decisions": ["edit"], "args_schema": schema}})
    (asked,) = pending(drive, office, thread).values()
    shown = asked.response_schema
    assert shown["$defs"]["EditedAction"]["properties"]["args"] == {"type": "object", "properties": {"a": part}}
    assert shown["$defs"]["Part"] == {"type": "integer"}


BAD_EACH = [
    pytest.param("approve", "the call of 'add'", id="text"),
    pytest.param(True, "the call of 'add'", id="yes"),
    pytest.param({"decisions": [APPROVE]}, "'approve', 'edit'", id="of the other mode"),
    pytest.param(REJECT, "'approve', 'edit'", id="not allowed"),
    pytest.param(edit("look", at="x"), "name", id="other tool"),
    pytest.param(edit(a="many", b=2), "args.a", id="arguments that do not fit"),
]


@pytest.mark.parametrize(("answer", "said"), BAD_EACH)
@pytest.mark.parametrize(
    "more", [(), (ToolErrorMiddleware(lambda error, request: "hidden"),), (ToolRetryMiddleware(initial_delay=0),)]
)
def test_a_decision_that_does_not_fit_is_asked_again_and_no_model_hears_of_it(
    drive: Drive, thread: Any, ask_each: Any, answer: Any, said: str, more: Any
) -> None:
    office = ask_each(on={"add": {"allowed_decisions": ["approve", "edit"]}}, more=more)
    for _ in range(2):
        (asked,) = drive.invoke(office.agent, Command(resume=answer), thread)["__interrupt__"]
        assert said in asked.value["error"]
    assert (office.done, drive.state(office.agent, thread).next) == ([], ("tools",))
    state = drive.invoke(office.agent, Command(resume=APPROVE), thread)
    assert (office.done, every_call_has_one_answer(state["messages"])) == ([("add", 1, 2)], True)


def test_a_refused_decision_has_nothing_made_twice(drive: Drive, thread: Any, ask_each: Any) -> None:
    office = ask_each(calling(ADD, OTHER))
    questions = pending(drive, office, thread)
    (asked,) = drive.invoke(office.agent, by_id(questions, c1="yes", c2=APPROVE), thread)["__interrupt__"]
    assert (asked.value["tool_call_id"], office.done) == ("1", [("add", 5, 6)])
    state = drive.invoke(office.agent, Command(resume=APPROVE), thread)
    assert every_call_has_one_answer(state["messages"])
    assert office.done == [("add", 5, 6), ("add", 1, 2)]


def test_when_sees_the_tool_of_the_call(drive: Drive, thread: Any, ask_each: Any) -> None:
    def when(request: Any) -> bool:
        return bool(request.tool.name == "add" and request.tool_call["args"]["a"] > 1)

    office = ask_each(calling(ADD, OTHER), on={"add": {"allowed_decisions": ["approve"], "when": when}})
    assert (list(pending(drive, office, thread)), office.done) == (["2"], [("add", 1, 2)])


def test_an_error_of_when_is_its_authors_to_see(drive: Drive, thread: Any) -> None:
    def when(request: Any) -> bool:
        raise KeyError("who")

    for mode in ("batched", "per_call"):
        on = {"add": {"allowed_decisions": ["approve"], "when": when}}
        office = Office(calling(ADD), on=on, interrupt_mode=mode)
        with pytest.raises(KeyError, match="who"):
            drive.invoke(office.agent, HI, {"configurable": {"thread_id": mode}})
        assert office.done == []


def test_a_tool_with_a_schema_for_arguments_can_be_edited(drive: Drive, thread: Any) -> None:
    found: list[Any] = []
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/N"}}, "$defs": {"N": {"type": "integer"}}}

    def reach(**args: Any) -> str:
        found.append(args)
        return "reached"

    remote = StructuredTool(name="remote", description="Far away.", args_schema=schema, func=reach)
    agent = create_agent(
        ScriptedChatModel(replies=[calling(("remote", {"a": 1})), "done"]),
        [remote],
        middleware=[HumanInTheLoopMiddleware({"remote": True}, interrupt_mode="per_call")],
        checkpointer=InMemorySaver(),
    )
    (asked,) = cast("Any", drive.invoke(agent, HI, thread))["__interrupt__"]
    assert asked.response_schema["$defs"]["N"] == {"type": "integer"}
    drive.invoke(agent, Command(resume=edit("remote", a=2)), thread)
    assert found == [{"a": 2}]


# configurations that cannot be


@pytest.mark.parametrize(
    ("on", "said"),
    [
        ({"add": 3}, "interrupt_on\\['add'\\] is True, False or an InterruptOnConfig, got 3"),
        ({"add": {}}, "needs 'allowed_decisions'"),
        ({"add": {"allowed_decisions": []}}, "needs 'allowed_decisions'"),
        ({"add": {"allowed_decisions": ["accept"]}}, "some of 'approve', 'edit', 'reject', 'respond'"),
        ({"add": {"allowed_decisions": ["approve"], "allow_edit": True}}, "has no 'allow_edit'"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(on: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        HumanInTheLoopMiddleware(on)


@pytest.mark.parametrize("key", ["when", "description"])
def test_a_coroutine_function_is_refused(key: str) -> None:
    async def function(*_: Any) -> Any: ...

    on: Any = {"add": {"allowed_decisions": ["approve"], key: function}}
    with pytest.raises(ValueError, match=f"'{key}' is a plain function"):
        HumanInTheLoopMiddleware(on)


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="'batched' or 'per_call', got 'each'"):
        HumanInTheLoopMiddleware({}, interrupt_mode=cast("Any", "each"))


def test_a_history_without_calls_asks_nothing(drive: Drive, thread: Any) -> None:
    office = Office(AIMessage("hello"))
    assert outline(drive.invoke(office.agent, HI, thread)["messages"]) == ["human", "ai"]


# without anybody who keeps the question


def unkept(mode: Any, checkpointer: Any = None) -> Any:
    return create_agent(
        ScriptedChatModel(replies=[calling(ADD), "done"]),
        Office().tools(),
        middleware=[HumanInTheLoopMiddleware({"add": True}, interrupt_mode=mode)],
        checkpointer=checkpointer,
    )


@pytest.mark.parametrize("mode", ["batched", "per_call"])
def test_without_a_checkpointer_there_is_a_warning_and_the_question_is_told(drive: Drive, mode: str) -> None:
    with pytest.warns(RuntimeWarning, match="the question about 'add' cannot be answered: the agent has no checkpoint"):
        state = cast("Any", drive.invoke(unkept(mode), HI))
    assert outline(state["messages"]) == ["human", "ai: add#1"]
    assert len(state["__interrupt__"]) == 1


@pytest.mark.parametrize("own", [None, False])
@pytest.mark.parametrize("mode", ["batched", "per_call"])
def test_a_graph_around_the_agent_may_keep_the_question(drive: Drive, thread: Any, mode: str, own: Any) -> None:
    graph = StateGraph(MessagesState).add_node("agent", unkept(mode, own)).add_edge(START, "agent")
    assert "__interrupt__" in drive.invoke(graph.compile(InMemorySaver()), HI, thread)
