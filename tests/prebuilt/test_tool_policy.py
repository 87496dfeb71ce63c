"""How long a tool may take, and how often it may try."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from langchain_core.tools import ToolException, tool

from headrace.agents import create_agent
from headrace.checkpoint.memory import InMemorySaver
from headrace.config import get_config, get_stream_writer
from headrace.engine.calls import COUNTED
from headrace.errors import NodeCancelled
from headrace.graph import START, MessagesState, StateGraph
from headrace.prebuilt import ToolNode, ToolPolicy, ToolRuntime
from headrace.prebuilt.tool_errors import ToolCancelledError, ToolTimeoutError
from headrace.testing import ScriptedChatModel
from headrace.types import Command, RetryPolicy, interrupt
from tests.drive import Drive
from tests.engine.watch import PATIENCE_S, nothing_left, nothing_left_running, wait
from tests.prebuilt.build import answer_of, asking, asks, call, graph_of, tools_graph

SHORT = 0.02
"""Seconds: a timeout that is meant to pass."""
LONG = 3600.0
AT_ONCE = RetryPolicy(max_attempts=3, initial_interval=0.0, jitter=False, retry_on=Exception)

PAUSE = threading.Event()


@pytest.fixture(autouse=True)
def grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sync tools that end when they are stopped are waited for, however busy the machine is."""
    for module in ("headrace.engine.limits", "headrace.prebuilt.tool_thread"):
        monkeypatch.setattr(f"{module}.GRACE_S", PATIENCE_S)


