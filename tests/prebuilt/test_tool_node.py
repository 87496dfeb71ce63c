"""The node that calls the tools that a model asks for."""

from __future__ import annotations

import asyncio
import operator
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langchain_core.tools import BaseTool, InjectedToolCallId, ToolException, tool
from pydantic import BaseModel
from typing_extensions import TypedDict

from headrace.agents import create_agent
from headrace.checkpoint.memory import InMemorySaver
from headrace.config import get_stream_writer
from headrace.errors import InvalidGraphError, InvalidInputError, InvalidUpdateError
from headrace.graph import END, START, MessagesState, StateGraph
from headrace.messages import add_messages
from headrace.prebuilt import ToolNode, ToolPolicy, ToolRuntime, tools_condition
from headrace.prebuilt.tool_errors import HandleToolErrors
from headrace.prebuilt.tool_node import ToolCallRequest, ToolInvocationError
from headrace.testing import ScriptedChatModel
from headrace.types import Command, Send, interrupt
from tests.drive import Drive
from tests.engine.watch import wait
from tests.prebuilt.build import ToolLog, answer_of, asking, asks, call, graph_of, tools_graph

Id = Annotated[str, InjectedToolCallId]


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
async def aadd(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def boom(why: str) -> str:
    """Fail."""
    raise {"value": ValueError, "tool": ToolException, "time": TimeoutError, "key": KeyError}[why](why)


SUM = call("add", {"a": 1, "b": 2})


# what goes in


@dataclass
class DataState:
    messages: Annotated[list[AnyMessage], add_messages]


class ModelState(BaseModel):
    messages: Annotated[list[AnyMessage], add_messages]


class OtherKey(TypedDict):
    history: Annotated[list[AnyMessage], add_messages]


@pytest.mark.parametrize(
    "input",
    [{"messages": [asking(SUM)]}, DataState([asking(SUM)]), ModelState(messages=[asking(SUM)])],
    ids=["dict", "dataclass", "pydantic"],
)
def test_state_of_any_kind_is_answered_under_its_key(drive: Drive, input: Any) -> None:
    (answer,) = drive.invoke(ToolNode([add]), input)["messages"]
    assert (answer.content, answer.name, answer.tool_call_id, answer.status) == ("3", "add", "1", "success")


def test_list_of_messages_is_answered_by_a_list(drive: Drive) -> None:
    (answer,) = drive.invoke(ToolNode([add]), [HumanMessage("1 + 2?"), asking(SUM)])
    assert answer.content == "3"


def test_list_of_calls_is_answered_under_the_key(drive: Drive) -> None:
    answers = drive.invoke(ToolNode([add]), [SUM, call("add", {"a": 3, "b": 4}, "2")])["messages"]
    assert [(answer.tool_call_id, answer.content) for answer in answers] == [("1", "3"), ("2", "7")]


@pytest.mark.parametrize("schema", [MessagesState, DataState, ModelState])
def test_node_works_in_a_graph_with_any_kind_of_state(drive: Drive, schema: Any) -> None:
    assert answer_of(drive.invoke(graph_of(ToolNode([add]), schema), {"messages": [asking(SUM)]})).content == "3"


def test_messages_may_have_another_key(drive: Drive) -> None:
    graph = graph_of(ToolNode([add], messages_key="history"), OtherKey)
    assert drive.invoke(graph, {"history": [asking(SUM)]})["history"][-1].content == "3"


def test_calls_that_were_answered_are_not_made_again(drive: Drive) -> None:
    made: list[int] = []

    @tool
    def note(n: int) -> str:
        """Note."""
        made.append(n)
        return "noted"

    history = [asking(call("note", {"n": 1}), call("note", {"n": 2}, "2")), ToolMessage("done", tool_call_id="1")]
    answers = drive.invoke(ToolNode([note]), {"messages": history})["messages"]
    assert made == [2]
    assert [answer.tool_call_id for answer in answers] == ["2"]


def test_only_the_last_message_of_the_model_counts(drive: Drive) -> None:
    history = [asking(SUM), HumanMessage("never mind"), asking(call("add", {"a": 5, "b": 5}, "2"))]
    answers = drive.invoke(ToolNode([add]), {"messages": history})["messages"]
    assert [answer.tool_call_id for answer in answers] == ["2"]


@pytest.mark.parametrize("history", [[], [HumanMessage("hi")], [AIMessage("hi")]], ids=["none", "human", "no calls"])
def test_history_without_calls_gets_no_answers(drive: Drive, history: list[Any]) -> None:
    assert drive.invoke(ToolNode([add]), {"messages": history}) == {"messages": []}


def test_input_without_messages_is_refused_with_what_to_do(drive: Drive) -> None:
    with pytest.raises(InvalidInputError, match=r"looks for messages under 'messages'.*pass messages_key="):
        drive.invoke(ToolNode([add]), {"history": []})


def test_call_without_an_id_is_answered(drive: Drive) -> None:
    """Some models that run locally give none."""
    answer = answer_of(drive.invoke(tools_graph(add), asks("add", {"a": 1, "b": 2}, None)))
    assert (answer.content, answer.tool_call_id) == ("3", "")


def test_call_leaves_the_message_of_the_model_as_it_was(drive: Drive) -> None:
    @tool
    def change(items: list[int], id: Id) -> str:
        """Change what it was given."""
        items.append(4)
        return id

    message = asking(call("change", {"items": [1]}))
    drive.invoke(ToolNode([change]), {"messages": [message]})
    assert message.tool_calls == [call("change", {"items": [1]})]


# how it is made


def test_functions_become_tools_and_keep_their_order() -> None:
    def look(place: str) -> str:
        """Look around."""
        return place

    node = ToolNode([add, look])
    assert [*node.tools_by_name] == ["add", "look"]
    assert node.tools_by_name["look"].description == "Look around."
    assert node.name == "tools"


def test_all_mistakes_are_told_at_once() -> None:
    def undocumented(x: int) -> int:
        return x

    with pytest.raises(InvalidGraphError) as caught:
        ToolNode([add, add.model_copy(), undocumented, 3])  # type: ignore[list-item] # a mistake
    twice, none, number = caught.value.mistakes
    assert "two tools are called 'add'" in twice
    assert "'undocumented' is no tool" in none
    assert "3 is no tool" in number


def test_concurrency_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        ToolNode([add], max_concurrency=0)


@pytest.mark.parametrize("given", ["2", 1.5])
def test_concurrency_that_is_no_count_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match=f"at least 1, got {given!r}"):
        ToolNode([add], max_concurrency=given)


