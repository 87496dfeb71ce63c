"""`astream_events`: langchain-core's events of the graph, its nodes, models, tools and subgraphs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.callbacks import adispatch_custom_event
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool

from headrace.graph import START, StateGraph
from headrace.testing import ScriptedChatModel
from tests.messages.build import Said, asking, counting, gather, model, one

ASKED = {"asked": "why"}


async def events(graph: Any, input: Any = None, config: Any = None, **options: Any) -> list[Any]:
    options.setdefault("version", "v2")
    return await gather(graph.astream_events(input or ASKED, config, **options))


def short(found: list[Any]) -> list[str]:
    return [f"{event['event'].removeprefix('on_')} {event['name']}" for event in found]


def simple() -> Any:
    return one(asking(model(), "async")).copy({"name": "g"})


SIMPLE = [
    "chain_start g", "chain_start ask", "chat_model_start ScriptedChatModel", "chat_model_stream ScriptedChatModel",
    "chat_model_stream ScriptedChatModel", "chat_model_end ScriptedChatModel", "chain_stream ask", "chain_end ask",
    "chain_stream g", "chain_end g",
]  # fmt: skip


async def test_events_of_a_graph_its_node_and_a_model() -> None:
    assert short(await events(simple())) == SIMPLE


async def test_events_of_a_sync_node() -> None:
    assert short(await events(one(asking(model(), "sync")).copy({"name": "g"}))) == SIMPLE


@pytest.mark.filterwarnings("ignore:astream_events version=.v1.")
async def test_events_in_the_old_version() -> None:
    found = await events(simple(), version="v1")
    assert sorted(short(found)) == sorted(SIMPLE)


async def test_data_of_events() -> None:
    by_name = {f"{event['event']} {event['name']}": event["data"] for event in await events(simple())}
    update = {"asked": "why", "said": "why not"}
    assert by_name["on_chain_start g"] == {"input": ASKED}
    assert by_name["on_chain_start ask"] == {"input": ASKED}
    assert by_name["on_chain_stream ask"] == {"chunk": update}
    assert by_name["on_chain_end ask"] == {"input": ASKED, "output": update}
    assert by_name["on_chain_stream g"] == {"chunk": {"ask": update}}
    assert by_name["on_chain_end g"] == {"output": update}


async def test_each_event_names_all_its_parents() -> None:
    found = await events(simple())
    ids = {event["name"]: event["run_id"] for event in found}
    parents = {event["name"]: event["parent_ids"] for event in found}
    assert parents == {"g": [], "ask": [ids["g"]], "ScriptedChatModel": [ids["g"], ids["ask"]]}


async def test_tags_and_metadata_of_events() -> None:
    found = await events(simple(), config={"tags": ["mine"], "metadata": {"who": "me"}, "run_name": "called"})
    tags = {event["name"]: set(event["tags"]) for event in found}
    assert tags == {
        "called": {"mine"}, "ask": {"mine", "graph:step:1"}, "ScriptedChatModel": {"mine", "seq:step:1"},
    }  # fmt: skip
    assert all(event["metadata"]["who"] == "me" for event in found)
    assert [event["metadata"].get("langgraph_node") for event in found] == [None, *["ask"] * 7, None, None]


async def test_events_of_a_tool_and_of_a_custom_event() -> None:
    @tool
    async def look(at: str) -> str:
        """Look at something."""
        return f"saw {at}"

    async def use(state: Said, config: Any) -> Any:
        await adispatch_custom_event("told", {"n": 1}, config=config)
        return {"said": await look.ainvoke({"at": "sky"}, config)}

    found = await events(one(use, "use").copy({"name": "g"}))
    assert short(found)[2:5] == ["custom_event told", "tool_start look", "tool_end look"]
    assert found[4]["data"] == {"input": {"at": "sky"}, "output": "saw sky"}


async def test_events_of_a_subgraph_stand_below_its_node() -> None:
    inner = one(asking(model(), "async")).copy({"name": "inner"})
    found = await events(one(inner, "sub").copy({"name": "g"}))
    assert short(found) == [
        "chain_start g", "chain_start sub", "chain_start inner", *SIMPLE[1:8], "chain_end inner", "chain_stream sub",
        "chain_end sub", "chain_stream g", "chain_end g",
    ]  # fmt: skip
    depth = {event["name"]: len(event["parent_ids"]) for event in found}
    assert depth == {"g": 0, "sub": 1, "inner": 2, "ask": 3, "ScriptedChatModel": 4}


async def test_every_step_comes_before_the_end_of_the_graph() -> None:
    """langchain-core drops what a run streams after its end."""
    names = [f"n{number}" for number in range(5)]
    builder = StateGraph(Said).add_sequence([(name, lambda state: {"said": "x"}) for name in names])
    found = await events(builder.add_edge(START, "n0").compile(name="g"))
    assert [list(chunk) for chunk in chunks(found)] == [[name] for name in names]
    assert short(found)[-1] == "chain_end g"


def chunks(found: list[Any]) -> list[Any]:
    """What the graph streamed."""
    return [event["data"]["chunk"] for event in found if (event["event"], event["name"]) == ("on_chain_stream", "g")]


@pytest.mark.parametrize("mode", ["values", "messages", "custom", ["updates", "messages"]])
async def test_the_graph_streams_what_it_is_asked_for(mode: Any) -> None:
    found = await events(simple(), stream_mode=mode)
    assert len(chunks(found)) == len(await gather(simple().astream(ASKED, stream_mode=mode)))


async def test_options_of_langchain_choose_events() -> None:
    assert {event["name"] for event in await events(simple(), include_types=["chat_model"])} == {"ScriptedChatModel"}
    assert {event["name"] for event in await events(simple(), exclude_names=["ask"])} == {"g", "ScriptedChatModel"}


async def test_an_error_ends_the_events() -> None:
    found: list[Any] = []
    broken = one(asking(ScriptedChatModel(replies=[["well", ConnectionError("dead")]]), "async"))
    with pytest.raises(ConnectionError):
        async for event in broken.astream_events(ASKED, version="v2"):
            found.append(event)
    assert "chat_model_stream ScriptedChatModel" in short(found)


async def test_leaving_the_events_stops_the_run() -> None:
    started, stopped = asyncio.Event(), asyncio.Event()

    async def wait(state: Said) -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        finally:
            stopped.set()

    stream = one(wait, "wait").astream_events(ASKED, version="v2")
    await stream.__anext__()
    await started.wait()
    await stream.aclose()
    assert stopped.is_set()


async def test_a_long_run_is_not_cut_short() -> None:
    """langchain-core's own recursion limit, 25, is not that of a graph."""
    assert (await events(counting(40)))[-1]["data"]["output"]["said"] == "x" * 40
    with pytest.raises(RecursionError):
        await events(counting(40), config={"recursion_limit": 3})


