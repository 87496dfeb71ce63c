"""What goes to a model and what comes back, as middleware sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeAlias

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, SystemMessage
from langchain_core.tools import BaseTool
from typing_extensions import Self, TypeVar

from headrace.types import Command

if TYPE_CHECKING:
    from headrace.runtime import Runtime

ResponseT = TypeVar("ResponseT", default=Any)


class ModelRequest:
    """One call of the agent's model. Change it with `override` and pass that to the handler."""

    def __init__(
        self,
        *,
        model: Any,
        messages: list[AnyMessage],
        system_message: SystemMessage | None = None,
        system_prompt: str | None = None,
        tool_choice: Any = None,
        tools: Sequence[BaseTool | dict[str, Any]] | None = None,
        response_format: Any = None,
        state: Any = None,
        runtime: Runtime[Any] | None = None,
        model_settings: dict[str, Any] | None = None,
    ) -> None:
        self.model = model
        self.messages = messages
        """The history; the system message is not in it."""
        self.system_message = chosen_prompt(system_message, system_prompt)
        self.tool_choice = tool_choice
        self.tools = [] if tools is None else tools
        """Tools, and dicts for a provider's own ones."""
        self.response_format = response_format
        """The strategy for structured output, see `headrace.agents.structured_output`."""
        self.state: Any = {} if state is None else state
        """The agent's state; not to be written to."""
        self.runtime = runtime
        self.model_settings = {} if model_settings is None else model_settings
        """Further keyword arguments for the model's call."""

    @property
    def system_prompt(self) -> str | None:
        """The system message's text."""
        return None if self.system_message is None else self.system_message.text

    def override(self, **changes: Any) -> Self:
        """A copy with these fields changed. TypeError for a field that there is not."""
        prompt = changes.pop("system_prompt", None)
        if prompt is not None:
            changes["system_message"] = chosen_prompt(changes.get("system_message"), prompt)
        other = copy(self)
        for name, value in changes.items():
            if name not in vars(other):
                raise TypeError(f"a model request has no {name!r}; it has: {', '.join(vars(other))}")
            setattr(other, name, value)
        return other

    def __repr__(self) -> str:
        return f"ModelRequest({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


def chosen_prompt(message: SystemMessage | None, text: str | None) -> SystemMessage | None:
    """The system message that is meant; ValueError for two at once."""
    if message is not None and text is not None:
        raise ValueError("pass system_message or system_prompt, not both")
    return SystemMessage(text) if text is not None else message


@dataclass
class ModelResponse(Generic[ResponseT]):
    """What a call of the model came to."""

    result: list[BaseMessage] = field(default_factory=list)
    """The model's message; with structured output also the messages that answer its calls."""
    structured_response: ResponseT | None = None


@dataclass
class ExtendedModelResponse(Generic[ResponseT]):
    """A response together with a command: its update goes into the state beside the response."""

    model_response: ModelResponse[ResponseT]
    command: Command[Any] | None = None


ModelCallResult: TypeAlias = ModelResponse[ResponseT] | AIMessage | ExtendedModelResponse[ResponseT]
"""What a wrapper of model calls may return."""

Handler: TypeAlias = Callable[[ModelRequest], ModelResponse[Any]]
AsyncHandler: TypeAlias = Callable[[ModelRequest], Awaitable[ModelResponse[Any]]]


@dataclass(frozen=True)
class Outcome:
    """A response, and the commands of all wrappers that had a part in it."""

    response: ModelResponse[Any]
    commands: tuple[Command[Any], ...] = ()


def outcome_of(answer: Any, inner: Outcome | None, who: str) -> Outcome:
    """What a wrapper's answer means; `inner` is what its last call of the handler came to."""
    commands = () if inner is None else inner.commands
    if isinstance(answer, AIMessage):
        return Outcome(ModelResponse([answer]), commands)
    if isinstance(answer, ModelResponse):
        return Outcome(answer, commands)
    if isinstance(answer, ExtendedModelResponse):
        if answer.command is not None:
            if answer.command.goto or answer.command.graph or answer.command.resume is not None:
                raise ValueError(f"{who}: a model response's command can only update, got {answer.command!r}")
            commands = (*commands, answer.command)
        return Outcome(answer.model_response, commands)
    raise TypeError(f"{who} returned {answer!r}; a wrapper of model calls returns a ModelResponse or an AIMessage")


def layered(wrap: Any, inner: Callable[[ModelRequest], Outcome], who: str) -> Callable[[ModelRequest], Outcome]:
    """A wrapper around calls of the model."""

    def run(request: ModelRequest) -> Outcome:
        last: Outcome | None = None

        def handler(changed: ModelRequest) -> ModelResponse[Any]:
            nonlocal last
            last = inner(changed)
            return last.response

        return outcome_of(wrap(request, handler), last, who)

    return run


def alayered(
    wrap: Any, inner: Callable[[ModelRequest], Awaitable[Outcome]], who: str
) -> Callable[[ModelRequest], Awaitable[Outcome]]:
    """The same for asyncio."""

    async def run(request: ModelRequest) -> Outcome:
        last: Outcome | None = None

        async def handler(changed: ModelRequest) -> ModelResponse[Any]:
            nonlocal last
            last = await inner(changed)
            return last.response

        return outcome_of(await wrap(request, handler), last, who)

    return run
