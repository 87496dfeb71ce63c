"""One call of a tool, from the model's request to the message that answers it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_core.messages import ToolCall, ToolMessage
from langchain_core.tools import BaseTool, StructuredTool, Tool
from pydantic import ValidationError

from headrace.config import current
from headrace.engine.calls import COUNTED, requests
from headrace.engine.task import Task
from headrace.errors import InvalidUpdateError
from headrace.messages import commands
from headrace.messages.around import UNHEARD, handlers_around
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
        """Call a tool; what its failure becomes is `handle_errors`'s choice. Control flow passes through."""
        try:
            answer = self.execute(request) if self.wrap is None else self.wrap(request, self.execute)
        except Exception as error:
            answer = self.failed(request, error)
        return answers(answer, request, self.messages_key)

    async def acall(self, request: ToolCallRequest) -> list[Answer]:
        """`call` for asyncio; sync tools run in threads."""
        try:
            if self.awrap is None:
                answer = await self.aexecute(request)
            else:
                answer = await self.awrap(request, self.aexecute)
        except Exception as error:
            answer = self.failed(request, error)
        return answers(answer, request, self.messages_key)

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
        injection = self.injections[tool.name] if self.tools.get(tool.name) is tool else injection_of(tool)
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
        if isinstance(tool, (StructuredTool, Tool)) and tool.coroutine is None:
            return await in_thread(lambda: tool.invoke(call))
        return await tool.ainvoke(call, None if tool.callbacks or handlers_around() else UNHEARD)
    except ValidationError as error:
        raise misfit(tool, call, error) from error
    except asyncio.CancelledError as error:
        if COUNTED and requests() <= before:
            raise told(call["id"], ToolCancelledError(tool.name)) from error
        raise


def misfit(tool: BaseTool, call: dict[str, Any], error: ValidationError) -> Exception:
    """A validation error of the arguments as such; one that the tool's own code raised as it is."""
    schema = tool.args_schema
    name = getattr(schema, "model_config", {}).get("title") or getattr(schema, "__name__", None)
    if error.title != name:
        return error
    injection = injection_of(tool)
    given = {key: value for key, value in call["args"].items() if injection is None or key not in injection.names}
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
