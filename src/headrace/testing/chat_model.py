"""A chat model that says what the test wrote."""

import copy
import inspect
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field, PrivateAttr, SkipValidation

from headrace.testing.streamed import StreamedChatModel

Piece: TypeAlias = str | AIMessageChunk | BaseException
"""One item of a reply that is written chunk by chunk."""

Answer: TypeAlias = str | AIMessage | BaseException | Sequence[Piece]

Reply: TypeAlias = Answer | Callable[[list[BaseMessage]], Answer]


class ScriptExhaustedError(RuntimeError):
    """The model was called more often than it has replies, and `when_exhausted` is "raise"."""


@dataclass
class _Script:
    """How far the model is; shared by the model and its copies."""

    lock: Lock = field(default_factory=Lock)
    calls: list[list[BaseMessage]] = field(default_factory=list)
    options: list[dict[str, Any]] = field(default_factory=list)
    tools: list[Any] = field(default_factory=list)

    def record(self, messages: list[BaseMessage], options: dict[str, Any]) -> int:
        """The number of this call, from zero."""
        with self.lock:
            self.calls.append(list(messages))
            self.options.append(options)
            return len(self.calls) - 1


class ScriptedChatModel(StreamedChatModel):
    """A chat model that gives `replies` in order, streamed as a provider would.

    A reply is one of

    - a string: the text;
    - an `AIMessage`: its text in chunks, then each tool call in fragments (name and id first, then the arguments'
      JSON), then, after tool calls or with usage, response metadata or additional kwargs, one empty chunk;
    - an exception: raised at once;
    - a list of strings, `AIMessageChunk`s and exceptions: sent as they are, so that an exception in it is raised in
      mid-stream, after the chunks before it;
    - a function of the messages that returns one of these.

    `invoke` and `ainvoke` give the message that the chunks of `stream` and `astream` add up to. The callbacks, `tags`,
    `disable_streaming` and ids are those of every langchain-core chat model.

    >>> call = {"name": "f", "args": {}, "id": "1"}
    >>> model = ScriptedChatModel(replies=["Hello there", AIMessage("", tool_calls=[call])])
    >>> [chunk.content for chunk in model.stream("hi")]
    ['Hello', ' there']
    >>> model.invoke("and now?").tool_calls[0]["name"]
    'f'
    >>> [messages[0].content for messages in model.calls]
    ['hi', 'and now?']
    """

    # Not validated one by one: langchain-core's validators of messages fail on values of other types.
    replies: Annotated[Sequence[SkipValidation[Reply]], Field(min_length=1)]

    chunks: Literal["word", "char"] | Annotated[int, Field(ge=1)] = "word"
    """Where texts are cut: before the white space of each word, at each character, or every so many characters."""

    when_exhausted: Literal["cycle", "raise"] = "cycle"
    """After the last reply: begin again, or `ScriptExhaustedError`."""

    pace: Callable[[int], Any] | None = None
    """Called before each chunk with its number, from zero, to hold the stream up or to watch it.

    In `ainvoke` and `astream` what it returns is awaited if it can be: `pace=lambda number: asyncio.sleep(0.01)`,
    or the `wait` of an event that the test sets. In `invoke` and `stream` it must do its waiting itself.
    """

    _script: _Script = PrivateAttr(default_factory=_Script)

    if not TYPE_CHECKING:  # type checkers know the fields, and refuse arguments without a name

        def __init__(self, *args: Any, **fields: Any) -> None:
            if args:
                raise TypeError("a scripted model takes its replies by name: ScriptedChatModel(replies=[...])")
            super().__init__(**fields)

    @property
    def calls(self) -> list[list[BaseMessage]]:
        """The messages of each call so far, in order."""
        return self._script.calls

    @property
    def options(self) -> list[dict[str, Any]]:
        """The keyword arguments of each call so far, bound ones such as `tools` and `tool_choice` among them."""
        return self._script.options

    @property
    def tools(self) -> list[Any]:
        """The tools that `bind_tools` was last given, as they were given."""
        return self._script.tools

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """This model with the tools bound as a provider's would be, in the form of OpenAI's API.

        The result shares the script with the model, so either shows the calls of both.
        """
        self._script.tools = list(tools)
        if tool_choice is not None:
            kwargs["tool_choice"] = tool_choice
        bound = self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)
        return cast("Runnable[LanguageModelInput, AIMessage]", bound)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for number, piece in enumerate(self._pieces(messages, stop, kwargs)):
            if self.pace is not None:
                _refuse_awaitable(self.pace(number))
            yield _sent(piece)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for number, piece in enumerate(self._pieces(messages, stop, kwargs)):
            if self.pace is not None:
                held = self.pace(number)
                if inspect.isawaitable(held):
                    await held
            yield _sent(piece)

    def _pieces(self, messages: list[BaseMessage], stop: list[str] | None, options: dict[str, Any]) -> Iterator[Piece]:
        number = self._script.record(messages, options if stop is None else {**options, "stop": stop})
        if number >= len(self.replies) and self.when_exhausted == "raise":
            raise ScriptExhaustedError(
                f"the scripted model has {len(self.replies)} replies and was called once more; "
                "add a reply, or set when_exhausted='cycle'"
            )
        reply = self.replies[number % len(self.replies)]
        if callable(reply):
            reply = reply(messages)
        return _pieces_of(reply, self.chunks)


