"""Playing one program on both roots, and showing where they part."""

from __future__ import annotations

import difflib
import functools
import shutil
import textwrap
from collections.abc import Sequence

from . import canonical
from .differences import DIFFERENCES
from .program import Asking, Driver, Program
from .record import Played, play
from .roots import REFERENCE, SUBJECT, Root


def same_stream(program: Program, asking: Asking) -> None:
    """Fail, with both streams side by side, when the subject does not do what the reference does."""
    expected, found = recorded(program, REFERENCE, asking), recorded(program, SUBJECT, asking)
    expected, found = differing(program, expected, found)
    assert expected == found, side_by_side(expected, found, f"{program.name} [{asking}]")


def differing(program: Program, expected: list[str], found: list[str]) -> tuple[list[str], list[str]]:
    """What the reference and the subject said, the program's listed differences taken out."""
    for named in program.differences if SUBJECT != REFERENCE else ():
        difference = DIFFERENCES[named] if isinstance(named, str) else named
        expected = difference.apply(expected)
        found = difference.apply(found) if difference.both else found
    return expected, found


def recorded(program: Program, root: Root, asking: Asking) -> list[str]:
    played = play(program, root, asking)
    if not program.parallel:
        return canonical.lines(played)
    if asking.modes == program.modes:
        return canonical.lines(played, canonical.outlines(played, program.modes))
    return canonical.lines(
        played, canonical.outlines(_whole(program, root, asking.driver, asking.subgraphs), asking.modes)
    )


@functools.lru_cache
def _whole(program: Program, root: Root, driver: Driver, subgraphs: bool) -> list[Played]:
    """The recording in all modes, from which the steps of one in a single mode are known."""
    return play(program, root, Asking(program.modes, driver, subgraphs))


def side_by_side(expected: Sequence[str], found: Sequence[str], title: str) -> str:
    """Both columns, wrapped; `|` marks the lines that differ, `<` and `>` those that only one has."""
    width = max((shutil.get_terminal_size((200, 0)).columns - 7) // 2, 60)
    rows = [f"{title}", f"  {REFERENCE.name:<{width}} | {SUBJECT.name}"]
    for left, right in _aligned(expected, found):
        mark = " " if left == right else "<" if right is None else ">" if left is None else "|"
        columns = [textwrap.wrap(text or "", width) or [""] for text in (left, right)]
        for at in range(max(map(len, columns))):
            one, two = (column[at] if at < len(column) else "" for column in columns)
            rows.append(f"{mark} {one:<{width}} {mark} {two}")
        if left and right and left != right:
            rows.append("~ " + parting(left, right))
    return "\n".join(rows)


def parting(left: str, right: str) -> str:
    """Where two lines part, with a little of what stands around it."""
    pairs = enumerate(zip(left, right, strict=False))
    at = next((at for at, (one, two) in pairs if one != two), min(len(left), len(right)))
    return f"...{left[max(at - 30, 0) : at]}[{left[at : at + 70]}] | [{right[at : at + 70]}]"


def _aligned(expected: Sequence[str], found: Sequence[str]) -> list[tuple[str | None, str | None]]:
    rows: list[tuple[str | None, str | None]] = []
    for _, i1, i2, j1, j2 in difflib.SequenceMatcher(None, expected, found, autojunk=False).get_opcodes():
        for at in range(max(i2 - i1, j2 - j1)):
            left = expected[i1 + at] if i1 + at < i2 else None
            rows.append((left, found[j1 + at] if j1 + at < j2 else None))
    return rows
