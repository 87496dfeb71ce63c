"""One call of a tool, from the model's request to the message that answers it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_core.messages import ToolCall, ToolMessage
from langchain_core.tools import BaseTool, StructuredTool, Tool
from pydantic import ValidationError

from headrace.config import current
from headrace.engine.calls import COUNTED, requests, wait_through
from headrace.engine.task import Task
from headrace.errors import InvalidUpdateError
from headrace.messages import commands
from headrace.messages.around import unheard
from headrace.prebuilt.injection import Injection, ToolInjectionError, injection_of
from headrace.prebuilt.loop_thread import wait_for
from headrace.prebuilt.tool_errors import HandleToolErrors, ToolCancelledError, ToolInvocationError, insisted, text_for
from headrace.prebuilt.tool_policy import NO_POLICY, ToolPolicy, akept, kept, told
from headrace.prebuilt.tool_thread import in_thread
from headrace.types import Command

if TYPE_CHECKING:
    from headrace.prebuilt.tool_runtime import ToolRuntime

commands.adopt()

Answer: TypeAlias = "ToolMessage | Command[Any]"
"""What a call of a tool comes to."""

MISSING: Any = object()
"""No value."""

Execute: TypeAlias = "Callable[[ToolCallRequest], Answer]"
AsyncExecute: TypeAlias = "Callable[[ToolCallRequest], Awaitable[Answer]]"
ToolCallWrapper: TypeAlias = "Callable[[ToolCallRequest, Execute], Answer]"
AsyncToolCallWrapper: TypeAlias = "Callable[[ToolCallRequest, AsyncExecute], Awaitable[Answer]]"


@dataclass(frozen=True)
class ToolCallRequest:
    """A call as wrappers see it; change it with `override` and pass that on."""

    tool_call: ToolCall
    tool: BaseTool | None
    """None: there is no tool of that name. A wrapper may bring one."""
    state: Any
    runtime: ToolRuntime

    def override(self, **changes: Any) -> ToolCallRequest:
        """A copy with these fields changed."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Caller:
    """How the tools of one node are called."""

    tools: Mapping[str, BaseTool]
    handle_errors: HandleToolErrors
    policies: Mapping[str, ToolPolicy]
    injections: Mapping[str, Injection | None]
    messages_key: str = "messages"
    wrap: ToolCallWrapper | None = None
    awrap: AsyncToolCallWrapper | None = None

    def call(self, request: ToolCallRequest) -> list[Answer]:
        """Call a tool; what its failure becomes is `handle_errors`'s choice. Control flow passes through, and so does
        an error of a wrapper's own code, which no model can mend."""
        request = self.unforged(request)
        wrap, within = self.wrap, Within(self, request)
        try:
            answer = self.execute(request) if wrap is None else wrap(request, within.execute)
        except Exception as error:
            if wrap is not None and not within.raised(error):
                raise
            answer = self.failed(request, error)
        return answers(answer, request, self.messages_key)

    async def acall(self, request: ToolCallRequest) -> list[Answer]:
        """`call` for asyncio; sync tools run in threads."""
        request = self.unforged(request)
        wrap, within = self.awrap, Within(self, request)
        try:
            answer = await (self.aexecute(request) if wrap is None else wrap(request, within.aexecute))
        except Exception as error:
            if wrap is not None and not within.raised(error):
                raise
            answer = self.failed(request, error)
        return answers(answer, request, self.messages_key)

    def unforged(self, request: ToolCallRequest) -> ToolCallRequest:
        """The request without arguments that the model may not give; wrappers may, so this is done before them."""
        injection = None if request.tool is None else self.injection(request.tool)
        return request if injection is None else request.override(tool_call=injection.without_hidden(request.tool_call))

    def injection(self, tool: BaseTool) -> Injection | None:
        """What we give a tool; a wrapper may have brought one."""
        return self.injections[tool.name] if self.tools.get(tool.name) is tool else injection_of(tool)

    def execute(self, request: ToolCallRequest) -> Any:
        """The innermost of the wrappers: a bad call is answered here, an error of the tool is theirs to see.

        A tool that has only a coroutine is awaited, with its policy, on the private loop.
        """
        tool = request.tool
        if tool is None:
            return self.unknown(request)
        try:
            if isinstance(tool, StructuredTool) and tool.func is None:
                return wait_for(lambda: self.aexecute(request))
            return kept(self.policy(tool), request.tool_call, lambda: invoked(tool, self.prepared(tool, request)))
        except ToolInvocationError as error:
            return self.failed(request, error)
        except asyncio.CancelledError as error:
            raise told(request.tool_call["id"], ToolCancelledError(tool.name)) from error

    async def aexecute(self, request: ToolCallRequest) -> Any:
        tool = request.tool
        if tool is None:
            return self.unknown(request)
        try:
            policy, call = self.policy(tool), request.tool_call
            return await akept(policy, call, lambda: ainvoked(tool, self.prepared(tool, request)))
        except ToolInvocationError as error:
            return self.failed(request, error)

    def shows_runtime(self, tool: BaseTool | None) -> bool:
        """Whether somebody looks at the runtime of a call: a wrapper, or the tool."""
        injected = tool is not None and self.injections[tool.name] is not None
        return injected or self.wrap is not None or self.awrap is not None

    def policy(self, tool: BaseTool) -> ToolPolicy:
        return self.policies.get(tool.name, NO_POLICY)

    def prepared(self, tool: BaseTool, request: ToolCallRequest) -> dict[str, Any]:
        """The call with what we inject among its arguments, for one attempt."""
        call = request.tool_call
        injection = self.injection(tool)
        args = call["args"] if injection is None else injection.filled(tool, call, within_fence(request.runtime))
        return {"name": call["name"], "args": args, "id": call["id"] or "", "type": "tool_call"}

    def unknown(self, request: ToolCallRequest) -> ToolMessage:
        """The answer to a call of a tool that is not there."""
        call = request.tool_call
        there = ", ".join(self.tools) or "none"
        return refusal(call, f"Error: there is no tool {call['name']!r}; the tools are: {there}.")

    def failed(self, request: ToolCallRequest, error: Exception) -> ToolMessage:
        """The answer in place of an error; the error itself, if it is not to be handled."""
        ours = isinstance(error, ToolInjectionError) or insisted(error)
        text = None if ours else text_for(self.handle_errors, error)
        if text is None:
            raise error
        return refusal(request.tool_call, text)