def _pieces_of(answer: Answer, size: Literal["word", "char"] | int) -> Iterator[Piece]:
    if isinstance(answer, BaseException):
        return iter([answer])
    if isinstance(answer, str):
        return _cut(AIMessage(answer), size)
    if isinstance(answer, AIMessage):
        return _cut(answer, size)
    if isinstance(answer, Sequence):
        # Copies, because langchain-core gives a chunk its id in place.
        return (piece.model_copy() if isinstance(piece, AIMessageChunk) else piece for piece in answer)
    raise TypeError(f"a scripted reply is a string, AIMessage, exception or list of chunks, not {answer!r}")


def _cut(message: AIMessage, size: Literal["word", "char"] | int) -> Iterator[Piece]:
    """The message as the chunks of a stream, each made when it is due; the last one is marked as such."""
    empty: str | list[Any] = "" if isinstance(message.content, str) else []
    parts: list[dict[str, Any]]
    if isinstance(message.content, str):
        parts = [{"content": piece} for piece in _split(message.content, size)]
    else:
        parts = [{"content": [copy.deepcopy(block)]} for block in message.content]
    texts = [(call["name"], call["id"], json.dumps(call["args"])) for call in message.tool_calls]
    invalid = [(call["name"], call["id"], call["args"] or "") for call in message.invalid_tool_calls]
    for index, (name, id, args) in enumerate([*texts, *invalid]):
        fragments = [tool_call_chunk(name=name, id=id, args="", index=index)]
        fragments += [tool_call_chunk(args=piece, index=index) for piece in _split(args, size)]
        parts += [{"content": empty, "tool_call_chunks": [fragment]} for fragment in fragments]
    extras = {name: getattr(message, name) for name in ("usage_metadata", "response_metadata", "additional_kwargs")}
    extras = {name: copy.deepcopy(value) for name, value in extras.items() if value}
    # A chunk marked as the last has no `content_blocks` for fragments, so none of them may be in it.
    if extras or not parts or "tool_call_chunks" in parts[-1]:
        parts.append({"content": empty, **extras})
    parts[-1]["chunk_position"] = "last"
    return (AIMessageChunk(id=message.id, **part) for part in parts)


def _split(text: str, size: Literal["word", "char"] | int) -> list[str]:
    if size == "word":
        return re.findall(r"\s*\S+|\s+", text)
    step = 1 if size == "char" else size
    return [text[start : start + step] for start in range(0, len(text), step)]


def _sent(piece: Piece) -> ChatGenerationChunk:
    if isinstance(piece, BaseException):
        raise piece.with_traceback(None)  # it may be raised many times, and would gather the frames of all
    return ChatGenerationChunk(message=AIMessageChunk(content=piece) if isinstance(piece, str) else piece)


def _refuse_awaitable(held: Any) -> None:
    if inspect.isawaitable(held):
        if inspect.iscoroutine(held):
            held.close()
        raise TypeError("the scripted model's pace returned an awaitable in a sync call; use ainvoke or astream")
