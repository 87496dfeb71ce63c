"""The model of the offline examples reads the question, and the agent around it runs."""

from __future__ import annotations

import runpy
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import pytest

pytest.importorskip("langchain_core")

from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool

from headrace.graph import START, MessagesState, StateGraph
from headrace.messages.tool_calls import ToolCallFragments

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The model, loaded as the examples do; afterwards nothing of it stays."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield import_module("support.rule_based").RuleBasedChatModel()
    for name in [name for name in sys.modules if name.split(".")[0] == "support"]:
        del sys.modules[name]


@tool
def get_weather(city: str) -> str:
    """Get weather for a given city."""
    return f"It's always sunny in {city}!"


@tool
def search(query: str, limit: int = 3) -> str:
    """Look things up in the library."""
    return "nothing"


@tool
def convert(amount: float, unit: Literal["miles", "feet"]) -> str:
    """Convert a length in kilometres."""
    return "1"


TOOLS = [get_weather, search, convert]


def calls(model: Any, question: Any) -> list[tuple[str, Any]]:
    return [(call["name"], call["args"]) for call in model.bind_tools(TOOLS).invoke(question).tool_calls]


@pytest.mark.parametrize(
    ("question", "city"),
    [
        ("what is the weather in sf", "sf"),
        ("What's the weather like in San Francisco today?", "San Francisco"),
        ("weather for tomorrow in New York, please", "New York"),
        ("Tell me the weather for Paris.", "Paris"),
        ("weather of the day in the Hague", "Hague"),
        ("Is the weather in Rio de Janeiro nice?", "Rio de Janeiro"),
        ("weather in Zürich and in Bern", "Zürich"),
        ("Tokyo weather", "Tokyo"),
    ],
)
def test_the_place_is_what_the_user_said(model: Any, question: str, city: str) -> None:
    assert calls(model, question) == [("get_weather", {"city": city})]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ('look up "water wheels" in the library', ("search", {"query": "water wheels"})),
        ("search 5 things", ("search", {"query": "search 5 things", "limit": 5})),
        ("convert 2.5 kilometres to miles", ("convert", {"amount": 2.5, "unit": "miles"})),
    ],
)
def test_other_arguments_come_from_the_question(model: Any, question: str, expected: Any) -> None:
    assert calls(model, question) == [expected]


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("what is the weather?", "Which city do you mean?"),
        ("hello", "I can help with this: get weather (Get weather for a given city); search (Look things up in"),
    ],
)
def test_it_asks_for_what_is_missing_and_says_what_it_can_do(model: Any, question: str, said: str) -> None:
    message = model.bind_tools(TOOLS).invoke(question)
    assert message.text.startswith(said)
    assert message.tool_calls == []


def test_what_it_asked_back_for_completes_the_question(model: Any) -> None:
    history: list[Any] = ["what is the weather?", AIMessage("Which city do you mean?"), "Paris"]
    assert calls(model, history) == [("get_weather", {"city": "Paris"})]


def test_without_tools_it_says_so(model: Any) -> None:
    assert "no tools" in model.invoke("what is the weather in sf").text


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ([ToolMessage("It's sunny!", name="f", tool_call_id="1")], "It's sunny!"),
        ([ToolMessage("21", name="get_degrees", tool_call_id="1")], "Get degrees: 21."),
        ([ToolMessage("no net", name="f", tool_call_id="1", status="error")], "I could not use f: no net"),
        ([ToolMessage("", name="f", tool_call_id="1")], "I used f, and it said nothing."),
    ],
)
def test_the_answer_is_what_the_tool_gave(model: Any, results: list[ToolMessage], said: str) -> None:
    call: Any = {"name": "get_weather", "args": {"city": "sf"}, "id": "1"}
    history = [HumanMessage("the weather in sf?"), AIMessage("", tool_calls=[call]), *results]
    assert model.bind_tools(TOOLS).invoke(history).text == said


def test_a_new_question_is_a_new_call(model: Any) -> None:
    call: Any = {"name": "get_weather", "args": {"city": "sf"}, "id": "call_1"}
    history = [
        HumanMessage("the weather in sf?"),
        AIMessage("", tool_calls=[call]),
        ToolMessage("sunny", tool_call_id="call_1"),
        AIMessage("sunny"),
        HumanMessage("and the weather in Rome?"),
    ]
    [again] = model.bind_tools(TOOLS).invoke(history).tool_calls
    assert (again["args"], again["id"]) == ({"city": "Rome"}, "call_2")


@pytest.mark.parametrize("way", ["stream", "astream"])
async def test_it_streams_word_by_word_and_calls_in_fragments(model: Any, way: str) -> None:
    bound = model.bind_tools([get_weather])

    async def chunks(question: str) -> list[AIMessageChunk]:
        if way == "stream":
            return list(bound.stream(question))
        return [chunk async for chunk in bound.astream(question)]

    fragments = ToolCallFragments()
    for chunk in await chunks("weather in sf"):
        fragments.add(chunk.tool_call_chunks)
    assert [call["args"] for call in fragments.calls()[0]] == [{"city": "sf"}]
    assert [chunk.content for chunk in await chunks("what is the weather?")][:3] == ["Which", " city", " do"]
    assert (await bound.ainvoke("weather in sf")).tool_calls == bound.invoke("weather in sf").tool_calls


def test_in_a_graph_of_its_own(model: Any) -> None:
    bound = model.bind_tools(TOOLS)

    def think(state: MessagesState) -> Any:
        return {"messages": [bound.invoke(state["messages"])]}

    def act(state: MessagesState) -> Any:
        last = state["messages"][-1]
        assert isinstance(last, AIMessage)
        return {"messages": [get_weather.invoke(call) for call in last.tool_calls]}

    def after(state: MessagesState) -> str:
        return "act" if getattr(state["messages"][-1], "tool_calls", None) else "__end__"

    builder = StateGraph(MessagesState).add_node(think).add_node(act).add_edge(START, "think").add_edge("act", "think")
    graph = builder.add_conditional_edges("think", after).compile()
    history = graph.invoke({"messages": ["what is the weather in sf"]})["messages"]
    assert [message.type for message in history] == ["human", "ai", "tool", "ai"]
    assert history[-1].text == "It's always sunny in sf!"


# --- the weather agent


SAID = """\
model: [{'type': 'tool_call', 'id': 'call_1', 'name': 'get_weather', 'args': {'city': 'sf'}}]
tools: [{'type': 'text', 'text': "It's always sunny in sf!"}]
model: [{'type': 'text', 'text': "It's always sunny in sf!"}]
"""


def test_the_weather_agent_prints_its_steps(
    model: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WEATHER_MODEL", raising=False)
    runpy.run_path(str(EXAMPLES / "weather_agent.py"), run_name="__main__")
    assert capsys.readouterr().out == SAID


def test_the_weather_agent_takes_another_model_by_name(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEATHER_MODEL", "nobody:nothing")
    with pytest.raises(Exception, match="nobody"):
        runpy.run_path(str(EXAMPLES / "weather_agent.py"))


@pytest.mark.main_only
def test_the_weather_agent_runs_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEATHER_MODEL", raising=False)
    target = f"{EXAMPLES / 'weather_agent.py'}:agent"
    command = [sys.executable, "-m", "headrace.cli", "run", target, "what is the weather in sf", "-m", "updates"]
    lines = subprocess.check_output(command, cwd=tmp_path, text=True).splitlines()
    assert [line.split('"data":{"')[1].split('"')[0] for line in lines] == ["model", "tools", "model"]
    assert "always sunny in sf!" in lines[-1]
