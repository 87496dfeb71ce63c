"""The node that calls the tools that a model asks for."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, ToolCall, ToolMessage
from langchain_core.runnables import Runnable
from langchain_core.runnables.config import ensure_config, merge_configs, var_child_runnable_config
from langchain_core.tools import BaseTool
from langchain_core.tools import tool as as_tool

from headrace.config import current
from headrace.engine.calls import wait_through
from headrace.engine.task import Task
from headrace.errors import GraphInterrupt, InvalidGraphError, InvalidInputError
from headrace.graph.schema import value_of
from headrace.prebuilt.injection import code_of, injection_of
from headrace.prebuilt.loop_thread import wait_for
from headrace.prebuilt.tool_call import (
    Answer,
    AsyncToolCallWrapper,
    Caller,
    ToolCallRequest,
    ToolCallWrapper,
    threaded,
)
from headrace.prebuilt.tool_errors import (
    TOOL_CALL_ERROR_TEMPLATE,
    HandleToolErrors,
    ToolInvocationError,
    check_handling,
)
from headrace.prebuilt.tool_policy import ToolPolicy
from headrace.prebuilt.tool_runtime import InjectedState, InjectedStore, ToolRuntime, bare_runtime
from headrace.types import Command, Interrupt, Send
from headrace.workers import spread

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig as GuestConfig

Shape = Literal["keys", "list"]
"""Whether the node's state has keys, or is the list of messages itself."""


UNSEEN = bare_runtime({}, None, None, [])
"""The runtime of a call where nobody looks at it."""


GRAPHS: Any = object()
"""In place of a state that the node's input does not hold: the graph's own, taken only for those who look at it."""


class Asked(NamedTuple):
    """What a node's input asks for."""

    calls: list[ToolCall]
    state: Any
    shape: Shape


