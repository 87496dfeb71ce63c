"""Everything that can be on a stream has a JSON form; the fast and the thorough way agree."""

from __future__ import annotations

import json
import logging
from collections import ChainMap, UserDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from ipaddress import ip_address
from pathlib import PurePosixPath
from re import compile as pattern
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.stream.encode import DEPTH, REPR, encode, encode_json
from headrace.types import Command, Interrupt, Send


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


class Point(NamedTuple):
    x: int
    y: int


@dataclass
class Order:
    item: str
    parts: list[Any]
    _cache: int = 0


class Half(float):
    """A subclass that orjson does not take for a number."""


class Pair(tuple[int, int]):
    """A tuple that is no named one."""


class ArrayLike:
    """What numpy, torch and pandas have in common."""

    dtype = "int64"

    def tolist(self) -> list[int]:
        return [1, 2]


class ForeignUUID:
    """The shape of a UUID that is not the standard library's."""

    urn = hex = "unused"

    def __str__(self) -> str:
        return "12345678-1234-5678-1234-567812345678"


ID = UUID("12345678-1234-5678-1234-567812345678")
NOON = datetime(2026, 1, 2, 12, 0, tzinfo=timezone.utc)

KNOWN: list[tuple[Any, Any]] = [
    (None, None),
    (True, True),
    ("text é 😀 \u2028 \x00", "text é 😀 \u2028 \x00"),
    (2**63, 2**63),
    (1.5, 1.5),
    (Half(1.5), 1.5),
    (float("nan"), None),
    (Half("inf"), None),
    ((1, (2,)), [1, [2]]),
    (Pair((1, 2)), [1, 2]),
    ({"b": 1, "a": 2}, {"b": 1, "a": 2}),
    (Colour.RED, "red"),
    (Level.HIGH, 3),
    (Point(1, 2), {"x": 1, "y": 2}),
    (Order("tea", [Point(1, 2)]), {"item": "tea", "parts": [{"x": 1, "y": 2}]}),
    (NOON, "2026-01-02T12:00:00+00:00"),
    (date(2026, 1, 2), "2026-01-02"),
    (time(12, 30), "12:30:00"),
    (time(12, 30, tzinfo=timezone.utc), "12:30:00+00:00"),
    (timedelta(minutes=1.5), 90.0),
    (ID, str(ID)),
    (ForeignUUID(), str(ID)),
    (Decimal("1.10"), "1.10"),
    (Fraction(1, 3), "1/3"),
    (PurePosixPath("/tmp/a"), "/tmp/a"),
    (ip_address("127.0.0.1"), "127.0.0.1"),
    (pattern("a+"), "a+"),
    (b"\xff\x00", "/wA="),
    (bytearray(b"a"), "YQ=="),
    (memoryview(b"a"), "YQ=="),
    ({"b", "a", "c"}, ["a", "b", "c"]),
    (frozenset({1}), [1]),
    ({"k": 1}.keys(), ["k"]),
    ({"k": 1}.values(), [1]),
    (deque([1, 2]), [1, 2]),
    (range(3), [0, 1, 2]),
    (MappingProxyType({"a": 1}), {"a": 1}),
    (UserDict(a=1), {"a": 1}),
    (ChainMap({"a": 1}), {"a": 1}),
    (ArrayLike(), [1, 2]),
    (ValueError("bad"), {"error": "ValueError", "message": "bad"}),
    (KeyboardInterrupt(), {"error": "KeyboardInterrupt", "message": ""}),
    (Order, f"{__name__}.Order"),
]


@pytest.mark.parametrize(("value", "wanted"), KNOWN, ids=[str(at) for at in range(len(KNOWN))])
def test_known_types_have_one_form_on_both_ways(value: Any, wanted: Any) -> None:
    assert encode(value) == wanted
    assert json.loads(encode_json(value)) == wanted


def test_a_set_that_cannot_be_sorted_is_a_list() -> None:
    assert sorted(map(str, json.loads(encode_json({1, "a"})))) == ["1", "a"]


def test_a_field_that_was_never_set_is_left_out() -> None:
    order = Order.__new__(Order)
    order.item = "tea"
    assert json.loads(encode_json(order)) == {"item": "tea"}


def test_interrupts_look_as_clients_know_them() -> None:
    event = {"__interrupt__": (Interrupt({"question": "ok?"}, "081d"),)}
    assert encode_json(event) == (
        b'{"__interrupt__":[{"value":{"question":"ok?"},"id":"081d","response_schema":null}]}'
    )


def test_an_interrupt_shows_what_its_answer_must_look_like() -> None:
    from pydantic import BaseModel

    class Answer(BaseModel):
        ok: bool

    shown = json.loads(encode_json(Interrupt("?", "1", response_schema=Answer)))
    assert shown["response_schema"]["properties"]["ok"]["type"] == "boolean"


def test_commands_and_sends() -> None:
    command = Command(goto=[Send("worker", {"n": 1})], update={"a": 1})
    assert json.loads(encode_json(command)) == {
        "graph": None,
        "update": {"a": 1},
        "resume": None,
        "goto": [{"node": "worker", "arg": {"n": 1}, "timeout": None}],
    }


def test_a_message_chunk_is_on_the_wire_what_clients_read() -> None:
    from langchain_core.messages import AIMessageChunk

    assert encode_json(AIMessageChunk(content="Why", id="run-1")) == (
        b'{"content":"Why","additional_kwargs":{},"response_metadata":{},"type":"AIMessageChunk","name":null,'
        b'"id":"run-1","tool_calls":[],"invalid_tool_calls":[],"usage_metadata":null,"tool_call_chunks":[],'
        b'"chunk_position":null}'
    )


