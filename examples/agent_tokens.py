"""`create_agent`: tool calls as they are made and the answer as it is spoken."""

import asyncio

from langchain_core.messages import AIMessage

from headrace.agents import create_agent
from headrace.testing import ScriptedChatModel


def get_weather(city: str) -> str:
    """Get weather for a given city."""
    return f"It's always sunny in {city}!"


model = ScriptedChatModel(
    replies=[
        AIMessage("", tool_calls=[{"name": "get_weather", "args": {"city": "San Francisco"}, "id": "call_1"}]),
        "Here's what I got: \"It's always sunny in San Francisco!\"",
    ]
)
agent = create_agent(model=model, tools=[get_weather])
question = {"messages": [{"role": "user", "content": "What is the weather in SF?"}]}


def main() -> None:
    for token, metadata in agent.stream(question, stream_mode="messages"):
        print(f"node: {metadata['langgraph_node']}")
        print(f"content: {token.content_blocks}")


async def amain() -> None:
    async for token, metadata in agent.astream(question, stream_mode="messages"):
        print(f"node: {metadata['langgraph_node']}")
        print(f"content: {token.content_blocks}")


if __name__ == "__main__":
    main()
    asyncio.run(amain())
