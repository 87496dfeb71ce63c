"""`create_react_agent`: the agent of older code, with a prompt and two hooks in place of middleware.

It is made of the same parts as `headrace.agents.create_agent`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from pydantic import BaseModel
from typing_extensions import NotRequired, TypedDict

from headrace.agents.create import check_tools, configured, model_of, replaces_messages, tools_of
from headrace.agents.forms import node_of
from headrace.agents.graph import Hook, Shape
from headrace.agents.model_node import ModelNode
from headrace.agents.request import ModelRequest, ModelResponse
from headrace.config import get_config
from headrace.engine.program import is_async, wanted
from headrace.errors import InvalidGraphError
from headrace.graph import StateGraph
from headrace.graph.schema import hints, keys_of, value_of
from headrace.managed import RemainingSteps
from headrace.messages import add_messages
from headrace.prebuilt.tool_node import ToolNode
from headrace.runtime import get_runtime
from headrace.types import All, Checkpointer

if TYPE_CHECKING:
    from headrace.graph.compiled import CompiledStateGraph

StructuredResponse: TypeAlias = "dict[str, Any] | BaseModel"
StateSchemaType: TypeAlias = type[Any]
Prompt: TypeAlias = "SystemMessage | str | Callable[..., Any] | Runnable[Any, Any]"

AGENT, BEFORE, AFTER, STRUCTURED = "agent", "pre_model_hook", "post_model_hook", "generate_structured_response"
INSTEAD = "llm_input_messages"
"""A key that `pre_model_hook` may write: messages that go to the model in place of the history."""

OUT_OF_STEPS = "I could not finish this within the number of steps that I was given."


class AgentState(TypedDict):
    """The state of the agent."""

    messages: Annotated[list[AnyMessage], add_messages]
    remaining_steps: NotRequired[RemainingSteps]
    """Super-steps until the recursion limit; filled in by the engine."""


class AgentStatePydantic(BaseModel):
    """The same as a Pydantic model."""

    messages: Annotated[list[AnyMessage], add_messages]
    remaining_steps: RemainingSteps = 25


class AgentStateWithStructuredResponse(AgentState):
    """The state of an agent with a `response_format`."""

    structured_response: NotRequired[StructuredResponse]


def create_react_agent(
    model: str | Runnable[Any, Any] | Callable[..., Any],
    tools: ToolNode | Sequence[BaseTool | Callable[..., Any] | dict[str, Any]],
    *,
    prompt: Prompt | None = None,
    response_format: Any = None,
    pre_model_hook: Any = None,
    post_model_hook: Any = None,
    state_schema: StateSchemaType | None = None,
    context_schema: type[Any] | None = None,
    checkpointer: Checkpointer = None,
    store: Any = None,
    interrupt_before: All | list[str] | None = None,
    interrupt_after: All | list[str] | None = None,
    debug: bool = False,
    version: Literal["v1", "v2"] = "v2",
    name: str | None = None,
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """An agent whose nodes are `agent` and `tools`; new code may prefer `headrace.agents.create_agent`.

    `model`: a chat model, the name of one, or a function of state and runtime that returns one. `prompt`: a text or
    `SystemMessage` that goes before the history, or a function or runnable that makes the model's input of the state.
    `response_format`: a schema, or a pair of a prompt and a schema; one more call of the model makes the object, in
    node `generate_structured_response`. `pre_model_hook`: a node before the model; it may write `llm_input_messages`
    for the model alone, or change `messages`. `post_model_hook`: a node after the model. `version`: "v2" makes a task
    of each tool call, "v1" one task of all calls of an answer.
    """
    if version not in ("v1", "v2"):
        raise ValueError(f"unknown version {version!r} of the agent; there are 'v1' and 'v2'")
    dynamic = is_dynamic(model)
    chat = None if dynamic else model_of(model)
    found = tools_of(tools)
    if chat is not None:
        check_tools(chat, found.shown)
    schema = state_schema or (AgentState if response_format is None else AgentStateWithStructuredResponse)
    check_schema(schema, response_format is not None)
    graph: StateGraph[Any, Any, Any, Any] = StateGraph(schema, context_schema)
    shape = Shape(
        AGENT,
        found.node,
        before_model=[] if pre_model_hook is None else [Hook(BEFORE, pre_model_hook)],
        after_model=[] if post_model_hook is None else [Hook(AFTER, post_model_hook)],
        after_agent=[] if response_format is None else [Hook(STRUCTURED, structured(model, response_format))],
        fan_out=version == "v2",
    )
    wraps, awraps = layers(model if dynamic else None, prompt, shape.direct)
    model_node = ModelNode(
        chat, found.shown, name=name, wraps=wraps or (), awraps=awraps,
        source=INSTEAD if pre_model_hook is not None else "messages", has_tools=found.node is not None,
        mends=replaces_messages(schema),
    )  # fmt: skip
    action = node_of(None if wraps is None else model_node.turn, model_node.aturn)
    graph.add_node(AGENT, action, input_schema=with_instead(schema) if pre_model_hook is not None else None)
    shape.join(graph)
    compiled = graph.compile(
        checkpointer, store=store, interrupt_before=interrupt_before, interrupt_after=interrupt_after, debug=debug,
        name=name,
    )  # fmt: skip
    return configured(compiled, name, None if found.node is None else found.node.max_concurrency)


def is_dynamic(model: Any) -> bool:
    """Whether it is a function that chooses the model."""
    return callable(model) and not isinstance(model, Runnable)


def check_schema(schema: Any, structured: bool) -> None:
    """InvalidGraphError for a state without the keys that the agent writes."""
    keys = keys_of(schema)
    needed = ["messages", *(["structured_response"] if structured else [])]
    missing = [key for key in needed if key not in keys]
    if missing:
        raise InvalidGraphError([f"the agent's state {schema.__name__} needs a key {missing[0]!r}"])


def with_instead(schema: Any) -> Any:
    """The input of the model's node: the state, and messages that may stand in for the history."""
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        return type(schema.__name__, (schema,), {"__annotations__": {INSTEAD: list[Any]}, INSTEAD: []})
    return TypedDict(schema.__name__, {**hints(schema), INSTEAD: list[Any]})  # type: ignore[operator]


