"""Asking a person before tools are called."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, cast

from langchain_core.messages import AIMessage, BaseMessage, ToolCall, ToolMessage
from typing_extensions import NotRequired, TypedDict

from headrace.agents.middleware.asking import tools_around, warn_if_unanswerable
from headrace.agents.middleware.base import AgentMiddleware, ContextT, ResponseT, StateT
from headrace.agents.middleware.decisions import (
    KINDS,
    Action,
    ActionRequest,
    ApproveDecision,
    Decision,
    DecisionType,
    EditDecision,
    EditForm,
    HITLRequest,
    HITLResponse,
    RejectDecision,
    RespondDecision,
    ReviewConfig,
    ToolApprovalRequest,
    accepted,
    decisions_in,
)
from headrace.agents.state import AgentState, PrivateStateAttr
from headrace.config import get_config
from headrace.engine.program import is_async
from headrace.graph.schema import value_of
from headrace.prebuilt.tool_call import Answer, ToolCallRequest, refusal
from headrace.prebuilt.tool_errors import InvalidAnswerError, insisting
from headrace.prebuilt.tool_node import pending_calls
from headrace.prebuilt.tool_runtime import ToolRuntime
from headrace.runtime import get_runtime
from headrace.types import Command, interrupt

if TYPE_CHECKING:
    from headrace.runtime import Runtime

InterruptMode: TypeAlias = Literal["batched", "per_call"]

EDITED = "hitl_edited_tool_calls"

PREFIX = "This call waits for your decision."

NOTICE = "A person changed this call before it was made. In place of yours, this one was made:"


class InterruptOnConfig(TypedDict):
    """When and how to ask about the calls of one tool."""

    allowed_decisions: list[DecisionType]
    description: NotRequired[str | Callable[[ToolCall, Any, Any], str]]
    """What the person is told: a text, or a function of the call, the state and the runtime."""
    args_schema: NotRequired[dict[str, Any]]
    """What edited arguments must look like, as JSON schema, for whoever shows a form; else the tool's own is shown."""
    when: NotRequired[Callable[[ToolCallRequest], bool]]
    """Whether to ask about this call; without it, always. In mode "batched" the request has no tool yet."""


class HumanInTheLoopState(AgentState[ResponseT]):
    """What was decided."""

    hitl_edited_tool_calls: NotRequired[Annotated[dict[str, Action], PrivateStateAttr]]
    """The calls to be made in place of the model's, by id."""


