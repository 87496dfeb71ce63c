"""Summaries: when they are made and what stays, here and there.

Differences, on purpose:

- The summary's model call, the RemoveMessage and the summary are in the `messages` stream there; here they are not.
- The writer's call is made three times there when it fails; here once, as models retry themselves.
- Of messages that are too long for the writer, the end is shown to it here; there nothing, if none of them fits.
- The old names `max_tokens_before_summary` and `messages_to_keep` are taken there, with a warning; here they are
  unknown, as are all others that there are not.
- A prompt without a place for the messages is refused here.
- The prompts and the words around the summary are our own.
"""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from tests.agents.middleware.listening import calling
from tests.drive import Drive

from .updates import HEADRACE, LANGCHAIN, Library, scripted, told

pytestmark = pytest.mark.main_only


def letters(messages: Any) -> int:
    return sum(len(message.text) for message in messages)


USAGE: Any = {"input_tokens": 90, "output_tokens": 10, "total_tokens": 100}
TALK: list[BaseMessage] = [HumanMessage("q0"), AIMessage("a0"), HumanMessage("q1"), AIMessage("a1"), HumanMessage("z")]
TURN: list[BaseMessage] = [
    HumanMessage("q"),
    calling(("add", {}, "1"), ("add", {}, "2")),
    ToolMessage("r1", tool_call_id="1"),
    ToolMessage("r2", tool_call_id="2"),
    HumanMessage("z"),
]
LONE: list[BaseMessage] = [HumanMessage("q"), AIMessage("a"), ToolMessage("r", tool_call_id="1"), HumanMessage("z")]
AGAIN: list[BaseMessage] = [HumanMessage("s", additional_kwargs={"lc_source": "summarization"}), *TALK]
REPORTED: list[BaseMessage] = [
    HumanMessage("q"),
    AIMessage("a", usage_metadata=USAGE, response_metadata={"model_provider": "scriptedchatmodel"}),
    HumanMessage("z"),
]
OTHERS: list[BaseMessage] = [
    HumanMessage("q"),
    AIMessage("a", usage_metadata=USAGE, response_metadata={"model_provider": "another"}),
    HumanMessage("z"),
]

TRIGGERS: list[Any] = [
    None, [], ("messages", 3), ("messages", 6), ("tokens", 9), ("tokens", 100), ("fraction", 0.45), ("fraction", 1.0),
    {"messages": 5, "tokens": 9}, {"messages": 5, "tokens": 10}, [{"messages": 5, "tokens": 10}, ("messages", 4)],
]  # fmt: skip
KEEPS: list[Any] = [
    ("messages", 1), ("messages", 2), ("messages", 3), ("messages", 9), ("tokens", 1), ("tokens", 3), ("tokens", 99),
    ("fraction", 0.15),
]  # fmt: skip


@pytest.mark.parametrize("messages", [TALK, TURN, LONE, AGAIN, REPORTED, OTHERS])
@pytest.mark.parametrize("trigger", TRIGGERS)
def test_nodes_write_the_same(messages: list[BaseMessage], trigger: Any) -> None:
    for keep in KEEPS:

        def build(library: Library, keep: Any = keep) -> Any:
            writer = scripted("NOTES")
            writer.profile = {"max_input_tokens": 20}
            middleware = library.SummarizationMiddleware(writer, trigger=trigger, keep=keep, token_counter=letters)
            return library.create_agent(scripted("done"), middleware=[middleware])

        given = [message.model_copy(update={"id": str(at)}) for at, message in enumerate(messages)]
        drive = Drive("sync")
        assert told(HEADRACE, build, drive, given) == told(LANGCHAIN, build, drive, given), keep


def test_a_summary_is_made_between_tools(drive: Drive) -> None:
    def build(library: Library) -> Any:
        from langchain_core.tools import tool

        @tool
        def look(at: int) -> str:
            """Look."""
            return f"seen {at}"

        model = scripted(*[calling(("look", {"at": at}, str(at))) for at in range(4)], "done")
        middleware = library.SummarizationMiddleware(
            scripted("ONE", "TWO", "THREE"), trigger=("messages", 5), keep=("messages", 2)
        )
        return library.create_agent(model, [look], middleware=[middleware])

    expected = told(LANGCHAIN, build, drive)
    assert expected[-1] == ("model", {"messages": ["ai done"]})
    assert told(HEADRACE, build, drive) == expected


@pytest.mark.parametrize(
    "settings",
    [
        {"trigger": ("messages", 0)}, {"trigger": ("fraction", 1.5)}, {"trigger": ("fraction", 0.5)}, {"trigger": {}},
        {"trigger": ("words", 5)}, {"trigger": {"words": 5}}, {"keep": ("messages", 0)}, {"keep": ("fraction", 0.5)},
    ],
)  # fmt: skip
def test_the_same_settings_are_refused(settings: Any) -> None:
    for library in (LANGCHAIN, HEADRACE):
        with pytest.raises(ValueError, match=r"."):
            library.SummarizationMiddleware(scripted("x"), **settings)