def threaded(wrap: ToolCallWrapper | None) -> AsyncToolCallWrapper | None:
    """A sync wrapper for async runs: it gets a thread, and what it executes is awaited on the loop of the caller.

    Cancelling it cancels what it executes and waits for that; of the wrapper's own code, see `in_thread`.
    """
    if wrap is None:
        return None

    async def awrap(request: ToolCallRequest, execute: AsyncExecute) -> Answer:
        loop, running, left = asyncio.get_running_loop(), set[Any](), False

        async def served(changed: ToolCallRequest) -> Answer:
            if left:
                raise asyncio.CancelledError
            running.add(asyncio.current_task())
            return await execute(changed)

        try:
            answer: Answer = await in_thread(lambda: wrap(request, lambda one: wait_for(lambda: served(one), loop)))
        except asyncio.CancelledError:
            left = True
            for one in running:
                one.cancel()
            await wait_through(*running)
            raise
        return answer

    return awrap


@dataclass(eq=False)
class Within:
    """One call of a tool, as its wrappers make it."""

    caller: Caller
    request: ToolCallRequest
    """What the model asked for."""
    errors: list[BaseException] = field(default_factory=list)
    """What the wrappers were shown to have failed."""

    def execute(self, request: ToolCallRequest) -> Any:
        try:
            return self.caller.execute(self.unforged(request))
        except BaseException as error:
            self.errors.append(error)
            raise

    async def aexecute(self, request: ToolCallRequest) -> Any:
        try:
            return await self.caller.aexecute(self.unforged(request))
        except BaseException as error:
            self.errors.append(error)
            raise

    def unforged(self, request: ToolCallRequest) -> ToolCallRequest:
        """The request; if it is for another tool, without what that one hides and the model has given."""
        if request.tool is None or request.tool is self.request.tool:
            return request
        injection, models = self.caller.injection(request.tool), self.request.tool_call["args"]
        if injection is None:
            return request
        args = request.tool_call["args"]
        forged = [name for name in injection.hidden if name in args and args[name] is models.get(name, MISSING)]
        kept = {name: value for name, value in args.items() if name not in forged}
        return request.override(tool_call={**request.tool_call, "args": kept}) if forged else request

    def raised(self, error: BaseException) -> bool:
        """Whether an error is what `execute` raised, or came of that: a timeout, say, of the cancellation it made."""
        due, seen = [error], set()
        while due:
            one = due.pop()
            if any(one is known for known in self.errors):
                return True
            seen.add(id(one))
            due.extend(new for new in (one.__cause__, one.__context__) if new is not None and id(new) not in seen)
        return False


def within_fence(runtime: ToolRuntime) -> ToolRuntime:
    """The runtime as an attempt with a timeout has it: what it tells is dropped once its time is up."""
    task = current.get()
    if not isinstance(task, Task) or runtime.emit in (None, task.emit):
        return runtime
    return replace(runtime, config=task.config, stream_writer=task.writer, emit=task.emit)


