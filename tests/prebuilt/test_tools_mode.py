"""Mode `tools`: what a stream tells of tools at work, and how it is folded into calls."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from typing import Annotated, Any

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import InjectedToolCallId, ToolException, tool

from headrace.agents import create_agent
from headrace.checkpoint.memory import InMemorySaver
from headrace.prebuilt import ToolCallTransformer, ToolNode, ToolRuntime
from headrace.testing import ScriptedChatModel
from headrace.types import Command, interrupt
from tests.drive import Drive
from tests.engine.watch import wait
from tests.prebuilt.build import asking, asks, call, graph_of, tools_graph

GO: Any = {"messages": [("user", "go")]}


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
async def aadd(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def of_tools(drive: Drive, graph: Any, input: Any, *args: Any) -> list[Any]:
    return drive.stream(graph, input, *args, stream_mode="tools")


def started(name: str, input: Any, id: str = "1") -> dict[str, Any]:
    return {"event": "tool-started", "tool_call_id": id, "tool_name": name, "input": input}


# single calls


@pytest.mark.parametrize("form", [add, aadd], ids=["sync", "async"])
def test_start_and_end_of_a_call(drive: Drive, form: Any) -> None:
    first, last = of_tools(drive, tools_graph(form), asks(form.name, {"a": 1, "b": 2}))
    assert first == started(form.name, {"a": 1, "b": 2})
    output = last.pop("output")
    assert last == {"event": "tool-finished", "tool_call_id": "1"}
    assert (output.content, output.tool_call_id, output.name) == ("3", "1", form.name)


def test_output_is_the_message_of_the_state(drive: Drive) -> None:
    """By its id, which other modes know, too."""
    modes = ["tools", "updates", "messages", "values"]
    told = defaultdict(list)
    for mode, data in drive.stream(tools_graph(add), asks("add", {"a": 1, "b": 2}), stream_mode=modes):
        told[mode].append(data)
    id = told["tools"][-1]["output"].id
    assert id
    assert id == told["updates"][0]["tools"]["messages"][0].id == told["values"][-1]["messages"][-1].id
    assert [message.id for message, _ in told["messages"]] == [id]


@pytest.mark.parametrize("error", [ValueError, ToolException, KeyError])
def test_error_of_a_call(drive: Drive, error: type[Exception]) -> None:
    @tool
    def fails() -> str:
        """Fail."""
        raise error("broken")

    first, last = of_tools(drive, tools_graph(fails), asks("fails"))
    assert first == started("fails", {})
    assert last == {"event": "tool-error", "tool_call_id": "1", "message": str(error("broken"))}


def test_error_that_the_tool_handles_itself_is_its_output(drive: Drive) -> None:
    @tool
    def fails() -> str:
        """Fail."""
        raise ToolException("broken")

    fails.handle_tool_error = True
    _, last = of_tools(drive, tools_graph(fails), asks("fails"))
    assert (last["event"], last["output"].status) == ("tool-finished", "error")


def test_arguments_that_do_not_fit_are_an_error_of_the_call(drive: Drive) -> None:
    first, last = of_tools(drive, tools_graph(add), asks("add", {"a": "x"}))
    assert first == started("add", {"a": "x"})
    assert last["event"] == "tool-error"
    assert last["message"].startswith("a: Input should be a valid integer")
    assert last["message"].endswith("; b: Field required")


def test_call_of_an_unknown_tool_starts_nothing(drive: Drive) -> None:
    assert of_tools(drive, tools_graph(add), asks("subtract")) == []


def test_command_is_the_output_of_its_call(drive: Drive) -> None:
    @tool
    def note(id: Annotated[str, InjectedToolCallId]) -> Command[Any]:
        """Note."""
        return Command(update={"messages": [ToolMessage("noted", tool_call_id=id)]})

    _, last = of_tools(drive, tools_graph(note), asks("note"))
    assert isinstance(last["output"], Command)


@pytest.mark.parametrize("form", ["sync", "async"])
def test_parts_of_the_output_come_between(drive: Drive, form: str) -> None:
    def work(runtime: ToolRuntime) -> str:
        """Tell parts."""
        runtime.emit_output_delta("half")
        runtime.emit_output_delta({"more": 1})
        return "whole"

    async def awork(runtime: ToolRuntime) -> str:
        """Tell parts."""
        await asyncio.sleep(0)
        return work(runtime)

    events = of_tools(drive, tools_graph(tool("work")(work if form == "sync" else awork)), asks("work", {}, "7"))
    assert [event["event"] for event in events] == ["tool-started", *["tool-output-delta"] * 2, "tool-finished"]
    assert events[1:3] == [
        {"event": "tool-output-delta", "tool_call_id": "7", "delta": "half"},
        {"event": "tool-output-delta", "tool_call_id": "7", "delta": {"more": 1}},
    ]


def test_question_leaves_the_call_open_until_it_is_answered(drive: Drive, thread: Any) -> None:
    @tool
    def approve() -> str:
        """Ask."""
        return str(interrupt("sure?"))

    graph = graph_of(ToolNode([approve]), checkpointer=InMemorySaver())
    assert of_tools(drive, graph, asks("approve"), thread) == [started("approve", {})]
    again, last = of_tools(drive, graph, Command(resume="yes"), thread)
    assert again == started("approve", {})
    assert last["output"].content == "yes"


def test_nothing_is_told_to_those_who_did_not_ask(drive: Drive) -> None:
    told = drive.stream(tools_graph(add), asks("add", {"a": 1, "b": 2}), stream_mode=["updates"])
    assert [mode for mode, _ in told] == ["updates"]


# several calls


def test_call_is_shown_before_its_tool_has_ended() -> None:
    shown = threading.Event()

    @tool
    def held() -> str:
        """Wait until the consumer has seen the start."""
        wait(shown)
        return "done"

    told = []
    for event in tools_graph(held).stream(asks("held"), stream_mode="tools"):
        told.append(event["event"])
        shown.set()
    assert told == ["tool-started", "tool-finished"]


async def test_call_is_shown_before_its_tool_has_ended_in_async_runs() -> None:
    shown, shown_to_thread = asyncio.Event(), threading.Event()

    @tool
    async def held() -> str:
        """Wait until the consumer has seen the start."""
        await shown.wait()
        return "done"

    @tool
    def held_thread() -> str:
        """Wait until the consumer has seen the start."""
        wait(shown_to_thread)
        return "done"

    for one in (held, held_thread):
        told = []
        async for event in tools_graph(one).astream(asks(one.name), stream_mode="tools"):
            told.append(event["event"])
            shown.set()
            shown_to_thread.set()
        assert told == ["tool-started", "tool-finished"]


@pytest.mark.parametrize("whole", ["node", "agent"])
@pytest.mark.parametrize("form", ["sync", "async"])
def test_parallel_calls_are_told_apart_by_their_ids(drive: Drive, whole: str, form: str) -> None:
    """Each begins before any has ended."""
    begun = threading.Barrier(3, timeout=20)

    def work(n: int, runtime: ToolRuntime) -> str:
        """Meet the others."""
        begun.wait()
        runtime.emit_output_delta(n)
        return str(n)

    async def awork(n: int, runtime: ToolRuntime) -> str:
        """Meet the others."""
        await asyncio.to_thread(begun.wait)
        runtime.emit_output_delta(n)
        return str(n)

    worker = tool("work")(work if form == "sync" else awork)
    message = asking(*(call("work", {"n": n}, f"call {n}") for n in range(3)))
    if whole == "node":
        events = of_tools(drive, tools_graph(worker), {"messages": [message]})
    else:
        events = of_tools(drive, create_agent(ScriptedChatModel(replies=[message, "done"]), [worker]), GO)
    assert [event["event"] for event in events[:3]] == ["tool-started"] * 3
    for n in range(3):
        first, part, last = [event for event in events if event["tool_call_id"] == f"call {n}"]
        assert first == started("work", {"n": n}, f"call {n}")
        assert part["delta"] == n
        assert (last["event"], last["output"].content) == ("tool-finished", str(n))


def test_order_of_modes_in_an_agent(drive: Drive) -> None:
    """The call in the model's message, then its tool at work, then the answer."""
    agent = create_agent(ScriptedChatModel(replies=[asking(call("add", {"a": 1, "b": 2})), "done"]), [add])
    told = drive.stream(agent, GO, stream_mode=["updates", "tools"])
    assert [(mode, *data) if mode == "updates" else (mode, data["event"]) for mode, data in told] == [
        ("updates", "model"),
        ("tools", "tool-started"),
        ("tools", "tool-finished"),
        ("updates", "tools"),
        ("updates", "model"),
    ]


