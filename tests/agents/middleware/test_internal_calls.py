"""Calls of models that middleware makes for itself: in no stream of the user's, and in every trace."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool

from headrace.agents import create_agent
from headrace.agents.middleware.base import AgentMiddleware
from headrace.agents.middleware.internal import internal_config
from headrace.agents.middleware.pii import PIIMiddleware
from headrace.agents.middleware.summarization import SummarizationMiddleware
from headrace.agents.middleware.tool_selection import LLMToolSelectorMiddleware
from headrace.graph import START, MessagesState, StateGraph
from headrace.testing import ScriptedChatModel
from tests.agents.middleware.listening import Calls, calling, streamed, texts
from tests.drive import Drive


class Judge(AgentMiddleware[Any, Any, Any]):
    """A guard that asks a model whether the user may be answered."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def before_agent(self, state: Any, runtime: Any) -> None:
        assert self.model.invoke("may it be?", config=internal_config()).text == "it may"

    async def abefore_agent(self, state: Any, runtime: Any) -> None:
        assert (await self.model.ainvoke("may it be?", config=internal_config())).text == "it may"


@tool
def dig() -> str:
    """Dig."""
    return "a hole"


def shared() -> ScriptedChatModel:
    """One model that judges, sums up, selects and answers."""
    selected = calling(("ToolSelectionResponse", {"tools": ["dig"]}, "s"))
    return ScriptedChatModel(replies=["it may", "these are notes", selected, "the answer is", "free and open"])


def guarded(model: Any) -> Any:
    return create_agent(
        model,
        [dig],
        middleware=[
            Judge(model),
            SummarizationMiddleware(model, trigger=("messages", 3), keep=("messages", 1)),
            LLMToolSelectorMiddleware(model=model),
            PIIMiddleware("email"),
        ],
    )


HISTORY = [HumanMessage("q"), AIMessage("a"), HumanMessage("a garden")]


def test_the_stream_has_the_main_models_words_alone_and_the_trace_has_all(drive: Drive) -> None:
    model, calls = shared(), Calls()
    told = streamed(drive, guarded(model), HISTORY, config={"callbacks": [calls]})
    assert texts(told) == ["the", " answer", " is"]
    assert calls.sources == ["middleware", "summarization", "tool_selection", None]
    assert calls.texts == ["it may", "these are notes", "", "the answer is"]


def test_a_call_says_what_it_is_for() -> None:
    assert internal_config("guessing") == {"tags": ["nostream"], "metadata": {"lc_source": "guessing"}}


def test_the_model_streams_afterwards_as_before(drive: Drive) -> None:
    model = shared()
    streamed(drive, guarded(model), HISTORY)
    assert texts(streamed(drive, create_agent(model), "and now?")) == ["free", " and", " open"]


def test_the_same_holds_inside_another_graph(drive: Drive) -> None:
    model, calls = shared(), Calls()
    outer = StateGraph(MessagesState).add_node("agent", guarded(model)).add_edge(START, "agent").compile()
    parts = drive.stream(outer, {"messages": HISTORY}, {"callbacks": [calls]}, stream_mode="messages", subgraphs=True)
    assert [part[0].text for _, part in parts] == ["the", " answer", " is"]
    assert len(calls.sources) == 4
