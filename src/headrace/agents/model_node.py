"""The node that calls the model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, RemoveMessage, SystemMessage
from langchain_core.runnables import RunnableBinding, RunnableSequence
from langchain_core.tools import BaseTool

from headrace.agents.history import identified, refused, repaired, without_tools
from headrace.agents.middleware.withhold import withheld
from headrace.agents.request import ModelRequest, ModelResponse, Outcome, alayered, layered
from headrace.agents.structured_output import Effective, ProviderStrategy, ResponseFormat, ToolStrategy, effective, read
from headrace.agents.watch import Watch, called_as, watching
from headrace.errors import InvalidModelError
from headrace.graph.schema import value_of
from headrace.messages import REMOVE_ALL_MESSAGES
from headrace.messages.around import unheard
from headrace.runtime import get_runtime

Wrap = tuple[str, Callable[..., Any]]
"""A wrapper of model calls, with the name of who brought it."""


class Bound(NamedTuple):
    """A model ready to be called: with the arguments bound to it, and its strategy for structured output."""

    model: Any
    arguments: dict[str, Any]
    strategy: Effective | None


class ModelNode:
    """Calls the model with the history, through the wrappers, and makes an update of its answer.

    One call of the model per turn: the request is made anew, the binding of tools only when they change.
    """

    def __init__(
        self,
        model: Any,
        tools: Sequence[BaseTool | dict[str, Any]],
        *,
        system_message: SystemMessage | None = None,
        response_format: ResponseFormat[Any] | None = None,
        name: str | None = None,
        wraps: Sequence[Wrap] = (),
        awraps: Sequence[Wrap] = (),
        source: str = "messages",
        has_tools: bool = True,
        mends: bool = True,
    ) -> None:
        self.model = model
        self.tools = list(tools)
        self.system_message = system_message
        self.response_format = response_format
        self.name = name
        self.source = source
        """A key of the state whose messages, if it has any, go to the model in place of the history."""
        self.has_tools = has_tools
        """Whether there is a node that makes the calls."""
        self.outside = frozenset(names_outside(self.tools))
        """Tools whose calls are made by somebody else: the provider, or the caller of the agent."""
        self.mends = mends
        """Whether the state's `messages` can be replaced, to mend them; else they are mended for the model alone."""
        self.made: Bound | None = None
        """The model bound to the agent's own tools."""
        self.wrapped = bool(wraps or awraps)
        self.run: Callable[[ModelRequest], Outcome] = self.call
        for who, wrap in reversed(wraps):
            self.run = layered(wrap, self.run, who)
        self.arun: Callable[[ModelRequest], Awaitable[Outcome]] = self.acall
        for who, wrap in reversed(awraps):
            self.arun = alayered(wrap, self.arun, who)

    def turn(self, state: Any) -> Any:
        """The model's turn."""
        mended, request = self.request(state)
        return self.update(self.run(request), mended)

    async def aturn(self, state: Any) -> Any:
        """`turn` for asyncio."""
        mended, request = self.request(state)
        return self.update(await self.arun(request), mended)

    def request(self, state: Any) -> tuple[list[Any] | None, ModelRequest]:
        """What goes to the model; and the whole history, if calls without an answer had to be mended in it."""
        messages = value_of(state, "messages")[1] or []
        instead = value_of(state, self.source)[1] if self.source != "messages" else None
        mended = repaired(messages)
        request = ModelRequest(
            model=self.model,
            messages=instead or cast("Any", mended) or messages,
            system_message=self.system_message,
            tools=self.tools,
            response_format=self.response_format,
            state=state,
            runtime=get_runtime() if self.wrapped else None,
        )
        return mended, request

    def call(self, request: ModelRequest) -> Outcome:
        """The innermost of the wrappers: the call itself."""
        model, arguments, strategy = self.bound(request)
        watch, config = watching(model, arguments, strategy)
        output = model.invoke(prompt_of(request), config, **arguments)
        return self.outcome(output, request, strategy, watch)

    async def acall(self, request: ModelRequest) -> Outcome:
        model, arguments, strategy = self.bound(request)
        with unheard(model):
            watch, config = watching(model, arguments, strategy)
            output = await model.ainvoke(prompt_of(request), config, **arguments)
        return self.outcome(output, request, strategy, watch)

    def bound(self, request: ModelRequest) -> Bound:
        """The model with the request's tools and settings. The agent's own are bound once."""
        plain = (
            request.model is self.model
            and request.tools is self.tools
            and request.response_format is self.response_format
            and request.tool_choice is None
            and not request.model_settings
        )
        if not plain:
            return unwrapped(*bind(request))
        if self.made is None:
            self.made = unwrapped(*bind(request))
        return self.made

    def outcome(self, output: Any, request: ModelRequest, strategy: Effective | None, watch: Watch) -> Outcome:
        """What the model's answer comes to: with it, the answers to calls that are not for tools."""
        if not isinstance(output, AIMessage):
            raise InvalidModelError(f"the agent's model returned {output!r}; a model returns an AIMessage")
        message = identified(watch.completed(output))
        if self.name is not None:
            message = message.model_copy(update={"name": self.name})
        reading = read(strategy, message, request.messages)
        if reading.value is not None:
            watch.tell_whole(named(strategy, message), reading.value, message.id)
        answers = [*reading.answers, *refused(message, reading.answers)]
        if not self.has_tools:
            answers += without_tools(message, answers, self.outside)
        return Outcome(ModelResponse([message, *answers], reading.value))

    def update(self, outcome: Outcome, mended: list[Any] | None) -> Any:
        """The update of the state."""
        messages: list[Any] = outcome.response.result
        if mended is not None and self.mends:
            messages = [withheld(RemoveMessage(REMOVE_ALL_MESSAGES)), *map(withheld, mended), *messages]
        update: dict[str, Any] = {"messages": messages}
        if self.response_format is not None or outcome.response.structured_response is not None:
            update["structured_response"] = outcome.response.structured_response
        return [update, *outcome.commands] if outcome.commands else update


