"""Small graphs whose nodes call models, in every way in which a graph and a model can be called."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Literal

from typing_extensions import Required, TypedDict

from headrace.graph import START, StateGraph
from headrace.testing import ScriptedChatModel

Driver = Literal["sync", "async", "threads"]
DRIVERS: tuple[Driver, ...] = ("sync", "async", "threads")
"""Plain nodes under `stream`, coroutine nodes under `astream`, plain nodes under `astream`."""

How = Literal["invoke", "stream"]


class Said(TypedDict, total=False):
    asked: Required[str]
    said: str


def model(text: str = "why not", **options: Any) -> ScriptedChatModel:
    return ScriptedChatModel(replies=[text], **options)


def asking(model: Any, driver: Driver, how: How = "invoke") -> Callable[..., Any]:
    """A node that asks the model and returns what it said as text."""
    if driver == "async":

        async def aask(state: Said) -> Said:
            return {"asked": state["asked"], "said": await asaid(model, state["asked"], how)}

        return aask

    def ask(state: Said) -> Said:
        if how == "invoke":
            return {"asked": state["asked"], "said": str(model.invoke(state["asked"]).content)}
        return {"asked": state["asked"], "said": "".join(str(chunk.content) for chunk in model.stream(state["asked"]))}

    return ask


async def asaid(model: Any, asked: str, how: How) -> str:
    if how == "invoke":
        return str((await model.ainvoke(asked)).content)
    return "".join([str(chunk.content) async for chunk in model.astream(asked)])


def one(action: Any, name: str = "ask", schema: Any = Said, **options: Any) -> Any:
    """A graph of one node."""
    return StateGraph(schema).add_node(name, action, **options).add_edge(START, name).compile()


def counting(end: int) -> Any:
    """A graph that takes so many steps."""

    def count(state: Said) -> Any:
        return {"said": state.get("said", "") + "x"}

    def more(state: Said) -> str:
        return "count" if len(state["said"]) < end else "__end__"

    builder = StateGraph(Said).add_node("count", count).add_edge(START, "count")
    return builder.add_conditional_edges("count", more).compile()


def streamed(graph: Any, driver: Driver, mode: Any = "messages", input: Any = None, **options: Any) -> list[Any]:
    """All events of a run."""
    given = {"asked": "why"} if input is None else input
    if driver == "sync":
        return list(graph.stream(given, stream_mode=mode, **options))
    return asyncio.run(gather(graph.astream(given, stream_mode=mode, **options)))


def result(graph: Any, driver: Driver, input: Any = None, config: Any = None) -> Any:
    """What a run comes to."""
    given = {"asked": "why"} if input is None else input
    return graph.invoke(given, config) if driver == "sync" else asyncio.run(graph.ainvoke(given, config))


async def gather(events: AsyncIterator[Any]) -> list[Any]:
    return [event async for event in events]


def told(events: list[Any]) -> list[str]:
    """The contents of `messages` events."""
    return [str(message.content) for message, _ in events]


def texts(events: Iterator[Any] | list[Any]) -> str:
    """What the tokens of `messages` events add up to."""
    return "".join(told(list(events)))
