"""What the model is shown of a long history, while the state keeps all of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, ToolCall, ToolMessage
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.tools import BaseTool

from headrace.agents.middleware.base import AgentMiddleware
from headrace.agents.middleware.chosen_tools import names_of
from headrace.agents.middleware.model_facts import TokenCounter
from headrace.agents.model_node import prompt_of
from headrace.agents.request import ModelCallResult, ModelRequest, ModelResponse

NOTE = "context_editing"
"""The key of a changed message's response metadata that says what was done to it."""


class ContextEdit(Protocol):
    """A change of what the model is shown."""

    def apply(self, messages: list[AnyMessage], *, count_tokens: TokenCounter) -> None:
        """Change the list in place: it is the request's own, and so are its messages, but not what is inside them."""


@dataclass(frozen=True)
class ClearToolUsesEdit:
    """Empties the oldest answers of tools; the messages themselves stay, as providers want an answer to each call."""

    trigger: int = 100_000
    """Tokens that the messages must exceed."""
    clear_at_least: int = 0
    """Tokens to win: clearing, from the oldest on, ends when so many are; 0: all that may be cleared is."""
    keep: int = 3
    """The newest answers, which are never cleared."""
    clear_tool_inputs: bool = False
    """Whether the arguments of the calls are emptied as well."""
    exclude_tools: Sequence[str | BaseTool] = ()
    """Tools, or their names, whose answers stay."""
    placeholder: str = "[cleared]"

    def __post_init__(self) -> None:
        for name in ("trigger", "clear_at_least", "keep"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} counts from 0, got {getattr(self, name)!r}")
        names_of(self.exclude_tools, "exclude_tools")

    @property
    def excluded(self) -> frozenset[str]:
        return names_of(self.exclude_tools, "exclude_tools") or frozenset()

    def apply(self, messages: list[AnyMessage], *, count_tokens: TokenCounter) -> None:
        before = count_tokens(messages)
        if before <= self.trigger:
            return
        for at in self.candidates(messages):
            self.clear(messages, at)
            if self.clear_at_least and before - count_tokens(messages) >= self.clear_at_least:
                break

    def candidates(self, messages: Sequence[AnyMessage]) -> list[int]:
        """The places of answers that may be cleared, from the oldest on."""
        answers = [at for at, one in enumerate(messages) if isinstance(one, ToolMessage)]
        return [at for at in answers[: max(len(answers) - self.keep, 0)] if self.clearable(messages, at)]

    def clearable(self, messages: Sequence[AnyMessage], at: int) -> bool:
        message, found = messages[at], call_of(messages, at)
        if found is None or message.response_metadata.get(NOTE, {}).get("cleared"):
            return False
        return (message.name or found[1]["name"]) not in self.excluded

    def clear(self, messages: list[AnyMessage], at: int) -> None:
        answer = messages[at]
        assert isinstance(answer, ToolMessage)
        note = {**answer.response_metadata, NOTE: {"cleared": True, "strategy": "clear_tool_uses"}}
        changes = {"content": self.placeholder, "artifact": None, "response_metadata": note}
        messages[at] = answer.model_copy(update=changes)
        found = call_of(messages, at)
        if self.clear_tool_inputs and found is not None:
            messages[found[0]] = without_input(messages[found[0]], answer.tool_call_id)


def call_of(messages: Sequence[AnyMessage], at: int) -> tuple[int, ToolCall] | None:
    """The call that is answered at this place, with the place of its message; None for an answer to nothing."""
    answer = messages[at]
    assert isinstance(answer, ToolMessage)
    for place in range(at - 1, -1, -1):
        message = messages[place]
        if isinstance(message, AIMessage):
            for call in message.tool_calls:
                if call["id"] == answer.tool_call_id:
                    return place, call
    return None


def without_input(message: AnyMessage, id: str) -> AnyMessage:
    """The message with the arguments of one call emptied, where providers have them in the content there as well."""
    assert isinstance(message, AIMessage)
    calls = [{**call, "args": {}} if call["id"] == id else call for call in message.tool_calls]
    content = message.content
    if isinstance(content, list):
        content = [emptied(block) if isinstance(block, dict) and block.get("id") == id else block for block in content]
    noted = message.response_metadata.get(NOTE, {})
    note = {**noted, "cleared_tool_inputs": [*noted.get("cleared_tool_inputs", ()), id]}
    meta = {**message.response_metadata, NOTE: note}
    return message.model_copy(update={"tool_calls": calls, "content": content, "response_metadata": meta})


def emptied(block: dict[str, Any]) -> dict[str, Any]:
    """A content block of a call without its arguments."""
    return {key: {} if key in ("input", "args") else value for key, value in block.items() if key != "partial_json"}


class ContextEditingMiddleware(AgentMiddleware[Any, Any, Any]):
    """Shows the model an edited history; the state, and with it the user, keeps the whole one.

    `edits`: run in their order; by default one `ClearToolUsesEdit`. They count tokens with `token_counter`, or
    roughly (`token_count_method="approximate"`, the messages alone), or as the model counts ("model": with system
    message and tools; some models ask their provider for it).
    """

    def __init__(
        self,
        *,
        edits: Iterable[ContextEdit] | None = None,
        token_count_method: Literal["approximate", "model"] = "approximate",
        token_counter: TokenCounter | None = None,
    ) -> None:
        if token_count_method not in ("approximate", "model"):
            raise ValueError(f"token_count_method is 'approximate' or 'model', got {token_count_method!r}")
        self.edits: list[ContextEdit] = [ClearToolUsesEdit()] if edits is None else list(edits)
        self.token_count_method = token_count_method
        self.token_counter = token_counter

    @property
    def named_tools(self) -> frozenset[str]:
        return frozenset(name for edit in self.edits if isinstance(edit, ClearToolUsesEdit) for name in edit.excluded)

    def wrap_model_call(
        self, request: ModelRequest, handler: Callable[[ModelRequest], ModelResponse[Any]]
    ) -> ModelCallResult[Any]:
        return handler(self.edited(request))

    async def awrap_model_call(
        self, request: ModelRequest, handler: Callable[[ModelRequest], Awaitable[ModelResponse[Any]]]
    ) -> ModelCallResult[Any]:
        return await handler(self.edited(request))

    def edited(self, request: ModelRequest) -> ModelRequest:
        """The request with the messages that the model is to be shown."""
        if not request.messages:
            return request
        messages: list[AnyMessage] = [message.model_copy() for message in request.messages]
        count = self.counter(request)
        for edit in self.edits:
            edit.apply(messages, count_tokens=count)
        return request.override(messages=messages)

    def counter(self, request: ModelRequest) -> TokenCounter:
        """How the tokens of messages of this request are counted."""
        if self.token_counter is not None:
            return self.token_counter
        if self.token_count_method == "approximate":
            return count_tokens_approximately

        def count(messages: Sequence[BaseMessage]) -> int:
            whole = prompt_of(request.override(messages=list(messages)))
            return int(request.model.get_num_tokens_from_messages(whole, list(request.tools)))

        return count
