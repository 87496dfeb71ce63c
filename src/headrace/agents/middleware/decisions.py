"""What a person is asked about a tool call, and what they may answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import getitem
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args

from langchain_core.tools import BaseTool
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from typing_extensions import NotRequired, TypedDict

from headrace.agents.state import dict_of
from headrace.agents.structured_output import reasons
from headrace.prebuilt.tool_errors import InvalidAnswerError

DecisionType: TypeAlias = Literal["approve", "edit", "reject", "respond"]

KINDS: tuple[DecisionType, ...] = get_args(DecisionType)


class Action(TypedDict):
    """A call of a tool."""

    name: str
    args: dict[str, Any]


class ActionRequest(TypedDict):
    """A call that somebody is to decide on."""

    name: str
    args: dict[str, Any]
    description: NotRequired[str]
    """For whoever decides."""


class ReviewConfig(TypedDict):
    """What may be decided on a call."""

    action_name: str
    allowed_decisions: list[DecisionType]
    args_schema: NotRequired[dict[str, Any]]
    """What edited arguments must look like, as JSON schema."""


class HITLRequest(TypedDict):
    """The question about all calls of a turn: the configs stand in the order of the requests."""

    action_requests: list[ActionRequest]
    review_configs: list[ReviewConfig]


class ToolApprovalRequest(TypedDict):
    """The question about one call."""

    type: Literal["tool_approval"]
    tool_call_id: str
    name: str
    args: dict[str, Any]
    description: str
    error: NotRequired[str]
    """What was wrong with the last answer, where the question is asked again."""


class ApproveDecision(TypedDict):
    """The call is made as it is."""

    type: Literal["approve"]


class EditDecision(TypedDict):
    """Another call is made in its place."""

    type: Literal["edit"]
    edited_action: Action


class RejectDecision(TypedDict):
    """The call is not made; the model is told so, and why."""

    type: Literal["reject"]
    message: NotRequired[str]


class RespondDecision(TypedDict):
    """The call is not made; the message is its answer, as if the tool had given it."""

    type: Literal["respond"]
    message: str


Decision: TypeAlias = Union[ApproveDecision, EditDecision, RejectDecision, RespondDecision]  # noqa: UP007 - in 3.10 too

FORMS: dict[DecisionType, Any] = {
    "approve": ApproveDecision, "edit": EditDecision, "reject": RejectDecision, "respond": RespondDecision,
}  # fmt: skip


class HITLResponse(TypedDict):
    """The answer to a `HITLRequest`: a decision for each request, in their order."""

    decisions: list[Decision]


def decisions_in(
    answer: Any, asked: Sequence[ReviewConfig], tools: Mapping[str, BaseTool] | None = None
) -> list[Decision]:
    """The decisions of an answer. InvalidAnswerError where they are not those that were asked for.

    `tools`: those that an edit may name, if they are known; its arguments must fit them.
    """
    decisions = answer.get("decisions") if isinstance(answer, dict) else None
    if not isinstance(decisions, list):
        raise InvalidAnswerError(f"the answer to a question about tool calls is {{'decisions': [...]}}, got {answer!r}")
    if len(decisions) != len(asked):
        names = ", ".join(repr(config["action_name"]) for config in asked)
        wanted = f"one decision on the call of {names}"
        if len(asked) > 1:
            wanted = f"{len(asked)} decisions, one on each call in the order of the question ({names})"
        raise InvalidAnswerError(f"'decisions' must hold {wanted}; it holds {len(decisions)}")
    return [
        accepted_of_several(decision, config, f"decision {number}, on the call of {config['action_name']!r},", tools)
        for number, (decision, config) in enumerate(zip(decisions, asked, strict=True), 1)
    ]


def accepted_of_several(
    decision: Any, config: ReviewConfig, who: str, tools: Mapping[str, BaseTool] | None
) -> Decision:
    """One of the decisions on the calls of a turn, where an edit may name any of the tools."""
    allowed = config["allowed_decisions"]
    found = accepted(decision, allowed, who)
    if found["type"] != "edit" or tools is None:
        return found
    name = found["edited_action"]["name"]
    if name not in tools and name != config["action_name"]:  # a wrapper may bring the tool that the model called
        raise InvalidAnswerError(f"{who} names the tool {name!r}; the tools are: {', '.join(map(repr, tools))}")
    return accepted(decision, allowed, who, EditForm(name, tools.get(name), None))


def accepted(decision: Any, allowed: Sequence[DecisionType], who: str, edit: EditForm | None = None) -> Decision:
    """The decision as it is. InvalidAnswerError for one that is not allowed or not whole.

    `edit`: what an edit looks like.
    """
    kind: Any = decision.get("type") if isinstance(decision, dict) else None
    if kind not in allowed:
        raise InvalidAnswerError(f"{who} must be of a type out of {', '.join(map(repr, allowed))}, got {decision!r}")
    try:
        form = adapter(kind) if kind != "edit" or edit is None else TypeAdapter(edit.type)
        form.validate_python(decision)
    except ValidationError as error:
        raise InvalidAnswerError(f"{who} is no whole {kind!r}: {reasons(error)}; got {decision!r}") from error
    return decision  # type: ignore[no-any-return] # checked above


@lru_cache
def adapter(kind: DecisionType) -> TypeAdapter[Any]:
    return TypeAdapter(FORMS[kind])


class EditForm:
    """What an edit of one call looks like: of the same tool, with arguments that fit it."""

    def __init__(self, name: str, tool: BaseTool | None, args_schema: dict[str, Any] | None) -> None:
        own = None if tool is None else tool.tool_call_schema
        self.args_schema = args_schema or (own if isinstance(own, dict) else None)
        """As JSON schema, where it is given or the tool has no other: shown to whoever answers, not checked here."""
        model = own if isinstance(own, type) and issubclass(own, BaseModel) else None
        self.type = edit_of(name, model)
        """What an edit is checked against."""
        self.shown = self.type if self.args_schema is None else edit_of(name, None)

    def schema(self, allowed: Sequence[DecisionType]) -> dict[str, Any]:
        """The JSON schema of one decision."""
        forms = [self.shown if kind == "edit" else FORMS[kind] for kind in allowed]
        one: Any = forms[0] if len(forms) == 1 else Annotated[getitem(Union, tuple(forms)), Field(discriminator="type")]
        schema = TypeAdapter(one).json_schema()
        if self.args_schema is not None and "edit" in allowed:
            args = dict(self.args_schema)
            schema["$defs"].update(args.pop("$defs", {}))  # where references look for them
            schema["$defs"]["EditedAction"]["properties"]["args"] = args
        return schema


def edit_of(name: str, args: type[BaseModel] | None) -> Any:
    """The type of an edit of a call of this tool."""
    action = dict_of("EditedAction", {"name": getitem(Literal, name), "args": args or dict[str, Any]})
    return dict_of("EditDecision", {"type": Literal["edit"], "edited_action": action})
