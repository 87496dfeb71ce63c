"""Personal data, kept from the model, from the user, or from both."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any, Literal, TypeVar

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from headrace.agents.middleware.base import AgentMiddleware
from headrace.agents.middleware.redaction import (
    Detector,
    PIIDetectionError,
    PIIMatch,
    RedactionRule,
    RedactionStrategy,
    ResolvedRedactionRule,
)
from headrace.agents.middleware.withhold import silence, tell
from headrace.agents.request import ModelRequest, ModelResponse

__all__ = ["PIIDetectionError", "PIIMatch", "PIIMiddleware"]

M = TypeVar("M", bound=BaseMessage)


class PIIMiddleware(AgentMiddleware[Any, Any, Any]):
    """Looks for one type of personal data and redacts, masks, hashes or refuses it.

    Several of them, one for each type, work in one agent. `pii_type` and `detector`: see `RedactionRule`. `strategy`:
    "block" (the run fails with PIIDetectionError), "redact", "mask" or "hash".

    `apply_to_input`: what the user said since the model last spoke, before the model sees it; older messages are taken
    to have been looked at. `apply_to_tool_results`: what tools answered, before the model sees it; a stream shows it as
    the tool gave it, because it is told when the tool ends.

    A message that "block" refuses stays in its thread, and so would every later run of the thread be refused: take it
    out, `agent.update_state(config, {"messages": [RemoveMessage(id)]})`, or begin another thread.

    `apply_to_output`: what the model says, before anybody else sees it. So there are no tokens: the answer is held
    until it is whole and looked through, and then put on the `messages` stream in one piece; the state and its
    checkpoints have only this form. The first PIIMiddleware with `apply_to_output` guards what all middlewares after
    it make of the answer. Callbacks, and with them traces and `astream_events`, see what the model really said.

    Only text is looked at: the arguments of tool calls, structured responses and the model's reasoning are not.
    """

    def __init__(
        self,
        pii_type: Literal["email", "credit_card", "ip", "mac_address", "url"] | str,
        *,
        strategy: RedactionStrategy = "redact",
        detector: Detector | str | None = None,
        apply_to_input: bool = True,
        apply_to_output: bool = False,
        apply_to_tool_results: bool = False,
    ) -> None:
        self.pii_type, self.strategy = pii_type, strategy
        self.rule = RedactionRule(pii_type, strategy, detector).resolve()
        self.apply_to_input = apply_to_input
        self.apply_to_output = apply_to_output
        self.apply_to_tool_results = apply_to_tool_results

    @property
    def name(self) -> str:
        return f"{type(self).__name__}[{self.pii_type}]"

    def written(self, hook: str) -> Any:
        """Only hooks that have something to do become nodes and wrappers."""
        if hook in ("before_model", "abefore_model") and not (self.apply_to_input or self.apply_to_tool_results):
            return None
        if hook in ("wrap_model_call", "awrap_model_call") and not self.apply_to_output:
            return None
        return super().written(hook)

    def before_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        """The messages that change, under their own ids."""
        changed = [clean for one in self.incoming(state["messages"]) if (clean := cleaned(self.rule, one)) is not one]
        return {"messages": changed} if changed else None

    async def abefore_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        return self.before_model(state, runtime)

    def incoming(self, messages: list[BaseMessage]) -> Iterator[BaseMessage]:
        """What is new to the model: what users and tools said since it last spoke.

        Older messages were looked at before; what stands for a match there may look like one itself.
        """
        spoken = max((at for at, one in enumerate(messages) if isinstance(one, AIMessage)), default=-1)
        for one in messages[spoken + 1 :]:
            human, tool = isinstance(one, HumanMessage), isinstance(one, ToolMessage)
            if (human and self.apply_to_input) or (tool and self.apply_to_tool_results):
                yield one

    def wrap_model_call(
        self, request: ModelRequest, handler: Callable[[ModelRequest], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        with silence() as silent:
            response = handler(request)
        return self.guarded(response, silent)

    async def awrap_model_call(
        self, request: ModelRequest, handler: Callable[[ModelRequest], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        with silence() as silent:
            response = await handler(request)
        return self.guarded(response, silent)

    def guarded(self, response: ModelResponse[Any], silent: bool) -> ModelResponse[Any]:
        """The response as it may be seen, told unless a guard around this one will tell it."""
        result = [cleaned(self.rule, one) if isinstance(one, AIMessage) else one for one in response.result]
        if not silent:
            tell(result)
        return replace(response, result=result)


def cleaned(rule: ResolvedRedactionRule, message: M) -> M:
    """The message with its text put right; the same one if there is nothing to do."""
    content = message.content
    clean: Any = cleaned_block(rule, content)
    if isinstance(content, list):
        clean = [cleaned_block(rule, block) for block in content]
    return message if clean == content else message.model_copy(update={"content": clean})


def cleaned_block(rule: ResolvedRedactionRule, block: Any) -> Any:
    """A text, or a block of content that has one, put right; any other as it is."""
    if isinstance(block, str):
        return rule.apply(block)[0]
    if isinstance(block, dict) and isinstance(block.get("text"), str):
        return {**block, "text": rule.apply(block["text"])[0]}
    return block
