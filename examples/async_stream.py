"""The same stream in a coroutine: `astream`."""

import asyncio

from joke import graph


async def main() -> None:
    async for chunk in graph.astream({"topic": "ice cream"}, stream_mode="updates"):
        print(chunk)


if __name__ == "__main__":
    asyncio.run(main())