@pytest.fixture
def no_grace(grace: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """For tools that do not."""
    for module in ("headrace.engine.limits", "headrace.prebuilt.tool_thread"):
        monkeypatch.setattr(f"{module}.GRACE_S", 0.001)


@tool
def lingers() -> str:
    """Go on until it is stopped, and then end at the next call of ours."""
    while True:
        get_config()
        PAUSE.wait(0.001)


@tool
async def waits() -> str:
    """Wait until it is cancelled."""
    await asyncio.Event().wait()
    return "never"


@tool
def quick(n: int) -> str:
    """Answer."""
    return str(n)


slow_ones = pytest.mark.parametrize("slow", [lingers, waits], ids=["sync", "async"])
"""A tool that takes for ever, in both forms; each runs in sync and in async runs."""


def limited(*tools: Any, timeout: Any = SHORT, retry: Any = (), **options: Any) -> Any:
    """A graph whose first tool has a policy."""
    return tools_graph(*tools, policies={tools[0].name: ToolPolicy(timeout=timeout, retry=retry)}, **options)


# timeouts


@slow_ones
def test_tool_that_takes_too_long_is_an_error_for_the_model(drive: Drive, slow: Any) -> None:
    with nothing_left():
        answer = answer_of(drive.invoke(limited(slow), asks(slow.name)))
    assert answer.content.startswith(f"Error: tool {slow.name!r} did not answer within 0.02 s")
    assert (answer.status, answer.tool_call_id) == ("error", "1")


@slow_ones
def test_agent_goes_on_after_a_tool_that_took_too_long(drive: Drive, slow: Any) -> None:
    model = ScriptedChatModel(replies=[asking(call(slow.name)), "never mind"])
    agent = create_agent(model, ToolNode([slow], policies={slow.name: ToolPolicy(timeout=SHORT)}))
    assert answer_of(drive.invoke(agent, {"messages": [("user", "go")]})).content == "never mind"
    assert "did not answer" in model.calls[1][-1].content


@slow_ones
def test_timeout_that_is_not_handled_is_the_callers(drive: Drive, slow: Any) -> None:
    with pytest.raises(ToolTimeoutError) as caught:
        drive.invoke(limited(slow, handle_tool_errors=False), asks(slow.name))
    assert isinstance(caught.value, TimeoutError)
    assert (caught.value.tool_name, caught.value.timeout) == (slow.name, SHORT)


@slow_ones
def test_other_calls_go_on_while_one_takes_too_long(drive: Drive, slow: Any) -> None:
    """The policy is that of one tool: the other ends when its time would long be up."""
    stopped = threading.Event()

    @tool
    def patient(runtime: ToolRuntime) -> str:
        """End after the other one has been stopped."""
        wait(stopped)
        runtime.stream_writer("still heard")
        return "done"

    def consume(part: Any) -> None:
        if part[0] == "tools" and part[1]["event"] == "tool-error":
            stopped.set()

    input = {"messages": [asking(call(slow.name), call("patient", {}, "2"))]}
    modes = ["tools", "custom", "values"]
    told: list[Any] = []

    async def arun() -> None:
        async for part in limited(slow, patient).astream(input, stream_mode=modes):
            consume(part)
            told.append(part)

    with nothing_left():
        if drive.way == "async":
            asyncio.run(arun())
        else:
            for part in limited(slow, patient).stream(input, stream_mode=modes):
                consume(part)
                told.append(part)
    assert ("custom", "still heard") in told
    assert [answer.status for answer in told[-1][1]["messages"][1:]] == ["error", "success"]


@slow_ones
def test_tool_that_is_in_time_is_not_disturbed(drive: Drive, slow: Any) -> None:
    form = quick if slow is lingers else tool("quick", description="Answer.")(answers_soon)
    with nothing_left():
        answer = answer_of(drive.invoke(limited(form, timeout=timedelta(hours=1)), asks("quick", {"n": 3})))
    assert (answer.content, answer.status) == ("3", "success")


async def answers_soon(n: int) -> str:
    await asyncio.sleep(0)
    return str(n)


@pytest.mark.usefixtures("no_grace")
def test_what_a_timed_out_sync_tool_does_later_is_not_seen(drive: Drive) -> None:
    """It cannot be ended from outside: it is left behind, with a warning, and fenced off."""
    released, over, raised = threading.Event(), threading.Event(), list[type[BaseException]]()

    @tool
    def late(runtime: ToolRuntime) -> str:
        """Go on after its time."""
        runtime.stream_writer("in time")
        wait(released)
        for act in [
            lambda: runtime.stream_writer("late"),
            lambda: runtime.emit_output_delta("late"),
            lambda: get_stream_writer()("late"),
            lambda: interrupt("late"),
            get_config,
        ]:
            try:
                act()
            except BaseException as error:
                raised.append(type(error))
        over.set()
        return "late"

    def after(state: Any) -> Any:
        released.set()
        wait(over)
        return {}

    builder = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode([late], policies={"late": ToolPolicy(timeout=SHORT)}))
    builder.add_node("after", after)
    builder.add_edge(START, "tools")
    builder.add_edge("tools", "after")
    with nothing_left(), pytest.warns(RuntimeWarning, match=r"still runs in thread .* what it writes is dropped"):
        told = drive.stream(builder.compile(), asks("late"), stream_mode=["custom", "tools", "values"])
    assert [data for mode, data in told if mode == "custom"] == ["in time"]
    assert [data["event"] for mode, data in told if mode == "tools"] == ["tool-started", "tool-error"]
    assert [message.type for message in told[-1][1]["messages"]] == ["ai", "tool"]
    assert raised == [NodeCancelled] * 5


@pytest.mark.usefixtures("no_grace")
def test_async_run_ends_though_a_sync_tool_hangs() -> None:
    """asyncio would wait at its end for a thread of its own pool."""
    released = threading.Event()

    @tool
    def hangs() -> str:
        """Hang."""
        wait(released)
        return "late"

    with pytest.warns(RuntimeWarning, match="still runs in thread"):
        answer = answer_of(asyncio.run(limited(hangs).ainvoke(asks("hangs"))))
    assert answer.status == "error"
    released.set()
    with nothing_left():
        pass


async def test_async_tool_that_is_out_of_time_may_clean_up_but_not_be_heard() -> None:
    cleaned: list[str] = []

    @tool
    async def tidy(runtime: ToolRuntime) -> str:
        """Clean up."""
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append("yes")
            runtime.stream_writer("late")
        return "never"

    async with nothing_left_running():
        told = [part async for part in limited(tidy).astream(asks("tidy"), stream_mode=["custom", "updates"])]
    assert cleaned == ["yes"]
    assert [mode for mode, _ in told] == ["updates"]