def prompt_of(request: ModelRequest) -> list[Any]:
    """The messages with the system message first."""
    return request.messages if request.system_message is None else [request.system_message, *request.messages]


def named(strategy: Effective | None, message: AIMessage) -> str:
    """The name of the schema that the object in a message has."""
    if isinstance(strategy, ProviderStrategy):
        return strategy.schema_spec.name
    assert isinstance(strategy, ToolStrategy)
    names = {spec.name for spec in strategy.schema_specs}
    return next(call["name"] for call in message.tool_calls if call["name"] in names)


def bind(request: ModelRequest) -> tuple[Any, Effective | None]:
    """A model with tools, output schema and settings bound."""
    if not hasattr(request.model, "invoke"):
        raise InvalidModelError(
            f"the request's model is {request.model!r}; a wrapper overrides it with a chat model, such as "
            "init_chat_model makes of a name"
        )
    strategy = effective(request.response_format, request.model)
    tools, settings = list(request.tools), dict(request.model_settings)
    choice = request.tool_choice
    if isinstance(strategy, ProviderStrategy):
        settings.update(strategy.to_model_kwargs())
    elif strategy is not None:
        tools += [spec.as_tool() for spec in strategy.schema_specs]
        choice = "any" if choice is None else choice
    if not tools or has_tools(request.model):
        return (request.model.bind(**settings) if settings else request.model), strategy
    if not can_bind_tools(request.model):
        raise InvalidModelError(f"{describe(request.model)} cannot call tools; use a model that has bind_tools()")
    if choice is not None:
        settings["tool_choice"] = choice
    return request.model.bind_tools(tools, **settings), strategy


def unwrapped(model: Any, strategy: Effective | None) -> Bound:
    """The model out of a binding that adds nothing but arguments: calling that would merge the config for nothing."""
    if called_as(RunnableBinding, model) and not model.config and not model.config_factories:
        return Bound(model.bound, dict(model.kwargs), strategy)
    return Bound(model, {}, strategy)


def names_outside(tools: Sequence[Any]) -> list[str]:
    """The names of those tools that are not called here, but by the provider or the agent's caller: they are dicts."""
    return [str(one.get("name") or one.get("function", {}).get("name")) for one in tools if isinstance(one, dict)]


def has_tools(model: Any) -> bool:
    """Whether tools were bound to a model before."""
    if isinstance(model, RunnableSequence):
        return any(has_tools(step) for step in model.steps)
    return isinstance(model, RunnableBinding) and "tools" in model.kwargs


def can_bind_tools(model: Any) -> bool:
    """Whether a model takes tools."""
    if isinstance(model, BaseChatModel):
        return type(model).bind_tools is not BaseChatModel.bind_tools
    return hasattr(model, "bind_tools")


def describe(model: Any) -> str:
    """A model in an error."""
    return f"the model {type(model).__name__}"
