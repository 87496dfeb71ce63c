"""Long histories and their summaries."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableLambda

from headrace.agents import create_agent
from headrace.agents.middleware.summarization import SummarizationMiddleware
from headrace.checkpoint.memory import InMemorySaver
from headrace.testing import ScriptedChatModel
from tests.agents.middleware.listening import Calls, calling, streamed, texts, updates
from tests.drive import Drive

NODE = "SummarizationMiddleware.before_model"


def letters(messages: Any) -> int:
    return sum(len(message.text) for message in messages)


def talk(turns: int) -> list[BaseMessage]:
    """Questions q0, q1, ... with answers, and a last question."""
    pairs = [(HumanMessage(f"q{at}", id=f"q{at}"), AIMessage(f"a{at}", id=f"a{at}")) for at in range(turns)]
    return [*(message for pair in pairs for message in pair), HumanMessage("last", id="last")]


def seen(drive: Drive, messages: list[BaseMessage], profile: Any = None, **settings: Any) -> list[str]:
    """What the agent's model is shown; NOTES for a summary."""
    writer, model = ScriptedChatModel(replies=["NOTES"], profile=profile), ScriptedChatModel(replies=["done"])
    settings = {"token_counter": letters, **settings}
    agent = create_agent(model, middleware=[SummarizationMiddleware(writer, **settings)])
    drive.invoke(agent, {"messages": messages})
    return ["NOTES" if one.additional_kwargs else one.text for one in model.calls[0]]


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({"trigger": ("messages", 7), "keep": ("messages", 2)}, ["NOTES", "a2", "last"]),
        ({"trigger": ("messages", 8), "keep": ("messages", 2)}, None),
        ({"trigger": ("tokens", 16), "keep": ("tokens", 6)}, ["NOTES", "a2", "last"]),
        ({"trigger": ("tokens", 17), "keep": ("tokens", 6)}, None),
        ({"trigger": ("tokens", 1), "keep": ("tokens", 5)}, ["NOTES", "last"]),
        ({"trigger": ("tokens", 1), "keep": ("tokens", 1)}, ["NOTES", "last"]),
        ({"trigger": ("tokens", 1), "keep": ("tokens", 99)}, None),
        ({"trigger": ("fraction", 0.8), "keep": ("fraction", 0.3)}, ["NOTES", "a2", "last"]),
        ({"trigger": ("fraction", 0.81), "keep": ("fraction", 0.3)}, None),
        ({"trigger": {"messages": 7, "tokens": 16}, "keep": ("messages", 1)}, ["NOTES", "last"]),
        ({"trigger": {"messages": 7, "tokens": 17}, "keep": ("messages", 1)}, None),
        ({"trigger": [{"messages": 7, "tokens": 17}, ("messages", 3)], "keep": ("messages", 1)}, ["NOTES", "last"]),
        ({"trigger": [], "keep": ("messages", 1)}, None),
        ({"keep": ("messages", 1)}, None),
        ({"trigger": ("messages", 1)}, None),
    ],
)
def test_when_and_how_much(drive: Drive, settings: Any, shown: list[str] | None) -> None:
    whole = texts(talk(3))
    assert seen(drive, talk(3), profile={"max_input_tokens": 20}, **settings) == (shown or whole)


TURN = [
    HumanMessage("q"),
    calling(("add", {"a": 1}, "1"), ("add", {"a": 2}, "2"), text="calling"),
    ToolMessage("r1", tool_call_id="1"),
    ToolMessage("r2", tool_call_id="2"),
    HumanMessage("z"),
]


@pytest.mark.parametrize("kept", [1, 2, 3, 4])
def test_a_call_is_not_parted_from_its_answers(drive: Drive, kept: int) -> None:
    shown = seen(drive, TURN, trigger=("messages", 3), keep=("messages", kept))
    assert shown == (["NOTES", "z"] if kept == 1 else ["NOTES", "calling", "r1", "r2", "z"])


def test_answers_to_nothing_go_with_the_older_part(drive: Drive) -> None:
    lone = [HumanMessage("q"), ToolMessage("r", tool_call_id="1"), HumanMessage("z")]
    writer = SummarizationMiddleware(ScriptedChatModel(replies=["x"]), trigger=("messages", 1), keep=("messages", 2))
    plan = writer.plan(lone)
    assert plan is not None and texts(plan.kept) == ["z"]


def test_the_history_begins_anew_with_the_summary(drive: Drive, thread: Any) -> None:
    model = ScriptedChatModel(replies=["NOTES", "done"])
    agent = create_agent(
        model,
        middleware=[SummarizationMiddleware(model, trigger=("messages", 5), keep=("messages", 2))],
        checkpointer=InMemorySaver(),
    )
    drive.invoke(agent, {"messages": talk(3)}, thread)
    summary, *others = drive.state(agent, thread).values["messages"]
    assert isinstance(summary, HumanMessage) and summary.text.endswith("NOTES")
    assert summary.additional_kwargs == {"lc_source": "summarization"}
    assert texts(others) == ["a2", "last", "done"]


def test_the_writer_is_shown_the_older_part_in_the_prompt(drive: Drive) -> None:
    writer, model = ScriptedChatModel(replies=["NOTES"]), ScriptedChatModel(replies=["done"])
    middleware = SummarizationMiddleware(
        writer, trigger=("messages", 3), keep=("messages", 1), summary_prompt="Sum {up}: {messages}"
    )
    drive.invoke(create_agent(model, middleware=[middleware]), {"messages": TURN})
    [[prompt]] = writer.calls
    assert prompt.text.startswith("Sum {up}: ")
    for part in ("q", "calling", '[calls add with {"a": 1}]', "r1", "r2"):
        assert part in prompt.text
    assert "z" not in prompt.text


