"""Tools that are not really called: a model makes up their answers."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import BaseTool

from headrace.agents.middleware.base import AgentMiddleware
from headrace.agents.middleware.chosen_tools import names_of
from headrace.agents.middleware.internal import internal_config
from headrace.agents.middleware.model_facts import model_of
from headrace.prebuilt.tool_call import Answer, ToolCallRequest, refusal
from headrace.prebuilt.tool_errors import TOOL_CALL_ERROR_TEMPLATE, described

SOURCE = "tool_emulation"

PROMPT = """\
Play the part of a tool that an assistant has called; the real one is not connected. Answer with exactly what the tool \
would return for these arguments and nothing around it: no remarks, no code fence, no word of this being made up. Make \
it plausible and detailed, in the form that such a tool would give it (JSON if it would), and true to the arguments.

Tool: {name}
What it does: {description}
Arguments: {args}"""


class LLMToolEmulator(AgentMiddleware[Any, Any, Any]):
    """Lets a model answer in place of tools, for trying out an agent whose tools are not there yet, or cost or harm.

    `tools`: those to be emulated, by name or as they are; by default all. `model`: who answers; it must be given.
    Arguments are not validated. A tool that the agent does not have is refused as ever. When the model fails, the
    agent's is told so, as of any tool that fails. The calls are seen by callbacks and by no stream.
    """

    def __init__(self, tools: Sequence[str | BaseTool] | None = None, model: Any = None) -> None:
        self.model = model_of(model, "LLMToolEmulator")
        self.names = names_of(tools)

    @property
    def named_tools(self) -> frozenset[str]:
        return self.names or frozenset()

    def wrap_tool_call(self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Answer]) -> Answer:
        if not self.emulates(request):
            return handler(request)
        try:
            return answer(request, self.model.invoke(prompt(request), config=internal_config(SOURCE)))
        except Exception as error:
            return failure(request, error)

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Answer]]
    ) -> Answer:
        if not self.emulates(request):
            return await handler(request)
        try:
            return answer(request, await self.model.ainvoke(prompt(request), config=internal_config(SOURCE)))
        except Exception as error:
            return failure(request, error)

    def emulates(self, request: ToolCallRequest) -> bool:
        return request.tool is not None and (self.names is None or request.tool.name in self.names)


def prompt(request: ToolCallRequest) -> list[HumanMessage]:
    """What the model is asked."""
    tool, call = request.tool, request.tool_call
    about = "" if tool is None else tool.description
    args = json.dumps(call["args"], ensure_ascii=False, default=str)
    return [HumanMessage(PROMPT.format(name=call["name"], description=about, args=args))]


def answer(request: ToolCallRequest, made_up: Any) -> ToolMessage:
    """The tool's answer, as it seems."""
    call = request.tool_call
    return ToolMessage(made_up.text, name=call["name"], tool_call_id=call["id"] or "")


def failure(request: ToolCallRequest, error: Exception) -> ToolMessage:
    """What the agent's model is told when there is no answer: it stands for the tool's error."""
    return refusal(request.tool_call, TOOL_CALL_ERROR_TEMPLATE.format(error=described(error)))