def test_name_of_a_tool_is_no_tool() -> None:
    with pytest.raises(InvalidGraphError, match="'get_weather' is no tool; a tool is a function with a docstring"):
        ToolNode(["get_weather"])  # type: ignore[list-item] # a mistake


def parts(x: int) -> Iterator[int]:
    """Count."""
    yield x


async def aparts(x: int) -> AsyncIterator[int]:
    """Count."""
    yield x


@pytest.mark.parametrize("function", [parts, aparts, tool(parts)], ids=["sync", "async", "tool"])
def test_generator_function_is_refused(function: Any) -> None:
    with pytest.raises(InvalidGraphError, match=r"is a generator function.* runtime\.emit_output_delta"):
        ToolNode([function])


async def told_later(error: Exception) -> str:
    return "too late"


@pytest.mark.parametrize("handle", [["ValueError"], 42, None, int, (ValueError, "x"), ValueError("x"), told_later])
def test_handling_that_is_none_is_refused(handle: Any) -> None:
    with pytest.raises(InvalidGraphError, match="handle_tool_errors is True, False, a text, an exception type"):
        ToolNode([add], handle_tool_errors=handle)


def test_policy_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidGraphError, match=r"policies\['add'\] is a ToolPolicy, .* got 3"):
        ToolNode([add], policies={"add": 3})  # type: ignore[dict-item] # a mistake


def test_policy_of_an_unknown_tool_is_refused() -> None:
    with pytest.raises(InvalidGraphError, match="policies name 'sub', but the tools are: add"):
        ToolNode([add], policies={"sub": ToolPolicy(timeout=1)})


def test_tags_are_those_of_its_node(drive: Drive) -> None:
    """Here the one that keeps messages off the stream."""

    def told(node: ToolNode) -> list[Any]:
        return drive.stream(graph_of(node), {"messages": [asking(SUM)]}, stream_mode="messages")

    assert [message.content for message, _ in told(ToolNode([add]))] == ["3"]
    assert told(ToolNode([add], tags=["nostream"])) == []


# errors


def first(error: Exception) -> str:
    return f"handled {error}"


def only_values(error: ValueError) -> str:
    return f"handled {error}"


def either(error: ValueError | ToolException) -> str:
    return f"handled {error}"


def misspelt(error: Nonsense) -> str:  # type: ignore[name-defined] # noqa: F821 - that it is unknown is the point
    return f"handled {error}"


def strange(error: int) -> str:
    return f"handled {error}"


@pytest.mark.parametrize(
    ("handle", "why", "told"),
    [
        (True, "value", "Error: ValueError: value\n"),
        (True, "tool", "Error: ToolException: tool\n"),
        (True, "time", "Error: TimeoutError: time\n"),
        ("try later", "value", "try later"),
        (ValueError, "value", "Error: ValueError: value\n"),
        ((KeyError, ToolException), "tool", "Error: ToolException: tool\n"),
        (LookupError, "key", "Error: KeyError: 'key'\n"),
        (first, "value", "handled value"),
        (only_values, "value", "handled value"),
        (either, "tool", "handled tool"),
        (misspelt, "time", "handled time"),
        (strange, "time", "handled time"),
        (lambda error: f"lambda {error}", "value", "lambda value"),
    ],
)
def test_handled_error_is_told_to_the_model(drive: Drive, handle: Any, why: str, told: str) -> None:
    graph = tools_graph(boom, handle_tool_errors=handle)
    answer = answer_of(drive.invoke(graph, asks("boom", {"why": why})))
    assert answer.content.startswith(told)
    assert (answer.status, answer.name, answer.tool_call_id) == ("error", "boom", "1")


@pytest.mark.parametrize(
    ("handle", "why", "error"),
    [
        (False, "value", ValueError),
        (False, "tool", ToolException),
        (KeyError, "value", ValueError),
        ((KeyError, ToolException), "value", ValueError),
        (only_values, "tool", ToolException),
        (either, "key", KeyError),
    ],
)
def test_error_that_is_not_handled_is_the_callers(drive: Drive, handle: Any, why: str, error: type[Exception]) -> None:
    with pytest.raises(error, match=why):
        drive.invoke(tools_graph(boom, handle_tool_errors=handle), asks("boom", {"why": why}))


def test_errors_are_told_to_the_model_by_default(drive: Drive) -> None:
    assert answer_of(drive.invoke(tools_graph(boom), asks("boom", {"why": "value"}))).status == "error"