# tools that a node calls by hand


def test_tool_that_a_node_calls_with_a_models_call_has_its_id(drive: Drive) -> None:
    def act(state: Any) -> Any:
        return {"messages": [add.invoke(one) for one in state["messages"][-1].tool_calls]}

    async def aact(state: Any) -> Any:
        return {"messages": [await aadd.ainvoke({**one, "name": "aadd"}) for one in state["messages"][-1].tool_calls]}

    calls = [call("add", {"a": 1, "b": 2}), call("add", {"a": 3, "b": 4}, "2")]
    graph = graph_of(act if drive.way == "sync" else aact)
    events = of_tools(drive, graph, {"messages": [asking(*calls)]})
    assert [(event["event"], event["tool_call_id"]) for event in events] == [
        ("tool-started", "1"), ("tool-finished", "1"), ("tool-started", "2"), ("tool-finished", "2"),
    ]  # fmt: skip


def test_tool_that_is_called_with_arguments_alone_has_an_id_all_the_same(drive: Drive) -> None:
    def act(state: Any) -> Any:
        add.invoke({"a": 1, "b": 2})
        add.invoke({"a": 3, "b": 4})
        return {}

    events = of_tools(drive, graph_of(act), {"messages": []})
    ids = [event["tool_call_id"] for event in events]
    assert ids[0] == ids[1] != ids[2] == ids[3]
    assert [event["output"] for event in events[1::2]] == [3, 7]


