"""Tools that have only a coroutine, in sync runs: also where the caller's own thread has a running loop."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain_core.tools import tool

from headrace.agents import create_agent
from headrace.checkpoint.memory import InMemorySaver
from headrace.config import get_config, get_stream_writer
from headrace.prebuilt import ToolNode, ToolPolicy, ToolRuntime, loop_thread
from headrace.prebuilt.tool_errors import ToolCancelledError
from headrace.testing import ScriptedChatModel
from headrace.types import Command, interrupt
from tests.engine.watch import nothing_left, wait
from tests.prebuilt.build import answer_of, asking, asks, call, graph_of, tools_graph

VAR = contextvars.ContextVar("VAR", default="unset")


def agent_with(*tools: Any, **options: Any) -> Any:
    """An agent whose model calls each of the tools once."""
    calls = [call(one.name, {}, str(number)) for number, one in enumerate(tools, 1)]
    return create_agent(ScriptedChatModel(replies=[asking(*calls), "done"]), [*tools], **options)


GO: Any = {"messages": [("user", "go")]}


def test_coroutine_runs_under_a_sync_agent() -> None:
    threads: list[str] = []

    @tool
    async def look() -> str:
        """Look."""
        await asyncio.sleep(0)
        threads.append(threading.current_thread().name)
        return "seen"

    with nothing_left():
        messages = agent_with(look).invoke(GO)["messages"]
    assert [message.content for message in messages[2:]] == ["seen", "done"]
    assert threads != [threading.current_thread().name]


async def test_coroutine_runs_under_a_sync_agent_within_a_running_loop() -> None:
    """As in a notebook, where every cell runs in a loop."""

    @tool
    async def look() -> str:
        """Look."""
        await asyncio.sleep(0)
        return "seen"

    parts = [*agent_with(look).stream(GO, stream_mode="updates")]
    assert [next(iter(part)) for part in parts] == ["model", "tools", "model"]
    assert answer_of(parts[1]["tools"]).content == "seen"


def test_coroutines_of_one_answer_run_at_the_same_time() -> None:
    loops: list[asyncio.AbstractEventLoop] = []
    both = threading.Barrier(2, timeout=20)

    @tool
    async def first() -> str:
        """Meet."""
        loops.append(asyncio.get_running_loop())
        await asyncio.to_thread(both.wait)
        return "first"

    @tool
    async def second() -> str:
        """Meet."""
        loops.append(asyncio.get_running_loop())
        await asyncio.to_thread(both.wait)
        return "second"

    messages = agent_with(first, second).invoke(GO)["messages"]
    assert [message.content for message in messages[2:4]] == ["first", "second"]
    assert loops[0] is loops[1]


def test_events_arrive_while_the_coroutine_runs() -> None:
    """It goes on when the consumer, having seen the first event, lets it."""
    loops: list[asyncio.AbstractEventLoop] = []
    seen = asyncio.Event()

    @tool
    async def talks(runtime: ToolRuntime) -> str:
        """Talk."""
        loops.append(asyncio.get_running_loop())
        get_stream_writer()("first")
        await seen.wait()
        runtime.stream_writer("second")
        return "said"

    told = []
    for part in agent_with(talks).stream(GO, stream_mode="custom"):
        told.append(part)
        loops[0].call_soon_threadsafe(seen.set)
    assert told == ["first", "second"]


@pytest.mark.parametrize("timeout", [None, 3600])
def test_coroutine_has_its_callers_context_and_changes_only_its_own(timeout: Any) -> None:
    @tool
    async def tell() -> str:
        """Tell."""
        found = VAR.get()
        VAR.set("changed")
        await asyncio.sleep(0)
        return f"{found} {VAR.get()} {get_config()['configurable']['flag']}"

    token = VAR.set("set")
    try:
        graph = tools_graph(tell, policies={"tell": ToolPolicy(timeout=timeout)})
        answer = answer_of(graph.invoke(asks("tell"), {"configurable": {"flag": "on"}}))
        assert answer.content == "set changed on"
        assert VAR.get() == "set"
    finally:
        VAR.reset(token)


def test_coroutine_may_ask_and_is_answered(thread: Any) -> None:
    @tool
    async def approve() -> str:
        """Ask."""
        await asyncio.sleep(0)
        return f"{interrupt('sure?')} {interrupt('really?')}"

    agent = agent_with(approve, checkpointer=InMemorySaver())
    assert agent.invoke(GO, thread)["__interrupt__"][0].value == "sure?"
    assert agent.invoke(Command(resume="yes"), thread)["__interrupt__"][0].value == "really?"
    messages = agent.invoke(Command(resume="yes!"), thread)["messages"]
    assert [message.content for message in messages[2:]] == ["yes yes!", "done"]


def test_coroutines_of_one_answer_may_all_ask(thread: Any) -> None:
    @tool
    async def approve(what: str) -> str:
        """Ask."""
        return f"{what} {interrupt(what)}"

    calls = [call("approve", {"what": what}, what) for what in "ab"]
    agent = create_agent(ScriptedChatModel(replies=[asking(*calls), "done"]), [approve], checkpointer=InMemorySaver())
    questions = agent.invoke(GO, thread)["__interrupt__"]
    answers = {question.id: f"yes {question.value}" for question in questions}
    messages = agent.invoke(Command(resume=answers), thread)["messages"]
    assert [message.content for message in messages[2:4]] == ["a yes a", "b yes b"]


def test_leaving_the_stream_cancels_the_coroutine() -> None:
    ended: list[str] = []

    @tool
    async def look() -> str:
        """Wait."""
        get_stream_writer()("began")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        return "never"

    with nothing_left():
        stream = agent_with(look).stream(GO, stream_mode="custom")
        assert next(stream) == "began"
        stream.close()
    assert ended == ["cancelled"]


def test_coroutine_that_was_left_is_not_heard_any_more() -> None:
    @tool
    async def look() -> str:
        """Talk on its way out."""
        get_stream_writer()("began")
        try:
            await asyncio.Event().wait()
        finally:
            get_stream_writer()("too late")
        return "never"

    def consumed(stream: Iterator[Any]) -> list[Any]:
        told = [next(stream)]
        stream.close()  # type: ignore[attr-defined] # a generator
        return [*told, *stream]

    with nothing_left():
        assert consumed(agent_with(look).stream(GO, stream_mode="custom")) == ["began"]


def test_error_of_the_coroutine_is_told_to_the_model_or_raised() -> None:
    @tool
    async def fails() -> str:
        """Fail."""
        await asyncio.sleep(0)
        raise ValueError("broken")

    assert answer_of(tools_graph(fails).invoke(asks("fails"))).content.startswith("Error: ValueError: broken")
    with pytest.raises(ValueError, match="broken"):
        tools_graph(fails, handle_tool_errors=False).invoke(asks("fails"))


def test_cancellation_of_its_own_is_an_error_of_the_tool() -> None:
    @tool
    async def fails() -> str:
        """Cancel itself."""
        task = asyncio.ensure_future(asyncio.Event().wait())
        asyncio.get_running_loop().call_soon(task.cancel)
        await task
        return "never"

    assert "'fails' was cancelled from inside" in answer_of(tools_graph(fails).invoke(asks("fails"))).content
    with pytest.raises(ToolCancelledError):
        tools_graph(fails, handle_tool_errors=False).invoke(asks("fails"))


def test_keyboard_interrupt_cancels_the_coroutine() -> None:
    ended = threading.Event()

    @tool
    async def look() -> str:
        """Wait, while somebody presses Ctrl-C."""
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return "never"

    assert threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with nothing_left(), pytest.raises(KeyboardInterrupt):
            tools_graph(look).invoke(asks("look"))
    finally:
        signal.signal(signal.SIGINT, before)
    wait(ended)


def test_forked_child_has_a_loop_of_its_own() -> None:
    @tool
    async def look() -> str:
        """Look."""
        await asyncio.sleep(0)
        return "seen"

    graph = tools_graph(look)
    assert answer_of(graph.invoke(asks("look"))).content == "seen"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12: fork and threads do not go well together
        child = os.fork()
    if child == 0:
        signal.alarm(20)
        os._exit(0 if answer_of(graph.invoke(asks("look"))).content == "seen" else 1)
    _, status = os.waitpid(child, 0)
    assert status == 0


def test_coroutine_may_run_an_agent_that_is_sync() -> None:
    """Its tools are coroutines as well: they do not wait for the loop that their caller holds up."""

    @tool
    async def innermost() -> str:
        """Answer."""
        await asyncio.sleep(0)
        return "deep"

    @tool
    async def inner() -> str:
        """Ask an agent."""
        return str(agent_with(innermost).invoke(GO)["messages"][2].content)

    @tool
    async def outer() -> str:
        """Ask an agent that asks an agent."""
        return str(agent_with(inner, innermost).invoke(GO)["messages"][2].content)

    with nothing_left():
        assert agent_with(outer).invoke(GO)["messages"][2].content == "deep"


def test_coroutine_may_wait_for_a_thread_that_runs_an_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    """That thread does not know that the loop is held up; the loop's silence tells."""
    monkeypatch.setattr(loop_thread, "HELD_S", 0.05)
    loops: list[asyncio.AbstractEventLoop] = []

    @tool
    async def inner() -> str:
        """Answer."""
        loops.append(asyncio.get_running_loop())
        return "deep"

    @tool
    async def outer() -> str:
        """Hold up the loop."""
        with ThreadPoolExecutor(2) as pool:
            found = [pool.submit(agent_with(inner).invoke, GO) for _ in range(2)]
            return " ".join(one.result()["messages"][2].content for one in found)

    with nothing_left():
        assert agent_with(outer).invoke(GO)["messages"][2].content == "deep deep"
        agent_with(inner).invoke(GO)
    assert loops[0] is loops[1]
    assert loops[2] is not loops[0], "the first loop is free again"


def test_async_wrapper_serves_a_sync_run() -> None:
    async def awrap(request: Any, execute: Any) -> Any:
        await asyncio.sleep(0)
        return await execute(request)

    @tool
    def look() -> str:
        """Look."""
        return "seen"

    graph = graph_of(ToolNode([look], awrap_tool_call=awrap))
    with nothing_left():
        assert answer_of(graph.invoke(asks("look"))).content == "seen"


def test_coroutine_is_awaited_outside_a_graph() -> None:
    @tool
    async def look() -> str:
        """Look."""
        await asyncio.sleep(0)
        return "seen"

    assert ToolNode([look]).invoke([asking(call("look"))])[0].content == "seen"