@pytest.mark.parametrize("handle", [True, ToolInvocationError])
def test_arguments_that_do_not_fit_are_told_with_the_reasons(drive: Drive, handle: Any) -> None:
    answer = answer_of(drive.invoke(tools_graph(add, handle_tool_errors=handle), asks("add", {"a": "x"})))
    assert "tool 'add' cannot be called with {'a': 'x'}" in answer.content
    assert "a: Input should be a valid integer" in answer.content
    assert "b: Field required" in answer.content
    assert answer.status == "error"


def test_arguments_that_do_not_fit_are_the_callers_if_nothing_is_handled(drive: Drive) -> None:
    with pytest.raises(ToolInvocationError) as caught:
        drive.invoke(tools_graph(add, handle_tool_errors=False), asks("add", {"a": "x"}))
    assert (caught.value.tool_name, caught.value.tool_kwargs) == ("add", {"a": "x"})


def test_validation_error_of_the_tools_own_code_is_not_taken_for_bad_arguments(drive: Drive) -> None:
    class Place(BaseModel):
        size: int

    @tool
    def parse(text: str) -> str:
        """Parse."""
        return str(Place.model_validate({"size": text}))

    answer = answer_of(drive.invoke(tools_graph(parse), asks("parse", {"text": "big"})))
    assert "Error: ValidationError: 1 validation error for Place" in answer.content
    assert "cannot be called" not in answer.content


def test_unknown_tool_is_told_with_those_that_there_are(drive: Drive) -> None:
    answer = answer_of(drive.invoke(tools_graph(add, boom), asks("subtract")))
    assert answer.content == "Error: there is no tool 'subtract'; the tools are: add, boom."
    assert (answer.status, answer.name) == ("error", "subtract")


def test_tools_own_handling_of_tool_exceptions_comes_first(drive: Drive) -> None:
    def fails() -> str:
        """Fail."""
        raise ToolException("broken")

    from langchain_core.tools import StructuredTool

    cases: list[tuple[Any, str]] = [(True, "broken"), ("sorry", "sorry"), (lambda error: f"own {error}", "own broken")]
    for handling, told in cases:
        failing = StructuredTool.from_function(fails, handle_tool_error=handling)
        answer = answer_of(drive.invoke(tools_graph(failing, handle_tool_errors=False), asks("fails")))
        assert (answer.content, answer.status) == (told, "error")


def test_one_that_fails_does_not_keep_the_others_from_their_answers(drive: Drive) -> None:
    input = {"messages": [asking(call("boom", {"why": "value"}), call("add", {"a": 1, "b": 2}, "2"))]}
    _, bad, good = drive.invoke(tools_graph(add, boom), input)["messages"]
    assert (bad.status, good.status, good.content) == ("error", "success", "3")


def test_first_error_in_the_order_of_calls_is_the_callers_when_several_fail(drive: Drive) -> None:
    later = threading.Event()

    @tool
    def slow() -> str:
        """Fail when the other one has failed."""
        wait(later)
        raise ValueError("slow")

    @tool
    def fast() -> str:
        """Fail at once."""
        later.set()
        raise KeyError("fast")

    with pytest.raises(ValueError, match="slow"):
        drive.invoke(
            tools_graph(slow, fast, handle_tool_errors=False),
            {"messages": [asking(call("slow"), call("fast", {}, "2"))]},
        )


def test_interrupt_is_no_error_however_errors_are_handled(drive: Drive, thread: Any) -> None:
    @tool
    def approve() -> str:
        """Ask."""
        return f"said {interrupt('sure?')}"

    ways: list[HandleToolErrors] = [True, False, "text", Exception, first]
    for number, handle in enumerate(ways):
        graph = graph_of(ToolNode([approve], handle_tool_errors=handle), checkpointer=InMemorySaver())
        config = {"configurable": {"thread_id": str(number)}}
        (question,) = drive.invoke(graph, asks("approve"), config)["__interrupt__"]
        assert question.value == "sure?"
        assert answer_of(drive.invoke(graph, Command(resume="yes"), config)).content == "said yes"


def test_calls_of_one_task_that_ask_are_answered_one_after_the_other(drive: Drive, thread: Any) -> None:
    """Each answer goes to the call whose question was shown, though all of them ask at the same time."""
    together = threading.Barrier(3, timeout=20)
    met: list[str] = []

    @tool
    def approve(what: str) -> str:
        """Ask."""
        if len(met) < 3:
            met.append(what)
            together.wait()
        return f"{what}: {interrupt(what)}"

    graph = graph_of(ToolNode([approve]), checkpointer=InMemorySaver())
    calls = [call("approve", {"what": what}, what) for what in "abc"]
    answer = drive.invoke(graph, {"messages": [asking(*calls)]}, thread)
    for what in "abc":
        assert [question.value for question in answer["__interrupt__"]] == [what]
        answer = drive.invoke(graph, Command(resume=f"yes {what}"), thread)
    assert [message.content for message in answer["messages"][1:]] == ["a: yes a", "b: yes b", "c: yes c"]


# wrappers


Wrapping = dict[str, Any]


def wrapping(drive: Drive, wrap: Callable[[ToolCallRequest, Callable[..., Any]], Any]) -> Wrapping:
    """The wrapper in the form of the drive; it may call `execute` once, as its last word."""

    async def awrap(request: ToolCallRequest, execute: Any) -> Any:
        answer = wrap(request, execute)
        return answer if isinstance(answer, (ToolMessage, Command)) else await answer

    return {"wrap_tool_call": wrap} if drive.way == "sync" else {"awrap_tool_call": awrap}