def test_only_the_last_of_very_many_words_are_shown_to_the_writer(drive: Drive) -> None:
    history = [
        HumanMessage("first " + "x" * 500),
        AIMessage("long " + "y" * 5000),
        AIMessage("near"),
        HumanMessage("z"),
    ]
    writer = ScriptedChatModel(replies=["NOTES"])
    middleware = SummarizationMiddleware(
        writer, trigger=("messages", 3), keep=("messages", 1), summary_prompt="{messages}", token_counter=letters,
        trim_tokens_to_summarize=1000,
    )  # fmt: skip
    drive.invoke(create_agent(ScriptedChatModel(replies=["done"]), middleware=[middleware]), {"messages": history})
    text = writer.calls[0][0].text
    assert "near" in text and "yyy" in text and "first" not in text
    assert 100 < len(text) < 1200


def test_tokens_that_the_provider_reported_count(drive: Drive) -> None:
    usage: Any = {"input_tokens": 5000, "output_tokens": 1, "total_tokens": 5001}
    provider = {"model_provider": "scriptedchatmodel"}
    history = [HumanMessage("q"), AIMessage("a", usage_metadata=usage, response_metadata=provider), HumanMessage("z")]
    settings: Any = {"trigger": ("tokens", 5002), "keep": ("messages", 1)}
    assert seen(drive, history, **settings) == ["NOTES", "z"]
    history[1].response_metadata = {"model_provider": "another"}
    assert seen(drive, history, **settings) == ["q", "a", "z"]


def test_an_earlier_summary_alone_is_not_summarized_again(drive: Drive) -> None:
    history = [HumanMessage("old", additional_kwargs={"lc_source": "summarization"}), HumanMessage("z")]
    writer = SummarizationMiddleware(ScriptedChatModel(replies=["x"]), trigger=("messages", 1), keep=("messages", 1))
    assert writer.plan(history) is None


@pytest.mark.parametrize("kind", ["function", "runnable", "model"])
def test_another_writer(drive: Drive, kind: str) -> None:
    def count(messages: list[Any]) -> str:
        return f"{len(messages)} messages"

    writers: dict[str, Any] = {
        "function": count,
        "runnable": RunnableLambda(count),
        "model": ScriptedChatModel(replies=["4 messages"]),
    }
    unused, model = ScriptedChatModel(replies=["NOTES"]), ScriptedChatModel(replies=["done"])
    middleware = SummarizationMiddleware(
        unused, trigger=("messages", 3), keep=("messages", 1), summarizer=writers[kind]
    )
    drive.invoke(create_agent(model, middleware=[middleware]), {"messages": talk(2)})
    assert model.calls[0][0].text.endswith("4 messages")
    assert unused.calls == []


def test_the_stream_has_the_agents_words_alone(drive: Drive) -> None:
    model, calls = ScriptedChatModel(replies=["these are notes", "done now"]), Calls()
    agent = create_agent(
        model, middleware=[SummarizationMiddleware(model, trigger=("messages", 3), keep=("messages", 1))]
    )
    assert texts(streamed(drive, agent, talk(2), config={"callbacks": [calls]})) == ["done", " now"]
    assert calls.sources == ["summarization", None]


def test_a_failing_writer_fails_the_run(drive: Drive) -> None:
    writer = ScriptedChatModel(replies=[ConnectionError("gone")])
    agent = create_agent(
        ScriptedChatModel(replies=["done"]),
        middleware=[SummarizationMiddleware(writer, trigger=("messages", 3), keep=("messages", 1))],
    )
    with pytest.raises(ConnectionError, match="gone"):
        drive.invoke(agent, {"messages": talk(2)})


def test_a_short_history_is_left_alone(drive: Drive) -> None:
    model = ScriptedChatModel(replies=["done"])
    agent = create_agent(model, middleware=[SummarizationMiddleware(model, trigger=("messages", 3))])
    assert updates(drive, agent, "hi")[0] == (NODE, None)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"trigger": ("messages", 0)}, "trigger counts messages, more than 0, got 0"),
        ({"trigger": ("words", 5)}, "trigger is a pair"),
        ({"trigger": "messages"}, "trigger is a pair"),
        ({"trigger": {}}, "of no size"),
        ({"trigger": {"words": 5}}, "trigger is a pair"),
        ({"trigger": ("fraction", 1.5)}, "at most 1, got 1.5"),
        ({"trigger": ("fraction", 0.5)}, "profile does not say"),
        ({"keep": ("tokens", -1)}, "keep counts tokens, more than 0, got -1"),
        ({"keep": [("messages", 5)]}, "keep is a pair"),
        ({"summary_prompt": "sum it up"}, "has no {messages}"),
        ({"trim_tokens_to_summarize": 0}, "at least 1, got 0"),
        ({"summarizer": 3}, "got 3"),
    ],
)
def test_bad_settings_are_refused(settings: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        SummarizationMiddleware(ScriptedChatModel(replies=["x"]), **settings)


def test_a_model_is_needed() -> None:
    with pytest.raises(ValueError, match="SummarizationMiddleware needs a chat model"):
        SummarizationMiddleware(None)
