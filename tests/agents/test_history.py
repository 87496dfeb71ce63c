"""However a run ends, the history is one that every provider takes: each tool call has one answer, right after it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from headrace.agents import create_agent
from headrace.agents.middleware import after_model, before_model
from headrace.agents.structured_output import ToolStrategy
from headrace.checkpoint.memory import InMemorySaver
from headrace.errors import HeadraceError
from headrace.prebuilt import ToolNode, create_react_agent
from headrace.testing import ScriptedChatModel
from headrace.types import Command, interrupt
from tests.agents.build import calling
from tests.agents.providers import complaints
from tests.drive import Drive

CALLS = calling(*[("work", {"at": at}) for at in "abc"], text="let me see")
GO = {"messages": [HumanMessage("go")]}
THEN = {"messages": [HumanMessage("and now?")]}


def reply(messages: list[BaseMessage]) -> Any:
    """Three calls, then words; a new question is answered at once."""
    last = messages[-1]
    if isinstance(last, HumanMessage) and last.text == "go":
        return CALLS
    return "done" if isinstance(last, ToolMessage) else "fine"


def model_of(**settings: Any) -> ScriptedChatModel:
    return ScriptedChatModel(replies=[reply], **settings)


@tool
def work(at: str) -> str:
    """Work."""
    return f"worked {at}"


def quiet(state: Any, runtime: Any) -> Any:
    return None


Make = Callable[[Any, Any], Any]
"""An agent of a model and of its tools."""

AGENTS: dict[str, Make] = {
    "agent": lambda model, tools: create_agent(model, tools, checkpointer=InMemorySaver()),
    "agent with hooks": lambda model, tools: create_agent(
        model, tools, middleware=[before_model(name="b")(quiet), after_model(name="a")(quiet)],
        checkpointer=InMemorySaver(),
    ),
    "react": lambda model, tools: create_react_agent(model, tools, checkpointer=InMemorySaver()),
    "react v1": lambda model, tools: create_react_agent(model, tools, checkpointer=InMemorySaver(), version="v1"),
}  # fmt: skip


@pytest.fixture(params=AGENTS)
def make(request: Any) -> Make:
    """Makes an agent of some kind."""
    return AGENTS[request.param]


def refuses(drive: Drive, agent: Any, model: ScriptedChatModel, config: Any) -> list[str]:
    """Go on with a new question, and say what a provider has against what it was sent and what is kept."""
    kept = drive.invoke(agent, THEN, config)["messages"]
    assert kept[-1].text == "fine"
    return [*complaints(model.calls[-1]), *complaints(kept)]


def answers(messages: list[BaseMessage]) -> dict[str, str]:
    """What each call was answered with."""
    return {message.tool_call_id: message.text for message in messages if isinstance(message, ToolMessage)}


# the reader leaves


def left(drive: Drive, agent: Any, config: Any, count: int, modes: Any, **options: Any) -> int:
    """Read so many events and leave; how many there were."""
    if drive.way == "sync":
        stream = agent.stream(GO, config, stream_mode=modes, **options)
        read = sum(1 for _ in zip(range(count), stream, strict=False))
        stream.close()
        return read
    return asyncio.run(aleft(agent, config, count, modes, **options))


async def aleft(agent: Any, config: Any, count: int, modes: Any, **options: Any) -> int:
    stream = agent.astream(GO, config, stream_mode=modes, **options)
    read = 0
    async for _ in stream:
        read += 1
        if read == count:
            break
    await stream.aclose()
    return read


@pytest.mark.parametrize("modes", [["values", "updates", "messages", "tools", "tasks"], "checkpoints"], ids=str)
@pytest.mark.parametrize("durability", ["async", "sync", "exit"])
def test_a_reader_may_leave_after_any_event(make: Make, durability: str, modes: Any, drive: Drive) -> None:
    count = 0
    while True:
        count += 1
        model = model_of(chunks=16)
        agent, config = make(model, [work]), {"configurable": {"thread_id": str(count)}}
        read = left(drive, agent, config, count, modes, durability=durability)
        assert refuses(drive, agent, model, config) == [], f"left after event {count}"
        if read < count:
            break
    assert count > 5


# something breaks


class BrokenError(Exception):
    """The process dies, as far as the run can tell."""


def breaking(on: str) -> Any:
    @tool("work")
    def broken(at: str) -> str:
        """Work."""
        if at in on:
            raise BrokenError(at)
        return f"worked {at}"

    return broken


@pytest.mark.parametrize("on", ["a", "b", "c", "ac", "abc"])
def test_tools_may_break(make: Make, on: str, drive: Drive, thread: Any) -> None:
    model = model_of()
    agent = make(model, ToolNode([breaking(on)], handle_tool_errors=False))
    with pytest.raises(BrokenError):
        drive.invoke(agent, GO, thread)
    assert refuses(drive, agent, model, thread) == []


def test_a_call_whose_step_broke_is_not_said_to_be_undone(drive: Drive, thread: Any) -> None:
    """A new question drops what the step's finished tools have stored, as it does for every graph."""
    agent = create_agent(
        model_of(), ToolNode([breaking("c")], handle_tool_errors=False, max_concurrency=1), checkpointer=InMemorySaver()
    )
    with pytest.raises(BrokenError):
        drive.invoke(agent, GO, thread)
    kept = answers(drive.invoke(agent, THEN, thread)["messages"])
    assert "may have been done or not" in kept["c1"] == kept["c2"] == kept["c3"]


