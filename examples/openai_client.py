"""The `openai` package itself in a node, its deltas written on as custom data.

    pip install openai
    python examples/openai_client.py

runs offline, against a small server of our own. For a model of yours set `OPENAI_BASE_URL` and `OPENAI_API_KEY`.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam
from support.chat_server import chat_server
from typing_extensions import TypedDict

from headrace.config import get_stream_writer
from headrace.graph import START, StateGraph

ITEMS = "In a kitchen one finds pots, pans and a kettle."


class State(TypedDict):
    query: str
    result: str


async def stream_tokens(model: str, messages: list[ChatCompletionMessageParam]) -> AsyncIterator[dict[str, Any]]:
    async with AsyncOpenAI() as client:
        response = await client.chat.completions.create(messages=messages, model=model, stream=True)
        role = None
        async for chunk in response:
            delta = chunk.choices[0].delta
            if delta.role is not None:
                role = delta.role
            if delta.content:
                yield {"role": role, "content": delta.content}


async def get_items(state: State) -> dict[str, Any]:
    writer = get_stream_writer()
    response = ""
    question: ChatCompletionMessageParam = {"role": "user", "content": f"List items found in {state['query']}"}
    async for message_chunk in stream_tokens("gpt-4o-mini", [question]):
        response += message_chunk["content"]
        writer(message_chunk)
    return {"result": response}


graph = StateGraph(State).add_node("get_items", get_items).add_edge(START, "get_items").compile()


async def main() -> None:
    async for chunk in graph.astream({"query": "kitchen"}, stream_mode="custom"):
        if "content" in chunk:
            print(chunk["content"], end="", flush=True)
    print()


if __name__ == "__main__":
    if "OPENAI_BASE_URL" in os.environ:
        asyncio.run(main())
    else:
        with chat_server(ITEMS) as url:
            os.environ.update(OPENAI_BASE_URL=url, OPENAI_API_KEY="none needed")
            asyncio.run(main())
