"""The examples about agents show what their documentation shows, sync and async."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("langchain_core")

from langchain_core.messages import AIMessage, AIMessageChunk, ToolMessage

pytestmark = pytest.mark.main_only

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPTS = [
    "react_agent_updates", "react_agent_tokens", "react_agent_custom", "react_agent_modes", "agent_updates",
    "agent_tokens", "agent_custom", "agent_modes", "async_tool",
]  # fmt: skip
BOTH = pytest.mark.parametrize("form", ["sync", "async"])


def example(name: str) -> Any:
    """The example as a module of its own, its model unused."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def streamed(name: str, form: str, mode: Any) -> list[Any]:
    """What the agent of an example streams."""
    module = example(name)
    if form == "sync":
        return list(module.agent.stream(module.question, stream_mode=mode))

    async def gather() -> list[Any]:
        return [chunk async for chunk in module.agent.astream(module.question, stream_mode=mode)]

    return asyncio.run(gather())


@BOTH
@pytest.mark.parametrize(("name", "model"), [("react_agent_updates", "agent"), ("agent_updates", "model")])
def test_updates_tell_of_the_call_the_tool_and_the_answer(name: str, model: str, form: str) -> None:
    call, result, answer = streamed(name, form, "updates")
    [asking] = call[model]["messages"]
    [told] = result["tools"]["messages"]
    [said] = answer[model]["messages"]
    assert isinstance(asking, AIMessage) and asking.tool_calls[0]["name"] == "get_weather"
    assert asking.content_blocks[0]["type"] == "tool_call"
    assert isinstance(told, ToolMessage) and told.tool_call_id == "call_1"
    assert told.content_blocks == [{"type": "text", "text": told.content}]
    assert told.text.startswith("It's always sunny in")
    assert isinstance(said, AIMessage) and said.text


@BOTH
@pytest.mark.parametrize(("name", "model"), [("react_agent_tokens", "agent"), ("agent_tokens", "model")])
def test_tokens_are_the_calls_fragments_the_tools_answer_and_the_words(name: str, model: str, form: str) -> None:
    pairs = streamed(name, form, "messages")
    nodes = [metadata["langgraph_node"] for _, metadata in pairs]
    assert [node for at, node in enumerate(nodes) if at == 0 or nodes[at - 1] != node] == [model, "tools", model]
    fragments = [token for token, metadata in pairs if metadata["langgraph_step"] == 1]
    assert all(isinstance(token, AIMessageChunk) for token in fragments)
    called = [block for token in fragments for block in token.content_blocks]
    assert {block["type"] for block in called} == {"tool_call_chunk"}
    assert called[0]["name"] == "get_weather" and called[0]["id"] == "call_1" and called[0]["args"] == ""
    assert "".join(block["args"] for block in called).startswith('{"city":')
    [(told, _)] = [(token, metadata) for token, metadata in pairs if metadata["langgraph_node"] == "tools"]
    assert isinstance(told, ToolMessage)
    words = [token.text for token, metadata in pairs if metadata["langgraph_step"] == 3]
    assert len([word for word in words if word]) > 3
    assert "".join(words) in ("It is sunny in sf.", "Here's what I got: \"It's always sunny in San Francisco!\"")


@BOTH
def test_a_tool_tells_while_it_works(form: str) -> None:
    assert streamed("react_agent_custom", form, "custom") == ["Looking up data for city: sf"]
    assert streamed("agent_custom", form, "custom") == [
        "Looking up data for city: San Francisco",
        "Acquired data for city: San Francisco",
    ]


@BOTH
def test_several_modes_come_in_the_order_in_which_things_happen(form: str) -> None:
    events = streamed("agent_modes", form, ["updates", "custom"])
    assert [mode for mode, _ in events] == ["updates", "custom", "custom", "updates", "updates"]
    assert [next(iter(chunk)) for mode, chunk in events if mode == "updates"] == ["model", "tools", "model"]
    modes = [mode for mode, _ in streamed("react_agent_modes", form, ["updates", "messages", "custom"])]
    turns = [mode for at, mode in enumerate(modes) if at == 0 or modes[at - 1] != mode]
    assert turns == ["messages", "updates", "custom", "messages", "updates", "messages", "updates"]


@BOTH
def test_an_async_tool_tells_in_a_sync_stream_too(form: str) -> None:
    items = [{"custom_tool_data": item} for item in ("books", "pencils", "pictures")]
    assert streamed("async_tool", form, "custom") == items


def test_an_async_tool_works_in_a_sync_stream_where_a_loop_is_running() -> None:
    async def notebook() -> list[Any]:
        return streamed("async_tool", "sync", "custom")

    assert len(asyncio.run(notebook())) == 3


def test_every_example_about_agents_is_tested() -> None:
    files = {path.stem for path in EXAMPLES.glob("*agent*.py")}
    assert files == {*SCRIPTS, "weather_agent"} - {"async_tool"}


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_example_runs_as_a_script(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = example(name)
    module.main()
    assert "sunny" in (said := capsys.readouterr().out) or "custom_tool_data" in said or "Looking up" in said
    if hasattr(module, "amain"):
        asyncio.run(module.amain())
        assert capsys.readouterr().out.split("id=")[0] == said.split("id=")[0]