@pytest.mark.parametrize("on", ["a", "abc"])
def test_a_run_may_go_on_after_tools_broke(make: Make, on: str, drive: Drive, thread: Any) -> None:
    broken = [True]

    @tool("work")
    def once(at: str) -> str:
        """Work."""
        if at in on and broken[0]:
            raise BrokenError(at)
        return f"worked {at}"

    model = model_of()
    agent = make(model, ToolNode([once], handle_tool_errors=False))
    with pytest.raises(BrokenError):
        drive.invoke(agent, GO, thread)
    broken[0] = False
    messages = drive.invoke(agent, None, thread)["messages"]
    assert answers(messages) == {"c1": "worked a", "c2": "worked b", "c3": "worked c"}
    assert complaints(messages) == []


@pytest.mark.parametrize("pieces", range(4))
def test_a_model_may_break_in_mid_stream(make: Make, pieces: int, drive: Drive, thread: Any) -> None:
    chunks: list[Any] = list(model_of(chunks=8).stream([HumanMessage("go")]))[: pieces * 3]
    told = [*chunks, BrokenError("the line is dead")]
    model = ScriptedChatModel(replies=[told, reply])
    agent = make(model, [work])
    with pytest.raises(BrokenError):
        drive.stream(agent, GO, thread, stream_mode="messages")
    assert refuses(drive, agent, model, thread) == []


@pytest.mark.parametrize("hook", [before_model, after_model])
def test_a_hook_may_break(hook: Any, drive: Drive, thread: Any) -> None:
    def broken(state: Any, runtime: Any) -> Any:
        if state["messages"][-1] == CALLS or isinstance(state["messages"][-1], ToolMessage):
            raise BrokenError
        if getattr(state["messages"][-1], "tool_calls", []):
            raise BrokenError

    model = model_of()
    agent = create_agent(model, [work], middleware=[hook(broken)], checkpointer=InMemorySaver())
    with pytest.raises(BrokenError):
        drive.invoke(agent, GO, thread)
    assert refuses(drive, agent, model, thread) == []


def test_the_steps_may_run_out(make: Make, drive: Drive, thread: Any) -> None:
    for limit in range(1, 5):
        model = model_of()
        agent = make(model, [work])
        config = {**thread, "recursion_limit": limit}
        try:
            drive.invoke(agent, GO, config)
        except HeadraceError as error:
            assert "limit" in str(error)
        assert refuses(drive, agent, model, thread) == [], f"limit {limit}"