def test_wrapper_sees_call_tool_state_and_runtime(drive: Drive) -> None:
    seen: list[ToolCallRequest] = []

    def wrap(request: ToolCallRequest, execute: Any) -> Any:
        seen.append(request)
        return execute(request)

    history = {"messages": [HumanMessage("1 + 2?"), asking(SUM)]}
    assert answer_of(drive.invoke(tools_graph(add, **wrapping(drive, wrap)), history)).content == "3"
    (request,) = seen
    assert request.tool_call == SUM
    assert request.tool is add
    assert [message.type for message in request.state["messages"]] == ["human", "ai"]
    assert request.runtime.tool_call_id == "1"


def test_wrapper_may_change_the_call(drive: Drive) -> None:
    def wrap(request: ToolCallRequest, execute: Any) -> Any:
        return execute(request.override(tool_call={**request.tool_call, "args": {"a": 10, "b": 20}}))

    graph = tools_graph(add, **wrapping(drive, wrap))
    history = drive.invoke(graph, {"messages": [asking(SUM)]})["messages"]
    assert history[-1].content == "30"
    assert history[0].tool_calls == [SUM]


def test_wrapper_may_answer_without_the_tool(drive: Drive) -> None:
    def wrap(request: ToolCallRequest, execute: Any) -> Any:
        return ToolMessage("from the cache", tool_call_id=request.tool_call["id"])

    answer = answer_of(drive.invoke(tools_graph(boom, **wrapping(drive, wrap)), asks("boom", {"why": "value"})))
    assert (answer.content, answer.status) == ("from the cache", "success")


def test_wrapper_may_bring_a_tool_for_an_unknown_name(drive: Drive) -> None:
    @tool
    def late(x: int, runtime: ToolRuntime) -> str:
        """Not among the node's tools."""
        return f"{x} for {runtime.tool_call_id}"

    def wrap(request: ToolCallRequest, execute: Any) -> Any:
        assert request.tool is None
        return execute(request.override(tool=late))

    answer = answer_of(drive.invoke(tools_graph(add, **wrapping(drive, wrap)), asks("late", {"x": 5})))
    assert (answer.content, answer.name) == ("5 for 1", "late")


def flaky(failures: int) -> tuple[Any, list[int]]:
    """A tool that fails so many times, and its calls."""
    tries: list[int] = []

    @tool
    def unstable() -> str:
        """Work at last."""
        tries.append(len(tries))
        if len(tries) <= failures:
            raise ConnectionError(f"try {len(tries)}")
        return "done"

    return unstable, tries


def test_wrapper_sees_the_tools_error_and_may_try_again(drive: Drive) -> None:
    def wrap(request: ToolCallRequest, execute: Any) -> Any:
        while True:
            try:
                return execute(request)
            except ConnectionError:
                continue

    async def awrap(request: ToolCallRequest, execute: Any) -> Any:
        while True:
            try:
                return await execute(request)
            except ConnectionError:
                continue

    unstable, tries = flaky(2)
    options: Wrapping = {"wrap_tool_call": wrap} if drive.way == "sync" else {"awrap_tool_call": awrap}
    assert answer_of(drive.invoke(tools_graph(unstable, **options), asks("unstable"))).content == "done"
    assert len(tries) == 3


def test_error_that_the_wrapper_lets_pass_is_handled(drive: Drive) -> None:
    graph = tools_graph(boom, **wrapping(drive, lambda request, execute: execute(request)))
    answer = answer_of(drive.invoke(graph, asks("boom", {"why": "value"})))
    assert (answer.status, answer.content.splitlines()[0]) == ("error", "Error: ValueError: value")


def test_wrapper_sees_bad_arguments_as_an_answer(drive: Drive) -> None:
    seen: list[Any] = []

    def wrap(request: ToolCallRequest, execute: Any) -> Any:
        answer = execute(request)
        seen.append(answer.status)
        return answer

    async def awrap(request: ToolCallRequest, execute: Any) -> Any:
        answer = await execute(request)
        seen.append(answer.status)
        return answer

    options: Wrapping = {"wrap_tool_call": wrap} if drive.way == "sync" else {"awrap_tool_call": awrap}
    drive.invoke(tools_graph(add, **options), asks("add", {"a": "x"}))
    assert seen == ["error"]


def test_wrapper_that_returns_nonsense_is_named(drive: Drive) -> None:
    async def awrap(request: ToolCallRequest, execute: Any) -> Any:
        return "text"

    options: Any = {"wrap_tool_call": lambda *_: "text"} if drive.way == "sync" else {"awrap_tool_call": awrap}
    with pytest.raises(InvalidUpdateError, match="wrapper of tool 'add' returned 'text'"):
        drive.invoke(tools_graph(add, **options), {"messages": [asking(SUM)]})


def test_wrapper_in_one_form_serves_both_ways(drive: Drive) -> None:
    def wrap(request: ToolCallRequest, execute: Any) -> Any:
        return execute(request.override(tool_call={**request.tool_call, "args": {"a": 0, "b": 0}}))

    async def awrap(request: ToolCallRequest, execute: Any) -> Any:
        return await execute(request.override(tool_call={**request.tool_call, "args": {"a": 0, "b": 0}}))

    for options in [{"wrap_tool_call": wrap}, {"awrap_tool_call": awrap}]:
        assert answer_of(drive.invoke(tools_graph(add, **options), {"messages": [asking(SUM)]})).content == "0"