class ToolNode(Runnable[Any, Any]):
    """A node that answers the tool calls of the last `AIMessage`, several at a time, with a `ToolMessage` each.

    Its input is the state, a list of messages, or a list of tool calls, as a `Send` for single calls has it; then it
    takes the state from the graph. Calls that a later message has answered are left out. Works outside a graph, too.

    `tools`: langchain-core tools, or functions with a docstring. `handle_tool_errors`: what a failing tool becomes,
    see `HandleToolErrors`; by default a message with `status="error"`, so that the model can go on. Questions
    (`interrupt`), stops and cancellations always pass through. `wrap_tool_call(request, execute)` and
    `awrap_tool_call` are called around each call; what their own code raises fails the run. One of them does for both
    ways: under an async run the sync one gets a thread, and what it executes is awaited on the caller's loop; under a
    sync run the async one is awaited on the private loop. `max_concurrency`: how many calls run at a time; 1: one
    after another, in the model's order. `policies`: timeout and retry, by tool name. InvalidGraphError with what can
    be seen to be wrong.
    """

    wants = ()
    """In a graph, nothing: its tools find the config in their context."""

    def __init__(
        self,
        tools: Sequence[BaseTool | Callable[..., Any]],
        *,
        name: str = "tools",
        tags: list[str] | None = None,
        handle_tool_errors: HandleToolErrors = True,
        messages_key: str = "messages",
        wrap_tool_call: ToolCallWrapper | None = None,
        awrap_tool_call: AsyncToolCallWrapper | None = None,
        max_concurrency: int | None = None,
        policies: Mapping[str, ToolPolicy] | None = None,
    ) -> None:
        self.name = name
        self.tools_by_name = by_name(tools)
        check_handling(handle_tool_errors)
        self.handle_tool_errors = handle_tool_errors
        self.messages_key = messages_key
        if max_concurrency is not None and not is_count(max_concurrency):
            raise ValueError(f"max_concurrency counts calls that run at a time, at least 1, got {max_concurrency!r}")
        self.max_concurrency = max_concurrency
        self.policies = checked_policies(policies, self.tools_by_name)
        self.config: dict[str, Any] = {"tags": tags} if tags else {}
        self.caller = Caller(
            self.tools_by_name,
            handle_tool_errors,
            self.policies,
            {name: injection_of(tool) for name, tool in self.tools_by_name.items()},
            messages_key,
            wrap_tool_call,
            awrap_tool_call or threaded(wrap_tool_call),
        )

    def extended(
        self,
        tools: Sequence[BaseTool],
        wrap: ToolCallWrapper | None = None,
        awrap: AsyncToolCallWrapper | None = None,
    ) -> ToolNode:
        """A node like this one with more tools, and with wrappers around its own.

        Where one of the wrappers around each other is only async, all of them are, and a sync one gets a thread.
        """
        own, aown = self.caller.wrap, self.caller.awrap
        awrap = awrap or threaded(wrap)
        only_async = (wrap is None and awrap is not None) or (own is None and aown is not None)
        return ToolNode(
            [*self.tools_by_name.values(), *tools],
            name=self.name or "tools",
            tags=self.config.get("tags"),
            handle_tool_errors=self.handle_tool_errors,
            messages_key=self.messages_key,
            wrap_tool_call=None if only_async else nested(wrap, own),
            awrap_tool_call=nested(awrap, aown),
            max_concurrency=self.max_concurrency,
            policies=self.policies,
        )

    def invoke(self, input: Any, config: GuestConfig | None = None, **_: Any) -> Any:
        """Call the tools. Stopping the run stops them at their next call of ours; see `ToolPolicy` for timeouts."""
        if self.caller.wrap is None and self.caller.awrap is not None:
            return wait_for(lambda: self.ainvoke(input, config))
        asked = self.asked(input)
        requests = self.requests(asked, config)
        with self.reaching(config):
            if len(requests) == 1:
                return self.update([self.caller.call(requests[0])], asked.shape)
            outcomes = spread(lambda index: self.caller.call(requests[index]), len(requests), self.at_a_time())
        return self.update(settled(outcomes), asked.shape)

    async def ainvoke(self, input: Any, config: GuestConfig | None = None, **_: Any) -> Any:
        """`invoke` for asyncio. Cancelling it cancels the tools and waits for them."""
        asked = self.asked(input)
        requests = self.requests(asked, config)
        with self.reaching(config):
            if len(requests) == 1:
                return self.update([await self.caller.acall(requests[0])], asked.shape)
            outcomes = await self.gathered(requests)
        return self.update(settled(outcomes), asked.shape)

    def at_a_time(self) -> int | None:
        """How many calls run at a time; None: all of them.

        One by one where a question is answered: the first that asks gets the answer, and that must be the call whose
        question was shown (see `settled`).
        """
        task = current.get()
        answered = isinstance(task, Task) and bool(task.answers or task.run.answers)
        return 1 if answered else self.max_concurrency

    async def gathered(self, requests: Sequence[ToolCallRequest]) -> list[Any]:
        """What each call comes to; an exception is an outcome."""
        if not requests:
            return []
        room = asyncio.Semaphore(self.at_a_time() or max(1, len(requests)))

        async def call(request: ToolCallRequest) -> list[Answer]:
            async with room:
                return await self.caller.acall(request)

        running = [asyncio.ensure_future(call(request)) for request in requests]
        try:
            await asyncio.wait(running)
        except asyncio.CancelledError:
            for one in running:
                one.cancel()
            await wait_through(*running)
            raise
        return [one.exception() or one.result() for one in running]

    def asked(self, input: Any) -> Asked:
        """The calls that are due. InvalidInputError for an input that can have none."""
        if isinstance(input, list):
            if input and all(isinstance(one, dict) and one.get("type") == "tool_call" for one in input):
                return Asked(input, GRAPHS, "keys")
            return Asked(pending_calls(input), {self.messages_key: input}, "list")
        found, messages = value_of(input, self.messages_key)
        if not found:
            raise InvalidInputError(
                f"the node {self.name!r} looks for messages under {self.messages_key!r}, which its input does not "
                "have; pass messages_key=, or a list of messages"
            )
        return Asked(pending_calls(messages), input, "keys")

    def requests(self, asked: Asked, config: GuestConfig | None) -> list[ToolCallRequest]:
        """One request per call, with its runtime where somebody looks at it."""
        task = current.get()
        found = [self.tools_by_name.get(call["name"]) for call in asked.calls]
        if any(map(self.caller.shows_runtime, found)) and asked.state is GRAPHS:
            asked = asked._replace(state={} if task is None else task.state_now)
        return [
            ToolCallRequest(
                call,
                tool,
                asked.state,
                self.runtime(call, asked, task, config) if self.caller.shows_runtime(tool) else UNSEEN,
            )
            for call, tool in zip(asked.calls, found, strict=True)
        ]

    def runtime(self, call: ToolCall, asked: Asked, task: Any, config: GuestConfig | None) -> ToolRuntime:
        """What the tool of one call may ask for."""
        tools = list(self.tools_by_name.values())
        if not isinstance(task, Task):
            return bare_runtime(cast("Any", ensure_config(config)), call["id"], asked.state, tools)
        runtime = task.runtime
        own = task.config if is_own(config) else cast("Any", ensure_config(config))
        return ToolRuntime(
            asked.state, runtime.context, own, runtime.stream_writer, call["id"], runtime.store, tools,
            runtime.execution_info, runtime.server_info, task.emit,
        )  # fmt: skip

    def update(self, outcomes: list[list[Answer]], shape: Shape) -> Any:
        """The answers as an update of the state: commands beside the messages, if there are any."""
        answers = [answer for outcome in outcomes for answer in outcome]
        messages = [answer for answer in answers if isinstance(answer, ToolMessage)]
        update = {self.messages_key: messages} if shape == "keys" else messages
        commands = [answer for answer in answers if isinstance(answer, Command)]
        if not commands:
            return update
        mine = [command for command in commands if command.graph is None]
        up = [command for command in commands if command.graph is not None]
        return [*([update] if messages else []), *mine, *merged(up)]

    @contextmanager
    def reaching(self, config: GuestConfig | None) -> Iterator[None]:
        """Callbacks, tags and whatever else is in a config, and the node's tags, reach the tools that it calls."""
        if is_own(config) and not self.config:
            yield
            return
        token = var_child_runnable_config.set(merge_configs(ensure_config(config), cast("Any", self.config)))
        try:
            yield
        finally:
            var_child_runnable_config.reset(token)


