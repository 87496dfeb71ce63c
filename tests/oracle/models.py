"""Chat models of the kinds that providers ship: streaming word by word, in one piece, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult


class Whole(BaseChatModel):
    """Answers in one piece; it has no streaming of its own."""

    answer: str = "why did the ice cream go?"

    @property
    def _llm_type(self) -> str:
        return "whole"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(self.answer))])


class Words(Whole):
    """Streams its answer word by word and, as most providers do, does not mark the last chunk."""

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for word in self.chunks():
            chunk = ChatGenerationChunk(message=word)
            if run_manager is not None:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    def chunks(self) -> Iterator[AIMessageChunk]:
        words = self.answer.split()
        yield from (AIMessageChunk(content=word + " " * (at < len(words) - 1)) for at, word in enumerate(words))


class Marked(Words):
    """Marks its own last chunk."""

    def chunks(self) -> Iterator[AIMessageChunk]:
        *first, last = super().chunks()
        yield from first
        yield AIMessageChunk(content=last.content, chunk_position="last")


class Calling(Words):
    """Streams a tool call in two pieces."""

    def chunks(self) -> Iterator[AIMessageChunk]:
        yield AIMessageChunk(
            content="", tool_call_chunks=[tool_call_chunk(name="look", args='{"at":', id="call-1", index=0)]
        )
        yield AIMessageChunk(
            content="", tool_call_chunks=[tool_call_chunk(name=None, args=' "sky"}', id=None, index=0)]
        )


class Failing(Words):
    """Breaks after its first word."""

    def chunks(self) -> Iterator[AIMessageChunk]:
        yield AIMessageChunk(content="well ")
        raise ConnectionError("the line went dead")