# the run is cancelled


@pytest.mark.parametrize("at", ["a", "b", "c", "all"])
def test_a_run_may_be_cancelled_while_tools_run(make: Make, at: str, thread: Any) -> None:
    async def play() -> tuple[ScriptedChatModel, Any]:
        started, forever = asyncio.Semaphore(0), asyncio.Event()

        @tool("work")
        async def waiting(at_: str) -> str:
            """Work."""
            started.release()
            if at in (at_, "all"):
                await forever.wait()
            return f"worked {at_}"

        calls = calling(*[("work", {"at_": one}) for one in "abc"])
        model = ScriptedChatModel(replies=[calls, reply])
        agent = make(model, [waiting])
        run = asyncio.ensure_future(agent.ainvoke(GO, thread))
        for _ in "abc":
            await started.acquire()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        kept = (await agent.ainvoke(THEN, thread))["messages"]
        return model, kept

    model, kept = asyncio.run(play())
    assert [*complaints(model.calls[-1]), *complaints(kept)] == []


@pytest.mark.parametrize("chunk", range(0, 12, 2))
def test_a_run_may_be_cancelled_while_the_model_speaks(make: Make, chunk: int, thread: Any) -> None:
    async def play() -> tuple[ScriptedChatModel, Any]:
        reached, forever = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            reached.set()
            await forever.wait()

        model = model_of(chunks=8, pace=lambda number: hold() if number == chunk and not reached.is_set() else None)
        agent = make(model, [work])
        run = asyncio.ensure_future(agent.ainvoke(GO, thread))
        await reached.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        kept = (await agent.ainvoke(THEN, thread))["messages"]
        return model, kept

    model, kept = asyncio.run(play())
    assert [*complaints(model.calls[-1]), *complaints(kept)] == []


# the run pauses, and nobody answers


@pytest.mark.parametrize("pause", [{"interrupt_before": ["tools"]}, {"interrupt_after": ["model"]}])
def test_a_pause_may_be_passed_over(pause: Any, drive: Drive, thread: Any) -> None:
    model = model_of()
    agent = create_agent(model, [work], checkpointer=InMemorySaver(), **pause)
    drive.invoke(agent, GO, thread)
    drive.invoke(agent, THEN, thread)
    kept = drive.invoke(agent, None, thread)["messages"]
    assert complaints(kept) == complaints(model.calls[-1]) == []


@tool("work")
def asking(at: str) -> str:
    """Work."""
    return f"{at}: {interrupt(at)}" if at == "b" else f"worked {at}"


def test_a_tools_question_may_be_passed_over(make: Make, drive: Drive, thread: Any) -> None:
    model = model_of()
    agent = make(model, [asking])
    assert drive.invoke(agent, GO, thread)["__interrupt__"]
    assert refuses(drive, agent, model, thread) == []


def test_a_tools_question_may_be_answered(make: Make, drive: Drive, thread: Any) -> None:
    model = model_of()
    agent = make(model, [asking])
    drive.invoke(agent, GO, thread)
    messages = drive.invoke(agent, Command(resume="yes"), thread)["messages"]
    assert answers(messages) == {"c1": "worked a", "c2": "b: yes", "c3": "worked c"}
    assert complaints(messages) == []


# the history was edited, or was never right


