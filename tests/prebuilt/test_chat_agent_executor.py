"""The agent of older code: nodes `agent` and `tools`, a prompt, and two hooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import tool
from pydantic import BaseModel
from typing_extensions import TypedDict

from headrace.checkpoint.memory import InMemorySaver
from headrace.errors import HeadraceError, InvalidGraphError
from headrace.graph import StateGraph
from headrace.messages import REMOVE_ALL_MESSAGES, add_messages
from headrace.prebuilt import InjectedState, ToolNode, create_react_agent
from headrace.prebuilt.chat_agent_executor import AgentState, AgentStatePydantic, AgentStateWithStructuredResponse
from headrace.runtime import Runtime
from headrace.testing import ScriptedChatModel
from headrace.types import Command, interrupt
from tests.drive import Drive
from tests.prebuilt.build import answer_of, asking, call

GO: Any = {"messages": [("user", "1 + 2?")]}


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


SUM = call("add", {"a": 1, "b": 2}, "1")
VERSIONS: tuple[Literal["v1"], Literal["v2"]] = ("v1", "v2")
SECOND = call("add", {"a": 3, "b": 4}, "2")


def scripted(*replies: Any) -> ScriptedChatModel:
    return ScriptedChatModel(replies=[*replies] or ["three"], when_exhausted="raise")


def seen(model: ScriptedChatModel, number: int = 0) -> list[tuple[str, str]]:
    """The messages of a call of the model."""
    return [(message.type, message.text) for message in model.calls[number]]


# the loop


def test_agent_calls_tools_until_the_model_answers(drive: Drive) -> None:
    model = scripted(asking(SUM), asking(SECOND), "done")
    parts = drive.stream(create_react_agent(model, [add]), GO, stream_mode="updates")
    assert [next(iter(part)) for part in parts] == ["agent", "tools", "agent", "tools", "agent"]
    assert seen(model, 2) == [("human", "1 + 2?"), ("ai", ""), ("tool", "3"), ("ai", ""), ("tool", "7")]


def test_agent_without_tools_is_one_node(drive: Drive) -> None:
    agent = create_react_agent(scripted(), [])
    assert answer_of(drive.invoke(agent, GO)).content == "three"
    assert [*agent.get_graph().nodes] == ["__start__", "agent", "__end__"]


@pytest.mark.parametrize(("version", "tasks"), [("v1", 1), ("v2", 2)])
def test_calls_of_one_answer_are_a_task_each_or_one(drive: Drive, version: Any, tasks: int) -> None:
    agent = create_react_agent(scripted(asking(SUM, SECOND), "done"), [add], version=version)
    parts = drive.stream(agent, GO, stream_mode="updates")
    assert [next(iter(part)) for part in parts] == ["agent", *["tools"] * tasks, "agent"]
    told = [message.content for part in parts if "tools" in part for message in part["tools"]["messages"]]
    assert sorted(told) == ["3", "7"]


def test_unknown_version_is_refused() -> None:
    with pytest.raises(ValueError, match="there are 'v1' and 'v2'"):
        create_react_agent(scripted(), [], version="v3")  # type: ignore[arg-type] # a mistake


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_answer_of_a_direct_tool_ends_the_run(drive: Drive, version: Any) -> None:
    @tool(return_direct=True)
    def answer() -> str:
        """Answer."""
        return "direct"

    agent = create_react_agent(scripted(asking(call("answer"))), [answer], version=version)
    assert answer_of(drive.invoke(agent, GO)).content == "direct"


def test_tool_node_brings_its_own_settings(drive: Drive) -> None:
    @tool
    def fails() -> str:
        """Fail."""
        raise ValueError("broken")

    node = ToolNode([fails], handle_tool_errors="try another way", name="actions")
    parts = drive.stream(create_react_agent(scripted(asking(call("fails")), "done"), node), GO, stream_mode="updates")
    assert [next(iter(part)) for part in parts] == ["agent", "actions", "agent"]
    assert answer_of(parts[1]["actions"]).content == "try another way"


def test_name_is_on_the_messages_and_the_graph(drive: Drive) -> None:
    agent = create_react_agent(scripted(), [], name="helper")
    assert agent.name == "helper"
    assert answer_of(drive.invoke(agent, GO)).name == "helper"


def test_question_in_a_tool_pauses_the_run(drive: Drive, thread: Any) -> None:
    @tool
    def approve() -> str:
        """Ask."""
        return str(interrupt("sure?"))

    agent = create_react_agent(scripted(asking(call("approve")), "done"), [approve], checkpointer=InMemorySaver())
    assert drive.invoke(agent, GO, thread)["__interrupt__"][0].value == "sure?"
    messages = drive.invoke(agent, Command(resume="yes"), thread)["messages"]
    assert [message.content for message in messages[-2:]] == ["yes", "done"]


@pytest.mark.parametrize(("where", "nodes"), [("interrupt_before", ("tools",)), ("interrupt_after", ("tools",))])
def test_run_pauses_where_it_is_told_to(drive: Drive, thread: Any, where: str, nodes: tuple[str, ...]) -> None:
    stop: dict[str, Any] = {where: ["tools"] if where == "interrupt_before" else ["agent"]}
    agent = create_react_agent(scripted(asking(SUM), "done"), [add], checkpointer=InMemorySaver(), **stop)
    drive.invoke(agent, GO, thread)
    assert drive.state(agent, thread).next == nodes
    assert answer_of(drive.invoke(agent, None, thread)).content == "done"


# input


@pytest.mark.parametrize("input", [{"question": "1 + 2?"}, [], "1 + 2?", None])
def test_input_of_another_shape_is_refused(drive: Drive, input: Any) -> None:
    model = scripted()
    with pytest.raises(HeadraceError):
        drive.invoke(create_react_agent(model, [add]), input)
    assert model.calls == []


def test_empty_history_goes_to_the_model(drive: Drive) -> None:
    """A prompt may be all that it needs."""
    model = scripted()
    drive.invoke(create_react_agent(model, [add], prompt="count"), {})
    assert seen(model) == [("system", "count")]


def test_message_of_an_unknown_role_is_refused(drive: Drive) -> None:
    model = scripted()
    with pytest.raises(Exception, match="oracle"):
        drive.invoke(create_react_agent(model, [add]), {"messages": [{"role": "oracle", "content": "hm"}]})
    assert model.calls == []


def test_call_without_an_answer_in_the_history_gets_one_before_the_model_sees_it(drive: Drive) -> None:
    """The tool was stopped, or dropped by somebody: providers refuse such a history for good."""
    model = scripted("three")
    history = {"messages": [HumanMessage("1 + 2?"), asking(SUM), HumanMessage("and?")]}
    drive.invoke(create_react_agent(model, [add]), history)
    assert [kind for kind, _ in seen(model)] == ["human", "ai", "tool", "human"]


# the steps that remain


def test_calls_for_which_no_steps_are_left_are_not_made(drive: Drive) -> None:
    agent = create_react_agent(scripted(asking(SUM)), [add])
    last = answer_of(drive.invoke(agent, GO, {"recursion_limit": 2}))
    assert (last.type, last.tool_calls) == ("ai", [])
    assert "number of steps" in last.content


def test_loop_that_would_never_end_ends_within_the_limit(drive: Drive) -> None:
    model = ScriptedChatModel(replies=[lambda messages: asking(call("add", {"a": 1, "b": 2}, str(len(messages))))])
    last = answer_of(drive.invoke(create_react_agent(model, [add]), GO, {"recursion_limit": 7}))
    assert (last.type, last.tool_calls) == ("ai", [])


def test_answer_without_calls_is_kept_in_the_last_step(drive: Drive) -> None:
    agent = create_react_agent(scripted(asking(SUM), "three"), [add])
    assert answer_of(drive.invoke(agent, GO, {"recursion_limit": 3})).content == "three"


def test_direct_tool_needs_one_step_less(drive: Drive) -> None:
    @tool(return_direct=True)
    def answer() -> str:
        """Answer."""
        return "direct"

    agent = create_react_agent(scripted(asking(call("answer"))), [answer])
    assert answer_of(drive.invoke(agent, GO, {"recursion_limit": 2})).content == "direct"


def test_remaining_steps_are_no_output(drive: Drive) -> None:
    assert [*drive.invoke(create_react_agent(scripted(), [add]), GO)] == ["messages"]


def test_state_without_remaining_steps_runs_to_the_limit(drive: Drive) -> None:
    class Mine(TypedDict):
        messages: Annotated[list[AnyMessage], add_messages]

    agent = create_react_agent(scripted(asking(SUM), "done"), [add], state_schema=Mine)
    assert answer_of(drive.invoke(agent, GO)).content == "done"


# the state


@dataclass
class DataState:
    messages: Annotated[list[AnyMessage], add_messages]
    remaining_steps: int = 25


class Nothing(TypedDict):
    question: str


class Messages(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


@pytest.mark.parametrize("schema", [AgentState, AgentStatePydantic, DataState])
def test_state_may_be_of_any_kind(drive: Drive, schema: Any) -> None:
    agent = create_react_agent(scripted(asking(SUM), "done"), [add], state_schema=schema)
    assert [message.type for message in drive.invoke(agent, GO)["messages"]] == ["human", "ai", "tool", "ai"]


def test_state_without_messages_is_refused() -> None:
    with pytest.raises(InvalidGraphError, match="state Nothing needs a key 'messages'"):
        create_react_agent(scripted(), [], state_schema=Nothing)


def test_state_without_a_place_for_the_object_is_refused() -> None:
    with pytest.raises(InvalidGraphError, match="state Messages needs a key 'structured_response'"):
        create_react_agent(scripted(), [], state_schema=Messages, response_format=Number)


def test_tools_see_the_keys_of_the_callers_state(drive: Drive) -> None:
    class Mine(AgentState):
        user: str

    @tool
    def who(user: Annotated[str, InjectedState("user")]) -> str:
        """Who."""
        return user

    for version in VERSIONS:
        model = scripted(asking(call("who"), call("who", {}, "2")), "done")
        agent = create_react_agent(model, [who], state_schema=Mine, version=version)
        messages = drive.invoke(agent, {**GO, "user": "ann"})["messages"]
        assert [message.content for message in messages[2:4]] == ["ann", "ann"]


# the prompt


def by_function(state: Any) -> list[BaseMessage]:
    return [SystemMessage("be brief"), *state["messages"]]


def by_config(state: Any, config: RunnableConfig) -> list[BaseMessage]:
    return [SystemMessage(config["configurable"]["prompt"]), *state["messages"]]


def by_runtime(state: Any, runtime: Runtime[Any]) -> list[BaseMessage]:
    return [SystemMessage(runtime.context["prompt"]), *state["messages"]]


TEMPLATE = ChatPromptTemplate.from_messages([("system", "be brief"), ("placeholder", "{messages}")])


@pytest.mark.parametrize(
    "prompt",
    ["be brief", SystemMessage("be brief"), by_function, by_config, by_runtime, RunnableLambda(by_function), TEMPLATE],
    ids=["text", "message", "function", "config", "runtime", "runnable", "template"],
)
def test_prompt_goes_before_the_history_and_is_not_kept(drive: Drive, prompt: Any) -> None:
    model = scripted()
    agent = create_react_agent(model, [add], prompt=prompt)
    config = {"configurable": {"prompt": "be brief"}}
    state = drive.invoke(agent, GO, config, context={"prompt": "be brief"})
    assert seen(model) == [("system", "be brief"), ("human", "1 + 2?")]
    assert [message.type for message in state["messages"]] == ["human", "ai"]


def test_prompt_is_made_anew_for_each_call(drive: Drive) -> None:
    model = scripted(asking(SUM), "done")
    prompt = lambda state: [SystemMessage(f"{len(state['messages'])} so far"), *state["messages"]]  # noqa: E731
    drive.invoke(create_react_agent(model, [add], prompt=prompt), GO)
    assert [seen(model, number)[0][1] for number in range(2)] == ["1 so far", "3 so far"]


async def awaited(state: Any) -> list[BaseMessage]:
    return [SystemMessage("be brief"), *state["messages"]]


def test_prompt_that_is_only_async_works_in_async_runs() -> None:
    model = scripted()
    Drive("async").invoke(create_react_agent(model, [add], prompt=awaited), GO)
    assert seen(model)[0] == ("system", "be brief")


def test_prompt_that_is_only_async_fails_in_sync_runs_with_what_to_do() -> None:
    with pytest.raises(TypeError, match=r"node 'agent' is async .* use ainvoke\(\) or astream\(\)"):
        Drive("sync").invoke(create_react_agent(scripted(), [add], prompt=awaited), GO)


def test_prompt_of_another_kind_is_refused() -> None:
    with pytest.raises(InvalidGraphError, match="prompt must be a text, a message, a function or a runnable, got 3"):
        create_react_agent(scripted(), [], prompt=3)  # type: ignore[arg-type] # a mistake


# the model


def test_model_may_be_chosen_for_each_call(drive: Drive) -> None:
    first, second = scripted(asking(SUM)), scripted("done")

    def choose(state: Any, runtime: Runtime[Any]) -> Any:
        assert runtime.context == {"tier": "low"}
        return first if len(state["messages"]) == 1 else second

    agent = create_react_agent(choose, [add])
    assert answer_of(drive.invoke(agent, GO, context={"tier": "low"})).content == "done"
    assert len(first.calls) == len(second.calls) == 1
    assert [shown["function"]["name"] for shown in first.options[0]["tools"]] == ["add"]


def test_model_may_be_chosen_by_a_coroutine() -> None:
    model = scripted()

    async def choose(state: Any, runtime: Runtime[Any]) -> Any:
        return model

    agent = create_react_agent(choose, [add])
    assert answer_of(Drive("async").invoke(agent, GO)).content == "three"
    with pytest.raises(TypeError, match="node 'agent' is async"):
        Drive("sync").invoke(agent, GO)


def test_chosen_model_with_tools_of_its_own_keeps_them(drive: Drive) -> None:
    model = scripted()

    @tool
    def other() -> str:
        """Another."""
        return ""

    drive.invoke(create_react_agent(lambda state, runtime: model.bind_tools([other]), [add]), GO)
    assert [shown["function"]["name"] for shown in model.options[0]["tools"]] == ["other"]


def test_function_that_chooses_no_model_is_told_so(drive: Drive) -> None:
    agent = create_react_agent(lambda state, runtime: None, [add])
    with pytest.raises(InvalidGraphError, match="needs a chat model or the name of one, got None"):
        drive.invoke(agent, GO)


def test_model_that_cannot_call_tools_is_refused_where_there_are_some() -> None:
    silent = GenericFakeChatModel(messages=iter([AIMessage("hi")]))
    with pytest.raises(InvalidGraphError, match="the model GenericFakeChatModel cannot call tools"):
        create_react_agent(silent, [add])
    create_react_agent(silent, [])


def test_model_with_the_tools_bound_before_is_taken_as_it_is(drive: Drive) -> None:
    model = scripted(asking(SUM), "done")
    assert answer_of(drive.invoke(create_react_agent(model.bind_tools([add]), [add]), GO)).content == "done"


# hooks


def test_hook_before_the_model_may_give_it_other_messages(drive: Drive) -> None:
    """The state keeps its own."""
    model = scripted(asking(SUM), "done")

    def shorten(state: Any) -> Any:
        return {"llm_input_messages": state["messages"][-1:]}

    state = drive.invoke(create_react_agent(model, [add], pre_model_hook=shorten), GO)
    assert [seen(model, number) for number in range(2)] == [[("human", "1 + 2?")], [("tool", "3")]]
    assert [message.type for message in state["messages"]] == ["human", "ai", "tool", "ai"]


def test_hook_before_the_model_may_change_the_history(drive: Drive) -> None:
    model = scripted()

    def rewrite(state: Any) -> Any:
        return {"messages": [RemoveMessage(REMOVE_ALL_MESSAGES), HumanMessage("2 + 2?")]}

    state = drive.invoke(create_react_agent(model, [add], pre_model_hook=rewrite), GO)
    assert seen(model) == [("human", "2 + 2?")]
    assert [message.text for message in state["messages"]] == ["2 + 2?", "three"]


def test_hooks_are_nodes_around_each_call_of_the_model(drive: Drive) -> None:
    agent = create_react_agent(
        scripted(asking(SUM), "done"), [add], pre_model_hook=lambda state: {}, post_model_hook=lambda state: {}
    )
    parts = drive.stream(agent, GO, stream_mode="updates")
    turn = ["pre_model_hook", "agent", "post_model_hook"]
    assert [next(iter(part)) for part in parts] == [*turn, "tools", *turn]


def test_hook_after_the_model_may_answer_calls_itself(drive: Drive) -> None:
    made: list[str] = []

    @tool
    def act(what: str) -> str:
        """Act."""
        made.append(what)
        return what

    def veto(state: Any) -> Any:
        refused = [one for one in answer_of(state).tool_calls if one["args"]["what"] == "harm"]
        return {"messages": [ToolMessage("refused", tool_call_id=one["id"]) for one in refused]}

    calls = [call("act", {"what": "harm"}, "1"), call("act", {"what": "good"}, "2")]
    for version in VERSIONS:
        made.clear()
        agent = create_react_agent(scripted(asking(*calls), "done"), [act], post_model_hook=veto, version=version)
        drive.invoke(agent, GO)
        assert made == ["good"]


def test_hooks_work_with_a_pydantic_state(drive: Drive) -> None:
    model = scripted()
    agent = create_react_agent(
        model,
        [add],
        state_schema=AgentStatePydantic,
        pre_model_hook=lambda state: {"llm_input_messages": [("user", "x")]},
    )
    drive.invoke(agent, GO)
    assert seen(model) == [("human", "x")]


# structured answers


class Number(BaseModel):
    """A number."""

    value: int


def structured(*replies: Any) -> ScriptedChatModel:
    """A model that can be asked for objects: it calls the schema as a tool."""
    return scripted(*replies, asking(call("Number", {"value": 3}, "n")))


def test_object_is_made_at_the_end_by_one_more_call(drive: Drive) -> None:
    model = structured(asking(SUM), "three")
    agent = create_react_agent(model, [add], response_format=Number)
    parts = drive.stream(agent, GO, stream_mode="updates")
    assert [next(iter(part)) for part in parts] == ["agent", "tools", "agent", "generate_structured_response"]
    assert parts[-1]["generate_structured_response"] == {"structured_response": Number(value=3)}
    assert seen(model, 2)[-1] == ("ai", "three")


def test_object_may_have_a_prompt_of_its_own(drive: Drive) -> None:
    model = structured("three")
    agent = create_react_agent(model, [], prompt="be brief", response_format=("as a number", Number))
    assert drive.invoke(agent, GO)["structured_response"] == Number(value=3)
    assert seen(model, 1)[0] == ("system", "as a number")


def test_model_that_is_chosen_makes_the_object(drive: Drive) -> None:
    model = structured("three")
    agent = create_react_agent(lambda state, runtime: model, [], response_format=Number)
    assert drive.invoke(agent, GO)["structured_response"] == Number(value=3)


def test_state_of_ones_own_keeps_the_object(drive: Drive) -> None:
    class Mine(AgentStateWithStructuredResponse):
        user: str

    agent = create_react_agent(structured("three"), [], state_schema=Mine, response_format=Number)
    assert drive.invoke(agent, {**GO, "user": "ann"})["structured_response"] == Number(value=3)


# as a part of another graph


def test_agent_is_a_node_of_another_graph(drive: Drive) -> None:
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(AgentState)
    builder.add_node("helper", create_react_agent(scripted(asking(SUM), "done"), [add]))
    builder.set_entry_point("helper")
    assert answer_of(drive.invoke(builder.compile(), GO)).content == "done"
