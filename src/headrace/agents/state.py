"""The state of an agent, and what of it is input and output."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from operator import getitem
from typing import Annotated, Any, Generic, Literal, TypeAlias, get_origin

from langchain_core.messages import AnyMessage
from typing_extensions import NotRequired, Required, TypedDict, TypeVar, get_type_hints, is_typeddict

from headrace.channels import EphemeralValue
from headrace.errors import InvalidGraphError
from headrace.graph.schema import unwrapped
from headrace.messages import add_messages

JumpTo: TypeAlias = Literal["tools", "model", "end"]
"""Where a hook may lead to instead of the next node."""

ResponseT = TypeVar("ResponseT", default=Any)


@dataclass(frozen=True)
class OmitFromSchema:
    """Marks a key of the state that is no input, or no output: `Annotated[int, OmitFromSchema(input=True)]`."""

    input: bool = True
    output: bool = True


OmitFromInput = OmitFromSchema(input=True, output=False)
"""A caller cannot set the key."""
OmitFromOutput = OmitFromSchema(input=False, output=True)
"""A caller does not get the key."""
PrivateStateAttr = OmitFromSchema(input=True, output=True)
"""Only nodes see the key."""


class AgentState(TypedDict, Generic[ResponseT]):
    """What every agent keeps; subclass it to keep more."""

    messages: Required[Annotated[list[AnyMessage], add_messages]]
    jump_to: NotRequired[Annotated[JumpTo | None, EphemeralValue, PrivateStateAttr]]
    """Set by a hook: where the run goes next, for one step."""
    structured_response: NotRequired[Annotated[ResponseT, OmitFromInput]]
    """The last answer as an object, for an agent with a `response_format`; None while there is none."""


class InputAgentState(TypedDict):
    """What an agent is called with."""

    messages: Required[Annotated[list[AnyMessage | dict[str, Any]], add_messages]]


class OutputAgentState(TypedDict, Generic[ResponseT]):
    """What an agent returns."""

    messages: Required[Annotated[list[AnyMessage], add_messages]]
    structured_response: NotRequired[ResponseT]


def schemas_of(parts: Iterable[Any]) -> tuple[Any, Any, Any]:
    """State, input and output of an agent, out of the state schemas of all who have a part in it; a later one wins."""
    fields: dict[str, Any] = {}
    for part in dict.fromkeys(get_origin(part) or part for part in parts):
        if not is_typeddict(part):
            raise InvalidGraphError([f"the state of an agent is a TypedDict, got {part!r}; subclass AgentState"])
        fields.update(get_type_hints(part, include_extras=True))
    state, input, output = {}, {}, {}
    for key, hint in fields.items():
        bare, extras = unwrapped(hint)
        omitted = [extra for extra in extras if isinstance(extra, OmitFromSchema)]
        kept = tuple(extra for extra in extras if not isinstance(extra, OmitFromSchema))
        state[key] = plain = getitem(Annotated, (bare, *kept)) if kept else bare
        if not any(mark.input for mark in omitted):
            input[key] = plain if key == "messages" else NotRequired[plain]
        if not any(mark.output for mark in omitted):
            output[key] = plain if key == "messages" else NotRequired[plain]
    return dict_of("AgentState", state), dict_of("AgentInput", input), dict_of("AgentOutput", output)


def dict_of(name: str, fields: dict[str, Any]) -> Any:
    """A TypedDict with these keys."""
    return TypedDict(name, fields)  # type: ignore[operator] # made at run time
