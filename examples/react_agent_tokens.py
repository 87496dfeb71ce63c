"""An agent's tokens, its tool calls in fragments and the tool's answer among them."""

import asyncio

from langchain_core.messages import AIMessage

from headrace.prebuilt import create_react_agent
from headrace.testing import ScriptedChatModel


def get_weather(city: str) -> str:
    """Get weather for a given city."""
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
    for token, metadata in agent.stream(question, stream_mode="messages"):
        print("Token", token)
        print("Metadata", metadata["langgraph_node"])


async def amain() -> None:
    async for token, metadata in agent.astream(question, stream_mode="messages"):
        print("Token", token)
        print("Metadata", metadata["langgraph_node"])


if __name__ == "__main__":
    main()
    asyncio.run(amain())
