"""`create_agent`: a model that calls tools until it has its answer, with middleware around."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.messages import SystemMessage
from langchain_core.tools import BaseTool

from headrace.agents.graph import Hook, Shape
from headrace.agents.middleware.base import AgentMiddleware, jumps_of
from headrace.agents.model_node import ModelNode, can_bind_tools, describe, has_tools
from headrace.agents.state import AgentState, schemas_of
from headrace.agents.structured_output import as_strategy
from headrace.chat_models import init_chat_model
from headrace.errors import InvalidGraphError
from headrace.graph import StateGraph
from headrace.prebuilt.tool_call import AsyncToolCallWrapper, ToolCallWrapper
from headrace.prebuilt.tool_node import ToolNode, anested, nested
from headrace.types import All, Checkpointer

if TYPE_CHECKING:
    from headrace.cache.base import BaseCache
    from headrace.graph.compiled import CompiledStateGraph

MODEL = "model"


def create_agent(
    model: Any,
    tools: ToolNode | Sequence[BaseTool | Callable[..., Any] | dict[str, Any]] | None = None,
    *,
    system_prompt: str | SystemMessage | None = None,
    middleware: Sequence[AgentMiddleware[Any, Any, Any]] = (),
    response_format: Any = None,
    state_schema: Any = None,
    context_schema: type[Any] | None = None,
    checkpointer: Checkpointer = None,
    store: Any = None,
    interrupt_before: All | list[str] | None = None,
    interrupt_after: All | list[str] | None = None,
    debug: bool = False,
    name: str | None = None,
    cache: BaseCache[Any] | None = None,
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """An agent: a graph that calls the model, then the tools it asks for, and again, until it answers.

    `model`: a chat model, or a name for `init_chat_model` ("openai:gpt-4o-mini"). `tools`: langchain-core tools,
    functions with a docstring, dicts for a provider's own tools; or a `ToolNode`, where errors, timeouts, retries and
    concurrency of tools are set. `system_prompt`: goes before the history, and is not kept in it. `middleware`: see
    `AgentMiddleware`. `response_format`: a schema, or a strategy of `headrace.agents.structured_output`; the object
    is in the state under `structured_response`. `state_schema`: a subclass of `AgentState` with more keys. The other
    arguments are those of `StateGraph` and its `compile`.

    Its nodes are `model`, `tools`, and for each hook of a middleware `<middleware's name>.<hook>`. The tools of one
    answer run at the same time, as a task each. InvalidGraphError with all mistakes that can be seen beforehand.
    """
    chat = init_chat_model(model) if isinstance(model, str) else model
    check(chat, middleware)
    node, own, provided = tools_of(tools, middleware)
    format = as_strategy(response_format)
    message = SystemMessage(system_prompt) if isinstance(system_prompt, str) else system_prompt
    if (own or provided) and not (can_bind_tools(chat) or has_tools(chat)):
        raise InvalidGraphError([f"{describe(chat)} cannot call tools; use a model that has bind_tools()"])
    state, input, output = schemas_of(
        [*(one.state_schema for one in middleware), state_schema or AgentState]
    )
    graph: StateGraph[Any, Any, Any, Any] = StateGraph(
        state, context_schema, input_schema=input, output_schema=output
    )
    wraps, awraps = wrappers(middleware, "wrap_model_call")
    model_node = ModelNode(
        chat, [*own, *provided], system_message=message, response_format=format, name=name, wraps=wraps or (),
        awraps=awraps or (),
    )  # fmt: skip
    graph.add_node(MODEL, in_forms(model_node, wraps is not None, awraps is not None))
    if node is not None:
        graph.add_node(str(node.name), node)
    shape = Shape(
        MODEL,
        node,
        before_agent=hooks(middleware, "before_agent"),
        before_model=hooks(middleware, "before_model"),
        after_model=hooks(middleware, "after_model")[::-1],
        after_agent=hooks(middleware, "after_agent")[::-1],
        retries=format is not None,
    )
    shape.join(graph)
    compiled = graph.compile(
        checkpointer, cache=cache, store=store, interrupt_before=interrupt_before, interrupt_after=interrupt_after,
        debug=debug, name=name,
    )  # fmt: skip
    return configured(compiled, name, None if node is None else node.max_concurrency)


def configured(agent: Any, name: str | None, limit: int | None) -> Any:
    """The agent with what its config says of it: its name, for whoever reads tokens, and how many tools run at a time."""
    config: dict[str, Any] = {}
    if name is not None:
        config["metadata"] = {"lc_agent_name": name}
    if limit is not None:
        config["max_concurrency"] = limit
    return agent.with_config(config) if config else agent


def check(model: Any, middleware: Sequence[AgentMiddleware[Any, Any, Any]]) -> None:
    """InvalidGraphError with what can be seen to be wrong."""
    mistakes = []
    if not hasattr(model, "invoke"):
        mistakes.append(f"an agent needs a chat model or the name of one, got {model!r}")
    names: set[str] = set()
    for one in middleware:
        if isinstance(one, type):
            mistakes.append(f"middleware {one.__name__} is a class; make one: {one.__name__}()")
        elif not isinstance(one, AgentMiddleware):
            mistakes.append(f"{one!r} is no middleware; subclass AgentMiddleware, or decorate a function")
        elif one.name in names:
            mistakes.append(f"two middlewares are called {one.name!r}; give one of them a name of its own")
        else:
            names.add(one.name)
    if mistakes:
        raise InvalidGraphError(mistakes)


def tools_of(
    tools: Any, middleware: Sequence[AgentMiddleware[Any, Any, Any]]
) -> tuple[ToolNode | None, list[BaseTool], list[dict[str, Any]]]:
    """The node for tools, if there are any to call; those tools; and the provider's own ones, which it calls itself."""
    given = [] if tools is None or isinstance(tools, ToolNode) else list(tools)
    provided = [one for one in given if isinstance(one, dict)]
    node = tools if isinstance(tools, ToolNode) else ToolNode([one for one in given if not isinstance(one, dict)])
    added = [tool for one in middleware for tool in one.tools]
    wraps, awraps = wrappers(middleware, "wrap_tool_call")
    if wraps is None or awraps is None:
        wraps, awraps = wraps or (), awraps or ()
    wrap: ToolCallWrapper | None = None
    awrap: AsyncToolCallWrapper | None = None
    for _, one in reversed(wraps):
        wrap = nested(one, wrap)
    for _, one in reversed(awraps):
        awrap = anested(one, awrap)
    if added or wrap or awrap:
        node = node.extended([one for one in added if not isinstance(one, dict)], wrap, awrap)
        provided += [one for one in added if isinstance(one, dict)]
    own = list(node.tools_by_name.values())
    return (node if own or wrap or awrap else None), own, provided


