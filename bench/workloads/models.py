"""Chat models that cost next to nothing: one streams words, and can be held after its first; one calls a tool."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.tool import tool_call
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.utils.function_calling import convert_to_openai_tool


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


class Caller(BaseChatModel):
    """Asks for `calls` calls of the tool `add` in each of its first `turns` answers, then says that it is done."""

    turns: int
    calls: int

    @property
    def _llm_type(self) -> str:
        return "caller"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        """As providers' classes have it; who binds the tools anew for each call pays for it, as with them."""
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        turn = len(messages) // (1 + self.calls)
        if turn == self.turns:
            message = AIMessage(content="done")
        else:
            args = {"left": turn, "right": 1}
            calls = [tool_call(name="add", args=args, id=f"{turn}-{index}") for index in range(self.calls)]
            message = AIMessage(content="", tool_calls=calls)
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        return self._generate(messages)
