"""Each example prints what its documentation shows, run as a script and through its graph."""

from __future__ import annotations

import asyncio
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("langchain_core")

EXAMPLES = Path(__file__).parents[2] / "examples"
THERAPY = "Why did the ice cream go to therapy? Because it had too many sprinkle-related issues!"
UPDATES = [
    {"refine_topic": {"topic": "ice cream and cats"}},
    {"generate_joke": {"joke": "This is a joke about ice cream and cats"}},
]
VALUES = [
    {"topic": "ice cream"},
    {"topic": "ice cream and cats"},
    {"topic": "ice cream and cats", "joke": "This is a joke about ice cream and cats"},
]
NEWS = [
    {"status": "Starting processing"},
    {"progress": 50, "message": "Halfway done"},
    {"status": "Processing complete"},
]
SEVERAL = [
    ("updates", {"refine_topic": {"topic": "ice cream and cats"}}),
    ("custom", {"custom_key": "Writing custom data while generating a joke"}),
    ("custom", {"progress": "50%"}),
    ("custom", {"progress": "100%"}),
    ("updates", {"generate_joke": {"joke": "This is a joke about ice cream and cats"}}),
]


def printed(*items: Any) -> str:
    return "".join(f"{item}\n" for item in items)


PRINTED = {
    "joke": printed(*UPDATES),
    "stream_updates": printed(*UPDATES),
    "async_stream": printed(*UPDATES),
    "stream_values": printed(*VALUES),
    "llm_tokens": printed(THERAPY),
    "filter_by_tag": printed("Cats have nine lives and no alarm clock."),
    "filter_by_node": printed("Soft paws on the stair, a moon in her stare."),
    "custom_data": printed(*NEWS),
    "any_llm": printed({"llm_token": "You "}, {"llm_token": "said: "}, {"llm_token": "hello"}),
    "openai_client": printed("In a kitchen one finds pots, pans and a kettle."),
    "multiple_modes": printed(*(f"Stream mode: {mode}\n{chunk}\n" for mode, chunk in SEVERAL)),
    "explicit_config": printed("Generating joke...", "What do you call a frozen cat? A purr-sicle."),
    "writer_parameter": printed({"custom_key": "Streaming custom data while generating a joke"}),
}


@pytest.fixture(autouse=True)
def _beside_each_other(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Examples import each other as scripts of one folder do; afterwards nothing of them stays loaded."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.split(".")[0] in ("joke", "support"):
            del sys.modules[name]


def run_as_script(name: str) -> None:
    if name == "openai_client":
        pytest.importorskip("openai")
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")


def graph_of(name: str) -> Any:
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))["graph"]


def streamed(graph: Any, *args: Any, **kwargs: Any) -> list[Any]:
    return list(graph.stream(*args, **kwargs))


def astreamed(graph: Any, *args: Any, **kwargs: Any) -> list[Any]:
    async def read() -> list[Any]:
        return [item async for item in graph.astream(*args, **kwargs)]

    return asyncio.run(read())


both = pytest.mark.parametrize("read", [streamed, astreamed])