# agents in tools


def team() -> Any:
    """An agent whose tool asks an agent that has a tool."""
    inner_model = ScriptedChatModel(replies=[asking(call("add", {"a": 1, "b": 2}, "inner")), "3"])
    inner = create_agent(inner_model, [add], name="inner")

    @tool
    def delegate(question: str) -> str:
        """Ask another agent."""
        return str(inner.invoke({"messages": [("user", question)]})["messages"][-1].content)

    @tool
    async def adelegate(question: str) -> str:
        """Ask another agent."""
        return str((await inner.ainvoke({"messages": [("user", question)]}))["messages"][-1].content)

    def agent(form: str) -> Any:
        one = delegate if form == "sync" else adelegate
        message = asking(call(one.name, {"question": "1 + 2?"}, "outer"))
        return create_agent(ScriptedChatModel(replies=[message, "it is 3"]), [one])

    return agent


@pytest.mark.parametrize("form", ["sync", "async"])
def test_calls_of_an_agent_in_a_tool_have_its_namespace(drive: Drive, form: str) -> None:
    events = drive.stream(team()(form), GO, stream_mode="tools", subgraphs=True)
    assert [(len(ns), event["event"], event["tool_call_id"]) for ns, event in events] == [
        (0, "tool-started", "outer"),
        (1, "tool-started", "inner"),
        (1, "tool-finished", "inner"),
        (0, "tool-finished", "outer"),
    ]
    assert events[1][0][0].startswith("tools:")


