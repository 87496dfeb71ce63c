"""Tool calls, cut anywhere and sent in any provider's way, come out as they were; an unfinished one never does."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from itertools import accumulate, chain
from operator import add, itemgetter
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessageChunk

from headrace.messages.tool_calls import ToolCallFragments, completed

Fragment = Any
Pieces = list[str]


class Said(NamedTuple):
    """A call as the model means it, and its arguments as they are sent."""

    name: str
    id: str
    text: str
    pieces: Pieces

    @property
    def args(self) -> Any:
        return json.loads(self.text) if self.text else {}


pytestmark = pytest.mark.main_only  # of the provider's style, not of the Python

few = settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))

texts = st.text(st.characters(codec="utf-8"), max_size=5) | st.sampled_from(('"', "\\", "}{", "\n", "\u2028", "𝄞"))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
objects = st.dictionaries(texts, values, max_size=2)


def cut(text: str, draw: Callable[..., Any]) -> Pieces:
    """The text in pieces, cut anywhere, in the middle of an escape as well; some may be empty."""
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@st.composite
def said(draw: Callable[..., Any], *, least: int = 1) -> list[Said]:
    """Parallel calls with ids of their own; names may repeat."""
    ids = draw(st.lists(st.text("abc-_09", min_size=1, max_size=5), min_size=least, max_size=3, unique=True))
    calls = []
    for id in ids:
        whole = json.dumps(draw(objects), ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from((None, 1))))
        text = draw(st.sampled_from(("", "{}", whole, whole, whole, whole)))
        calls.append(Said(draw(st.sampled_from(("f", "get_weather", "ü", "f2"))), id, text, cut(text, draw)))
    return calls


def part(args: str, index: Any = None, *, name: str | None = None, id: str | None = None) -> Fragment:
    return {"args": args, "index": index, "name": name, "id": id, "type": "tool_call_chunk"}


Lines = list[list[Fragment]]
"""The fragments of each call."""


def opened(calls: Sequence[Said], indexes: Iterable[Any]) -> Lines:
    """Name and id first, then the arguments, each with the call's index."""
    return [
        [part("", index, name=call.name, id=call.id), *(part(piece, index) for piece in call.pieces)]
        for call, index in zip(calls, indexes, strict=False)
    ]


def by_index(calls: list[Said]) -> Lines:
    return opened(calls, range(len(calls)))


def by_block(calls: list[Said]) -> Lines:
    """An index of content blocks, which counts texts too; between the calls come chunks without fragments."""
    return opened(calls, range(1, 99, 3))


def by_text(calls: list[Said]) -> Lines:
    return opened(calls, (f"lc_{number}" for number in range(99)))


def by_number_or_text(calls: list[Said]) -> Lines:
    """The same index, sometimes as text."""
    lines = by_index(calls)
    for line in lines:
        for fragment in line[::2]:
            fragment["index"] = str(fragment["index"])
    return lines


def repeating(calls: list[Said]) -> Lines:
    """Name and id in every fragment."""
    return [
        [part(piece, index, name=call.name, id=call.id) for piece in call.pieces] for index, call in enumerate(calls)
    ]


def name_repeated(calls: list[Said]) -> Lines:
    """The name in every fragment, the id in the first."""
    lines = by_index(calls)
    for call, line in zip(calls, lines, strict=True):
        for fragment in line:
            fragment["name"] = call.name
    return lines


def shared_index(calls: list[Said]) -> Lines:
    return opened(calls, [0] * len(calls))


def shared_index_with_ids(calls: list[Said]) -> Lines:
    lines = shared_index(calls)
    for call, line in zip(calls, lines, strict=True):
        for fragment in line:
            fragment["id"] = call.id
    return lines


def by_id(calls: list[Said]) -> Lines:
    return [[part(piece, name=call.name, id=call.id) for piece in call.pieces] for call in calls]


def by_first_id(calls: list[Said]) -> Lines:
    return opened(calls, [None] * len(calls))


def by_name(calls: list[Said]) -> Lines:
    """Neither index nor id."""
    return [[part(call.pieces[0], name=call.name), *(part(piece) for piece in call.pieces[1:])] for call in calls]


def whole(calls: list[Said]) -> Lines:
    return [[part(call.text, index, name=call.name, id=call.id)] for index, call in enumerate(calls)]


def whole_by_id(calls: list[Said]) -> Lines:
    return [[part(call.text, name=call.name, id=call.id)] for call in calls]


def whole_by_name(calls: list[Said]) -> Lines:
    return [[part(call.text, name=call.name)] for call in calls]


STYLES = [
    by_index, by_block, by_text, by_number_or_text, repeating, name_repeated, shared_index, shared_index_with_ids,
    by_id, by_first_id, by_name, whole, whole_by_id, whole_by_name,
]  # fmt: skip
INTERLEAVED = [
    by_index, by_block, by_text, by_number_or_text, repeating, name_repeated, shared_index_with_ids, by_id,
]  # fmt: skip
"""Those whose every fragment says which call it belongs to, so that calls may arrive at the same time."""
WITHOUT_IDS = (by_name, whole_by_name)

