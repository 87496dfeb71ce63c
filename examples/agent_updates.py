"""`create_agent`: its progress, step by step, as content blocks."""

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
    for chunk in agent.stream(question, stream_mode="updates"):
        for step, data in chunk.items():
            print(f"step: {step}")
            print(f"content: {data['messages'][-1].content_blocks}")


async def amain() -> None:
    async for chunk in agent.astream(question, stream_mode="updates"):
        for step, data in chunk.items():
            print(f"step: {step}")
            print(f"content: {data['messages'][-1].content_blocks}")


if __name__ == "__main__":
    main()
    asyncio.run(amain())
