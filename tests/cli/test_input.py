"""What INPUT and the JSON options mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headrace.cli.failure import Failure
from headrace.cli.input import interpret, parse_answer, read, read_object, takes

JOKE = {
    "type": "object",
    "properties": {
        "topic": {"type": "string", "description": "What it is about.\nNot shown."},
        "style": {"anyOf": [{"enum": ["dry", "long"]}, {"type": "null"}]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "author": {"$ref": "#/$defs/Author"},
        "open": {},
    },
    "required": ["topic"],
}
CHAT = {"type": "object", "properties": {"messages": {"type": "array"}}}
STRING = {"type": "string"}


def no_schema() -> Any:
    raise AssertionError("the text alone tells")


@pytest.mark.parametrize(("text", "value"), [
    ('{"topic": "ice cream"}', {"topic": "ice cream"}),
    ("  {}\n", {}),
    ("null", None),
])  # fmt: skip
def test_json_objects_go_in_as_they_are(text: str, value: Any) -> None:
    assert interpret(text, no_schema) == value


@pytest.mark.parametrize("text", ["Hello there", "42", "true", ""])
def test_plain_text_is_one_user_message(text: str) -> None:
    assert interpret(text, lambda: CHAT) == {"messages": [{"role": "user", "content": text}]}


def test_a_quoted_text_is_a_message_without_its_quotes() -> None:
    assert interpret('"hi"', lambda: CHAT) == {"messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize(("text", "value"), [("Hello", "Hello"), ('"hi"', "hi"), ("[1]", [1]), ("3", 3)])
def test_a_graph_that_takes_no_object_gets_the_value(text: str, value: Any) -> None:
    assert interpret(text, lambda: STRING) == value


@pytest.mark.parametrize("text", ["ice cream", "[1]", "3"])
def test_other_text_is_an_error_that_shows_what_the_graph_takes(text: str) -> None:
    with pytest.raises(Failure) as failure:
        interpret(text, lambda: JOKE)
    assert failure.value.code == 2
    assert failure.value.message.splitlines()[1:] == [
        "  topic: string, What it is about.",
        '  style: "dry" | "long" | null',
        "  tags: array of string",
        "  author: Author",
        "  open: anything",
    ]


@pytest.mark.parametrize("text", ['{"topic": ', "{topic: 1}", "[1,", "[" * 100_000])
def test_broken_json_is_an_error_even_for_a_chat(text: str) -> None:
    with pytest.raises(Failure, match="INPUT is not valid JSON"):
        interpret(text, lambda: CHAT)


def test_a_schema_without_keys_is_shown_whole() -> None:
    assert takes({"type": "string"}) == 'The graph takes: {"type": "string"}'


def test_a_file_is_read_with_its_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "input.json"
    file.write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_object(f"@{file}", "--config") == {"a": 1}


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"cannot read INPUT from '.*missing.json': No such file"):
        read(f"@{tmp_path}/missing.json", "INPUT")
    (tmp_path / "latin").write_bytes(b"\xff")
    with pytest.raises(Failure, match="is not UTF-8 text"):
        read(f"@{tmp_path}/latin", "INPUT")


@pytest.mark.parametrize(("text", "message"), [("[]", "must be a JSON object"), ("{", "--config is not valid JSON")])
def test_an_option_takes_only_an_object(text: str, message: str) -> None:
    with pytest.raises(Failure, match=message):
        read_object(text, "--config")


def test_an_option_that_is_not_given_is_empty() -> None:
    assert read_object(None, "--config") == {}


@pytest.mark.parametrize(("text", "value"), [("yes", "yes"), (" true ", True), ('{"a": 1}', {"a": 1}), ("{a", "{a")])
def test_an_answer_is_json_or_text(text: str, value: Any) -> None:
    assert parse_answer(text) == value
