"""Many tools: a model chooses beforehand which of them the agent's model is shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool

from headrace.agents.middleware.base import AgentMiddleware
from headrace.agents.middleware.chosen_tools import names_of
from headrace.agents.middleware.internal import internal_config
from headrace.agents.middleware.model_facts import model_of
from headrace.agents.request import ModelCallResult, ModelRequest, ModelResponse

OnParsingFailure: TypeAlias = Literal["error", "none", "all"] | list[str] | Callable[[Any], list[str]]
"""What is chosen when no answer can be read: a ValueError, no tool, all tools, these, or what a function of the last
answer says (None if there was nothing like an object in it)."""

SOURCE = "tool_selection"

SYSTEM_PROMPT = """\
You choose tools for an assistant. It will see only those that you choose, and it cannot ask for others. Read what the \
user wants and name every tool that may help with it, also those that a later step may need. Leave out tools that have \
nothing to do with it."""

LIMIT = "Name the most useful tools first: only the first {count} that you name are used."


@dataclass
class Selection:
    """What is asked for one call of the agent's model, and what came of it."""

    tools: dict[str, BaseTool]
    """Those to choose from, by name."""
    model: Runnable[Any, Any]
    messages: list[BaseMessage]
    answer: Any = None
    """The last one, as an object; None if there was none in it."""
    names: list[str] | None = None
    """What was chosen; None while no answer can be used."""

    def hear(self, output: Any) -> bool:
        """Take an answer; whether it names tools, all of them among those that there are."""
        self.answer = output["parsed"]
        names = self.answer.get("tools") if isinstance(self.answer, dict) else None
        if isinstance(names, list) and all(isinstance(name, str) and name in self.tools for name in names):
            self.names = list(dict.fromkeys(names))
        return self.names is not None


class LLMToolSelectorMiddleware(AgentMiddleware[Any, Any, Any]):
    """Asks a model, before each call of the agent's model, which tools the user's last message needs.

    Worth it with many tools: fewer tokens, and fewer wrong calls. `model`: who chooses; by default the agent's own.
    `system_prompt`: how. `max_tools`: no more than so many, the first ones named; `always_include`: tools, or their
    names, that are always shown, beside those. A provider's own tools always are. `max_retries`: how often an answer
    that cannot be read, or that names a tool which there is not, is asked for again; `on_parsing_failure`: what then.

    The tools keep the agent's order. The calls are seen by callbacks and by no stream.
    """

    def __init__(
        self,
        *,
        model: Any = None,
        system_prompt: str = SYSTEM_PROMPT,
        max_tools: int | None = None,
        always_include: Sequence[str | BaseTool] | None = None,
        max_retries: int = 1,
        on_parsing_failure: OnParsingFailure = "error",
    ) -> None:
        if max_tools is not None and max_tools < 1:
            raise ValueError(f"max_tools counts tools, at least 1, got {max_tools!r}; without it there is no limit")
        if max_retries < 0:
            raise ValueError(f"max_retries counts from 0, got {max_retries!r}")
        if isinstance(on_parsing_failure, str) and on_parsing_failure not in ("error", "none", "all"):
            raise ValueError(
                "on_parsing_failure is 'error', 'none', 'all', a list of names or a function, "
                f"got {on_parsing_failure!r}"
            )
        self.model = None if model is None else model_of(model, "LLMToolSelectorMiddleware")
        self.system_prompt = system_prompt
        self.max_tools = max_tools
        self.always_include = names_of(always_include, "always_include") or frozenset()
        self.max_retries = max_retries
        self.on_parsing_failure = on_parsing_failure

    @property
    def named_tools(self) -> frozenset[str]:
        fallback = self.on_parsing_failure
        return self.always_include.union(fallback if isinstance(fallback, list) else ())

    def wrap_model_call(
        self, request: ModelRequest, handler: Callable[[ModelRequest], ModelResponse[Any]]
    ) -> ModelCallResult[Any]:
        selection = self.selection(request)
        for _ in range(self.max_retries + 1):
            if selection is None or selection.hear(
                selection.model.invoke(selection.messages, config=internal_config(SOURCE))
            ):
                break
        return handler(self.narrowed(request, selection))

    async def awrap_model_call(
        self, request: ModelRequest, handler: Callable[[ModelRequest], Awaitable[ModelResponse[Any]]]
    ) -> ModelCallResult[Any]:
        selection = self.selection(request)
        for _ in range(self.max_retries + 1):
            if selection is None or selection.hear(
                await selection.model.ainvoke(selection.messages, config=internal_config(SOURCE))
            ):
                break
        return await handler(self.narrowed(request, selection))

    def selection(self, request: ModelRequest) -> Selection | None:
        """What is asked of the model; None if there is no choice, or nothing that the user said."""
        own = {tool.name: tool for tool in request.tools if isinstance(tool, BaseTool)}
        unknown = sorted(self.always_include.difference(own))
        if own and unknown:
            raise ValueError(f"always_include names {unknown[0]!r}, but the agent's tools are: {', '.join(own)}")
        tools = {name: tool for name, tool in own.items() if name not in self.always_include}
        said = next((one for one in reversed(request.messages) if isinstance(one, HumanMessage)), None)
        if not tools or said is None:
            return None
        limit = "" if self.max_tools is None else "\n\n" + LIMIT.format(count=self.max_tools)
        model = self.model or request.model
        asking = model.with_structured_output(schema_of(tools.values()), include_raw=True)
        return Selection(tools, asking, [SystemMessage(self.system_prompt + limit), said])

    def narrowed(self, request: ModelRequest, selection: Selection | None) -> ModelRequest:
        """The request with the tools chosen, those that are always there, and the provider's own."""
        if selection is None:
            return request
        names = self.instead(selection) if selection.names is None else selection.names[: self.max_tools]
        shown = {*names, *self.always_include}
        return request.override(
            tools=[tool for tool in request.tools if not isinstance(tool, BaseTool) or tool.name in shown]
        )

    def instead(self, selection: Selection) -> Sequence[str]:
        """What is chosen when no answer could be used."""
        policy, there = self.on_parsing_failure, ", ".join(selection.tools)
        if policy == "error":
            raise ValueError(
                f"the model that selects tools was asked {self.max_retries + 1} time(s), and answered "
                f"{selection.answer!r} in place of a list of names among: {there}; see on_parsing_failure"
            )
        if policy in ("none", "all"):
            return [] if policy == "none" else [*selection.tools]
        names = policy(selection.answer) if callable(policy) else policy
        unknown = [name for name in names if name not in selection.tools and name not in self.always_include]
        if unknown:
            raise ValueError(f"on_parsing_failure names {unknown[0]!r}; the tools are: {there}")
        return list(names)


def schema_of(tools: Any) -> dict[str, Any]:
    """The answer's schema: names out of these tools, with what the tools do."""
    tools = list(tools)
    about = "\n".join(f"- {tool.name}: {tool.description}" for tool in tools)
    return {
        "title": "ToolSelectionResponse",
        "description": "The tools that the assistant gets.",
        "type": "object",
        "properties": {
            "tools": {
                "type": "array",
                "description": f"Names of tools. There are:\n{about}",
                "items": {"type": "string", "enum": [tool.name for tool in tools]},
            }
        },
        "required": ["tools"],
        "additionalProperties": False,
    }