def layers(model: Any, prompt: Any, direct: frozenset[str]) -> tuple[list[Any] | None, list[Any]]:
    """What wraps the model's call, outermost first, in both forms; no sync ones if something is only async."""
    wraps: list[tuple[str, Any]] = [("remaining_steps", lambda request, call: bounded(request, call(request), direct))]
    awraps: list[tuple[str, Any]] = [("remaining_steps", abounded(direct))]
    only_async = False
    for who, given, changed in (("model", model, with_model), ("prompt", prompt, with_prompt)):
        if given is None:
            continue
        value, avalue = valued(given, who)
        only_async = only_async or value is None
        wraps.append((who, layer(value, changed)))
        awraps.append((who, alayer(avalue, changed)))
    return (None if only_async else wraps), awraps


def layer(value: Any, changed: Callable[[ModelRequest, Any], ModelRequest]) -> Any:
    return lambda request, call: call(changed(request, value(request)))


def alayer(avalue: Any, changed: Callable[[ModelRequest, Any], ModelRequest]) -> Any:
    async def awrap(request: ModelRequest, call: Any) -> Any:
        return await call(changed(request, await avalue(request)))

    return awrap


def valued(given: Any, who: str) -> tuple[Any, Any]:
    """How a prompt or model is made for a request, sync and async."""
    if isinstance(given, (str, SystemMessage)):
        fixed = SystemMessage(given) if isinstance(given, str) else given
        return lambda request: fixed, asynchronous(lambda request: fixed)
    if isinstance(given, Runnable):
        return lambda request: given.invoke(request.state), lambda request: given.ainvoke(request.state)
    if not callable(given):
        raise InvalidGraphError([f"{who} must be a text, a message, a function or a runnable, got {given!r}"])
    call = called(given, who)
    return (None, call) if is_async(given) else (call, asynchronous(call))


def called(function: Any, who: str) -> Any:
    """A call of the user's function with what it asks for: state, then runtime for a model, config by name."""
    if who == "model":
        return lambda request: function(request.state, request.runtime)
    wants = wanted(function, frozenset({"config", "runtime", "store"}))
    if not wants:
        return lambda request: function(request.state)
    give: dict[str, Callable[[], Any]] = {
        "config": get_config,
        "runtime": get_runtime,
        "store": lambda: get_runtime().store,
    }
    return lambda request: function(request.state, **{name: give[name]() for name in wants})


def asynchronous(function: Any) -> Any:
    async def call(request: ModelRequest) -> Any:
        return function(request)

    return call


def with_model(request: ModelRequest, model: Any) -> ModelRequest:
    return request.override(model=model_of(model))


def with_prompt(request: ModelRequest, prompt: Any) -> ModelRequest:
    """The request with what a prompt made of the state."""
    if isinstance(prompt, SystemMessage):
        return request.override(system_message=prompt)
    if isinstance(prompt, PromptValue):
        return request.override(messages=prompt.to_messages())
    if isinstance(prompt, str):
        return request.override(messages=[HumanMessage(prompt)])
    return request.override(messages=[prompt] if isinstance(prompt, BaseMessage) else list(prompt))


def bounded(request: ModelRequest, response: ModelResponse[Any], direct: frozenset[str]) -> ModelResponse[Any]:
    """The response; where the steps left do not reach for its tool calls, a message that says so."""
    found, left = value_of(request.state, "remaining_steps")
    message = response.result[0] if response.result else None
    if not found or not isinstance(message, AIMessage) or not message.tool_calls:
        return response
    needed = 1 if all(call["name"] in direct for call in message.tool_calls) else 2
    return response if left >= needed else replace(response, result=[AIMessage(OUT_OF_STEPS, id=message.id)])


def abounded(direct: frozenset[str]) -> Any:
    async def awrap(request: ModelRequest, call: Any) -> Any:
        return bounded(request, await call(request), direct)

    return awrap


def structured(model: Any, response_format: Any) -> Any:
    """The node that makes the object out of the finished conversation."""
    prompt, schema = response_format if isinstance(response_format, tuple) else (None, response_format)

    def asked(state: Any) -> list[Any]:
        messages = value_of(state, "messages")[1]
        return messages if prompt is None else [SystemMessage(prompt), *messages]

    def bound(chosen: Any) -> Any:
        return model_of(chosen).with_structured_output(schema)

    def call(state: Any) -> Any:
        chosen = model(state, get_runtime()) if dynamic else model
        return {"structured_response": bound(chosen).invoke(asked(state))}

    async def acall(state: Any) -> Any:
        chosen = model(state, get_runtime()) if dynamic else model
        chosen = await chosen if inspect.isawaitable(chosen) else chosen
        return {"structured_response": await bound(chosen).ainvoke(asked(state))}

    dynamic = is_dynamic(model)
    return node_of(None if dynamic and is_async(model) else call, acall)


__all__ = [
    "AgentState", "AgentStatePydantic", "AgentStateWithStructuredResponse", "StateSchemaType",
    "StructuredResponse", "create_react_agent",
]  # fmt: skip
