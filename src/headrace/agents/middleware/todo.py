"""A list of what is to be done, which the model keeps for itself and the user can watch."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from langchain_core.messages import SystemMessage, ToolMessage
from langchain_core.tools import BaseTool, InjectedToolCallId, StructuredTool
from pydantic import BaseModel, Field
from typing_extensions import NotRequired, TypedDict

from headrace.agents.middleware.base import AgentMiddleware
from headrace.agents.request import ModelCallResult, ModelRequest, ModelResponse
from headrace.agents.state import AgentState, OmitFromInput
from headrace.prebuilt.tool_call import refusal
from headrace.prebuilt.tool_node import pending_calls
from headrace.types import Command

WRITE_TODOS = "write_todos"

SYSTEM_PROMPT = f"""\
You can keep a list of the steps of your work with the tool `{WRITE_TODOS}`. Keep one when a task takes three or more \
steps, when its steps may change on the way, or when the user asks for several things or for a plan. The user watches \
the list to see how far you are. A task of one or two steps you simply do.

Keep the list true: mark a step `in_progress` before you begin it and `completed` as soon as it is really done, one by \
one and not in bulk at the end; what could not be done stays open, with a step for what is in the way. Add steps that \
turn up and drop those that no longer matter. Call `{WRITE_TODOS}` at most once in a turn, as each call replaces the \
whole list. When all is done, answer the user: the list itself is no answer."""

TOOL_DESCRIPTION = """\
Write down the steps of the task at hand, each with its status, or bring the list up to date. The list that you pass \
replaces the one before, so pass all steps every time, in the order in which they are to be done. `pending`: not yet \
begun. `in_progress`: being worked on now; several only if they really run at the same time. `completed`: done, with \
nothing left open. Of use for tasks of three steps or more; not for questions and single steps."""

SEVERAL = (
    f"Error: one answer called `{WRITE_TODOS}` several times. Each call replaces the whole list, so none of them was "
    "made; call it once, with all steps."
)


class Todo(TypedDict):
    """One step of the work."""

    content: str
    """What is to be done."""
    status: Literal["pending", "in_progress", "completed"]


class PlanningState(AgentState[Any]):
    """The state of an agent that keeps a list."""

    todos: Annotated[NotRequired[list[Todo]], OmitFromInput]
    """The list as it was written last."""


class WriteTodosInput(BaseModel):
    """The arguments of `write_todos`."""

    todos: list[Todo] = Field(description="All steps, in order.")
    tool_call_id: Annotated[str, InjectedToolCallId]


def write_todos(todos: list[Todo], tool_call_id: Annotated[str, InjectedToolCallId]) -> Command[Any]:
    """Put the list into the state, and tell the model that it is there."""
    text = f"The list is now: {json.dumps(todos, ensure_ascii=False)}"
    answer = ToolMessage(text, name=WRITE_TODOS, tool_call_id=tool_call_id)
    return Command(update={"todos": todos, "messages": [answer]})


async def awrite_todos(todos: list[Todo], tool_call_id: Annotated[str, InjectedToolCallId]) -> Command[Any]:
    """`write_todos` without a thread."""
    return write_todos(todos, tool_call_id)


class TodoListMiddleware(AgentMiddleware[Any, Any, Any]):
    """Gives the model a tool `write_todos` and says when to use it; the list is in the state under `todos`.

    Several calls of it in one answer are refused, all that wait to be made, as each would replace the list of the
    others.
    """

    state_schema = PlanningState

    def __init__(self, *, system_prompt: str = SYSTEM_PROMPT, tool_description: str = TOOL_DESCRIPTION) -> None:
        self.system_prompt, self.tool_description = system_prompt, tool_description
        self.tools: list[BaseTool] = [
            StructuredTool.from_function(
                write_todos, awrite_todos, name=WRITE_TODOS, description=tool_description, args_schema=WriteTodosInput,
                infer_schema=False,
            )
        ]  # fmt: skip

    def wrap_model_call(
        self, request: ModelRequest, handler: Callable[[ModelRequest], ModelResponse[Any]]
    ) -> ModelCallResult[Any]:
        return handler(self.told(request))

    async def awrap_model_call(
        self, request: ModelRequest, handler: Callable[[ModelRequest], Awaitable[ModelResponse[Any]]]
    ) -> ModelCallResult[Any]:
        return await handler(self.told(request))

    def told(self, request: ModelRequest) -> ModelRequest:
        """The request with what is to be said of the tool after the agent's own system prompt."""
        return request.override(system_message=extended(request.system_message, self.system_prompt))

    def after_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        """Refuse calls that come together."""
        calls = [call for call in pending_calls(state["messages"]) if call["name"] == WRITE_TODOS]
        if len(calls) < 2:
            return None
        return {"messages": [refusal(call, SEVERAL) for call in calls]}

    async def aafter_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        return self.after_model(state, runtime)


def extended(message: SystemMessage | None, text: str) -> SystemMessage:
    """The system message with a text after it; blocks, and what a provider knows of them, stay as they are."""
    if message is None:
        return SystemMessage(text)
    content = message.content
    if isinstance(content, str):
        return message.model_copy(update={"content": f"{content}\n\n{text}"})
    return message.model_copy(update={"content": [*content, {"type": "text", "text": f"\n\n{text}"}]})