class HumanInTheLoopMiddleware(AgentMiddleware[StateT, ContextT, ResponseT]):
    """Pauses the run before tools are called, until somebody has decided on the calls. Needs a checkpointer.

    `interrupt_on`: by tool name, True to ask with all decisions allowed, an `InterruptOnConfig`, or False. Calls of
    other tools are made without asking. `description_prefix`: begins the descriptions that have no text of their own.
    `edit_notice`: begins the result of an edited call, so that the model knows of the change, which is not made in its
    own message; None: it is not told.

    `interrupt_mode` "batched" asks once for all calls of a turn, before any is made: the interrupt's value is a
    `HITLRequest`, the answer a `HITLResponse`, `Command(resume={"decisions": [{"type": "approve"}, ...]})`. "per_call"
    asks for each call, a `ToolApprovalRequest` to be answered with one decision, while other calls are made at once;
    several are answered by interrupt id, and an edit must be of the same tool.

    An answer that does not fit, or an edit that does not fit its tool: in "batched" `InvalidAnswerError` for whoever
    gave it, and the question can be answered again; in "per_call" the question comes again with its `error`, since
    other calls of the step may be under way. Such a call is never made. ValueError for a configuration that cannot be.
    Without a checkpointer the question is told, with a RuntimeWarning, and nobody can answer it.
    """

    state_schema = HumanInTheLoopState

    def __init__(
        self,
        interrupt_on: Mapping[str, bool | InterruptOnConfig],
        *,
        description_prefix: str = PREFIX,
        edit_notice: str | None = NOTICE,
        interrupt_mode: InterruptMode = "batched",
    ) -> None:
        if interrupt_mode not in ("batched", "per_call"):
            raise ValueError(f"interrupt_mode is 'batched' or 'per_call', got {interrupt_mode!r}")
        self.interrupt_on = {name: config_of(name, given) for name, given in interrupt_on.items() if given is not False}
        self.description_prefix = description_prefix
        self.edit_notice = edit_notice
        self.interrupt_mode = interrupt_mode

    @property
    def named_tools(self) -> frozenset[str]:
        return frozenset(self.interrupt_on)

    # all calls of a turn

    def after_model(self, state: StateT, runtime: Runtime[ContextT]) -> dict[str, Any] | None:
        messages: list[BaseMessage] = value_of(state, "messages")[1] or []
        calls = pending_calls(messages)
        asked = [call for call in calls if self.is_due(call, state, runtime)]
        if not asked:
            return forgotten(calls, state)
        requests = [self.request(call, state, runtime) for call in asked]
        configs = [self.review(call) for call in asked]
        warn_if_unanswerable(f"the question about {', '.join(repr(call['name']) for call in asked)}")
        answer = interrupt(HITLRequest(action_requests=requests, review_configs=configs))
        decided = list(zip(asked, decisions_in(answer, configs, tools_around()), strict=True))
        answers = [message for call, decision in decided if (message := answered(call, decision)) is not None]
        edits = {call["id"]: decision["edited_action"] for call, decision in decided if decision["type"] == "edit"}
        last = next(message for message in reversed(messages) if isinstance(message, AIMessage))
        return {"messages": [last, *answers], EDITED: edits}

    async def aafter_model(self, state: StateT, runtime: Runtime[ContextT]) -> dict[str, Any] | None:
        return self.after_model(state, runtime)

    def is_due(self, call: ToolCall, state: Any, runtime: Any) -> bool:
        """Whether to ask about a call before its turn's tools are called."""
        config = self.interrupt_on.get(call["name"])
        if config is None or self.interrupt_mode == "per_call":
            return False
        when = config.get("when")
        return when is None or when(ToolCallRequest(call, None, state, tool_runtime(call, state, runtime)))

    def request(self, call: ToolCall, state: Any, runtime: Any) -> ActionRequest:
        description = self.description(call, state, runtime)
        return ActionRequest(name=call["name"], args=call["args"], description=description)

    def review(self, call: ToolCall) -> ReviewConfig:
        config = self.interrupt_on[call["name"]]
        review = ReviewConfig(action_name=call["name"], allowed_decisions=config["allowed_decisions"])
        if "args_schema" in config:
            review["args_schema"] = config["args_schema"]
        return review

    def description(self, call: ToolCall, state: Any, runtime: Any) -> str:
        """What the person is told of a call."""
        text = self.interrupt_on[call["name"]].get("description")
        if text is None:
            return f"{self.description_prefix}\n\nTool: {call['name']}\nArguments: {written(call['args'])}"
        return text if isinstance(text, str) else text(call, state, runtime)

    # one call

    def wrap_tool_call(self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Answer]) -> Answer:
        due = self.decided(request)
        if isinstance(due, ToolMessage):
            return due
        return handler(request) if due is None else self.noticed(handler(due), due.tool_call)

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Answer]]
    ) -> Answer:
        due = self.decided(request)
        if isinstance(due, ToolMessage):
            return due
        return await handler(request) if due is None else self.noticed(await handler(due), due.tool_call)

    def decided(self, request: ToolCallRequest) -> ToolMessage | ToolCallRequest | None:
        """What becomes of a call: an answer, an edited call, or None for the call as it is."""
        call = request.tool_call
        if self.interrupt_mode == "batched":
            edit = (value_of(request.state, EDITED)[1] or {}).get(call["id"])
            return None if edit is None else edited(request, edit)
        config = self.interrupt_on.get(call["name"])
        if config is None:
            return None
        with insisting():
            when = config.get("when")
            if when is not None and not when(request):
                return None
            decision = self.asked(request, config)
        if decision["type"] == "edit":
            return edited(request, decision["edited_action"])
        return answered(call, decision)

    def asked(self, request: ToolCallRequest, config: InterruptOnConfig) -> Decision:
        """The decision on one call."""
        call, allowed = request.tool_call, config["allowed_decisions"]
        question = ToolApprovalRequest(
            type="tool_approval",
            tool_call_id=call["id"] or "",
            name=call["name"],
            args=call["args"],
            description=self.description(call, request.state, get_runtime()),
        )
        edit = EditForm(call["name"], request.tool, config.get("args_schema"))
        warn_if_unanswerable(f"the question about {call['name']!r}")
        while True:
            answer = interrupt(question, response_schema=edit.schema(allowed))
            try:
                return accepted(answer, allowed, f"the decision on the call of {call['name']!r}", edit)
            except InvalidAnswerError as error:
                question = {**question, "error": str(error)}

    def noticed(self, answer: Any, call: ToolCall) -> Any:
        """The answer of an edited call, with the notice."""
        if not self.edit_notice:
            return answer
        return noted(answer, f"{self.edit_notice} {call['name']}({written(call['args'])})", call["id"])


