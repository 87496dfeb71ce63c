"""`create_agent`: what a tool tells while it works."""

import asyncio

from langchain_core.messages import AIMessage

from headrace.agents import create_agent
from headrace.config import get_stream_writer
from headrace.testing import ScriptedChatModel


def get_weather(city: str) -> str:
    """Get weather for a given city."""
    writer = get_stream_writer()
    # stream any arbitrary data
    writer(f"Looking up data for city: {city}")
    writer(f"Acquired data for city: {city}")
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
    for chunk in agent.stream(question, stream_mode="custom"):
        print(chunk)


async def amain() -> None:
    async for chunk in agent.astream(question, stream_mode="custom"):
        print(chunk)


if __name__ == "__main__":
    main()
    asyncio.run(amain())
