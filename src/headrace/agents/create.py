"""`create_agent`: a model that calls tools until it has its answer, with middleware around."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, get_args

from langchain_core.language_models import BaseChatModel, BaseLanguageModel
from langchain_core.messages import SystemMessage
from langchain_core.tools import BaseTool

from headrace.agents.forms import hook_node, node_of
from headrace.agents.graph import Hook, Shape
from headrace.agents.middleware.base import AgentMiddleware, jumps_of, unknown_tools
from headrace.agents.model_node import ModelNode, can_bind_tools, describe, has_tools, names_outside
from headrace.agents.state import AgentState, JumpTo, schemas_of
from headrace.agents.structured_output import ToolStrategy, as_strategy, effective
from headrace.chat_models import init_chat_model
from headrace.config import RunnableConfig
from headrace.errors import InvalidGraphError
from headrace.graph import StateGraph
from headrace.graph.schema import keys_of
from headrace.messages import add_messages
from headrace.messages.reducer import MessagesReducer
from headrace.prebuilt.tool_node import ToolNode, nested
from headrace.types import All, Checkpointer

if TYPE_CHECKING:
    from headrace.cache.base import BaseCache
    from headrace.graph.compiled import CompiledStateGraph

MODEL = "model"

Agent: TypeAlias = "CompiledStateGraph[Any, Any, Any, Any]"


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
) -> Agent:
    """An agent: a graph that calls the model, then the tools it asks for, and again, until it answers.

    `model`: a chat model, or a name for `init_chat_model` ("openai:gpt-4o-mini"). `tools`: langchain-core tools,
    functions with a docstring, dicts for a provider's own tools; or a `ToolNode`, where errors, timeouts, retries and
    concurrency of tools are set. `system_prompt`: goes before the history, and is not kept in it. `middleware`: see
    `AgentMiddleware`. `response_format`: a schema, or a strategy of `headrace.agents.structured_output`; the object
    is in the state under `structured_response`. `state_schema`: a TypedDict with more keys than `AgentState`. The other
    arguments are those of `StateGraph` and its `compile`.

    Its nodes are `model`, `tools`, and for each hook of a middleware `<middleware's name>.<hook>`. The tools of one
    answer run at the same time, as a task each. InvalidGraphError with all mistakes that can be seen beforehand.
    """
    middleware = checked(middleware)
    chat, found, format = model_of(model), tools_of(tools, middleware), as_strategy(response_format)
    check_names(middleware, found)
    check_tools(chat, [*found.shown, *output_tools(format, chat, found.own)])
    schemas = [AgentState, *(one.state_schema for one in middleware), *([state_schema] if state_schema else [])]
    state, input, output = schemas_of(schemas)
    graph: StateGraph[Any, Any, Any, Any] = StateGraph(state, context_schema, input_schema=input, output_schema=output)
    wraps, awraps = wrappers(middleware, "wrap_model_call")
    node = ModelNode(
        chat, found.shown, system_message=prompt_of(system_prompt), response_format=format, name=name,
        wraps=wraps or (), awraps=awraps or (), has_tools=found.node is not None, mends=replaces_messages(state),
    )  # fmt: skip
    graph.add_node(MODEL, node_of(None if wraps is None else node.turn, None if awraps is None else node.aturn))
    shape_of(found.node, middleware, retries=format is not None or bool(wraps or awraps)).join(graph)
    agent = graph.compile(
        checkpointer, cache=cache, store=store, interrupt_before=interrupt_before, interrupt_after=interrupt_after,
        debug=debug, name=name,
    )  # fmt: skip
    return configured(agent, name, None if found.node is None else found.node.max_concurrency)


def shape_of(tools: ToolNode | None, middleware: Sequence[AgentMiddleware[Any, Any, Any]], *, retries: bool) -> Shape:
    """The agent's nodes: what comes after the model runs in the reverse order of the middlewares."""
    return Shape(
        MODEL,
        tools,
        before_agent=hooks(middleware, "before_agent"),
        before_model=hooks(middleware, "before_model"),
        after_model=hooks(middleware, "after_model")[::-1],
        after_agent=hooks(middleware, "after_agent")[::-1],
        retries=retries,
    )


def replaces_messages(state: Any) -> bool:
    """Whether the reducer of the state's `messages` is ours, which can replace the history."""
    channel = keys_of(state)["messages"]
    reducer = getattr(channel, "operator", None)
    return reducer is add_messages or isinstance(reducer, MessagesReducer)


def configured(agent: Agent, name: str | None, limit: int | None) -> Agent:
    """The agent with its name, for whoever reads tokens, and with how many tools run at a time."""
    config: RunnableConfig = {}
    if name is not None:
        config["metadata"] = {"lc_agent_name": name}
    if limit is not None:
        config["max_concurrency"] = limit
    return agent.with_config(config) if config else agent