def test_calls_of_an_agent_in_a_tool_are_its_own_business_unless_asked_for(drive: Drive) -> None:
    events = of_tools(drive, team()("sync"), GO)
    assert [event["tool_call_id"] for event in events] == ["outer", "outer"]


# folded into calls


def test_records_grow_with_their_events() -> None:
    folded = ToolCallTransformer()
    assert folded.init() == {"tool_calls": folded.records}
    assert folded.process(("tools", started("add", {"a": 1}))) is True
    (record,) = folded.records
    assert (record.tool_name, record.input, record.status, record.output) == ("add", {"a": 1}, "running", None)
    folded.process(("tools", {"event": "tool-output-delta", "tool_call_id": "1", "delta": "h"}))
    assert record.deltas == ["h"]
    folded.process(("tools", {"event": "tool-finished", "tool_call_id": "1", "output": "hi"}))
    assert (record.status, record.output) == ("finished", "hi")
    assert folded.records["1"] is record
    folded.process(("tools", started("sub", {}, "2")))
    folded.process(("tools", {"event": "tool-error", "tool_call_id": "2", "message": "broken"}))
    assert [(one.tool_call_id, one.status, one.error) for one in folded.records] == [
        ("1", "finished", None), ("2", "error", "broken"),
    ]  # fmt: skip
    assert len(folded.records) == 2


def test_events_of_a_call_whose_start_was_missed_are_left_out() -> None:
    folded = ToolCallTransformer()
    folded.process(("tools", {"event": "tool-finished", "tool_call_id": "1", "output": "hi"}))
    assert len(folded.records) == 0


def test_end_of_the_stream_is_kept() -> None:
    folded = ToolCallTransformer()
    before = folded.records.closed
    folded.finalize()
    assert (before, folded.records.closed, folded.records.error) == (False, True, None)
    failed, error = ToolCallTransformer(), ValueError("broken")
    failed.fail(error)
    assert (failed.records.closed, failed.records.error) == (True, error)


SHAPES: dict[str, dict[str, Any]] = {
    "mode alone": {"stream_mode": "tools"},
    "mode alone with namespaces": {"stream_mode": "tools", "subgraphs": True},
    "modes": {"stream_mode": ["tools", "values"]},
    "namespaces": {"stream_mode": ["tools", "values"], "subgraphs": True},
    "parts": {"stream_mode": ["tools", "values"], "version": "v2"},
    "parts of subgraphs": {"stream_mode": ["tools", "values"], "version": "v2", "subgraphs": True},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_any_shape_of_a_stream_is_folded(drive: Drive, shape: str) -> None:
    folded = ToolCallTransformer()
    for event in drive.stream(team()("sync"), GO, **SHAPES[shape]):
        folded.process(event)
    assert [(record.tool_call_id, record.output.content) for record in folded.records] == [("outer", "3")]


def test_numbered_events_are_folded(drive: Drive) -> None:
    folded = ToolCallTransformer()
    for event in drive.events(team()("sync"), GO, stream_mode=["tools", "values"]):
        folded.process(event)
    assert [record.tool_call_id for record in folded.records] == ["outer"]


def test_scope_chooses_the_agent_whose_calls_are_meant(drive: Drive) -> None:
    events = drive.stream(team()("sync"), GO, stream_mode=["tools"], subgraphs=True)
    inner = next(ns for ns, _, _ in events if ns)
    folded = ToolCallTransformer(inner)
    for event in events:
        folded.process(event)
    assert [(record.tool_call_id, record.status) for record in folded.records] == [("inner", "finished")]


def test_events_of_other_modes_are_left_alone() -> None:
    folded = ToolCallTransformer()
    events: list[Any] = [("values", {"messages": []}), ((), "updates", {"a": {}}), {"messages": []}, ((), {"a": {}})]
    for event in events:
        assert folded.process(event) is True
    assert len(folded.records) == 0