def hooks(middleware: Sequence[AgentMiddleware[Any, Any, Any]], name: str) -> list[Hook]:
    """The nodes of a hook, in the order of the middlewares that have it."""
    found = []
    for one in middleware:
        sync, awaited = one.written(name), one.written(AgentMiddleware.PAIRS[name])
        if sync is not None or awaited is not None:
            found.append(Hook(f"{one.name}.{name}", sync, awaited, jumps_of(sync, awaited)))
    return found


def wrappers(
    middleware: Sequence[AgentMiddleware[Any, Any, Any]], name: str
) -> tuple[list[tuple[str, Any]] | None, list[tuple[str, Any]] | None]:
    """The wrappers in their sync and in their async forms; None for a form that not all of them have.

    InvalidGraphError if neither form is complete.
    """
    having = [one for one in middleware if one.written(name) or one.written(AgentMiddleware.PAIRS[name])]
    sync = [(f"{one.name}.{name}", one.written(name)) for one in having]
    awaited = [(f"{one.name}.a{name}", one.written(AgentMiddleware.PAIRS[name])) for one in having]
    only_async = [who for who, wrap in sync if wrap is None]
    only_sync = [who for who, wrap in awaited if wrap is None]
    if only_async and only_sync:
        raise InvalidGraphError([
            f"{only_sync[0]} and {only_async[0]} are both missing, so the agent can run neither sync nor async; "
            "write one of them"
        ])  # fmt: skip
    return (None if only_async else sync), (None if only_sync else awaited)


def in_forms(node: ModelNode, sync: bool, awaited: bool) -> Any:
    """The node as a function where only one form can be used: a sync one gets a thread under asyncio."""
    if sync and awaited:
        return node
    return (lambda state: node.invoke(state)) if sync else acall(node)


def acall(node: ModelNode) -> Any:
    async def call(state: Any) -> Any:
        return await node.ainvoke(state)

    return call