def model_of(model: Any) -> Any:
    """The chat model that is meant: itself, or the one of this name."""
    if isinstance(model, str):
        return init_chat_model(model)
    if isinstance(model, type) or not hasattr(model, "invoke"):
        raise InvalidGraphError([f"an agent needs a chat model or the name of one, got {model!r}"])
    if isinstance(model, BaseLanguageModel) and not isinstance(model, BaseChatModel):
        raise InvalidGraphError([f"{describe(model)} completes texts; an agent needs a chat model"])
    return model


def check_names(middleware: Sequence[AgentMiddleware[Any, Any, Any]], tools: Tools) -> None:
    """InvalidGraphError for a middleware that speaks of a tool that is not there: it would guard nothing."""
    known = [*(tool.name for tool in tools.own), *names_outside(tools.provided)]
    mistakes = [mistake for one in middleware for mistake in unknown_tools(one, known)]
    if mistakes:
        raise InvalidGraphError(mistakes)


def check_tools(model: Any, tools: Sequence[Any]) -> None:
    """InvalidGraphError for a model that cannot call tools where there are some."""
    if tools and not (can_bind_tools(model) or has_tools(model)):
        raise InvalidGraphError([f"{describe(model)} cannot call tools; use a model that has bind_tools()"])


def prompt_of(system_prompt: Any) -> SystemMessage | None:
    """The system message that is meant."""
    message = SystemMessage(system_prompt) if isinstance(system_prompt, str) else system_prompt
    if message is not None and not isinstance(message, SystemMessage):
        raise InvalidGraphError([
            f"system_prompt is a text or a SystemMessage, got {system_prompt!r}; for one that depends on the state use "
            "the middleware dynamic_prompt"
        ])  # fmt: skip
    return message


def output_tools(format: Any, model: Any, tools: Sequence[BaseTool]) -> list[str]:
    """The tools that the model calls to give its answer as an object; InvalidGraphError if one has a tool's name."""
    strategy = effective(format, model)
    names = [spec.name for spec in strategy.schema_specs] if isinstance(strategy, ToolStrategy) else []
    taken = [tool.name for tool in tools if tool.name in names]
    if taken:
        raise InvalidGraphError([
            f"the response_format {taken[0]!r} has the name of a tool, so a call may mean either; rename one of them"
        ])  # fmt: skip
    return names


def checked(middleware: Any) -> list[AgentMiddleware[Any, Any, Any]]:
    """The middlewares; InvalidGraphError with what can be seen to be wrong with them."""
    if isinstance(middleware, (AgentMiddleware, type)) or not isinstance(middleware, Iterable):
        raise InvalidGraphError([f"middleware is a list of middlewares, got {middleware!r}"])
    given = list(middleware)
    mistakes = []
    names: set[str] = set()
    for one in given:
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
    return given


class Tools(NamedTuple):
    """An agent's tools."""

    node: ToolNode | None
    """None: there is nothing to call."""
    own: list[BaseTool]
    provided: list[dict[str, Any]]
    """The provider's own tools, which it calls itself."""

    @property
    def shown(self) -> list[Any]:
        """What the model is told of."""
        return [*self.own, *self.provided]


def tools_of(tools: Any, middleware: Sequence[AgentMiddleware[Any, Any, Any]] = ()) -> Tools:
    """The tools given and those that middleware brings, with its wrappers around them."""
    node = tools if isinstance(tools, ToolNode) else None
    if node is None and tools is not None and (isinstance(tools, (BaseTool, dict)) or callable(tools)):
        raise InvalidGraphError([f"tools is a list of tools, or a ToolNode, got {tools!r}"])
    if node is not None and node.messages_key != "messages":
        raise InvalidGraphError([
            f"the ToolNode has messages_key={node.messages_key!r}, but an agent keeps its history under 'messages'"
        ])  # fmt: skip
    given: list[Any] = [
        *(() if tools is None or node is not None else tools),
        *(tool for one in middleware for tool in one.tools),
    ]
    provided = [one for one in given if isinstance(one, dict)]
    called = [one for one in given if not isinstance(one, dict)]
    wraps, awraps = wrappers(middleware, "wrap_tool_call")
    wrap = functools.reduce(nested, [one for _, one in wraps or ()], None)
    awrap = functools.reduce(nested, [one for _, one in awraps or ()], None)
    node = (node or ToolNode([])).extended(called, wrap, awrap)
    own = list(node.tools_by_name.values())
    return Tools(node if own or wrap or awrap else None, own, provided)


def hooks(middleware: Sequence[AgentMiddleware[Any, Any, Any]], name: str) -> list[Hook]:
    """The nodes of a hook, in the order of the middlewares that have it."""
    found = []
    for one in middleware:
        sync, awaited = one.written(name), one.written(AgentMiddleware.PAIRS[name])
        if sync is not None or awaited is not None:
            node, jumps = f"{one.name}.{name}", jumps_of(sync, awaited)
            unknown = [jump for jump in jumps if jump not in get_args(JumpTo)]
            if unknown:
                raise InvalidGraphError([
                    f"{node} announces a jump to {unknown[0]!r}; a hook may jump to 'model', 'tools' or 'end'"
                ])  # fmt: skip
            found.append(Hook(node, hook_node(node, sync, awaited, jumps), jumps, one.trace_policy))
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
