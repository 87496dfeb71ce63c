"""Patterns for paths: `*`, `?`, `[a-z]`, `{a,b}` inside a name, `**` for any number of folders.

Matched without regular expressions, so that no pattern takes more than length times length.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TypeAlias

MOST_ALTERNATIVES = 64
"""Patterns that braces may stand for."""

Token: TypeAlias = "str | frozenset[tuple[str, str]] | tuple[frozenset[tuple[str, str]]]"
"""A character, "*" or "?" as two characters, the ranges of a class, or of an excluded one (in a tuple)."""

STAR, ANY = "**", "??"


class GlobPattern:
    """A pattern ready for use. ValueError, with a text for the model, for one that cannot be read."""

    def __init__(self, pattern: str) -> None:
        if not pattern.strip():
            raise ValueError("the pattern is empty; '**' stands for every file")
        self.alternatives = [[part for part in one.split("/") if part] for one in braces(pattern)]
        self.parts = [[part if part == "**" else tokens(part) for part in one] for one in self.alternatives]

    def matches(self, names: Sequence[str]) -> bool:
        """Whether the pattern matches a path, given as the names in it."""
        return any(path_matches(parts, names) for parts in self.parts)


def braces(pattern: str) -> list[str]:
    """The patterns that one with braces stands for."""
    done, waiting = [], [pattern]
    while waiting:
        one = waiting.pop(0)
        open_at = one.find("{")
        if open_at < 0:
            done.append(one)
            continue
        close_at, commas = closing(one, open_at)
        bounds = [open_at, *commas, close_at]
        inner = [one[left + 1 : right] for left, right in itertools.pairwise(bounds)]
        waiting += [f"{one[:open_at]}{choice}{one[close_at + 1 :]}" for choice in inner]
        if len(waiting) + len(done) > MOST_ALTERNATIVES:
            raise ValueError(f"the braces of {pattern!r} stand for more than {MOST_ALTERNATIVES} patterns")
    return done


def closing(pattern: str, open_at: int) -> tuple[int, list[int]]:
    """Where the brace at `open_at` ends, and the commas that belong to it."""
    depth = 0
    commas: list[int] = []
    for at in range(open_at, len(pattern)):
        depth += {"{": 1, "}": -1}.get(pattern[at], 0)
        if depth == 0:
            return at, commas
        if depth == 1 and pattern[at] == ",":
            commas.append(at)
    raise ValueError(f"a brace is never closed in {pattern!r}")


def tokens(part: str) -> list[Token]:
    """A pattern for one name, in pieces. A bracket that is never closed stands for itself."""
    found: list[Token] = []
    at = 0
    while at < len(part):
        char = part[at]
        if char == "*":
            if not found or found[-1] != STAR:
                found.append(STAR)
        elif char == "?":
            found.append(ANY)
        elif char == "[" and (end := part.find("]", at + (3 if part[at + 1 : at + 2] in ("!", "^") else 2))) > 0:
            found.append(char_class(part[at + 1 : end]))
            at = end
        else:
            found.append(char)
        at += 1
    return found


def char_class(inner: str) -> Token:
    """The ranges between brackets."""
    excluded = inner[0] in "!^"
    chars = inner[1:] if excluded else inner
    ranges, at = set(), 0
    while at < len(chars):
        if chars[at + 1 : at + 2] == "-" and at + 2 < len(chars):
            ranges.add((chars[at], chars[at + 2]))
            at += 3
        else:
            ranges.add((chars[at], chars[at]))
            at += 1
    return (frozenset(ranges),) if excluded else frozenset(ranges)


def path_matches(parts: Sequence[str | list[Token]], names: Sequence[str]) -> bool:
    """Whether the parts match all the names: which prefixes of the names each prefix of the parts matches."""
    reached = {0}
    for part in parts:
        if part == "**":
            reached = set(range(min(reached), len(names) + 1))
        else:
            reached = {at + 1 for at in reached if at < len(names) and name_matches(part, names[at])}
        if not reached:
            return False
    return len(names) in reached and bool(names)


def name_matches(pattern: Sequence[Token], name: str) -> bool:
    """Whether a name matches: on a mismatch, the last star takes one character more."""
    at = star = place = 0
    starred = False
    for_name = 0
    while for_name < len(name):
        token = pattern[at] if at < len(pattern) else None
        if token == STAR:
            starred, star, place = True, at, for_name
            at += 1
        elif token is not None and char_matches(token, name[for_name]):
            at += 1
            for_name += 1
        elif starred:
            place += 1
            at, for_name = star + 1, place
        else:
            return False
    return all(token == STAR for token in pattern[at:])


def char_matches(token: Token, char: str) -> bool:
    if isinstance(token, str):
        return token in (ANY, char)
    excluded = isinstance(token, tuple)
    ranges = token[0] if isinstance(token, tuple) else token
    return any(low <= char <= high for low, high in ranges) != excluded
