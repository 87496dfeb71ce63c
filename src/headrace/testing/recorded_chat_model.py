"""A chat model that writes down what a real one says, and says it again without it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import PrivateAttr, model_validator

from headrace.testing.recording import (
    RecordedCall,
    RecordedError,
    Recording,
    Request,
    chunk_from,
    chunk_of,
    error_of,
    request_of,
)
from headrace.testing.redact import Clean, secrets_of, without, without_keys
from headrace.testing.streamed import StreamedChatModel

ALONE: RunnableConfig = {"callbacks": []}
"""The real model is called behind the scenes: its tokens are told once, as those of the recorded model."""


class RecordedChatModel(StreamedChatModel):
    """A chat model that records `model` in a file and replays it from there.

    A call is known by its messages and options, not by their ids: the first recorded call that asked the same and was
    not replayed yet answers it, with the same chunks, usage and provider's ids, or the same error, as `RecordedError`.
    What is called with `invoke` is streamed behind it, so that either way of asking replays both.

    The file holds what was asked and what came, and nothing of the model's own settings; values of secret fields and
    of environment variables such as `OPENAI_API_KEY`, headers, and texts that look like keys are written as `***`.

    A stream that its reader left before the end is not recorded. Two processes must not record into one file.
    """

    path: Path

    model: BaseChatModel | None = None
    """The real one; a replay alone needs none."""

    mode: Literal["auto", "record", "replay"] = "auto"
    """`record` begins the file anew at the first call and asks the model each time; `replay` never asks it, so a call
    that is not in the file is an `UnrecordedCallError`; `auto` asks it for those only, where there is a model."""

    mask: Callable[[str], str] | None = None
    """Applied to each text that is asked, to hide what differs from run to run (dates, say) or is nobody's business."""

    _recording: Recording = PrivateAttr()
    _bound: Runnable[LanguageModelInput, AIMessage] | None = PrivateAttr(None)
    """The real model with its tools, which it may want in another form than the recording's."""
    _binding: dict[str, Any] = PrivateAttr(default_factory=dict)
    """The options that it was bound with."""

    @model_validator(mode="after")
    def _has_what_to_record(self) -> RecordedChatModel:
        if self.mode == "record" and self.model is None:
            raise ValueError("mode='record' needs the model that is to be recorded: RecordedChatModel(model=...)")
        return self

    def model_post_init(self, context: Any, /) -> None:
        self._recording = Recording(self.path, fresh=self.mode == "record")

    @property
    def _llm_type(self) -> str:
        return "recorded"

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: Any = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """This model with the tools bound, to the real one as well. In the file they have the form of OpenAI's API."""
        if tool_choice is not None:
            kwargs["tool_choice"] = tool_choice
        options = {"tools": [_shown(tool) for tool in tools], **kwargs}
        bound = self.model_copy()
        if self.model is not None:
            bound._bound, bound._binding = self.model.bind_tools(tools, **kwargs), options
        return cast("Runnable[LanguageModelInput, AIMessage]", bound.bind(**options))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        options = kwargs if stop is None else {**kwargs, "stop": stop}
        request = request_of(messages, options, self._clean)
        if (call := self._known(request)) is not None:
            yield from _replayed(call)
            return
        with _Listener(self, request) as heard:
            for message in self._real.stream(messages, ALONE, **self._unbound(options)):
                yield heard(message)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        options = kwargs if stop is None else {**kwargs, "stop": stop}
        request = request_of(messages, options, self._clean)
        if (call := self._known(request)) is not None:
            for chunk in _replayed(call):
                yield chunk
            return
        with _Listener(self, request) as heard:
            async for message in self._real.astream(messages, ALONE, **self._unbound(options)):
                yield heard(message)

    def _known(self, request: Request) -> RecordedCall | None:
        """The recorded call; None when the real model is to be asked."""
        call = None if self.mode == "record" else self._recording.take(request)
        if call is None and (self.mode == "replay" or self.model is None):
            raise self._recording.missing(request)
        return call

    @property
    def _real(self) -> Runnable[LanguageModelInput, AIMessage]:
        assert self.model is not None
        return self.model if self._bound is None else self._bound

    def _unbound(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options without those that the real model is bound with."""
        return {
            name: value for name, value in options.items() if name not in self._binding or value != self._binding[name]
        }

    @property
    def _hide(self) -> Clean:
        return without(secrets_of(self.model))

    @property
    def _clean(self) -> Clean:
        """What is done to each text that is asked, and to errors."""
        hide, mask = self._hide, self.mask
        return lambda text: (mask or str)(without_keys(hide(text)))


class _Listener:
    """Gathers what the real model says, and keeps it when it has said all, or failed."""

    def __init__(self, model: RecordedChatModel, request: Request) -> None:
        self.model, self.request = model, request
        self.hide = model._hide
        self.chunks: list[dict[str, Any]] = []

    def __enter__(self) -> _Listener:
        return self

    def __call__(self, message: AIMessage) -> ChatGenerationChunk:
        """The chunk as it will be replayed."""
        self.chunks.append(chunk_of(message, self.hide))
        return ChatGenerationChunk(message=chunk_from(self.chunks[-1]))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, Exception):
            told = None if error is None else error_of(error, self.model._clean)
            name = _name(self.model.model)
            self.model._recording.add(RecordedCall(self.request, self.chunks, told, name))


def _replayed(call: RecordedCall) -> Iterator[ChatGenerationChunk]:
    for chunk in call.chunks:
        yield ChatGenerationChunk(message=chunk_from(chunk))
    if call.error is not None:
        raise RecordedError(call.error["type"], call.error["text"])


def _shown(tool: Any) -> dict[str, Any]:
    """A tool in the form of OpenAI's API; one that the provider brings along stays as it is."""
    try:
        return convert_to_openai_tool(tool)
    except (ValueError, TypeError):
        if isinstance(tool, dict):
            return tool
        raise


def _name(model: Any) -> str:
    name = getattr(model, "model_name", None) or getattr(model, "model", None)
    return name if isinstance(name, str) else type(model).__name__
