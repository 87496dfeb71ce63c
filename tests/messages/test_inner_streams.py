"""One rule for the streams of graphs in graphs: a consumer hears the modes it asked for, of a subgraph if it asked.

In every combination of what the caller and a node's own code ask for, however the graph is called.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, Literal

import pytest

from headrace.checkpoint.memory import InMemorySaver
from headrace.config import get_stream_writer
from headrace.graph import START, StateGraph
from headrace.messages import tokens
from tests.messages.build import DRIVERS, Driver, Said, asaid, gather, model, one

MODES = ("values", "updates", "messages", "custom", "debug", "tasks", "checkpoints")
Nesting = Literal["node", "called"]

every_driver = pytest.mark.parametrize("driver", DRIVERS)
every_depth = pytest.mark.parametrize("depth", [1, 2])
both = pytest.mark.parametrize("subgraphs", [False, True])

CONFIG: Any = {"configurable": {"thread_id": "T"}}


@pytest.fixture(autouse=True)
def warned(monkeypatch: pytest.MonkeyPatch) -> None:
    """That withheld tokens are warned of has a test of its own."""
    monkeypatch.setattr(tokens.WithheldTap, "warned", True)


def inner_graph(driver: Driver) -> Any:
    """Two nodes: one that writes and lets a model talk, one that ends."""

    def say(state: Said) -> Any:
        get_stream_writer()("wrote")
        return {"said": model().invoke(state["asked"]).content}

    async def asay(state: Said) -> Any:
        get_stream_writer()("wrote")
        return {"said": await asaid(model(), state["asked"], "invoke")}

    builder = StateGraph(Said).add_node("say", asay if driver == "async" else say)
    return (
        builder.add_node("end", lambda state: {"asked": "done"}).add_edge(START, "say").add_edge("say", "end").compile()
    )


def around(inner: Any, nesting: Nesting, driver: Driver, depth: int) -> Any:
    """`inner` inside so many graphs."""
    for _ in range(depth):
        inner = one(inner if nesting == "node" else calling(inner, driver), "sub")
    return inner


def calling(graph: Any, driver: Driver) -> Any:
    async def acall(state: Said) -> Any:
        return await graph.ainvoke(state)

    return acall if driver == "async" else (graph.invoke)


def listening(graph: Any, mode: str, driver: Driver, heard: list[Any]) -> Any:
    """A node that streams `graph` for itself."""

    def listen(state: Said) -> Any:
        heard.extend(graph.stream(state, stream_mode=mode))
        return {"said": "heard"}

    async def alisten(state: Said) -> Any:
        heard.extend(await gather(graph.astream(state, stream_mode=mode)))
        return {"said": "heard"}

    return alisten if driver == "async" else listen


def events(graph: Any, driver: Driver, mode: str, subgraphs: bool) -> list[Any]:
    saved = graph.copy({"checkpointer": InMemorySaver()})
    options = {"stream_mode": mode, "subgraphs": subgraphs}
    if driver == "sync":
        return list(saved.stream({"asked": "why"}, CONFIG, **options))
    return asyncio.run(gather(saved.astream({"asked": "why"}, CONFIG, **options)))


def plain(event: Any, mode: str) -> Any:
    """An event without what differs from run to run and from place to place: ids, times, configs."""
    if mode == "messages":
        message, metadata = event
        return message.content, metadata["langgraph_node"], metadata["langgraph_step"]
    if mode == "debug":
        return event["step"], event["type"], plain(event["payload"], f"{event['type']}s")
    if mode == "checkpoints":
        return event["values"], event["next"], event["metadata"]["source"], event["metadata"]["step"]
    return re.sub(r"'id': '[-0-9a-f]+'", "'id'", repr(event))


def alone(driver: Driver, mode: str) -> list[Any]:
    """What the inner graph says when nothing is around it."""
    found = [plain(event, mode) for event in events(inner_graph(driver), driver, mode, False)]
    assert found, mode
    return found


@every_driver
@every_depth
@both
@pytest.mark.parametrize("nesting", ["node", "called"])
def test_a_caller_hears_a_subgraph_only_if_it_asked(
    driver: Driver, depth: int, subgraphs: bool, nesting: Nesting
) -> None:
    for mode in MODES:
        graph = around(inner_graph(driver), nesting, driver, depth)
        told = events(graph, driver, mode, subgraphs)
        if not subgraphs:
            own = [plain(event, mode) for event in told]
            assert own == [plain(e, mode) for ns, e in events(graph, driver, mode, True) if ns == ()], mode
            continue
        inner = [plain(event, mode) for ns, event in told if len(ns) == depth]
        assert inner == alone(driver, mode), mode


@every_driver
@every_depth
@both
def test_a_node_that_streams_a_graph_hears_exactly_its_modes(driver: Driver, depth: int, subgraphs: bool) -> None:
    expected = {mode: alone(driver, mode) for mode in MODES}
    for asked in MODES:
        for own in MODES:
            heard: list[Any] = []
            graph = one(listening(inner_graph(driver), own, driver, heard), "listen")
            for _ in range(depth - 1):
                graph = one(graph, "sub")
            told = events(graph, driver, asked, subgraphs)
            assert [plain(event, own) for event in heard] == expected[own], (asked, own)
            if subgraphs:
                inner = [plain(event, asked) for ns, event in told if len(ns) == depth]
                assert inner == expected[asked], (asked, own)
            elif asked in ("messages", "custom"):
                assert told == [], (asked, own)
