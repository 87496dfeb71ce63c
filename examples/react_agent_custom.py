"""What a tool tells while it works."""

import asyncio

from langchain_core.messages import AIMessage

from headrace.config import get_stream_writer
from headrace.prebuilt import create_react_agent
from headrace.testing import ScriptedChatModel


def get_weather(city: str) -> str:
    """Get weather for a given city."""
    writer = get_stream_writer()
    # stream any arbitrary data
    writer(f"Looking up data for city: {city}")
    return f"It's always sunny in {city}!"


model = ScriptedChatModel(
    replies=[
        AIMessage("", tool_calls=[{"name": "get_weather", "args": {"city": "sf"}, "id": "call_1"}]),
        "It is sunny in sf.",
    ]
)
agent = create_react_agent(model=model, tools=[get_weather])
question = {"messages": [{"role": "user", "content": "what is the weather in sf"}]}


def main() -> None:
    for chunk in agent.stream(question, stream_mode="custom"):
        print(chunk)


async def amain() -> None:
    async for chunk in agent.astream(question, stream_mode="custom"):
        print(chunk)


if __name__ == "__main__":
    main()
    asyncio.run(amain())
