"""One agent that `create_agent` makes, in all the ways it can be run; beside it the same work with no engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from harness.measure import Engine
from langchain_core.messages import AnyMessage, HumanMessage
from langchain_core.tools import StructuredTool

from workloads.graphs import CONFIG, adrain, drain, expect
from workloads.models import Caller, Words
from workloads.openai_agents import OpenAICaller, OpenAISpeaker

OPENAI = Engine("agents", "openai-agents")


def _add(left: int, right: int) -> int:
    """Add two numbers."""
    return left + right


async def _aadd(left: int, right: int) -> int:
    return _add(left, right)


ADD = StructuredTool.from_function(_add, coroutine=_aadd, name="add")


class GraphCaller:
    """Calls the tool `calls` times in each of `turns` turns."""

    def __init__(self, engine: Engine, turns: int, calls: int) -> None:
        model = Caller(turns=turns, calls=calls)
        self.bound = model.bind_tools([ADD])
        self.agent = engine.get("agents", "create_agent")(model, [ADD])
        self.length = 2 + turns * (1 + calls)

    def bare(self) -> None:
        history: list[AnyMessage] = [HumanMessage("go")]
        while True:
            answer = self.bound.invoke(history)
            history.append(answer)
            if not answer.tool_calls:
                break
            for call in answer.tool_calls:
                history.append(ADD.invoke(call))
        expect(len(history), self.length)

    async def abare(self) -> None:
        history: list[AnyMessage] = [HumanMessage("go")]
        while True:
            answer = await self.bound.ainvoke(history)
            history.append(answer)
            if not answer.tool_calls:
                break
            for call in answer.tool_calls:
                history.append(await ADD.ainvoke(call))
        expect(len(history), self.length)

    def invoke(self) -> None:
        expect(len(self.agent.invoke(self.input, CONFIG)["messages"]), self.length)

    async def ainvoke(self) -> None:
        expect(len((await self.agent.ainvoke(self.input, CONFIG))["messages"]), self.length)

    def updates(self) -> None:
        # The user's message is none of the agent's updates; each of the others comes in one of its own.
        expect(drain(self.agent.stream(self.input, CONFIG, stream_mode="updates")), self.length - 1)

    async def aupdates(self) -> None:
        expect(await adrain(self.agent.astream(self.input, CONFIG, stream_mode="updates")), self.length - 1)

    @property
    def input(self) -> dict[str, Any]:
        return {"messages": [HumanMessage("go")]}


class GraphSpeaker:
    """Answers at once, in `number` words."""

    def __init__(self, engine: Engine, number: int) -> None:
        self.model = Words(number=number)
        self.agent = engine.get("agents", "create_agent")(self.model, [])

    def bare(self) -> Iterator[Any]:
        return self.model.stream("a joke")

    def abare(self) -> AsyncIterator[Any]:
        return self.model.astream("a joke")

    def tokens(self) -> Iterator[Any]:
        events: Iterator[Any] = self.agent.stream({"messages": "a joke"}, stream_mode="messages")
        return events

    def atokens(self) -> AsyncIterator[Any]:
        events: AsyncIterator[Any] = self.agent.astream({"messages": "a joke"}, stream_mode="messages")
        return events


def caller(engine: Engine, turns: int, calls: int) -> GraphCaller | OpenAICaller:
    return OpenAICaller(turns, calls) if engine == OPENAI else GraphCaller(engine, turns, calls)


def speaker(engine: Engine, number: int) -> GraphSpeaker | OpenAISpeaker:
    return OpenAISpeaker(number) if engine == OPENAI else GraphSpeaker(engine, number)
