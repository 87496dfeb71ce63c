"""Fragments of tool calls, in each provider's way, add up to what the model said, and to nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any

import pytest
from langchain_core.load import dumps
from langchain_core.messages import AIMessage, AIMessageChunk, messages_from_dict, messages_to_dict

from headrace.messages.tool_calls import PartialCall, ToolCallFragments, completed, was_cut

Fragment = Any  # a ToolCallChunk whose index may be text


def part(args: str | None = None, *, name: str | None = None, id: str | None = None, index: Any = None) -> Fragment:
    return {"args": args, "name": name, "id": id, "index": index, "type": "tool_call_chunk"}


def gathered(*deltas: Fragment) -> ToolCallFragments:
    fragments = ToolCallFragments()
    for delta in deltas:
        fragments.add(delta if isinstance(delta, list) else [delta])
    return fragments


def valid(fragments: ToolCallFragments, *, cut: bool = False) -> list[tuple[str, Any, str | None]]:
    return [(call["name"], call["args"], call["id"]) for call in fragments.calls(cut=cut)[0]]


def errors(fragments: ToolCallFragments, *, cut: bool = False) -> list[str]:
    return [str(call["error"]) for call in fragments.calls(cut=cut)[1]]


STYLES: dict[str, list[Fragment]] = {
    "openai": [
        part("", name="f", id="a", index=0),
        part('{"x"', index=0),
        part(": 1}", index=0),
        part("", name="g", id="b", index=1),
        part("{}", index=1),
    ],
    "openai, interleaved": [
        part("", name="f", id="a", index=0),
        part("", name="g", id="b", index=1),
        part('{"x"', index=0),
        part("{", index=1),
        part(": 1}", index=0),
        part("}", index=1),
    ],
    "content blocks that begin at 1 and skip": [
        part("", name="f", id="a", index=1),
        [],
        part('{"x": 1}', index=1),
        part("", name="g", id="b", index=4),
    ],
    "index as text": [
        part("", name="f", id="a", index="lc_1"),
        part('{"x": 1}', index="lc_1"),
        part("{}", name="g", id="b", index="lc_2"),
    ],
    "index as text and as number": [
        part('{"x"', name="f", id="a", index=0),
        part(": 1}", index="0"),
        part("{}", name="g", id="b", index="1"),
        part(" ", index=1),
    ],
    "one index, different ids": [
        part("", name="f", id="a", index=0),
        part('{"x": 1}', index=0),
        part("", name="g", id="b", index=0),
        part("{}", index=0),
    ],
    "one index, each fragment with its id": [
        part('{"x"', name="f", id="a", index=0),
        part("{", name="g", id="b", index=0),
        part(": 1}", name="f", id="a", index=0),
        part("}", name="g", id="b", index=0),
    ],
    "ids and no index": [
        part("", name="f", id="a"),
        part("{", name="g", id="b"),
        part('{"x"', id="a"),
        part(": 1}", id="a"),
        part("}", id="b"),
    ],
    "id in the first fragment, no index": [
        part("", name="f", id="a"),
        part('{"x"'),
        part(": 1}"),
        part("", name="g", id="b"),
        part("{}"),
    ],
    "name repeated": [
        part('{"x"', name="f", id="a", index=0),
        part(": 1", name="f", id="a", index=0),
        part("}", name="f", index=0),
        part("", name="f", index=0),
        part("{}", name="g", id="b", index=1),
    ],
    "name in pieces": [
        part("", name="", id="a", index=0),
        part("", name="f", index=0),
        part('{"x": 1}', index=0),
        part("{}", name="g", id="b", index=1),
    ],
    "id after the name": [
        part("", name="f", index=0),
        part('{"x": 1}', id="a", index=0),
        part("{}", name="g", id="b", index=1),
    ],
    "index from the second fragment on": [
        part("", name="f", id="a"),
        part('{"x"', index=0),
        part(": 1}", index=0, id="a"),
        part("{}", name="g", id="b"),
    ],
    "whole calls in one chunk": [
        [part('{"x": 1}', name="f", id="a", index=0), part("{}", name="g", id="b", index=1)],
    ],
    "whole calls without index": [
        [part('{"x": 1}', name="f", id="a"), part(None, name="g", id="b")],
    ],
    "several pieces in one delta": [
        [part("", name="f", id="a", index=0), part('{"x"', index=0), part(": 1", index=0)],
        [part("}", index=0), part("", name="g", id="b", index=1), part("{}", index=1)],
    ],
    "fragments with nothing in them": [
        part("", index=0),
        part('{"x": 1}', name="f", id="a", index=1),
        part("", index=2),
        part("", name="g", id="b", index=3),
        part(),
    ],
}


@pytest.mark.parametrize("deltas", STYLES.values(), ids=STYLES.keys())
def test_each_style_gives_the_same_calls(deltas: list[Fragment]) -> None:
    fragments = gathered(*deltas)
    assert (valid(fragments), errors(fragments)) == ([("f", {"x": 1}, "a"), ("g", {}, "b")], [])


WITHOUT_IDS: dict[str, list[Fragment]] = {
    "nothing but names": [part("", name="f"), part('{"x"'), part(": 1}"), part("{}", name="f")],
    "index": [part('{"x"', name="f", index=0), part(": 1}", index=0), part("", name="f", index=1)],
    "one index for all": [part('{"x": 1}', name="f", index=0), part("{}", name="f", index=0)],
    "one index for all, in pieces": [
        part('{"x"', name="f", index=0),
        part(": 1}", name="f", index=0),
        part("{", name="f", index=0),
        part("}", name="f", index=0),
    ],
    "the name after the arguments": [part('{"x": 1}'), part(name="f"), part("{}", name="f")],
}


@pytest.mark.parametrize("deltas", WITHOUT_IDS.values(), ids=WITHOUT_IDS.keys())
def test_calls_without_ids_are_told_apart(deltas: list[Fragment]) -> None:
    fragments = gathered(*deltas)
    assert (valid(fragments), errors(fragments)) == ([("f", {"x": 1}, None), ("f", {}, None)], [])


def test_another_name_at_an_index_begins_a_call_where_ids_are_not_used() -> None:
    fragments = gathered(part('{"x": 1}', name="f", index=0), part("{}", name="g", index=0))
    assert valid(fragments) == [("f", {"x": 1}, None), ("g", {}, None)]


def test_a_name_may_come_in_pieces_before_the_arguments() -> None:
    fragments = gathered(part("", name="get_", id="a", index=0), part("", name="weather", index=0), part("{}", index=0))
    assert valid(fragments) == [("get_weather", {}, "a")]


def test_arguments_may_have_line_ends_in_strings_and_white_space_around() -> None:
    assert valid(gathered(part(' {"x": "a\nb"}\n', name="f"))) == [("f", {"x": "a\nb"}, None)]


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ('{"a":', "the arguments end in the middle, after 5 characters: '{\"a\":'"),
        ("{", "end in the middle"),
        ('{"a": 1', "end in the middle"),
        ('{"a": "one', "end in the middle"),
        ('{"a": "x\\', "end in the middle"),
        ('{"a": "x\\u00', "end in the middle"),
        ('{"a": [{"b": tr', "end in the middle"),
        ('{"a": "}"', "end in the middle"),
        ('{"a": 1}{', "the arguments go on after their end, at character 8: '{'"),
        ('{"a": 1} {"b": 2}', "go on after their end"),
        ("{a: 1}", "are no JSON"),
        ('{"a": 1}}', "go on after their end"),
        ("null", "must be a JSON object, got 'null'"),
        ("[1]", "must be a JSON object"),
        ('"{}"', "must be a JSON object"),
        ('{"a":' + "[" * 100_000, "nested too deeply"),
    ],
)
def test_arguments_that_are_no_closed_object_make_no_call(args: str, error: str) -> None:
    fragments = gathered(part("", name="f", id="a", index=0), part(args, index=0))
    calls, [invalid] = fragments.calls()
    assert calls == []
    assert (invalid["name"], invalid["args"], invalid["id"]) == ("f", args, "a")
    assert error in str(invalid["error"])


def test_a_long_text_is_shown_by_its_end() -> None:
    [error] = errors(gathered(part('{"a": "' + "x" * 500 + "end", name="f")))
    assert len(error) < 150
    assert error.endswith("xend'")


def test_an_unclosed_call_leaves_the_others_alone() -> None:
    fragments = gathered(
        part('{"x": 1}', name="f", id="a", index=0),
        part('{"y": ', name="g", id="b", index=1),
        part("{}", name="h", id="c", index=2),
    )
    assert [name for name, *_ in valid(fragments)] == ["f", "h"]
    assert len(errors(fragments)) == 1


def test_fragments_without_a_name_are_no_call() -> None:
    assert errors(gathered(part("{}", id="a"))) == ["the call has no name: none of its fragments brought one"]


@pytest.mark.parametrize(
    "stray", [part('{"x": 1}', index=7), part('{"x": 1}', id="other"), part('{"x": 1}', id="other", index=0)]
)
def test_a_call_whose_arguments_went_astray_is_not_made_without_them(stray: Fragment) -> None:
    fragments = gathered(part("", name="f", id="a", index=0), stray)
    assert valid(fragments) == []
    assert errors(fragments)[0] == "no arguments came for this call, but some came that belong to no call"


def test_partial_calls_show_what_has_come() -> None:
    fragments = gathered(part("", name="f", id="a", index=0), part('{"x"', index=0), part(None, name="g", index=1))
    assert fragments.partial() == [PartialCall("f", "a", '{"x"'), PartialCall("g", None, "")]


# --- messages that were cut


CUTS: list[dict[str, Any]] = [
    {"finish_reason": "length"},
    {"finish_reason": "lengthlength"},
    {"finish_reason": "MAX_TOKENS"},
    {"finish_reason": "max_tokens"},
    {"finish_reason": "content_filter"},
    {"stop_reason": "max_tokens"},
    {"stopReason": "max_tokens"},
    {"done_reason": "length"},
    {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
]
WHOLE: list[dict[str, Any]] = [
    {},
    {"finish_reason": "tool_calls"},
    {"finish_reason": None},
    {"stop_reason": "tool_use", "max_tokens": 5},
    {"status": "completed"},
]


@pytest.mark.parametrize("told", CUTS)
def test_a_message_that_was_cut_is_known_and_its_last_call_needs_arguments(told: dict[str, Any]) -> None:
    deltas = [part("", name="f", id="a", index=0), part("", name="g", id="b", index=1)]
    message = completed(summed(deltas, response_metadata=told), gathered(*deltas))
    assert [call["name"] for call in message.tool_calls] == ["f"]
    [invalid] = message.invalid_tool_calls
    assert (invalid["name"], invalid["error"]) == ("g", "the message was cut off before the arguments came")


@pytest.mark.parametrize("told", WHOLE)
def test_other_reasons_leave_a_call_without_arguments_alone(told: dict[str, Any]) -> None:
    deltas = [part("", name="f", id="a", index=0)]
    assert not was_cut(summed(deltas, response_metadata=told))
    assert completed(summed(deltas, response_metadata=told), gathered(*deltas)).tool_calls[0]["args"] == {}


def test_a_cut_message_keeps_a_last_call_that_is_closed() -> None:
    assert valid(gathered(part('{"x": 1}', name="f")), cut=True) == [("f", {"x": 1}, None)]


# --- the message


def summed(deltas: Sequence[Fragment], **fields: Any) -> AIMessageChunk:
    """What langchain-core makes of the chunks."""
    chunks = [AIMessageChunk(content="", tool_call_chunks=[delta]) for delta in deltas]
    return reduce(add, [*chunks, AIMessageChunk(content="", **fields)])


UNCLOSED = [part("", name="add", id="a", index=0), part('{"a": 1, "b":', index=0)]
SCATTERED = [part("", name="add", id="a"), part('{"a": 1, '), part('"b": 2}')]


def test_langchain_core_would_call_the_tool_which_is_why_this_file_exists() -> None:
    assert summed(UNCLOSED).tool_calls[0]["args"] == {"a": 1}
    assert summed(SCATTERED).tool_calls[0]["args"] == {}


def test_a_call_that_langchain_core_completed_is_taken_back() -> None:
    message = completed(summed(UNCLOSED), gathered(*UNCLOSED))
    assert message.tool_calls == []
    assert message.invalid_tool_calls[0]["args"] == '{"a": 1, "b":'
    assert "end in the middle" in str(message.invalid_tool_calls[0]["error"])


def test_fragments_that_langchain_core_leaves_apart_come_together() -> None:
    message = completed(summed(SCATTERED), gathered(*SCATTERED))
    assert [(call["name"], call["args"]) for call in message.tool_calls] == [("add", {"a": 1, "b": 2})]
    assert message.invalid_tool_calls == []


def test_a_message_taken_back_stays_so_when_it_is_stored() -> None:
    message = completed(summed(UNCLOSED), gathered(*UNCLOSED))
    [stored] = messages_from_dict(json.loads(json.dumps(messages_to_dict([message]))))
    assert stored == message
    assert type(message) is AIMessage


def test_all_else_is_kept() -> None:
    usage: Any = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    blocks: Any = [
        {"type": "text", "text": "well"},
        {"type": "tool_use", "id": "a", "name": "add", "partial_json": '{"a'},
    ]
    given = AIMessageChunk(
        content=blocks,
        id="mine",
        name="me",
        response_metadata={"model_name": "m"},
        additional_kwargs={"tool_calls": [{"id": "a", "function": {"name": "add", "arguments": '{"a": 1, "b":'}}]},
        tool_call_chunks=[part('{"a": 1, "b":', name="add", id="a", index=0)],
        usage_metadata=usage,
    )
    message = completed(given, gathered(*UNCLOSED))
    for field in ("content", "id", "name", "response_metadata", "additional_kwargs", "usage_metadata"):
        assert getattr(message, field) == getattr(given, field)
    assert json.loads(dumps(message))["kwargs"]["content"] == blocks
    assert message.tool_calls == []


@pytest.mark.parametrize("deltas", STYLES.values(), ids=STYLES.keys())
def test_a_message_that_agrees_is_returned_itself(deltas: list[Fragment]) -> None:
    fragments = gathered(*deltas)
    calls, _ = fragments.calls()
    message = AIMessage("", tool_calls=calls)
    assert completed(message, fragments) is message


def test_a_message_whose_calls_did_not_come_in_fragments_is_returned_itself() -> None:
    message = AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "a"}])
    assert completed(message, ToolCallFragments()) is message


def test_ids_and_errors_that_the_models_class_adds_are_kept() -> None:
    deltas = [part("{}", name="f"), part("{}", name="f"), part("{", name="g")]
    message = AIMessage(
        "",
        tool_calls=[{"name": "f", "args": {}, "id": "made up"}, {"name": "f", "args": {}, "id": "made up too"}],
        invalid_tool_calls=[
            {"name": "g", "args": "{", "id": "and this", "error": "no JSON", "type": "invalid_tool_call"}
        ],
    )
    assert completed(message, gathered(*deltas)) is message


def test_an_invalid_call_without_a_reason_gets_one() -> None:
    deltas = [part("[", name="f", id="a", index=0)]
    given = summed(deltas)
    message = completed(given, gathered(*deltas))
    assert "end in the middle" in str(message.invalid_tool_calls[0]["error"])