@pytest.mark.parametrize("handle", [True, "text", Exception])
def test_error_of_a_wrappers_own_code_fails_the_run(drive: Drive, handle: Any) -> None:
    """Before the tool is called and after, whatever becomes of tools' errors."""

    def before(request: ToolCallRequest, execute: Any) -> Any:
        raise NameError("typo")

    def after(request: ToolCallRequest, execute: Any) -> Any:
        execute(request)
        raise NameError("typo")

    async def aafter(request: ToolCallRequest, execute: Any) -> Any:
        await execute(request)
        raise NameError("typo")

    afterwards: Wrapping = {"wrap_tool_call": after} if drive.way == "sync" else {"awrap_tool_call": aafter}
    for options in [wrapping(drive, before), afterwards, {"wrap_tool_call": before}, {"wrap_tool_call": after}]:
        with pytest.raises(NameError, match="typo"):
            drive.invoke(tools_graph(add, handle_tool_errors=handle, **options), {"messages": [asking(SUM)]})


def test_error_that_a_wrapper_makes_of_the_tools_is_the_tools(drive: Drive) -> None:
    def chained(request: ToolCallRequest, execute: Any) -> Any:
        try:
            return execute(request)
        except ValueError as error:
            raise RuntimeError("wrapped") from error

    async def achained(request: ToolCallRequest, execute: Any) -> Any:
        try:
            return await execute(request)
        except ValueError:
            raise RuntimeError("wrapped")  # noqa: B904 - the context tells as well

    for options in [{"wrap_tool_call": chained}, {"awrap_tool_call": achained}]:
        answer = answer_of(drive.invoke(tools_graph(boom, **options), asks("boom", {"why": "value"})))
        assert answer.content.startswith("Error: RuntimeError: wrapped")


def test_timeout_of_a_wrapper_is_told_to_the_model(drive: Drive) -> None:
    @tool
    async def hang() -> str:
        """Wait for nothing."""
        await asyncio.Event().wait()
        return "never"

    async def awrap(request: ToolCallRequest, execute: Any) -> Any:
        return await asyncio.wait_for(execute(request), 0.01)

    answer = answer_of(drive.invoke(tools_graph(hang, awrap_tool_call=awrap), asks("hang")))
    assert answer.content.startswith("Error: TimeoutError")


# a sync wrapper under an async run


def passed_on(request: ToolCallRequest, execute: Any) -> Any:
    return execute(request)


async def test_sync_wrapper_has_async_tools_on_the_callers_loop() -> None:
    """So they may await what belongs to it."""
    loop = asyncio.get_running_loop()
    there: asyncio.Future[str] = loop.create_future()

    @tool
    async def use() -> str:
        """Await a future of the caller's."""
        loop.call_soon(there.set_result, "theirs")
        return f"{await there} {asyncio.get_running_loop() is loop}"

    answer = answer_of(await tools_graph(use, wrap_tool_call=passed_on).ainvoke(asks("use")))
    assert answer.content == "theirs True"


@pytest.mark.parametrize("whole", ["graph", "node"])
async def test_async_tool_under_a_sync_wrapper_is_cancelled_with_the_run(whole: str) -> None:
    told: list[str] = []
    began = asyncio.Event()

    @tool
    async def hang() -> str:
        """Wait for nothing."""
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            told.append("cancelled")
        return "never"

    node = ToolNode([hang], wrap_tool_call=passed_on)
    running = asyncio.ensure_future((graph_of(node) if whole == "graph" else node).ainvoke(asks("hang")))
    await began.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert told == ["cancelled"]


class Deaf(BaseTool):
    """Only sync, and it does not end by itself."""

    name: str = "deaf"
    description: str = "Hang."
    began: Any = None
    end: Any = None

    def _run(self) -> str:
        self.began.set()
        wait(self.end)
        return "late"


@pytest.mark.parametrize("options", [{}, {"wrap_tool_call": passed_on}], ids=["bare", "wrapped"])
def test_sync_code_that_hangs_does_not_keep_asyncio_from_ending(options: Any) -> None:
    deaf = Deaf(began=threading.Event(), end=threading.Event())

    async def main() -> None:
        running = asyncio.ensure_future(ToolNode([deaf], **options).ainvoke(asks("deaf")))
        while not deaf.began.is_set():
            await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    try:
        asyncio.run(main())
        assert not deaf.end.is_set()
    finally:
        deaf.end.set()


def test_wrappers_of_one_form_each_are_both_called(drive: Drive) -> None:
    """The node's own, and those that an agent puts around them."""

    def sync(request: ToolCallRequest, execute: Any) -> Any:
        told.append("sync")
        return execute(request)

    async def awaited(request: ToolCallRequest, execute: Any) -> Any:
        told.append("async")
        return await execute(request)

    for node, order in [
        (ToolNode([add], wrap_tool_call=sync).extended([], None, awaited), ["async", "sync"]),
        (ToolNode([add], awrap_tool_call=awaited).extended([], sync, None), ["sync", "async"]),
    ]:
        told: list[str] = []
        assert answer_of(drive.invoke(graph_of(node), {"messages": [asking(SUM)]})).content == "3"
        assert told == order


# several calls at once