every_style = pytest.mark.parametrize("style", STYLES, ids=lambda style: style.__name__)


def deltas(fragments: list[Fragment], dice: random.Random) -> list[list[Fragment]]:
    """The chunks of a message: some have no fragment, some have several."""
    chunks: list[list[Fragment]] = []
    for fragment in fragments:
        while dice.random() < 0.3:
            chunks.append([])
        if chunks and dice.random() < 0.3:
            chunks[-1].append(fragment)
        else:
            chunks.append([fragment])
    return chunks


def shuffled(lines: Lines, dice: random.Random) -> list[Fragment]:
    """The fragments of all calls at once, those of each in order."""
    waiting = [list(line) for line in lines]
    merged = []
    while left := [line for line in waiting if line]:
        merged.append(dice.choice(left).pop(0))
    return merged


def gathered(chunks: Iterable[list[Fragment]]) -> ToolCallFragments:
    fragments = ToolCallFragments()
    for chunk in chunks:
        fragments.add(chunk)
    return fragments


def meant(calls: list[Said], style: Any) -> list[tuple[Any, ...]]:
    return [(call.name, call.args, None if style in WITHOUT_IDS else call.id) for call in calls]


def made(calls: Iterable[Any]) -> list[tuple[Any, ...]]:
    return [(call["name"], call["args"], call["id"]) for call in calls]


@every_style
@given(calls=said(), dice=st.randoms())
@few
def test_the_calls_come_out_as_they_were_meant(style: Any, calls: list[Said], dice: random.Random) -> None:
    fragments = gathered(deltas(list(chain(*style(calls))), dice))
    valid, invalid = fragments.calls()
    assert (made(valid), invalid) == (meant(calls, style), [])
    assert [(call.name, call.args) for call in fragments.partial()] == [(call.name, call.text) for call in calls]


@pytest.mark.parametrize("style", INTERLEAVED, ids=lambda style: style.__name__)
@given(calls=said(least=2), dice=st.randoms())
@few
def test_calls_that_arrive_at_the_same_time_are_told_apart(style: Any, calls: list[Said], dice: random.Random) -> None:
    valid, invalid = gathered(deltas(shuffled(style(calls), dice), dice)).calls()
    assert invalid == []
    assert sorted(made(valid), key=itemgetter(2)) == sorted(meant(calls, style), key=itemgetter(2))


@every_style
@given(calls=said(), dice=st.randoms(), data=st.data())
@few
def test_a_last_call_that_is_not_closed_is_never_valid(
    style: Any, calls: list[Said], dice: random.Random, data: st.DataObject
) -> None:
    last = calls[-1]
    text = last.text or "{}"
    kept = text[: data.draw(st.integers(1, len(text) - 1))]
    broken = last._replace(text=kept, pieces=cut(kept, data.draw))
    valid, invalid = gathered(deltas(list(chain(*style([*calls[:-1], broken]))), dice)).calls()
    assert made(valid) == meant(calls[:-1], style)
    assert [call["args"] for call in invalid] == [kept]
    assert "end in the middle" in str(invalid[0]["error"])


@every_style
@given(calls=said(), dice=st.randoms(), data=st.data())
@few
def test_a_message_cut_for_its_length_never_calls_what_was_not_closed(
    style: Any, calls: list[Said], dice: random.Random, data: st.DataObject
) -> None:
    fragments = list(chain(*style(calls)))
    kept = fragments[: data.draw(st.integers(1, len(fragments)))]
    valid, invalid = gathered(deltas(kept, dice)).calls(cut=True)
    sent = "".join(fragment["args"] for fragment in kept)
    ends = accumulate(len(call.text) for call in calls)
    closed = sum(bool(call.text) and end <= len(sent) for call, end in zip(calls, ends, strict=True))
    assert made(valid) == meant(calls, style)[: len(valid)]
    assert len([call for call in valid if call["args"]]) <= closed
    assert len(invalid) <= 1


@pytest.mark.parametrize(
    "style", [by_index, by_block, repeating, by_id, by_first_id, by_name, whole], ids=lambda f: f.__name__
)
@given(calls=said(), dice=st.randoms())
@few
def test_the_sum_of_langchain_cores_chunks_is_corrected(style: Any, calls: list[Said], dice: random.Random) -> None:
    chunks = deltas(list(chain(*style(calls))), dice)
    summed = reduce(add, (AIMessageChunk(content="", tool_call_chunks=chunk) for chunk in chunks))
    message = completed(summed, gathered(chunks))
    assert (made(message.tool_calls), message.invalid_tool_calls) == (meant(calls, style), [])
    assert completed(message, gathered(chunks)) is message
