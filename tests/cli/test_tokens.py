"""Messages that stream at once are read one after the other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.cli.tokens import Tokens


class Paper:
    """A page that remembers."""

    def __init__(self) -> None:
        self.text = ""

    def open(self, label: str) -> None:
        self.text += f"<{label}:"

    def write(self, piece: str) -> None:
        self.text += piece

    def close(self) -> None:
        self.text += ">"


@pytest.fixture
def paper() -> Paper:
    return Paper()


@pytest.fixture
def tokens(paper: Paper) -> Tokens:
    return Tokens(paper)


def add(tokens: Tokens, key: str, piece: str, last: bool = False) -> None:
    tokens.add(key, piece, label=key, task=f"task {key}", last=last)


def test_the_first_message_is_live_and_the_second_waits(tokens: Tokens, paper: Paper) -> None:
    add(tokens, "a", "1")
    add(tokens, "b", "x")
    assert paper.text == "<a:1"
    add(tokens, "a", "2", last=True)
    assert paper.text == "<a:12><b:x"
    add(tokens, "b", "y", last=True)
    assert paper.text == "<a:12><b:xy>"


def test_a_message_without_text_leaves_no_line(tokens: Tokens, paper: Paper) -> None:
    add(tokens, "a", "", last=True)
    assert paper.text == ""


def test_a_task_that_ends_ends_its_messages(tokens: Tokens, paper: Paper) -> None:
    add(tokens, "a", "1")
    add(tokens, "b", "x")
    tokens.end("task b")
    assert paper.text == "<a:1"
    tokens.end("task a")
    assert paper.text == "<a:1><b:x>"


def test_the_end_of_the_run_shows_all_that_waited(tokens: Tokens, paper: Paper) -> None:
    for key in "abc":
        add(tokens, key, key)
    tokens.end()
    assert paper.text == "<a:a><b:b><c:c>"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.text("xyz", max_size=2), st.booleans())))
def test_every_piece_is_shown_once_and_in_the_order_of_its_message(pieces: list[tuple[str, str, bool]]) -> None:
    paper = Paper()
    tokens = Tokens(paper)
    for key, piece, last in pieces:
        add(tokens, key, piece, last)
    tokens.end()
    said = dict.fromkeys("abc", "")
    for part in paper.text.split(">"):
        if part:
            said[part[1]] += part[3:]
    assert said == {key: "".join(piece for other, piece, _ in pieces if other == key) for key in "abc"}
    assert paper.text.count("<") == paper.text.count(">")