def test_calls_run_at_the_same_time(drive: Drive) -> None:
    meeting = threading.Barrier(3, timeout=20)

    @tool
    def meet(n: int) -> str:
        """Wait for the others."""
        meeting.wait()
        return str(n)

    calls = [call("meet", {"n": n}, str(n)) for n in range(3)]
    answers = drive.invoke(tools_graph(meet), {"messages": [asking(*calls)]})["messages"][1:]
    assert [answer.content for answer in answers] == ["0", "1", "2"]


def test_answers_stand_in_the_order_of_the_calls_whichever_ends_first(drive: Drive) -> None:
    over = [threading.Event() for _ in range(4)]
    over[3].set()

    @tool
    def backwards(n: int) -> str:
        """End after the next one."""
        wait(over[n + 1])
        over[n].set()
        return str(n)

    calls = [call("backwards", {"n": n}, str(n)) for n in range(3)]
    answers = drive.invoke(tools_graph(backwards), {"messages": [asking(*calls)]})["messages"][1:]
    assert [(answer.tool_call_id, answer.content) for answer in answers] == [("0", "0"), ("1", "1"), ("2", "2")]


@pytest.mark.parametrize("form", ["sync", "async"])
@pytest.mark.parametrize("whole", ["node", "agent"])
def test_one_at_a_time_is_strictly_in_order(drive: Drive, form: str, whole: str) -> None:
    log: list[str] = []

    def step(n: int) -> str:
        """One step."""
        log.append(f"begin {n}")
        log.append(f"end {n}")
        return str(n)

    async def astep(n: int) -> str:
        """One step."""
        log.append(f"begin {n}")
        await asyncio.sleep(0)
        log.append(f"end {n}")
        return str(n)

    node = ToolNode([tool("step")(step if form == "sync" else astep)], max_concurrency=1)
    message = asking(*(call("step", {"n": n}, str(n)) for n in range(5)))
    if whole == "node":
        drive.invoke(graph_of(node), {"messages": [message]})
    else:
        drive.invoke(create_agent(ScriptedChatModel(replies=[message, "done"]), node), {"messages": [("user", "go")]})
    assert log == [f"{what} {n}" for n in range(5) for what in ("begin", "end")]


def test_no_more_run_at_a_time_than_allowed(drive: Drive) -> None:
    lock, running, most = threading.Lock(), 0, 0
    pair = threading.Barrier(2, timeout=20)

    @tool
    def work(n: int) -> str:
        """Count those at work."""
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        pair.wait()
        with lock:
            running -= 1
        return str(n)

    calls = [call("work", {"n": n}, str(n)) for n in range(4)]
    drive.invoke(tools_graph(work, max_concurrency=2), {"messages": [asking(*calls)]})
    assert most == 2


@pytest.mark.parametrize("method", ["invoke", "ainvoke"])
async def test_coroutine_tools_run_at_the_same_time(method: str) -> None:
    """In a sync run too, where they share the private loop."""
    arrived: list[int] = []
    everybody: list[asyncio.Event] = []

    @tool
    async def meet(n: int) -> str:
        """Wait for the others."""
        if not arrived:
            everybody.append(asyncio.Event())
        arrived.append(n)
        if len(arrived) == 3:
            everybody[0].set()
        await everybody[0].wait()
        return str(n)

    graph, input = tools_graph(meet), {"messages": [asking(*(call("meet", {"n": n}, str(n)) for n in range(3)))]}
    state = await graph.ainvoke(input) if method == "ainvoke" else await asyncio.to_thread(graph.invoke, input)
    assert [answer.content for answer in state["messages"][1:]] == ["0", "1", "2"]


# commands


class Counted(MessagesState):
    count: Annotated[int, operator.add]
    visited: Annotated[list[str], operator.add]


def done(id: str) -> ToolMessage:
    return ToolMessage("counted", tool_call_id=id)


def test_command_updates_other_keys_beside_the_messages(drive: Drive) -> None:
    @tool
    def count(n: int, id: Id) -> Command[Any]:
        """Count."""
        return Command(update={"count": n, "messages": [done(id)]})

    calls = [call("count", {"n": 2}, "1"), call("count", {"n": 3}, "2")]
    state = drive.invoke(graph_of(ToolNode([count]), Counted), {"messages": [asking(*calls)], "count": 0})
    assert state["count"] == 5
    assert [message.tool_call_id for message in state["messages"][1:]] == ["1", "2"]


def test_command_leads_to_another_node(drive: Drive) -> None:
    @tool
    def handover(id: Id) -> Command[Any]:
        """Hand over."""
        return Command(update={"messages": [done(id)]}, goto="other")

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(Counted)
    builder.add_node("tools", ToolNode([handover]))
    builder.add_node("other", lambda state: {"visited": ["other"]})
    builder.add_edge(START, "tools")
    assert drive.invoke(builder.compile(), asks("handover"))["visited"] == ["other"]


def test_messages_and_commands_of_parallel_calls_are_all_applied(drive: Drive) -> None:
    @tool
    def count(id: Id) -> Command[Any]:
        """Count."""
        return Command(update={"count": 1, "messages": [done(id)]})

    input = {"messages": [asking(call("count"), call("add", {"a": 1, "b": 2}, "2"))], "count": 0}
    state = drive.invoke(graph_of(ToolNode([count, add]), Counted), input)
    assert state["count"] == 1
    assert {message.tool_call_id: message.content for message in state["messages"][1:]} == {"1": "counted", "2": "3"}