def is_own(config: GuestConfig | None) -> bool:
    """Whether this is the config of the node around, which the tools find by themselves."""
    task = current.get()
    return config is None or (isinstance(task, Task) and config is cast("Any", task.config))


def by_name(tools: Sequence[Any]) -> dict[str, BaseTool]:
    """The tools under their names; InvalidGraphError for two of one name, and for what is no tool."""
    found: dict[str, BaseTool] = {}
    mistakes: list[str] = []
    for one in tools:
        if not isinstance(one, BaseTool) and not callable(one):
            mistakes.append(f"{one!r} is no tool; a tool is a function with a docstring, or a langchain-core tool")
            continue
        try:
            tool = one if isinstance(one, BaseTool) else as_tool(one)
        except (ValueError, TypeError) as error:
            name = getattr(one, "__name__", None)
            mistakes.append(f"{repr(one) if name is None else repr(name)} is no tool: {error}")
            continue
        if any(inspect.isgeneratorfunction(code) or inspect.isasyncgenfunction(code) for code in code_of(tool)):
            mistakes.append(
                f"tool {tool.name!r} is a generator function, whose parts no model would see; return the whole, and "
                "tell parts of it with runtime.emit_output_delta of a parameter runtime: ToolRuntime"
            )
        if found.setdefault(tool.name, tool) is not tool:
            mistakes.append(f"two tools are called {tool.name!r}; give one of them another name")
    if mistakes:
        raise InvalidGraphError(mistakes)
    return found


def is_count(value: Any) -> bool:
    return isinstance(value, int) and value >= 1


def checked_policies(policies: Mapping[str, Any] | None, tools: Mapping[str, BaseTool]) -> dict[str, ToolPolicy]:
    """The policies by tool name; InvalidGraphError for one of no tool, and for what is none."""
    mistakes = []
    for name, policy in (policies or {}).items():
        if name not in tools:
            mistakes.append(f"policies name {name!r}, but the tools are: {', '.join(tools)}")
        elif not isinstance(policy, ToolPolicy):
            mistakes.append(f"policies[{name!r}] is a ToolPolicy, such as ToolPolicy(timeout=10), got {policy!r}")
    if mistakes:
        raise InvalidGraphError(mistakes)
    return dict(policies or {})


def pending_calls(messages: Any) -> list[ToolCall]:
    """The calls of the last AIMessage that no later message answers."""
    answered: set[str] = set()
    for message in reversed(messages):
        if isinstance(message, AIMessage):
            return [call for call in message.tool_calls if (call["id"] or "") not in answered]
        if isinstance(message, ToolMessage):
            answered.add(message.tool_call_id)
    return []


def settled(outcomes: list[Any]) -> list[list[Answer]]:
    """The answers, if all calls have one; else the first error, or all questions as one.

    Calls that ask at the same time in one task have one place among its questions: the first call's is shown, and the
    others ask again when it is answered.
    """
    errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    if not errors:
        return outcomes
    final = next((error for error in errors if not isinstance(error, GraphInterrupt)), None)
    asked: dict[str, Interrupt] = {}
    for question in (one for error in errors if isinstance(error, GraphInterrupt) for one in error.interrupts):
        asked.setdefault(question.id, question)
    raise final or GraphInterrupt(tuple(asked.values()))


def merged(commands: list[Command[Any]]) -> list[Command[Any]]:
    """Commands for other graphs; those that only send tasks to the graph above as one, since the first one leaves."""
    sends = [command for command in commands if command.graph == Command.PARENT and is_sending(command)]
    if len(sends) < 2:
        return commands
    goto = [goal for command in sends for goal in cast("list[Send]", command.goto)]
    rest = [command for command in commands if command not in sends]
    return [replace(sends[0], goto=goto), *rest]


def is_sending(command: Command[Any]) -> bool:
    """Whether a command does nothing but send tasks."""
    return isinstance(command.goto, list) and bool(command.goto) and all(isinstance(one, Send) for one in command.goto)


def nested(outer: Any, inner: Any) -> Any:
    """One wrapper out of two, both sync or both async; either may be None."""
    if outer is None or inner is None:
        return outer or inner
    return lambda request, execute: outer(request, lambda changed: inner(changed, execute))


def tools_condition(
    state: list[AnyMessage] | Mapping[str, Any] | Any, messages_key: str = "messages"
) -> Literal["tools", "__end__"]:
    """A routing function: to node `tools` if the last message calls tools, else to the end."""
    messages = state if isinstance(state, list) else value_of(state, messages_key)[1]
    if not messages:
        raise InvalidInputError(f"the state has no messages under {messages_key!r} to look for tool calls in")
    last: BaseMessage = messages[-1]
    return "tools" if getattr(last, "tool_calls", None) else "__end__"


__all__ = [
    "TOOL_CALL_ERROR_TEMPLATE", "InjectedState", "InjectedStore", "ToolCallRequest", "ToolInvocationError", "ToolNode",
    "ToolPolicy", "ToolRuntime", "tools_condition",
]  # fmt: skip
