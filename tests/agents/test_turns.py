"""What a turn comes to where hooks jump, answers are stale, calls have no id, and nothing can make a call."""

from __future__ import annotations

import asyncio
import operator
import threading
from typing import Annotated, Any

import pytest
from langchain_core.language_models import FakeListLLM
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel
from typing_extensions import TypedDict

from headrace.agents import AgentState, create_agent
from headrace.agents.middleware import AgentMiddleware, HumanInTheLoopMiddleware, hook_config
from headrace.checkpoint.memory import InMemorySaver
from headrace.errors import InvalidGraphError
from headrace.prebuilt import ToolNode, create_react_agent
from tests.agents.build import HI, ONE, add, calling, kinds, scripted
from tests.agents.providers import complaints
from tests.drive import Drive


class Fact(BaseModel):
    fact: str


class Again(AgentMiddleware):
    """Has the model speak twice."""

    def __init__(self) -> None:
        self.sent = False

    @hook_config(can_jump_to=["model"])
    def after_model(self, state: Any, runtime: Any) -> Any:
        if self.sent:
            return None
        self.sent = True
        return {"messages": [HumanMessage("and again")], "jump_to": "model"}


class Guard(AgentMiddleware):
    """May end the run, and does so for the question "stop"."""

    def __init__(self) -> None:
        self.asked = 0

    @hook_config(can_jump_to=["end"])
    def before_model(self, state: Any, runtime: Any) -> Any:
        self.asked += 1
        return {"jump_to": "end"} if state["messages"][-1].text == "stop" else None


def test_a_jump_is_taken_once_though_it_lands_on_a_hook_that_may_jump(drive: Drive) -> None:
    guard = Guard()
    agent = create_agent(scripted("one", "two"), middleware=[guard, Again()])
    messages = drive.invoke(agent, HI)["messages"]
    assert [message.text for message in messages] == ["hi", "one", "and again", "two"]
    assert guard.asked == 2


def test_an_object_of_an_earlier_question_does_not_answer_the_next(drive: Drive, thread: Any) -> None:
    said = calling(("Fact", {"fact": "water is wet"}))
    agent = create_agent(scripted(said), middleware=[Guard()], response_format=Fact, checkpointer=InMemorySaver())
    assert drive.invoke(agent, HI, thread)["structured_response"] == Fact(fact="water is wet")
    assert drive.invoke(agent, {"messages": "stop"}, thread)["structured_response"] is None


def test_calls_without_ids_get_some_and_are_answered(drive: Drive) -> None:
    bare = AIMessage("", tool_calls=[{"name": "add", "args": {"a": 1, "b": n}, "id": None} for n in (1, 2)])
    messages = drive.invoke(create_agent(scripted(bare, "done"), [add]), HI)["messages"]
    assert [message.text for message in messages[2:]] == ["2", "3", "done"]
    assert len({call["id"] for call in messages[1].tool_calls}) == 2
    assert complaints(messages) == []


def test_a_call_that_was_cut_off_and_has_no_id_is_made_again(drive: Drive) -> None:
    cut = AIMessageChunk(content="", tool_call_chunks=[{"name": "add", "args": '{"a": 1', "id": None, "index": 0}])
    messages = drive.invoke(create_agent(scripted([cut], calling(ONE), "3"), [add]), HI)["messages"]
    assert kinds(messages) == ["human", "ai", "error", "ai", "success", "ai"]
    assert complaints(messages) == []


def test_a_call_that_was_cut_off_ends_an_agent_without_tools(drive: Drive) -> None:
    cut = AIMessageChunk(content="", tool_call_chunks=[{"name": "add", "args": '{"a": 1', "id": "c1", "index": 0}])
    messages = drive.invoke(create_agent(scripted([cut])), HI)["messages"]
    assert kinds(messages) == ["human", "ai", "error"]


def test_a_tool_that_only_the_model_was_told_of_is_refused(drive: Drive) -> None:
    class Showing(AgentMiddleware):
        def wrap_model_call(self, request: Any, handler: Any) -> Any:
            return handler(request.override(tools=[add]))

        async def awrap_model_call(self, request: Any, handler: Any) -> Any:
            return await handler(request.override(tools=[add]))

    messages = drive.invoke(create_agent(scripted(calling(ONE), "so be it"), middleware=[Showing()]), HI)["messages"]
    assert kinds(messages) == ["human", "ai", "error", "ai"]


