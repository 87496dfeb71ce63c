"""What a person is asked about a tool call, and what they may answer."""

from __future__ import annotations

from collections.abc import Sequence
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


def decisions_in(answer: Any, asked: Sequence[ReviewConfig]) -> list[Decision]:
    """The decisions of an answer. InvalidAnswerError where they are not those that were asked for."""
    decisions = answer.get("decisions") if isinstance(answer, dict) else None
    if not isinstance(decisions, list):
        raise InvalidAnswerError(f"the answer to a question about tool calls is {{'decisions': [...]}}, got {answer!r}")
    if len(decisions) != len(asked):
        names = ", ".join(repr(config["action_name"]) for config in asked)
        raise InvalidAnswerError(
            f"{len(decisions)} decisions were given for {len(asked)} calls ({names}); give one for each, in their order"
        )
    return [
        checked(decision, config["allowed_decisions"], f"decision {number}, on the call of {config['action_name']!r},")
        for number, (decision, config) in enumerate(zip(decisions, asked, strict=True), 1)
    ]


def checked(decision: Any, allowed: Sequence[DecisionType], who: str, edit: EditForm | None = None) -> Decision:
    """The decision. InvalidAnswerError for one that is not allowed or not whole. `edit`: what an edit looks like."""
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
        given = args_schema or (None if tool is None else tool.tool_call_schema)
        self.args_schema = given if isinstance(given, dict) else None
        """As JSON schema, where they have no class: shown to whoever answers, and not checked here."""
        model = isinstance(given, type) and issubclass(given, BaseModel)
        edited = dict_of("EditedAction", {"name": getitem(Literal, name), "args": given if model else dict[str, Any]})
        self.type = dict_of("EditDecision", {"type": Literal["edit"], "edited_action": edited})

    def schema(self, allowed: Sequence[DecisionType]) -> dict[str, Any]:
        """The JSON schema of one decision."""
        forms = [self.type if kind == "edit" else FORMS[kind] for kind in allowed]
        one: Any = forms[0] if len(forms) == 1 else Annotated[getitem(Union, tuple(forms)), Field(discriminator="type")]
        schema = TypeAdapter(one).json_schema()
        if self.args_schema is not None and "edit" in allowed:
            args = dict(self.args_schema)
            schema["$defs"].update(args.pop("$defs", {}))  # where references look for them
            schema["$defs"]["EditedAction"]["properties"]["args"] = args
        return schema
