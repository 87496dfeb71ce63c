"""A chat model that streams words at once, and can be held after its first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult


class Words(BaseChatModel):
    number: int
    hold: Any = None
    """An event to wait for after the first word: `threading.Event` for sync streams, `asyncio.Event`
    for async ones. It stands for the network between two tokens of a real model."""

    @property
    def _llm_type(self) -> str:
        return "words"

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content="word " * self.number))])

    def _stream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        for index in range(self.number):
            chunk = ChatGenerationChunk(message=AIMessageChunk(content="word "))
            if run_manager:
                run_manager.on_llm_new_token("word ", chunk=chunk)
            yield chunk
            if index == 0 and self.hold:
                self.hold.wait(1)

    async def _astream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for index in range(self.number):
            chunk = ChatGenerationChunk(message=AIMessageChunk(content="word "))
            if run_manager:
                await run_manager.on_llm_new_token("word ", chunk=chunk)
            yield chunk
            if index == 0 and self.hold:
                await self.hold.wait()