DANGLING: dict[str, list[BaseMessage]] = {
    "no answer": [HumanMessage("go"), CALLS],
    "one answer": [HumanMessage("go"), CALLS, ToolMessage("worked b", tool_call_id="c2", name="work")],
    "answers after the next question": [
        HumanMessage("go"), CALLS, HumanMessage("well?"),
        *[ToolMessage(f"worked {at}", tool_call_id=f"c{at}", name="work") for at in "321"],
    ],
    "two unanswered turns": [
        HumanMessage("go"), CALLS, HumanMessage("well?"), calling(("work", {"at": "d"}), first=7),
    ],
    "half a call": [
        HumanMessage("go"),
        AIMessage("", invalid_tool_calls=[{"name": "work", "args": '{"at', "id": "c9", "error": None}]),
    ],
}  # fmt: skip


@pytest.mark.parametrize("history", DANGLING)
def test_a_history_that_came_broken_is_mended(make: Make, history: str, drive: Drive, thread: Any) -> None:
    model = model_of()
    agent = make(model, [work])
    given = [message.model_copy(deep=True) for message in DANGLING[history]]
    kept = drive.invoke(agent, {"messages": [*given, HumanMessage("and now?")]}, thread)["messages"]
    assert complaints(kept) == complaints(model.calls[-1]) == []


@pytest.mark.parametrize("history", DANGLING)
def test_a_history_may_be_broken_by_hand(make: Make, history: str, drive: Drive, thread: Any) -> None:
    model = model_of()
    agent = make(model, [work])
    node = next(name for name in ("model", "agent") if name in agent.get_graph().nodes)
    given = [message.model_copy(deep=True) for message in DANGLING[history]]
    drive.update(agent, thread, {"messages": given}, as_node=node)
    assert refuses(drive, agent, model, thread) == []


def test_an_answer_that_is_there_is_kept(drive: Drive, thread: Any) -> None:
    agent = create_agent(model_of(), [work], checkpointer=InMemorySaver())
    given = [*DANGLING["one answer"], HumanMessage("and now?")]
    kept = answers(drive.invoke(agent, {"messages": given}, thread)["messages"])
    assert kept["c2"] == "worked b"
    assert "no answer" in kept["c1"] == kept["c3"]


def test_a_history_is_mended_for_good(drive: Drive, thread: Any) -> None:
    """What the model was told is what is kept, so that a provider's cache of the beginning still holds."""
    model = model_of()
    agent = create_agent(model, [work], checkpointer=InMemorySaver())
    drive.invoke(agent, {"messages": [*DANGLING["one answer"], HumanMessage("and now?")]}, thread)
    drive.invoke(agent, THEN, thread)
    first, second = model.calls
    assert second[: len(first)] == first


def test_a_history_that_is_right_is_left_alone(drive: Drive, thread: Any) -> None:
    agent = create_agent(model_of(), [work], checkpointer=InMemorySaver())
    before = drive.invoke(agent, GO, thread)["messages"]
    updates = drive.stream(agent, THEN, thread, stream_mode="updates")
    assert [list(update) for update in updates] == [["model"]]
    assert len(updates[0]["model"]["messages"]) == 1
    assert drive.state(agent, thread).values["messages"][: len(before)] == before


class Person(BaseModel):
    name: str


@pytest.mark.parametrize(
    "turn",
    [
        calling(("Person", {"name": "Ada"}), ("work", {"at": "a"})),
        calling(("Person", {}), ("work", {"at": "a"})),
        calling(("Person", {"name": "Ada"}), ("Person", {"name": "Bo"}), ("work", {"at": "a"})),
        calling(("nobody", {}), ("work", {"wrong": 1}), ("Person", {})),
    ],
    ids=["object and call", "refused object and call", "two objects and call", "all wrong"],
)
def test_calls_of_every_sort_in_one_turn_are_answered(turn: AIMessage, drive: Drive) -> None:
    model = ScriptedChatModel(replies=[turn, calling(("Person", {"name": "Ada"}), first=7)])
    agent = create_agent(model, [work], response_format=ToolStrategy(Person), system_prompt=SystemMessage("be brief"))
    messages = drive.invoke(agent, GO)["messages"]
    assert complaints(messages) == []
    assert all(complaints(call) == [] for call in model.calls)
