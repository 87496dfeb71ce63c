"""Markdown as these tests see it: fenced blocks, links, and names of code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")))

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    kind: str
    """The word after the fence: `python`, `bash`, `console`, `text`, ..."""
    text: str
    line: int
    """Where its content begins, from one."""
    printed: str | None
    """The content of the `text` block that comes next, if the next block is one."""


def blocks_of(source: str) -> list[Block]:
    """The fenced blocks of a page, each with the output that the page shows for it."""
    found = [(one[1], one[2], source.count("\n", 0, one.start()) + 2) for one in FENCE.finditer(source)]
    following = [*(text if kind == "text" else None for kind, text, _ in found[1:]), None]
    return [Block(*one, printed) for one, printed in zip(found, following, strict=False)]


def prose_of(source: str) -> str:
    """The page without its fenced blocks and comments."""
    return COMMENT.sub("", FENCE.sub("", source))


def links_of(source: str) -> list[str]:
    """Where the page's links lead."""
    return LINK.findall(CODE.sub("", prose_of(source)))


def anchors_of(source: str) -> set[str]:
    """The anchors that a page's headings make, as code hosts write them."""
    titles = (heading.replace("`", "").lower() for heading in HEADING.findall(FENCE.sub("", source)))
    return {re.sub(r"[^\w\- ]", "", title).strip().replace(" ", "-") for title in titles}


def names_of(source: str) -> Iterator[tuple[str, str]]:
    """Each `folder/file.name` that the page names, as module and path; the path of a file is empty."""
    for text in CODE.findall(prose_of(source)):
        match = re.fullmatch(r"((?:[a-z_]+/)+[a-z_]+)\.([A-Za-z_][\w.]*)", text)
        if match is not None:
            yield match[1], "" if match[2] == "py" else match[2]