async def test_async_tool_that_swallows_its_end_has_timed_out_all_the_same() -> None:
    @tool
    async def stubborn() -> str:
        """Swallow."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
        return "swallowed"

    async with nothing_left_running():
        assert "did not answer" in answer_of(await limited(stubborn).ainvoke(asks("stubborn"))).content


def test_timeout_holds_outside_a_graph(drive: Drive) -> None:
    released = threading.Event()

    @tool
    def hangs() -> str:
        """Hang."""
        wait(released)
        return "late"

    with nothing_left():
        for slow in (waits, hangs):
            node = ToolNode([slow], policies={slow.name: ToolPolicy(timeout=SHORT)})
            assert "did not answer" in drive.invoke(node, [asking(call(slow.name))])[0].content
        released.set()


@pytest.mark.parametrize("timeout", [0, -1, timedelta(0)])
def test_timeout_of_nothing_is_refused(timeout: Any) -> None:
    with pytest.raises(ValueError, match="longer than nothing"):
        ToolPolicy(timeout=timeout)


def test_policy_takes_one_retry_policy_or_several() -> None:
    assert ToolPolicy(retry=AT_ONCE).retry == (AT_ONCE,)
    assert ToolPolicy(retry=(AT_ONCE, RetryPolicy())).retry == (AT_ONCE, RetryPolicy())
    assert ToolPolicy().retry == ()
    with pytest.raises(TypeError, match="must be a RetryPolicy or several"):
        ToolPolicy(retry=3)  # type: ignore[arg-type] # a mistake


# what a tool under a timeout has around it


VAR = contextvars.ContextVar("VAR", default="unset")


@pytest.mark.parametrize("form", ["sync", "async"])
def test_tool_under_a_timeout_has_its_callers_context(drive: Drive, form: str) -> None:
    def tell(runtime: ToolRuntime) -> str:
        """Tell."""
        get_stream_writer()("by context")
        runtime.stream_writer("by runtime")
        assert runtime.execution_info is not None
        return f"{VAR.get()} {get_config()['configurable']['flag']} {runtime.execution_info.task_id != ''}"

    async def atell(runtime: ToolRuntime) -> str:
        """Tell."""
        await asyncio.sleep(0)
        return tell(runtime)

    teller = tool("tell")(tell if form == "sync" else atell)
    VAR.set("set")
    config = {"configurable": {"flag": "on"}}
    told = drive.stream(limited(teller, timeout=LONG), asks("tell"), config, stream_mode=["custom", "updates"])
    assert told[:2] == [("custom", "by context"), ("custom", "by runtime")]
    assert answer_of(told[2][1]["tools"]).content == "set on True"


def test_tokens_of_a_model_in_a_timed_tool_are_streamed(drive: Drive) -> None:
    model = ScriptedChatModel(replies=["so many words"])

    @tool
    def speak() -> str:
        """Speak."""
        return str(model.invoke("go").content)

    @tool
    async def aspeak() -> str:
        """Speak."""
        return str((await model.ainvoke("go")).content)

    for form in (speak, aspeak):
        told = drive.stream(limited(form, timeout=LONG), asks(form.name), stream_mode="messages")
        assert [message.content for message, _ in told] == ["so", " many", " words", "so many words"]


@slow_ones
def test_leaving_the_stream_ends_a_timed_tool(drive: Drive, slow: Any) -> None:
    graph = limited(slow, timeout=LONG)

    async def leave() -> None:
        async with nothing_left_running():
            stream = graph.astream(asks(slow.name), stream_mode="tools")
            assert (await anext(stream))["event"] == "tool-started"
            await stream.aclose()

    with nothing_left():
        if drive.way == "async":
            asyncio.run(leave())
        else:
            stream = graph.stream(asks(slow.name), stream_mode="tools")
            assert next(stream)["event"] == "tool-started"
            stream.close()


# retries


def failing(times: int, error: Callable[[], Exception], form: str) -> tuple[Any, list[int]]:
    """A tool that fails so many times, and its tries."""
    tries: list[int] = []

    def work() -> str:
        """Work at last."""
        tries.append(len(tries) + 1)
        if len(tries) <= times:
            raise error()
        return f"try {len(tries)}"

    async def awork() -> str:
        """Work at last."""
        await asyncio.sleep(0)
        return work()

    return tool("work")(work if form == "sync" else awork), tries


both_forms = pytest.mark.parametrize("form", ["sync", "async"])
either_timeout = pytest.mark.parametrize("timeout", [None, LONG], ids=["untimed", "timed"])


@both_forms
@either_timeout
def test_tool_is_tried_again_until_it_works(drive: Drive, form: str, timeout: Any) -> None:
    work, tries = failing(2, lambda: ConnectionError("gone"), form)
    answer = answer_of(drive.invoke(limited(work, timeout=timeout, retry=AT_ONCE), asks("work")))
    assert (answer.content, answer.status) == ("try 3", "success")
    assert tries == [1, 2, 3]


@both_forms
@either_timeout
def test_last_error_counts_after_all_attempts(drive: Drive, form: str, timeout: Any) -> None:
    tries: list[int] = []
    work, tries = failing(9, lambda: ConnectionError(f"gone {len(tries)}"), form)
    answer = answer_of(drive.invoke(limited(work, timeout=timeout, retry=AT_ONCE), asks("work")))
    assert answer.content.startswith("Error: ConnectionError: gone 3")
    assert tries == [1, 2, 3]


def test_error_that_is_not_meant_is_not_tried_again(drive: Drive) -> None:
    for retry_on in (ConnectionError, (KeyError, OSError), lambda error: "later" in str(error)):
        work, tries = failing(9, lambda: ValueError("broken"), "sync")
        drive.invoke(limited(work, timeout=None, retry=AT_ONCE._replace(retry_on=retry_on)), asks("work"))
        assert tries == [1]


def test_first_policy_that_covers_an_error_counts(drive: Drive) -> None:
    once = AT_ONCE._replace(retry_on=ConnectionError, max_attempts=1)
    work, tries = failing(9, lambda: ConnectionError("gone"), "sync")
    drive.invoke(limited(work, timeout=None, retry=(once, AT_ONCE)), asks("work"))
    assert tries == [1]
    work, tries = failing(9, lambda: KeyError("gone"), "sync")
    drive.invoke(limited(work, timeout=None, retry=(once, AT_ONCE)), asks("work"))
    assert tries == [1, 2, 3]


def test_waits_between_attempts_grow(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def asleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("headrace.clock.sleep", waits.append)
    monkeypatch.setattr("headrace.clock.asleep", asleep)
    policy = RetryPolicy(initial_interval=2.0, backoff_factor=3.0, max_interval=10.0, max_attempts=4, jitter=False)
    work, _ = failing(3, lambda: ConnectionError("gone"), "sync")
    assert answer_of(drive.invoke(limited(work, timeout=None, retry=policy), asks("work"))).content == "try 4"
    assert waits == [2.0, 6.0, 10.0]


def test_arguments_that_do_not_fit_are_not_tried_again(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(seconds: float) -> Any:
        raise AssertionError("nothing is waited for")

    monkeypatch.setattr("headrace.clock.sleep", never)
    monkeypatch.setattr("headrace.clock.asleep", never)
    graph = limited(quick, timeout=None, retry=AT_ONCE._replace(initial_interval=60.0))
    assert "cannot be called" in answer_of(drive.invoke(graph, asks("quick", {"n": "x"}))).content


@both_forms
def test_attempt_that_took_too_long_is_tried_again(drive: Drive, form: str) -> None:
    tries: list[int] = []

    def work(runtime: ToolRuntime) -> str:
        """Be slow at first."""
        tries.append(1)
        while len(tries) == 1:
            get_config()
            PAUSE.wait(0.001)
        runtime.stream_writer("second")
        return "done"

    async def awork(runtime: ToolRuntime) -> str:
        """Be slow at first."""
        tries.append(1)
        if len(tries) == 1:
            await asyncio.Event().wait()
        runtime.stream_writer("second")
        return "done"

    retry = AT_ONCE._replace(retry_on=TimeoutError)
    graph = limited(tool("work")(work if form == "sync" else awork), timeout=0.2, retry=retry)
    with nothing_left():
        told = drive.stream(graph, asks("work"), stream_mode=["custom", "tools", "updates"])
    assert [data for mode, data in told if mode == "custom"] == ["second"]
    events = [data["event"] for mode, data in told if mode == "tools"]
    assert events == ["tool-started", "tool-error", "tool-started", "tool-finished"]
    assert answer_of(told[-1][1]["tools"]).content == "done"


async def test_run_that_is_stopped_between_two_attempts_makes_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = asyncio.Event()

    async def asleep(seconds: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    monkeypatch.setattr("headrace.clock.asleep", asleep)
    work, tries = failing(9, lambda: ConnectionError("gone"), "async")
    async with nothing_left_running():
        run = asyncio.ensure_future(limited(work, timeout=None, retry=AT_ONCE).ainvoke(asks("work")))
        await waiting.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
    assert tries == [1]


def test_sync_run_that_is_left_between_two_attempts_makes_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting, left = threading.Event(), threading.Event()

    def sleep(seconds: float) -> None:
        waiting.set()
        wait(left)

    monkeypatch.setattr("headrace.clock.sleep", sleep)
    work, tries = failing(9, lambda: ConnectionError("gone"), "sync")
    with nothing_left():
        stream = limited(work, timeout=None, retry=AT_ONCE).stream(asks("work"), stream_mode="tools")
        next(stream)
        wait(waiting)
        with pytest.warns(RuntimeWarning, match="still runs in thread"):
            stream.close()
        left.set()
    assert tries == [1]


# every kind of failure under every policy

POLICIES = {
    "none": {},
    "timeout": {"timeout": LONG},
    "retry": {"retry": AT_ONCE},
    "both": {"timeout": LONG, "retry": AT_ONCE},
}
under_each_policy = pytest.mark.parametrize("policy", POLICIES)


@both_forms
@under_each_policy
@pytest.mark.parametrize("error", [ValueError, ToolException, TimeoutError, asyncio.CancelledError])
@pytest.mark.parametrize("handled", [True, False])
def test_failure_of_a_tool(drive: Drive, form: str, policy: str, error: type[BaseException], handled: bool) -> None:
    """The model is told of it, or the caller; an error of the tool's own is never taken for one of ours."""
    cancelled = error is asyncio.CancelledError
    if cancelled and not COUNTED and "async" in (drive.way, form):
        pytest.skip("Python 3.10 cannot tell whose cancellation it was")
    tries: list[int] = []

    def fail() -> str:
        """Fail."""
        tries.append(1)
        raise error("its own")

    async def afail() -> str:
        """Fail."""
        return fail()

    failing = tool("fail")(fail if form == "sync" else afail)
    options: Any = POLICIES[policy]
    graph = tools_graph(failing, policies={"fail": ToolPolicy(**options)}, handle_tool_errors=handled)
    if handled:
        answer = answer_of(drive.invoke(graph, asks("fail")))
        assert answer.status == "error"
        expected = "tool 'fail' was cancelled from inside" if cancelled else f"Error: {error.__name__}: its own"
        assert expected in answer.content
    else:
        with pytest.raises(ToolCancelledError if cancelled else error):
            drive.invoke(graph, asks("fail"))
    assert len(tries) == (3 if "retry" in options else 1)