def test_a_model_shows_what_its_fields_hold_not_what_they_declare() -> None:
    from langchain_core.messages import AIMessage, BaseMessage
    from pydantic import BaseModel, Field, SecretStr

    class State(BaseModel):
        messages: list[BaseMessage]
        key: SecretStr = SecretStr("hidden")
        internal: int = Field(default=1, exclude=True)

    call = {"name": "search", "args": {}, "id": "1", "type": "tool_call"}
    state = State(messages=[AIMessage("", tool_calls=[{"name": "search", "args": {}, "id": "1"}])])
    shown = json.loads(encode_json(state))
    assert shown["messages"][0]["tool_calls"] == [call]
    assert "hidden" not in str(shown)
    assert "internal" not in shown


def test_an_unknown_object_is_its_repr_and_the_log_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    class Engine:
        def __repr__(self) -> str:
            return "<an engine>"

    with caplog.at_level(logging.WARNING, "headrace"):
        assert json.loads(encode_json({"a": [Engine(), Engine()]})) == {"a": ["<an engine>"] * 2}
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "Engine has no JSON form" in caplog.text


def test_a_huge_repr_is_cut() -> None:
    class Frame:
        def __repr__(self) -> str:
            return "x" * (2 * REPR)

    assert encode(Frame()) == "x" * REPR + "…"


def test_objects_whose_own_code_fails_are_still_shown() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

        def model_dump(self, **options: Any) -> Any:
            raise RuntimeError

    assert json.loads(encode_json(Broken())).endswith("Broken object>")
    assert json.loads(encode_json({Broken(): 1})).popitem()[0].endswith("Broken object>")


def test_a_generator_is_shown_and_not_consumed() -> None:
    def numbers() -> Iterator[int]:
        yield 1

    generator = numbers()
    assert "generator object" in json.loads(encode_json(generator))
    assert list(generator) == [1]


def test_lone_surrogates_are_replaced_and_pairs_joined() -> None:
    assert json.loads(encode_json({"\ud800k": "a\udfffb", "pair": "\ud83d\ude00"})) == {
        "\ufffdk": "a\ufffdb",
        "pair": "😀",
    }


def test_integers_keep_their_digits_up_to_where_python_prints_them() -> None:
    assert encode_json(2**70) == str(2**70).encode()
    assert json.loads(encode_json(1 << 20_000)) == hex(1 << 20_000)


def test_keys_become_strings() -> None:
    keys: list[tuple[Any, str]] = [
        (1, "1"),
        (2**70, str(2**70)),
        (1.5, "1.5"),
        (float("nan"), "null"),
        (None, "null"),
        (False, "false"),
        (Colour.RED, "red"),
        (Level.HIGH, "3"),
        (ID, str(ID)),
        (date(2026, 1, 2), "2026-01-02"),
        (("a", 1), "('a', 1)"),
    ]
    for key, wanted in keys:
        assert json.loads(encode_json({key: "x"})) == {wanted: "x"}


def _list_cycle() -> Any:
    value: list[Any] = [1]
    value.append(value)
    return value


def _object_cycle() -> Any:
    order = Order("tea", [])
    order.parts.append({"order": order})
    return order


def _deep() -> Any:
    value: Any = 1
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize(("make", "marker"), [
    (_list_cycle, "<list that contains itself>"),
    (_object_cycle, "<Order that contains itself>"),
    (_deep, "<list too deep to show>"),
])  # fmt: skip
def test_what_never_ends_is_marked(make: Callable[[], Any], marker: str) -> None:
    text = encode_json(make()).decode()
    json.loads(text)
    assert marker in text


def test_what_occurs_twice_is_no_cycle() -> None:
    shared = [2**70]
    assert encode([shared, shared]) == [[2**70], [2**70]]


def test_a_value_at_the_end_of_the_stack_is_shown_too() -> None:
    def down(left: int) -> Any:
        return down(left - 1) if left else encode(value)

    value: Any = 1
    for _ in range(DEPTH - 1):
        value = [value]
    import inspect
    import sys

    room = sys.getrecursionlimit() - len(inspect.stack())
    assert down(room - 60) == "<list too deep to show>"


leaves = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=()))
    | st.binary() | st.datetimes() | st.dates() | st.times() | st.timedeltas() | st.uuids() | st.decimals()
    | st.fractions() | st.just(Colour.RED) | st.builds(ValueError, st.text()) | st.builds(object)
    | st.frozensets(st.integers() | st.text())
)  # fmt: skip
keys = st.text(st.characters(exclude_categories=())) | st.integers() | st.none() | st.floats() | st.uuids() | st.dates()
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)
        | st.tuples(inner) | st.builds(Point, inner, inner) | st.builds(Order, st.text(), st.lists(inner, max_size=2))
        | st.builds(Interrupt, inner) | st.builds(Send, st.text(), inner)
    ),
)  # fmt: skip


@given(values)
def test_any_value_is_valid_json_and_the_two_ways_agree(value: Any) -> None:
    def refuse(constant: str) -> Any:
        raise AssertionError(f"{constant} is no JSON")

    text = encode_json(value)
    assert b"\n" not in text
    read = json.loads(text.decode(), parse_constant=refuse)
    assert read == json.loads(json.dumps(encode(value), allow_nan=False))
