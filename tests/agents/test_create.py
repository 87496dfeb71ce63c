"""What `create_agent` refuses, and what it says; nodes, forms of input, names, limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel
from typing_extensions import TypedDict

from headrace.agents import AgentState, create_agent
from headrace.agents.middleware import (
    AgentMiddleware,
    ExtendedModelResponse,
    after_model,
    before_agent,
    before_model,
    hook_config,
    wrap_model_call,
    wrap_tool_call,
)
from headrace.agents.structured_output import ProviderStrategy, ToolStrategy
from headrace.errors import EmptyInputError, InvalidGraphError, InvalidInputError, InvalidModelError, InvalidUpdateError
from headrace.prebuilt import ToolNode
from headrace.types import Command
from tests.agents.build import HI, ONE, add, calling, direct, fail, kinds, scripted
from tests.drive import Drive


class Quiet(AgentMiddleware):
    """Does nothing."""


class Person(BaseModel):
    name: str


@tool("add")
def other_add(x: int) -> int:
    """Add something."""
    return x


@tool("Person")
def person(name: str) -> str:
    """Find a person."""
    return name


class Adding(AgentMiddleware):
    tools = [other_add]  # noqa: RUF012 # as users write it


def undocumented(x: int) -> int:
    return x


def announcing(jump: Any) -> Any:
    return before_model(can_jump_to=[jump], name="jumping")(lambda state, runtime: {"jump_to": jump})


NO_TOOLS = FakeListChatModel(responses=["hello"])

agent_of: Any = create_agent
"""For callers without a type checker."""


def made(*arguments: Any, **options: Any) -> Any:
    return agent_of(scripted("x"), *arguments, **options)


MISTAKES: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "a name that says nothing of the provider": (lambda: agent_of("nobody:gpt"), ValueError, "'nobody:gpt'.*provider"),
    "a provider whose package is not there": (lambda: agent_of("groq:x"), ImportError, "pip install langch"),
    "a class for a model": (lambda: agent_of(type(NO_TOOLS)), InvalidGraphError, "chat model or the name.*FakeList"),
    "nothing for a model": (lambda: agent_of(None), InvalidGraphError, "chat model or the name of one, got None"),
    "a class for a middleware": (lambda: made(middleware=[Quiet]), InvalidGraphError, r"Quiet\(\)"),
    "a function for a middleware": (
        lambda: made(middleware=[undocumented]), InvalidGraphError, "decorate a function",
    ),
    "a decorator for a middleware": (
        lambda: made(middleware=[before_model]), InvalidGraphError, "no middleware",
    ),
    "a middleware twice": (
        lambda: made(middleware=[Quiet(), Quiet()]), InvalidGraphError, "called 'Quiet'",
    ),
    "a middleware for a list": (
        lambda: made(middleware=Quiet()), InvalidGraphError, "a list of middlewares",
    ),
    "a model that cannot call tools": (
        lambda: agent_of(NO_TOOLS, [add]), InvalidGraphError, "FakeListChatModel cannot call tools.*bind_tools",
    ),
    "a model that cannot call the tool for the object": (
        lambda: agent_of(NO_TOOLS, response_format=Person), InvalidGraphError, "cannot call tools",
    ),
    "two tools of one name": (
        lambda: made([add, other_add]), InvalidGraphError, "two tools are called 'add'",
    ),
    "a middleware's tool of that name": (
        lambda: made([add], middleware=[Adding()]), InvalidGraphError, "two tools are called 'add'",
    ),
    "the same beside a node for tools": (
        lambda: made(ToolNode([add]), middleware=[Adding()]), InvalidGraphError, "called 'add'",
    ),
    "a tool with the name of the schema": (
        lambda: made([person], response_format=ToolStrategy(Person)), InvalidGraphError,
        "response_format 'Person' has the name of a tool",
    ),
    "a tool without a description": (
        lambda: made([undocumented]), InvalidGraphError, "'undocumented' is no tool.*docstring",
    ),
    "a number for a tool": (lambda: made([3]), InvalidGraphError, "3 is no tool"),
    "a tool for a list": (lambda: made(add), InvalidGraphError, "a list of tools"),
    "a number for a schema": (
        lambda: made(response_format=3), InvalidGraphError, "response_format takes .* got 3",
    ),
    "a schema without a name": (
        lambda: made(response_format={"type": "object"}), InvalidGraphError, "'title'",
    ),
    "a union for a provider": (lambda: ProviderStrategy(Person | AgentState), InvalidGraphError, "use ToolStrategy"),
    "two schemas of one name": (
        lambda: ToolStrategy({"oneOf": [{"title": "A"}, {"title": "A"}]}), InvalidGraphError, "two schemas.*'A'",
    ),
    "a Pydantic model for the state": (
        lambda: made(state_schema=Person), InvalidGraphError, "TypedDict.*Person.*AgentState",
    ),
    "a number for a prompt": (
        lambda: made(system_prompt=3), InvalidGraphError, "text or a SystemMessage.*dynamic_prompt",
    ),
    "a pause at a node that is not there": (
        lambda: made(interrupt_before=["toolz"]), InvalidGraphError, "'toolz'.*'model'",
    ),
    "a jump to nowhere": (
        lambda: made(middleware=[announcing("nowhere")]), InvalidGraphError,
        "jumping.before_model announces a jump to 'nowhere'.*'model', 'tools' or 'end'",
    ),
    "a number for a saver": (lambda: made(checkpointer=3), TypeError, "checkpointer must be"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_can_be_seen_beforehand_is_refused_when_the_agent_is_made(mistake: str) -> None:
    make, kind, message = MISTAKES[mistake]
    with pytest.raises(kind, match=f"(?s){message}"):
        make()


def test_all_mistakes_in_middleware_are_told_at_once() -> None:
    with pytest.raises(InvalidGraphError, match=r"(?s)2 mistakes.*Quiet is a class.*called 'Quiet'"):
        made(middleware=[Quiet(), Quiet, Quiet()])


def test_a_tool_given_twice_is_one_tool(drive: Drive) -> None:
    class Same(AgentMiddleware):
        tools = [add]  # noqa: RUF012 # as users write it

    agent = create_agent(scripted(calling(ONE), "3"), [add, add], middleware=[Same()])
    assert kinds(drive.invoke(agent, HI)["messages"]) == ["human", "ai", "success", "ai"]


# while it runs


def wrapping(change: Callable[[Any], Any]) -> AgentMiddleware:
    class Wrap(AgentMiddleware):
        def wrap_model_call(self, request: Any, handler: Any) -> Any:
            return handler(change(request))

        async def awrap_model_call(self, request: Any, handler: Any) -> Any:
            return await handler(change(request))

    return Wrap()


def answering(answer: Any) -> AgentMiddleware:
    class Wrap(AgentMiddleware):
        def wrap_model_call(self, request: Any, handler: Any) -> Any:
            return answer

        async def awrap_model_call(self, request: Any, handler: Any) -> Any:
            return answer

    return Wrap()


def hooking(update: Any) -> Any:
    return before_model(name="hook")(lambda state, runtime: update)


COMMAND: Any = Command(goto="tools")
MODEL: Any = scripted("x")

FAILURES: dict[str, tuple[list[AgentMiddleware], type[Exception], str]] = {
    "a jump that was not announced": (
        [hooking({"jump_to": "end"})], InvalidUpdateError,
        r"hook.before_model jumps to 'end', but may jump to: nowhere.*@hook_config\(can_jump_to=\['end'\]\)",
    ),
    "a jump by a command that was not announced": (
        [hooking(Command(update={"jump_to": "end"}))], InvalidUpdateError, "jumps to 'end'",
    ),
    "an unknown key": ([hooking({"key": 1})], InvalidUpdateError, "hook.before_model.*'key'.*its keys are"),
    "a text for an update": ([hooking("x")], InvalidUpdateError, "hook.before_model' returned 'x'.*a dict"),
    "an unknown field": (
        [wrapping(lambda request: request.override(modell=MODEL))], TypeError, "no 'modell'; it has: model, messages",
    ),
    "a name for a model": (
        [wrapping(lambda request: request.override(model="gpt"))], InvalidModelError, "model is 'gpt'.*init_chat_model",
    ),
    "a model without tools": (
        [wrapping(lambda request: request.override(model=NO_TOOLS))], InvalidModelError, "cannot call tools",
    ),
    "two prompts": (
        [wrapping(lambda request: request.override(system_prompt="x", system_message=SystemMessage("y")))], ValueError,
        "not both",
    ),
    "nothing for an answer": ([answering(None)], TypeError, "Wrap.a?wrap_model_call returned None; .*ModelResponse"),
    "a command that leads away": (
        [answering(ExtendedModelResponse(MODEL, COMMAND))], ValueError, "can only update, got Command",
    ),
}  # fmt: skip


@pytest.mark.parametrize("failure", FAILURES)
def test_what_a_middleware_does_wrong_is_told_with_its_name(failure: str, drive: Drive) -> None:
    middleware, kind, message = FAILURES[failure]
    agent = create_agent(scripted("hello"), [add], middleware=middleware)
    with pytest.raises(kind, match=f"(?s){message}"):
        drive.invoke(agent, HI)


def test_a_wrapper_of_tools_that_answers_nothing_is_told_with_the_tool(drive: Drive) -> None:
    class Wrap(AgentMiddleware):
        def wrap_tool_call(self, request: Any, handler: Any) -> Any:
            return None

        async def awrap_tool_call(self, request: Any, handler: Any) -> Any:
            return None

    agent = create_agent(scripted(calling(ONE)), [add], middleware=[Wrap()])
    with pytest.raises(InvalidUpdateError, match="wrapper of tool 'add' returned None"):
        drive.invoke(agent, HI)


def test_a_model_that_returns_no_message_is_told(drive: Drive) -> None:
    with pytest.raises(InvalidModelError, match="returned 'hello'; a model returns an AIMessage"):
        drive.invoke(create_agent(scripted("hello") | (lambda message: message.text)), HI)


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"message": "hi"}, InvalidInputError, "'message'.*its input keys are: 'messages'"),
        ("hi", InvalidInputError, "not a dict"),
        (None, EmptyInputError, "no input"),
    ],
)
def test_an_input_that_is_none_is_refused(given: Any, kind: type[Exception], message: str, drive: Drive) -> None:
    with pytest.raises(kind, match=message):
        drive.invoke(create_agent(scripted("hello")), given)


def test_a_private_key_is_no_input(drive: Drive) -> None:
    with pytest.raises(InvalidInputError, match="'jump_to'"):
        drive.invoke(create_agent(scripted("hello")), {"jump_to": "end"})


# forms


@before_model
async def async_hook(state: Any, runtime: Any) -> Any:
    return {"messages": [HumanMessage("and so")]}


@before_model
def sync_hook(state: Any, runtime: Any) -> Any:
    return {"messages": [HumanMessage("and so")]}


@wrap_model_call
async def async_wrapper(request: Any, handler: Any) -> Any:
    return await handler(request)


@wrap_model_call
def sync_wrapper(request: Any, handler: Any) -> Any:
    return handler(request)


@wrap_tool_call
async def async_tool_wrapper(request: Any, handler: Any) -> Any:
    return await handler(request)


@wrap_tool_call
def sync_tool_wrapper(request: Any, handler: Any) -> Any:
    return handler(request)


@pytest.mark.parametrize("middleware", [async_hook, async_wrapper])
def test_an_async_form_alone_cannot_be_used_in_a_sync_run(middleware: AgentMiddleware) -> None:
    node = "async_hook.before_model" if middleware is async_hook else "model"
    with pytest.raises(TypeError, match=f"node '{node}' is async.*use ainvoke"):
        create_agent(scripted("hello"), middleware=[middleware]).invoke(HI)


@pytest.mark.parametrize("middleware", [sync_hook, sync_wrapper, sync_tool_wrapper])
def test_a_sync_form_alone_does_for_both(middleware: AgentMiddleware, drive: Drive) -> None:
    agent = create_agent(scripted(calling(ONE), "3"), [add], middleware=[middleware])
    assert drive.invoke(agent, HI)["messages"][-1].text == "3"


def test_an_async_wrapper_of_tools_does_for_both(drive: Drive) -> None:
    agent = create_agent(scripted(calling(ONE), "3"), [add], middleware=[async_tool_wrapper])
    assert drive.invoke(agent, HI)["messages"][-1].text == "3"


@pytest.mark.parametrize(
    "middleware", [[async_wrapper, sync_wrapper], [sync_tool_wrapper, async_tool_wrapper]], ids=["model", "tools"]
)
def test_wrappers_that_cannot_run_together_are_refused(middleware: list[AgentMiddleware]) -> None:
    with pytest.raises(InvalidGraphError, match="can run neither sync nor async; write one of them"):
        create_agent(scripted("hello"), [add], middleware=middleware)


# jumps


def test_a_jump_that_was_announced_by_hook_config_is_made(drive: Drive) -> None:
    class Stop(AgentMiddleware):
        @hook_config(can_jump_to=["end"])
        def before_model(self, state: Any, runtime: Any) -> Any:
            return {"jump_to": "end"}

    model = scripted("hello")
    assert kinds(drive.invoke(create_agent(model, middleware=[Stop()]), HI)["messages"]) == ["human"]
    assert model.calls == []


@pytest.mark.parametrize("tools", [[], [add]], ids=["no tools", "tools"])
@pytest.mark.parametrize("hook", [before_agent, before_model, after_model])
def test_a_jump_to_the_tools_where_no_call_waits_is_none(hook: Any, tools: list[Any], drive: Drive) -> None:
    jumping = hook(can_jump_to=["tools"])(lambda state, runtime: {"jump_to": "tools"})
    agent = create_agent(scripted("hello"), tools, middleware=[jumping])
    assert kinds(drive.invoke(agent, HI)["messages"]) == ["human", "ai"]


def test_a_jump_holds_for_one_step(drive: Drive) -> None:
    def once(state: Any, runtime: Any) -> Any:
        return {"jump_to": "model", "messages": [HumanMessage("again")]} if len(state["messages"]) == 2 else None

    hook = after_model(can_jump_to=["model"])(once)
    answer = drive.invoke(create_agent(scripted("one", "two"), middleware=[hook]), HI)
    assert kinds(answer["messages"]) == ["human", "ai", "human", "ai"]
    assert "jump_to" not in answer


# answers of tools


def test_an_agent_goes_on_after_a_failing_tool(drive: Drive) -> None:
    model = scripted(calling(("fail", {"at": "luck"})), "I see")
    answer = drive.invoke(create_agent(model, [fail]), HI)
    assert kinds(answer["messages"]) == ["human", "ai", "error", "ai"]
    assert "ValueError: no luck" in answer["messages"][2].text


def test_an_error_of_a_tool_is_the_callers_if_its_node_says_so(drive: Drive) -> None:
    agent = create_agent(scripted(calling(("fail", {"at": "luck"}))), ToolNode([fail], handle_tool_errors=False))
    with pytest.raises(ValueError, match="no luck"):
        drive.invoke(agent, HI)


def test_a_refused_direct_call_goes_back_to_the_model(drive: Drive) -> None:
    model = scripted(calling(("direct", {})), calling(("direct", {"at": "x"}), first=2))
    answer = drive.invoke(create_agent(model, [direct]), HI)
    assert kinds(answer["messages"]) == ["human", "ai", "error", "ai", "success"]


def test_a_direct_answer_among_others_goes_to_the_model(drive: Drive) -> None:
    model = scripted(calling(("direct", {"at": "x"}), ONE), "both")
    answer = drive.invoke(create_agent(model, [direct, add]), HI)
    assert kinds(answer["messages"]) == ["human", "ai", "success", "success", "ai"]


def test_half_a_call_is_not_made(drive: Drive) -> None:
    half = AIMessage("", invalid_tool_calls=[{"name": "add", "args": '{"a": 1, "b"', "id": "c1", "error": None}])
    made = []

    @tool
    def note(a: int) -> str:
        """Note it."""
        made.append(a)
        return "noted"

    half.invalid_tool_calls[0]["name"] = "note"
    answer = drive.invoke(create_agent(scripted(half, "I see"), [note]), HI)
    assert kinds(answer["messages"]) == ["human", "ai", "error", "ai"]
    assert made == []


@pytest.mark.parametrize(
    "message",
    [{"role": "tool", "content": "found", "tool_call_id": "c1"}, ToolMessage("found", tool_call_id="c1")],
    ids=["dict", "message"],
)
def test_a_command_with_an_answer_is_the_answer(message: Any, drive: Drive) -> None:
    @tool
    def find(at: str) -> Any:
        """Find it."""
        return Command(update={"messages": [message]})

    answer = drive.invoke(create_agent(scripted(calling(("find", {"at": "x"})), "ok"), [find]), HI)
    assert kinds(answer["messages"]) == ["human", "ai", "success", "ai"]


def test_an_answer_in_a_command_has_the_name_of_the_tool(drive: Drive) -> None:
    given = ToolMessage("found", tool_call_id="c1")

    @tool
    def find(at: str) -> Any:
        """Find it."""
        return Command(update={"messages": [given]})

    answer = drive.invoke(create_agent(scripted(calling(("find", {"at": "x"})), "ok"), [find]), HI)
    assert answer["messages"][2].name == "find"
    assert given.name is None


# what is in the graph


def test_nodes_are_called_as_their_middleware() -> None:
    class Every(AgentMiddleware):
        def before_agent(self, state: Any, runtime: Any) -> Any:
            return None

        def before_model(self, state: Any, runtime: Any) -> Any:
            return None

        def after_model(self, state: Any, runtime: Any) -> Any:
            return None

        def after_agent(self, state: Any, runtime: Any) -> Any:
            return None

    nodes = create_agent(scripted("x"), [add], middleware=[Every()]).get_graph().nodes
    hooks = {f"Every.{hook}" for hook in ("before_agent", "before_model", "after_model", "after_agent")}
    assert set(nodes) == {"__start__", "model", "tools", "__end__", *hooks}


def test_an_agent_without_tools_has_no_node_for_them() -> None:
    assert "tools" not in create_agent(scripted("x")).get_graph().nodes


def test_middleware_may_come_from_a_generator(drive: Drive) -> None:
    agent = create_agent(scripted("hello"), middleware=(one for one in [sync_hook]))  # type: ignore[arg-type]
    assert kinds(drive.invoke(agent, HI)["messages"]) == ["human", "human", "ai"]


def test_the_name_is_on_messages_and_in_their_metadata(drive: Drive) -> None:
    agent = create_agent(scripted("hello"), name="clerk")
    _, metadata = drive.stream(agent, HI, stream_mode="messages")[0]
    assert metadata["lc_agent_name"] == "clerk"
    assert drive.invoke(create_agent(scripted("hello"), name="clerk"), HI)["messages"][-1].name == "clerk"


def test_one_tool_runs_at_a_time_if_its_node_says_so(drive: Drive) -> None:
    running: list[str] = []

    @tool
    def look(at: str) -> str:
        """Look."""
        running.append(f"{at} in")
        running.append(f"{at} out")
        return at

    calls = calling(*[("look", {"at": at}) for at in "abc"])
    drive.invoke(create_agent(scripted(calls, "ok"), ToolNode([look], max_concurrency=1)), HI)
    assert running == ["a in", "a out", "b in", "b out", "c in", "c out"]


def test_messages_of_the_caller_are_left_as_they_are(drive: Drive) -> None:
    asked = HumanMessage("hi")
    drive.invoke(create_agent(scripted("hello")), {"messages": [asked]})
    assert asked == HumanMessage("hi")


def test_a_state_of_other_keys_has_messages_as_well(drive: Drive) -> None:
    class Bare(TypedDict):
        a: int

    answer = drive.invoke(create_agent(scripted("hello"), state_schema=Bare), {**HI, "a": 1})
    assert (answer["a"], kinds(answer["messages"])) == (1, ["human", "ai"])