@both_forms
@under_each_policy
def test_question_in_a_tool(drive: Drive, form: str, policy: str, thread: Any) -> None:
    """It is no failure; and once answered, the tool runs once."""
    tries: list[int] = []

    def ask() -> str:
        """Ask."""
        tries.append(1)
        return f"{interrupt('first?')} {interrupt('second?')}"

    async def aask() -> str:
        """Ask."""
        return ask()

    options: Any = POLICIES[policy]
    node = ToolNode([tool("ask")(ask if form == "sync" else aask)], policies={"ask": ToolPolicy(**options)})
    graph = graph_of(node, checkpointer=InMemorySaver())
    assert drive.invoke(graph, asks("ask"), thread)["__interrupt__"][0].value == "first?"
    assert drive.invoke(graph, Command(resume="one"), thread)["__interrupt__"][0].value == "second?"
    assert answer_of(drive.invoke(graph, Command(resume="two"), thread)).content == "one two"
    assert len(tries) == 3


@both_forms
@either_timeout
def test_answer_holds_for_all_attempts(drive: Drive, form: str, timeout: Any, thread: Any) -> None:
    tries: list[str] = []

    def ask() -> str:
        """Ask, then fail once."""
        tries.append(interrupt("sure?"))
        if len(tries) == 1:
            raise ConnectionError("gone")
        return tries[-1]

    async def aask() -> str:
        """Ask, then fail once."""
        return ask()

    policy = ToolPolicy(timeout=timeout, retry=AT_ONCE)
    node = ToolNode([tool("ask")(ask if form == "sync" else aask)], policies={"ask": policy})
    graph = graph_of(node, checkpointer=InMemorySaver())
    drive.invoke(graph, asks("ask"), thread)
    assert answer_of(drive.invoke(graph, Command(resume="yes"), thread)).content == "yes"
    assert tries == ["yes", "yes"]
