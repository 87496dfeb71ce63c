"""Tool calls that arrive in fragments are shown one below the other."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headrace.cli.calls import Calls


def part(index: int, args: str = "", name: str | None = None) -> Any:
    return {"index": index, "args": args, "name": name, "id": None}


def test_a_call_is_shown_as_it_comes() -> None:
    calls = Calls()
    shown = [calls.add([part(0, name="f")]), calls.add([part(0, '{"a"')]), calls.add([part(0, ": 1}")]), calls.rest()]
    assert shown == ["", '\n→ f {"a"', ": 1}", ""]


def test_the_second_waits_for_the_end_of_the_first() -> None:
    calls = Calls()
    assert calls.add([part(0, '{"a": ', "f"), part(1, "{}", "g")]) == '\n→ f {"a": '
    assert calls.add([part(0, "{}")]) == "{}"
    assert calls.add([part(0, "}")]) == "}\n→ g {}"
    assert calls.rest() == ""


def test_a_call_without_arguments_is_shown_by_its_name() -> None:
    calls = Calls()
    assert calls.add([part(0, name="f")]) + calls.rest() == "\n→ f "


def test_a_name_that_is_repeated_is_shown_once() -> None:
    calls = Calls()
    shown = "".join(calls.add([part(0, piece, "f")]) for piece in ('{"a"', ": ", "1}"))
    assert shown + calls.rest() == '\n→ f {"a": 1}'


objects = st.dictionaries(st.text('{}"x', max_size=2), st.text('{}"x', max_size=3), min_size=1, max_size=2)


@given(st.lists(objects, min_size=1, max_size=3), st.randoms(), st.integers(1, 4))
def test_every_call_is_shown_once_and_in_order(args: list[Any], dice: Any, size: int) -> None:
    texts = [json.dumps(one) for one in args]
    calls = Calls()
    shown = calls.add([part(index, name=f"f{index}") for index in range(len(texts))])
    waiting = [pieces(index, text, size) for index, text in enumerate(texts)]
    while left := [line for line in waiting if line]:
        shown += calls.add([dice.choice(left).pop(0)])
    assert shown + calls.rest() == "".join(f"\n→ f{i} {text}" for i, text in enumerate(texts))


def pieces(index: int, text: str, size: int) -> list[Any]:
    return [part(index, text[start : start + size]) for start in range(0, len(text), size)]
