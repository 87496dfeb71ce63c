"""What a person sees of a value."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage

from headrace.cli.text import LINES, as_text, visible

CALL: Any = {"name": "search", "args": {"q": "cats"}, "id": "1"}
INVALID: Any = {"name": "search", "args": '{"q":', "id": "1", "error": "it ends in the middle"}


@pytest.mark.parametrize(("value", "text"), [
    ("plain", "plain"),
    (1, "1"),
    ({"a": [1, "b"]}, '{"a": [1, "b"]}'),
    (["x"], '["x"]'),
    ([], "[]"),
    (HumanMessage("hi"), "human: hi"),
    ({"role": "user", "content": "hi"}, "user: hi"),
    ({"content": "an essay"}, '{"content": "an essay"}'),
    ([HumanMessage("a"), AIMessage("b")], "human: a\nai: b"),
    (AIMessageChunk(content="b"), "ai: b"),
    (AIMessage("", tool_calls=[CALL]), 'ai: → search {"q": "cats"}'),
    (AIMessageChunk(content="", tool_call_chunks=[{"name": "s", "args": '{"q', "id": "1", "index": 0}]), 'ai: → s {"q'),
    (AIMessage([{"type": "text", "text": "a"}, "b", {"type": "image", "url": "..."}]), "ai: ab[image]"),
    (AIMessage("well", tool_calls=[CALL, CALL]), 'ai: well\n→ search {"q": "cats"}\n→ search {"q": "cats"}'),
    (AIMessage("", invalid_tool_calls=[INVALID]), 'ai: ✗ search {"q": (not called: it ends in the middle)'),
    (AIMessage([{"type": "tool_use", "id": "1"}, {"type": "text", "text": ""}], tool_calls=[CALL]),
     'ai: → search {"q": "cats"}'),
    (AIMessage([{"type": "thinking", "thinking": "so"}, {"type": "thinking", "signature": "x"}]), "ai: so"),
    (ToolMessage("3 cats", name="search", tool_call_id="1"), "tool: ← search 3 cats"),
    (ToolMessage("3 cats", tool_call_id="1"), "tool: ← 3 cats"),
    (ToolMessage("no net", name="search", tool_call_id="1", status="error"), "tool: ✗ search no net"),
])  # fmt: skip
def test_values_as_text(value: Any, text: str) -> None:
    assert as_text(value) == text


def test_a_long_value_takes_lines_and_a_very_long_one_is_cut() -> None:
    assert as_text({"a": "x" * 80}).splitlines()[0] == "{"
    lines = as_text(list(range(1000))).splitlines()
    assert lines[LINES:] == [f"… {1002 - LINES} more lines"]


def test_control_characters_cannot_reach_the_terminal() -> None:
    assert visible("a\x1b[31m\r\nb\tc\x07\x9b\ud800") == "a\\x1b[31m\nb\tc\\x07\\x9b\ufffd"
