"""A node that takes its writer as a parameter instead of asking for it."""

import asyncio
from typing import Any

from joke import State

from headrace.graph import START, StateGraph
from headrace.types import StreamWriter


async def generate_joke(state: State, writer: StreamWriter) -> dict[str, Any]:
    writer({"custom_key": "Streaming custom data while generating a joke"})
    return {"joke": f"This is a joke about {state['topic']}"}


graph = StateGraph(State).add_node("generate_joke", generate_joke).add_edge(START, "generate_joke").compile()


async def main() -> None:
    async for chunk in graph.astream({"topic": "ice cream"}, stream_mode="custom"):
        print(chunk)


if __name__ == "__main__":
    asyncio.run(main())