async def test_a_node_can_read_the_events_of_another_graph() -> None:
    inner = one(asking(model(), "async")).copy({"name": "inner"})
    heard: list[str] = []

    async def read(state: Said) -> Any:
        heard.extend(short(await events(inner)))
        return {"said": "x"}

    outer = await events(one(read, "read").copy({"name": "g"}))
    assert heard == [line.replace(" g", " inner") for line in SIMPLE]
    depth = {event["name"]: len(event["parent_ids"]) for event in outer}
    assert depth == {"g": 0, "read": 1, "inner": 2, "ask": 3, "ScriptedChatModel": 4}


async def test_events_of_a_graph_that_a_sync_node_invokes() -> None:
    inner = one(asking(model(), "sync")).copy({"name": "inner"})
    found = await events(one(inner.invoke, "call").copy({"name": "g"}))
    assert [line for line in short(found) if line.endswith((" ask", " inner"))] == [
        "chain_start inner", "chain_start ask", "chain_stream ask", "chain_end ask", "chain_end inner",
    ]  # fmt: skip


async def test_events_of_a_chain_with_a_graph_in_it() -> None:
    chain = RunnableLambda(lambda asked: {"asked": asked}).with_config(run_name="make") | simple()
    found = await events(chain, "why")
    assert short(found)[0] == "chain_start RunnableSequence"
    assert [name for name in short(found) if name.endswith("_start g") or name.endswith("_end g")] == [
        "chain_start g",
        "chain_end g",
    ]
    depth = {event["name"]: len(event["parent_ids"]) for event in found}
    assert (depth["g"], depth["ask"], depth["ScriptedChatModel"]) == (1, 2, 3)
