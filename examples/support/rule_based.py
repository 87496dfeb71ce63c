"""A chat model without a network behind it: it reads the question, calls the tool that fits, and says what came back.

It understands a little and makes nothing up. Words that the question shares with a tool's name and description choose
the tool; simple rules find the arguments. That is enough to try an agent, its stream and its tools without a key.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.utils.function_calling import convert_to_openai_tool

from headrace.testing import ScriptedChatModel

Tool = dict[str, Any]
"""A tool's `name`, `description` and `parameters`, in the form of OpenAI's API."""

COMMON = set(
    re.findall(
        r"\S+",
        """
        a about an and any are as at be by can could do does for from get give given gives hello hey hi how i in is it
        like me my of on or please returns show some tell thanks that the their there this to today tomorrow tonight now
        us use was we what what's whats when where which who will with would you your
        """,
    )
)
"""Words that say nothing about the subject."""

PLACE = ("city", "place", "location", "town", "country", "region", "address", "destination")
PREPOSITIONS = ("in", "for", "at", "near", "of")
END = (
    r"(?=\s+(?:today|tomorrow|tonight|now|right|please|this|next|on|at|in|for|and|or|with|is|like|"
    r"nice|good|bad|warm|cold|hot|sunny|rainy)\b|[?!.,;:]|\s*$)"
)
"""Where a place's name ends."""


DOUBT = " do you mean?"
"""How it ends when it asks back."""


class RuleBasedChatModel(BaseChatModel):
    """See the module. It streams word by word, tool calls in fragments, and is the same sync and async."""

    @property
    def _llm_type(self) -> str:
        return "rule-based"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        yield from _saying(messages, kwargs)._stream(messages)

    async def _astream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        async for chunk in _saying(messages, kwargs)._astream(messages):
            yield chunk

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        return _saying(messages, kwargs)._generate(messages)

    async def _agenerate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        return _saying(messages, kwargs)._generate(messages)


def _saying(messages: list[BaseMessage], options: dict[str, Any]) -> ScriptedChatModel:
    """A model that streams the one answer as a provider would."""
    tools = [tool["function"] for tool in options.get("tools") or () if "function" in tool]
    said = answer(messages, tools)
    said.response_metadata = {"finish_reason": "tool_calls" if said.tool_calls else "stop"}
    return ScriptedChatModel(replies=[said])


# what it answers


def answer(messages: Sequence[BaseMessage], tools: Sequence[Tool]) -> AIMessage:
    """The next message: a tool call, what the tools came to, or what it can do."""
    asked = max((at for at, message in enumerate(messages) if isinstance(message, HumanMessage)), default=-1)
    results = [message for message in messages[asked + 1 :] if isinstance(message, ToolMessage)]
    if results:
        return AIMessage(" ".join(map(sentence, results)))
    question = meant(messages[: asked + 1])
    tool = fitting(question, tools)
    if tool is None:
        return AIMessage(abilities(tools))
    missing, args = arguments(question, tool)
    if missing:
        return AIMessage(f"Which {_spoken(missing)}{DOUBT}")
    calls = sum(len(message.tool_calls) for message in messages if isinstance(message, AIMessage))
    return AIMessage("", tool_calls=[{"name": tool["name"], "args": args, "id": f"call_{calls + 1}"}])


def meant(messages: Sequence[BaseMessage]) -> str:
    """The user's last question; with the one before, when it only says what the model asked back for."""
    if not messages:
        return ""
    *before, last = messages
    if not before or not before[-1].text.endswith(DOUBT):
        return last.text
    return f"{meant(before[:-1]).rstrip(' ?.!')} in {last.text}"


def sentence(result: ToolMessage) -> str:
    """What a tool came to, as a sentence."""
    text = result.text.strip()
    name = _spoken(result.name or "the tool")
    if result.status == "error":
        return f"I could not use {name}: {text}"
    if not text:
        return f"I used {name}, and it said nothing."
    return text if re.search(r"\w\s+\w.*[.!?]$", text, re.DOTALL) else f"{name.capitalize()}: {text}."


def abilities(tools: Sequence[Tool]) -> str:
    """What it can do."""
    if not tools:
        return "I have no tools, so all I can do is say so."
    told = "; ".join(
        f"{_spoken(tool['name'])} ({_summary(tool)})" if _summary(tool) else tool["name"] for tool in tools
    )
    return f"I can help with this: {told}."


def _summary(tool: Tool) -> str:
    return str(tool.get("description") or "").strip().partition("\n")[0].rstrip(".")


def _spoken(name: str) -> str:
    return name.replace("_", " ")


# which tool


def fitting(question: str, tools: Sequence[Tool]) -> Tool | None:
    """The tool that shares most with the question, of equals the first; a word of the name counts for two."""
    words = _subjects(question)
    scores = [2 * len(words & _subjects(tool["name"])) + len(words & _subjects(_summary(tool))) for tool in tools]
    best = max(scores, default=0)
    return tools[scores.index(best)] if best else None


def _subjects(text: str) -> set[str]:
    """The words that say what a text is about, without their plural s."""
    words = re.findall(r"[^\W_]+(?:'\w+)?", text.lower())
    return {word.removesuffix("s") if len(word) > 3 else word for word in words if word not in COMMON}


# with which arguments


def arguments(question: str, tool: Tool) -> tuple[str | None, dict[str, Any]]:
    """The first required argument that the question does not give, if there is one, and those that it gives."""
    schema = tool.get("parameters") or {}
    args: dict[str, Any] = {}
    for name, parameter in schema.get("properties", {}).items():
        value = argument(question, name, parameter, tool)
        if value is not None:
            args[name] = value
    missing = next((name for name in schema.get("required", ()) if name not in args), None)
    return missing, args


def argument(question: str, name: str, parameter: dict[str, Any], tool: Tool) -> Any:
    """What the question says for a parameter, or None."""
    if "enum" in parameter:
        return next((value for value in parameter["enum"] if str(value).lower() in question.lower()), None)
    kind = parameter.get("type", "string")
    if kind in ("integer", "number"):
        found = re.search(r"-?\d+(?:\.\d+)?", question)
        return found and (int(float(found[0])) if kind == "integer" else float(found[0]))
    if kind != "string":
        return None
    if any(word in PLACE for word in name.lower().split("_")):
        return place(question, tool)
    quoted = re.search(r"[\"“'](.+?)[\"”']", question)
    return quoted[1] if quoted else question.strip()


def place(question: str, tool: Tool) -> str | None:
    """What follows "in" or "for"; else what is left when the words about the tool are taken away."""
    for preposition in PREPOSITIONS:
        for found in re.finditer(rf"\b{preposition}\s+(?:the\s+)?(\S.*?){END}", question, re.IGNORECASE):
            if found[1].lower() not in COMMON:
                return found[1]
    known = _subjects(tool["name"]) | _subjects(_summary(tool))
    left = [word for word in re.findall(r"[\w'-]+", question) if _subjects(word) - known]
    return " ".join(left) or None