def parent_of(node: ToolNode) -> Any:
    """A graph with the node in a subgraph, and a node that the subgraph does not know."""
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(Counted)
    builder.add_node("inner", graph_of(node, Counted))
    builder.add_node("worker", lambda state: {"visited": [state.get("job", "worker")]})
    builder.add_edge(START, "inner")
    return builder.compile()


def test_command_for_the_parent_leads_there(drive: Drive) -> None:
    @tool
    def leave(id: Id) -> Command[Any]:
        """Leave the subgraph."""
        return Command(graph=Command.PARENT, goto="worker", update={"count": 1, "messages": [done(id)]})

    state = drive.invoke(parent_of(ToolNode([leave])), {**asks("leave"), "count": 0})
    assert (state["visited"], state["count"]) == (["worker"], 1)
    assert answer_of(state).content == "counted"


def test_sends_to_the_parent_of_several_calls_all_arrive(drive: Drive) -> None:
    @tool
    def delegate(job: str) -> Command[Any]:
        """Send a job to the graph above."""
        return Command(graph=Command.PARENT, goto=[Send("worker", {"job": job})])

    calls = [call("delegate", {"job": job}, job) for job in "abc"]
    state = drive.invoke(parent_of(ToolNode([delegate])), {"messages": [asking(*calls)]})
    assert state["visited"] == ["a", "b", "c"]


def test_tool_may_return_several_messages_and_commands(drive: Drive) -> None:
    @tool
    def many(id: Id) -> list[Any]:
        """Return a list."""
        return [ToolMessage("mine", tool_call_id=id), Command(update={"count": 1}), Command(update={"count": 2})]

    state = drive.invoke(graph_of(ToolNode([many]), Counted), {**asks("many"), "count": 0})
    assert state["count"] == 3
    assert [message.content for message in state["messages"][1:]] == ["mine"]


def test_command_without_an_answer_gets_one(drive: Drive) -> None:
    """Providers refuse a history with a call that nothing answers."""

    @tool
    def count() -> Command[Any]:
        """Count."""
        return Command(update={"count": 1})

    state = drive.invoke(graph_of(ToolNode([count]), Counted), {**asks("count"), "count": 0})
    assert state["count"] == 1
    assert [(message.tool_call_id, message.name) for message in state["messages"][1:]] == [("1", "count")]


@pytest.mark.parametrize(
    "update",
    [
        lambda message: {"messages": [message]},
        lambda message: {"messages": message},
        lambda message: [("messages", [message]), ("count", 1)],
    ],
    ids=["list", "alone", "pairs"],
)
def test_answer_in_a_command_is_found_however_it_is_written(drive: Drive, update: Any) -> None:
    @tool
    def count(id: Id) -> Command[Any]:
        """Count."""
        return Command(update=update(done(id)))

    state = drive.invoke(graph_of(ToolNode([count]), Counted), {**asks("count"), "count": 0})
    assert [message.content for message in state["messages"][1:]] == ["counted"]


def test_command_for_a_list_of_messages_is_a_list(drive: Drive) -> None:
    @tool
    def count(id: Id) -> Command[Any]:
        """Count."""
        return Command(update=[done(id)])

    (command,) = drive.invoke(ToolNode([count]), [asking(call("count"))])
    assert [message.content for message in command.update] == ["counted"]


# what comes out


def test_content_blocks_are_kept(drive: Drive) -> None:
    blocks: list[dict[str, Any]] = [
        {"type": "text", "text": "a cat"},
        {"type": "image_url", "image_url": {"url": "data:,"}},
    ]

    @tool
    def look() -> list[dict[str, Any]]:
        """Look."""
        return blocks

    assert answer_of(drive.invoke(tools_graph(look), asks("look"))).content == blocks


def test_artifact_stays_beside_the_content(drive: Drive) -> None:
    @tool(response_format="content_and_artifact")
    def search(query: str) -> tuple[str, dict[str, int]]:
        """Search."""
        return "2 hits", {"hits": 2}

    answer = answer_of(drive.invoke(tools_graph(search), asks("search", {"query": "x"})))
    assert (answer.content, answer.artifact) == ("2 hits", {"hits": 2})


@pytest.mark.parametrize(
    ("value", "content"), [({"a": 1}, '{"a": 1}'), (None, "null"), (1.5, "1.5"), ("", ""), ([1], "[1]"), (b"x", "b'x'")]
)
def test_any_value_becomes_text(drive: Drive, value: Any, content: str) -> None:
    @tool
    def give() -> Any:
        """Give."""
        return value

    assert answer_of(drive.invoke(tools_graph(give), asks("give"))).content == content


def test_message_of_the_tools_own_is_kept(drive: Drive) -> None:
    @tool
    def own(id: Id) -> ToolMessage:
        """Answer."""
        return ToolMessage("mine", tool_call_id=id, id="m1", additional_kwargs={"k": 1}, status="error")

    answer = answer_of(drive.invoke(tools_graph(own), asks("own")))
    assert (answer.content, answer.id, answer.additional_kwargs, answer.status) == ("mine", "m1", {"k": 1}, "error")


def agent_with(*tools: Any, reply: AIMessage) -> tuple[Any, ScriptedChatModel]:
    model = ScriptedChatModel(replies=[reply, "the end"])
    return create_agent(model, [*tools]), model


@tool(return_direct=True)
def direct(text: str) -> str:
    """The answer itself."""
    if text == "fail":
        raise ValueError(text)
    return text