@pytest.mark.parametrize("name", PRINTED)
def test_script_prints_what_is_documented(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    run_as_script(name)
    assert capsys.readouterr().out == PRINTED[name]


def test_every_example_is_tested() -> None:
    """Those about agents, in the file beside this one."""
    files = {path.stem for path in EXAMPLES.glob("*.py") if "agent" not in path.stem and path.stem != "async_tool"}
    assert files == {*PRINTED, "stream_debug", "subgraph"}


def test_joke_runs_from_any_folder(tmp_path: Path) -> None:
    """In a process of its own, as a reader of the documentation runs it."""
    command = [sys.executable, str(EXAMPLES / "joke.py")]
    assert subprocess.check_output(command, cwd=tmp_path, text=True) == PRINTED["joke"]


@both
def test_joke_in_both_state_modes(read: Any) -> None:
    graph = graph_of("joke")
    assert read(graph, {"topic": "ice cream"}, stream_mode="updates") == UPDATES
    assert read(graph, {"topic": "ice cream"}, stream_mode="values") == VALUES


@both
def test_debug_shows_each_task_and_its_result(read: Any) -> None:
    events = read(graph_of("joke"), {"topic": "ice cream"}, stream_mode="debug")
    assert [(event["step"], event["type"], event["payload"]["name"]) for event in events] == [
        (1, "task", "refine_topic"),
        (1, "task_result", "refine_topic"),
        (2, "task", "generate_joke"),
        (2, "task_result", "generate_joke"),
    ]
    assert events[0]["payload"]["input"] == {"topic": "ice cream"}
    assert events[1]["payload"]["result"] == {"topic": "ice cream and cats"}
    assert events[3]["payload"]["result"] == {"joke": "This is a joke about ice cream and cats"}
    assert events[0]["payload"]["id"] == events[1]["payload"]["id"] != events[2]["payload"]["id"]
    assert all(event["payload"]["error"] is None for event in events[1::2])


def test_debug_script_prints_four_events(capsys: pytest.CaptureFixture[str]) -> None:
    run_as_script("stream_debug")
    lines = capsys.readouterr().out.splitlines()
    assert [re.findall(r"'type': '(\w+)'", line) for line in lines] == [["task"], ["task_result"]] * 2


@both
def test_tokens_add_up_to_the_answer(read: Any) -> None:
    events = read(graph_of("llm_tokens"), {"topic": "ice cream"}, stream_mode="messages")
    words = [message.content for message, _ in events if message.content]
    assert len(words) == len(THERAPY.split())
    assert "".join(words) == THERAPY
    assert {metadata["langgraph_node"] for _, metadata in events} == {"generate_joke"}
    assert {metadata["langgraph_step"] for _, metadata in events} == {1}


def test_tokens_are_told_apart_by_tags() -> None:
    events = astreamed(graph_of("filter_by_tag"), {"topic": "cats"}, stream_mode="messages")
    for tag, text in {"joke": "Cats have nine lives", "poem": "Soft paws on the stair"}.items():
        assert "".join(chunk.content for chunk, metadata in events if metadata["tags"] == [tag]).startswith(text)
    assert {tuple(metadata["tags"]) for _, metadata in events} == {("joke",), ("poem",)}


@both
def test_tokens_are_told_apart_by_node(read: Any) -> None:
    events = read(graph_of("filter_by_node"), {"topic": "cats"}, stream_mode="messages")
    poem = "".join(chunk.content for chunk, metadata in events if metadata["langgraph_node"] == "write_poem")
    assert poem == "Soft paws on the stair, a moon in her stare."


@both
def test_custom_data(read: Any) -> None:
    assert read(graph_of("custom_data"), {"query": "example"}, stream_mode="custom") == NEWS


@both
def test_several_modes_in_order(read: Any) -> None:
    graph = graph_of("multiple_modes")
    assert read(graph, {"topic": "ice cream"}, stream_mode=["updates", "custom"]) == SEVERAL


@both
def test_subgraph_events_name_their_graph(read: Any) -> None:
    events = read(graph_of("subgraph"), {"foo": "foo"}, stream_mode="updates", subgraphs=True)
    assert [data for _, data in events] == [
        {"node_1": {"foo": "hi! foo"}},
        {"subgraph_node_1": {"bar": "bar"}},
        {"subgraph_node_2": {"foo": "hi! foobar"}},
        {"node_2": {"foo": "hi! foobar"}},
    ]
    outer, inner = events[0][0], events[1][0]
    assert [ns for ns, _ in events] == [outer, inner, inner, outer]
    assert outer == ()
    assert len(inner) == 1
    assert inner[0].startswith("node_2:")


def test_subgraph_script_prints_four_events(capsys: pytest.CaptureFixture[str]) -> None:
    run_as_script("subgraph")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "((), {'node_1': {'foo': 'hi! foo'}})"
    assert lines[3] == "((), {'node_2': {'foo': 'hi! foobar'}})"
    assert all(line.startswith("(('node_2:") for line in lines[1:3])


def test_openai_deltas_carry_their_role(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openai")
    from support.chat_server import chat_server  # type: ignore[import-not-found]  # beside the examples, on sys.path

    graph = graph_of("openai_client")
    with chat_server("pots and pans") as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        monkeypatch.setenv("OPENAI_API_KEY", "none needed")
        events = astreamed(graph, {"query": "kitchen"}, stream_mode=["custom", "updates"])
    assert events == [
        *(("custom", {"role": "assistant", "content": word}) for word in ("pots", " and", " pans")),
        ("updates", {"get_items": {"result": "pots and pans"}}),
    ]
