"""A chat model whose message is what its chunks add up to."""

from typing import Any, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.utils import message_chunk_to_message
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from headrace.messages.tool_calls import ToolCallFragments, completed


class StreamedChatModel(BaseChatModel):
    """Subclass it with `_stream` and `_astream`; `invoke` and `ainvoke` are made of these."""

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return added_up(list(self._stream(messages, stop, **kwargs)))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return added_up([chunk async for chunk in self._astream(messages, stop, **kwargs)])


def added_up(chunks: list[ChatGenerationChunk]) -> ChatResult:
    if not chunks:
        raise ValueError("the scripted reply is an empty list; write at least one chunk")
    messages = [cast("AIMessageChunk", chunk.message) for chunk in chunks]
    fragments = ToolCallFragments()
    for one in messages:
        fragments.add(one.tool_call_chunks)
    first, *rest = messages
    message = message_chunk_to_message(first + rest if rest else first)
    return ChatResult(generations=[ChatGeneration(message=completed(cast("AIMessage", message), fragments))])