def test_the_older_agent_refuses_calls_and_mends_histories_alike(drive: Drive) -> None:
    class Appending(TypedDict):
        messages: Annotated[list[Any], operator.add]

    model = scripted(calling(ONE))
    agent = create_react_agent(model, [], state_schema=Appending)
    messages = drive.invoke(agent, {"messages": [calling(ONE), HumanMessage("and now?")]})["messages"]
    assert kinds(messages) == ["ai", "human", "ai", "error"]
    assert kinds(model.calls[0]) == ["ai", "error", "human"]


def test_a_call_of_a_tool_outside_is_left_to_the_caller(drive: Drive) -> None:
    outside = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
    messages = drive.invoke(create_agent(scripted(calling(ONE)), [outside]), HI)["messages"]
    assert kinds(messages) == ["human", "ai"] and messages[-1].tool_calls


def test_a_mended_history_shows_nothing_among_the_tokens(drive: Drive) -> None:
    agent = create_agent(scripted("fine"), [add])
    given = {"messages": [calling(ONE), HumanMessage("and now?")]}
    told = [message for message, _ in drive.stream(agent, given, stream_mode="messages")]
    assert all(isinstance(message, AIMessageChunk) for message in told)


def test_ids_that_come_again_keep_their_own_answers(drive: Drive) -> None:
    model = scripted("fine")
    first, second = calling(("add", {"a": 1, "b": 1})), calling(("add", {"a": 2, "b": 2}))
    one = ToolMessage("2", tool_call_id="c1")
    given = [first, one, AIMessage("2"), second, ToolMessage("4", tool_call_id="c1"), AIMessage("4"), calling(ONE)]
    drive.invoke(create_agent(model, [add]), {"messages": [*given, HumanMessage("and now?")]})
    asked = [message.text for message in model.calls[0] if isinstance(message, ToolMessage)]
    assert asked[:2] == ["2", "4"] and "no answer" in asked[2]


def test_a_state_that_only_appends_is_mended_for_the_model_alone(drive: Drive) -> None:
    class Appending(AgentState):
        messages: Annotated[list[Any], operator.add]

    model = scripted("fine")
    agent = create_agent(model, [add], state_schema=Appending)
    given = [calling(ONE), HumanMessage("and now?")]
    assert kinds(drive.invoke(agent, {"messages": given})["messages"]) == ["ai", "human", "ai"]
    assert kinds(model.calls[0]) == ["ai", "error", "human"]


def test_a_caller_may_have_fewer_tools_at_a_time_than_the_author_but_not_more(drive: Drive) -> None:
    most, now, lock = [0], [0], threading.Lock()

    @tool
    def count(at: int) -> str:
        """Count those who work."""
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        threading.Event().wait(0.005)
        with lock:
            now[0] -= 1
        return str(at)

    calls = calling(*[("count", {"at": at}) for at in range(4)])
    agent = create_agent(scripted(calls, "done"), ToolNode([count], max_concurrency=1))
    drive.invoke(agent, HI, {"max_concurrency": 8})
    assert most[0] == 1


def test_an_async_function_may_choose_the_model_of_an_object_too() -> None:
    async def chosen(state: Any, runtime: Any) -> Any:
        return scripted("hello", calling(("Fact", {"fact": "x"}))) if len(state["messages"]) == 1 else model

    model = scripted(calling(("Fact", {"fact": "y"})))
    agent = create_react_agent(chosen, [], response_format=Fact)
    assert asyncio.run(agent.ainvoke(HI))["structured_response"] == Fact(fact="y")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"model": FakeListLLM(responses=["a"])}, "needs a chat model"),
        ({"model": scripted("a"), "tools": ToolNode([add], messages_key="chat")}, "messages_key='chat'"),
    ],
)
def test_what_cannot_work_is_refused_when_the_agent_is_made(given: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidGraphError, match=text):
        create_agent(**given)


def test_a_middleware_that_guards_no_tool_is_refused() -> None:
    with pytest.raises(InvalidGraphError, match=r"'ad'.*'add'"):
        create_agent(scripted("a"), [add], middleware=[HumanInTheLoopMiddleware({"ad": True})])