def config_of(name: str, given: Any) -> InterruptOnConfig:
    """The configuration for one tool. ValueError for one that cannot be."""
    if given is True:
        return InterruptOnConfig(allowed_decisions=list(KINDS))
    where = f"interrupt_on[{name!r}]"
    if not isinstance(given, Mapping):
        raise ValueError(f"{where} is True, False or an InterruptOnConfig, got {given!r}")
    unknown = [key for key in given if key not in InterruptOnConfig.__annotations__]
    if unknown:
        known = ", ".join(InterruptOnConfig.__annotations__)
        raise ValueError(f"{where} has no {unknown[0]!r}; an InterruptOnConfig has: {known}")
    allowed = given.get("allowed_decisions")
    if not isinstance(allowed, (list, tuple)) or not allowed or not all(kind in KINDS for kind in allowed):
        raise ValueError(f"{where} needs 'allowed_decisions', some of {', '.join(map(repr, KINDS))}; got {allowed!r}")
    for key in ("when", "description"):
        if is_async(given.get(key)):
            raise ValueError(f"{where}: {key!r} is a plain function, got a coroutine function")
    return cast("InterruptOnConfig", {**given, "allowed_decisions": list(allowed)})


def answered(call: ToolCall, decision: Decision) -> ToolMessage | None:
    """The answer to a call that is not made; None for one that is."""
    if decision["type"] == "respond":
        return ToolMessage(decision["message"], name=call["name"], tool_call_id=call["id"] or "")
    if decision["type"] != "reject":
        return None
    why = decision.get("message")
    text = f"This call of {call['name']!r} was rejected by a person, so it was not made."
    more = f" They say: {why}" if why else " Do not make it again unless you are asked to."
    return refusal(call, text + more)


def edited(request: ToolCallRequest, edit: Action) -> ToolCallRequest:
    """The call that is made in place of the model's; it answers the model's call."""
    call = ToolCall(name=edit["name"], args=edit["args"], id=request.tool_call["id"], type="tool_call")
    tool = request.tool
    if edit["name"] != request.tool_call["name"]:
        tool = next((one for one in request.runtime.tools if one.name == edit["name"]), None)
    return request.override(tool_call=call, tool=tool)


def forgotten(calls: Sequence[ToolCall], state: Any) -> dict[str, Any] | None:
    """Drops edits of an earlier turn whose ids come again: they were for other calls."""
    edits = value_of(state, EDITED)[1] or {}
    return {EDITED: {}} if any(call["id"] in edits for call in calls) else None


def noted(answer: Any, notice: str, id: str | None) -> Any:
    """An answer with a notice before its content."""
    if isinstance(answer, ToolMessage):
        return answer.model_copy(update={"content": prefixed(answer.content, notice)})
    if isinstance(answer, list):
        return [noted(one, notice, id) for one in answer]
    if isinstance(answer, Command) and isinstance(answer.update, dict) and "messages" in answer.update:
        messages = answer.update["messages"]
        several = messages if isinstance(messages, list) else [messages]
        changed = [noted(one, notice, id) if answers(one, id) else one for one in several]
        return replace(answer, update={**answer.update, "messages": changed})
    return answer


def answers(message: Any, id: str | None) -> bool:
    return isinstance(message, ToolMessage) and message.tool_call_id == id


def prefixed(content: str | list[Any], notice: str) -> str | list[Any]:
    if isinstance(content, str):
        return f"{notice}\n\n{content}"
    return [{"type": "text", "text": notice}, *content]


def written(args: Any) -> str:
    """Arguments as a person or a model reads them."""
    return json.dumps(args, ensure_ascii=False, default=str)


def tool_runtime(call: ToolCall, state: Any, runtime: Runtime[Any]) -> ToolRuntime:
    """What a tool would be given, for a call that has not come to its tool yet."""
    return ToolRuntime(
        state, runtime.context, get_config(), runtime.stream_writer, call["id"], runtime.store,
        execution_info=runtime.execution_info, server_info=runtime.server_info,
    )  # fmt: skip


__all__ = [
    "Action", "ActionRequest", "ApproveDecision", "Decision", "DecisionType", "EditDecision", "HITLRequest",
    "HITLResponse", "HumanInTheLoopMiddleware", "InterruptMode", "InterruptOnConfig", "InvalidAnswerError",
    "RejectDecision", "RespondDecision", "ReviewConfig", "ToolApprovalRequest",
]  # fmt: skip