def refusal(call: ToolCall, text: str) -> ToolMessage:
    """An answer that says what went wrong."""
    return ToolMessage(text, name=call["name"], tool_call_id=call["id"] or "", status="error")


def invoked(tool: BaseTool, call: dict[str, Any]) -> Any:
    """What a tool returns to sync code."""
    try:
        return tool.invoke(call)
    except ValidationError as error:
        raise misfit(tool, call, error) from error
    except asyncio.CancelledError as error:
        raise told(call["id"], ToolCancelledError(tool.name)) from error


async def ainvoked(tool: BaseTool, call: dict[str, Any]) -> Any:
    """What a tool returns to async code. A cancellation that nobody asked for is an error of the tool."""
    before = requests()
    try:
        if is_sync(tool):
            return await in_thread(lambda: tool.invoke(call))
        with unheard(tool):
            return await tool.ainvoke(call)
    except ValidationError as error:
        raise misfit(tool, call, error) from error
    except asyncio.CancelledError as error:
        if COUNTED and requests() <= before:
            raise told(call["id"], ToolCancelledError(tool.name)) from error
        raise


def is_sync(tool: BaseTool) -> bool:
    """Whether a tool has no code of its own for asyncio."""
    if isinstance(tool, (StructuredTool, Tool)):
        return tool.coroutine is None
    kind = type(tool)
    return kind._arun is BaseTool._arun and kind.ainvoke is BaseTool.ainvoke and kind.arun is BaseTool.arun


def misfit(tool: BaseTool, call: dict[str, Any], error: ValidationError) -> Exception:
    """A validation error of the arguments as such; one that the tool's own code raised as it is."""
    schema = tool.args_schema
    name = getattr(schema, "model_config", {}).get("title") or getattr(schema, "__name__", None)
    if error.title != name:
        return error
    injection = injection_of(tool)
    given = {key: value for key, value in call["args"].items() if injection is None or key not in injection.hidden}
    return ToolInvocationError(tool.name, error, given)


def answers(answer: Any, request: ToolCallRequest, messages_key: str) -> list[Answer]:
    """The messages and commands that a tool's answer is."""
    call = request.tool_call
    several = [named(one, call, messages_key) for one in (answer if isinstance(answer, list) else [answer])]
    for one in several:
        if not isinstance(one, (ToolMessage, Command)):
            raise InvalidUpdateError(
                f"a wrapper of tool {call['name']!r} returned {one!r}; it returns a ToolMessage or a Command"
            )
    if any(answered_by(one, call, messages_key) for one in several):
        return several
    done = ToolMessage(f"{call['name']} is done.", name=call["name"], tool_call_id=call["id"] or "")
    return [*several, done]


def named(answer: Any, call: ToolCall, messages_key: str) -> Any:
    """The answer with the tool's name on the message to the call, which some providers want."""
    if isinstance(answer, ToolMessage):
        fits = answer.tool_call_id == (call["id"] or "") and answer.name is None
        return answer.model_copy(update={"name": call["name"]}) if fits else answer
    update: Any = answer.update if isinstance(answer, Command) else None
    messages = update.get(messages_key) if isinstance(update, dict) else None
    if not isinstance(messages, list):
        return answer
    return replace(answer, update={**update, messages_key: [named(one, call, messages_key) for one in messages]})


def answered_by(answer: Answer, call: ToolCall, messages_key: str) -> bool:
    """Whether this answers the call in the history; a command for another graph takes the history there."""
    if isinstance(answer, ToolMessage):
        return answer.tool_call_id == (call["id"] or "")
    if answer.graph is not None:
        return True
    return any((call["id"] or "") == call_of(one) for one in messages_in(answer.update, messages_key))


def call_of(message: Any) -> str | None:
    """The id of the call that a message answers, which may be given as a dict; None for other messages."""
    found = message.get("tool_call_id") if isinstance(message, Mapping) else getattr(message, "tool_call_id", None)
    return None if found is None else str(found)


def messages_in(update: Any, messages_key: str) -> Iterable[Any]:
    """The messages in a command's update, which has keys, pairs of keys and values, or is the messages themselves."""
    if isinstance(update, (list, tuple)):
        pairs = [one for one in update if isinstance(one, (list, tuple)) and len(one) == 2]
        return [*update, *(one for key, value in pairs if key == messages_key for one in as_list(value))]
    return as_list(update.get(messages_key) if isinstance(update, Mapping) else getattr(update, messages_key, None))


def as_list(value: Any) -> list[Any]:
    """One message or several."""
    return [*value] if isinstance(value, (list, tuple)) else [value]