def test_answer_of_a_direct_tool_ends_the_run(drive: Drive) -> None:
    agent, model = agent_with(direct, reply=asking(call("direct", {"text": "this"})))
    assert answer_of(drive.invoke(agent, {"messages": [("user", "go")]})).content == "this"
    assert len(model.calls) == 1


def test_model_sees_the_error_of_a_direct_tool(drive: Drive) -> None:
    agent, model = agent_with(direct, reply=asking(call("direct", {"text": "fail"})))
    assert answer_of(drive.invoke(agent, {"messages": [("user", "go")]})).content == "the end"
    assert len(model.calls) == 2


def test_direct_tool_beside_another_does_not_end_the_run(drive: Drive) -> None:
    calls = [call("direct", {"text": "this"}), call("add", {"a": 1, "b": 2}, "2")]
    agent, _ = agent_with(direct, add, reply=asking(*calls))
    assert answer_of(drive.invoke(agent, {"messages": [("user", "go")]})).content == "the end"


# outside a graph


def test_config_reaches_tools_outside_a_graph(drive: Drive) -> None:
    @tool
    def who(config: RunnableConfig, runtime: ToolRuntime) -> str:
        """Who."""
        return f"{config['configurable']['user']} {runtime.config['configurable']['user']}"

    log = ToolLog()
    config = {"configurable": {"user": "ann"}, "callbacks": [log], "tags": ["mine"]}
    (answer,) = drive.invoke(ToolNode([who]), [asking(call("who"))], config)
    assert answer.content == "ann ann"
    assert [output.content for output in log.outputs] == ["ann ann"]
    assert log.tags == [["mine"]]


def test_tags_of_the_node_reach_tools(drive: Drive) -> None:
    for whole in (ToolNode([add], tags=["mine"]), graph_of(ToolNode([add], tags=["mine"]))):
        log = ToolLog()
        drive.invoke(whole, {"messages": [asking(SUM)]}, {"callbacks": [log], "tags": ["theirs"]})
        assert {"mine", "theirs"} <= {*log.tags[0]}


def test_config_that_a_node_passes_by_hand_reaches_tools(drive: Drive) -> None:
    log = ToolLog()
    node = ToolNode([add, aadd])

    def act(state: Any) -> Any:
        return node.invoke(state, {"callbacks": [log]})

    async def aact(state: Any) -> Any:
        return await node.ainvoke(state, {"callbacks": [log]})

    drive.invoke(graph_of(act if drive.way == "sync" else aact), {"messages": [asking(SUM)]})
    assert [inputs for _, inputs in log.inputs] == [{"a": 1, "b": 2}]


def test_node_is_a_runnable_among_others(drive: Drive) -> None:
    chain: Runnable[Any, Any] = RunnableLambda(lambda n: [asking(call("add", {"a": n, "b": n}))]) | ToolNode([add])
    assert [answer.content for answer in drive.invoke(chain, 4)] == ["8"]
    assert [[one.content for one in answers] for answers in drive.call(chain, "batch", [1, 2])] == [["2"], ["4"]]


def test_tool_that_writes_to_the_stream_works_outside_a_graph(drive: Drive) -> None:
    @tool
    def tells(runtime: ToolRuntime) -> str:
        """Tell."""
        get_stream_writer()("by context")
        runtime.stream_writer("by runtime")
        runtime.emit_output_delta("part")
        return f"{runtime.tool_call_id} {runtime.context} {runtime.store}"

    assert drive.invoke(ToolNode([tells]), [asking(call("tells"))])[0].content == "1 None None"


# in a graph with a model


@pytest.mark.parametrize("form", [add, aadd], ids=["sync", "async"])
def test_loop_of_model_and_tools(drive: Drive, form: Any) -> None:
    model = ScriptedChatModel(replies=[asking(call(form.name, {"a": 20, "b": 22})), "It is 42."])
    bound = model.bind_tools([form])

    def think(state: Any) -> Any:
        return {"messages": [bound.invoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("think", think)
    builder.add_node("tools", ToolNode([form]))
    builder.add_edge(START, "think")
    builder.add_conditional_edges("think", tools_condition, {"tools": "tools", END: END})
    builder.add_edge("tools", "think")
    parts = drive.stream(builder.compile(), {"messages": [("user", "20 + 22?")]}, stream_mode="updates")
    assert [next(iter(part)) for part in parts] == ["think", "tools", "think"]
    assert [message.content for message in model.calls[1]] == ["20 + 22?", "", "42"]


@pytest.mark.parametrize(
    "state",
    [
        [asking(SUM)],
        {"messages": [asking(SUM)]},
        DataState([asking(SUM)]),
        ModelState(messages=[asking(SUM)]),
    ],
    ids=["list", "dict", "dataclass", "pydantic"],
)
def test_condition_leads_to_the_tools_if_some_are_called(state: Any) -> None:
    assert tools_condition(state) == "tools"


@pytest.mark.parametrize("last", [AIMessage("done"), HumanMessage("hi"), ToolMessage("3", tool_call_id="1")])
def test_condition_leads_to_the_end_if_none_is_called(last: Any) -> None:
    assert tools_condition({"messages": [asking(SUM), last]}) == "__end__"


def test_condition_takes_another_key() -> None:
    assert tools_condition({"history": [asking(SUM)]}, "history") == "tools"


@pytest.mark.parametrize("state", [[], {"messages": []}, {"history": [asking(SUM)]}])
def test_condition_refuses_a_state_without_messages(state: Any) -> None:
    with pytest.raises(InvalidInputError, match="no messages under 'messages'"):
        tools_condition(state)
