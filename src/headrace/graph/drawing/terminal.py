"""A drawing in plain characters, from top to bottom.

Static edges are drawn with `|` and `-`, conditional ones with `:` and `.`; `v` and `^` are their heads and `+` their
corners. Where lines cross, the upright one is drawn through.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from headrace.graph.drawing.layout import Box, Line, layers
from headrace.graph.drawing.model import Edge

LOOP = 4
"""Columns beside a box for the edge that leads from a node to itself."""


@dataclass(frozen=True)
class _Canvas:
    """Characters by row and column; a wide character leaves the column after it empty."""

    cells: defaultdict[int, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))

    def put(self, row: int, column: int, text: str) -> None:
        for char in text:
            self.cells[row][column] = char
            column += _width(char)
            if _width(char) == 2:
                self.cells[row][column - 1] = ""

    def put_below(self, row: int, column: int, text: str) -> None:
        """The text, without what is there already."""
        for place, char in enumerate(text, start=column):
            self.cells[row].setdefault(place, char)

    def text(self) -> str:
        """What was put, without empty columns at its left and spaces at its right."""
        left = min((column for row in self.cells.values() for column in row), default=0)
        rows = [self.cells[row] for row in range(max(self.cells, default=-1) + 1)]
        return "\n".join(
            "".join(row.get(column, " ") for column in range(left, max(row, default=-1) + 1)) for row in rows
        )


def draw(nodes: Sequence[str], edges: Sequence[Edge]) -> str:
    """The picture, without a newline at its end; an edge's label stands in a list below it. Pure."""
    loops = {edge.source: edge for edge in edges if edge.source == edge.target}
    between = [edge for edge in edges if edge.source != edge.target]
    widths = {name: _text_width(name) + 4 for name in nodes}
    rows = layers(widths, [(edge.source, edge.target) for edge in between], dict.fromkeys(loops, LOOP))
    canvas = _Canvas()
    top = 0
    for row in rows:
        for box in row:
            _draw_box(canvas, top, box, loops, between)
        top = _draw_lines(canvas, top + 3, [line for box in row for line in box.below], between)
    labels = [f"{edge.source} -> {edge.target}: {edge.data}" for edge in edges if edge.data is not None]
    return "\n".join([canvas.text(), "", *labels] if labels else [canvas.text()])


def _draw_box(canvas: _Canvas, top: int, box: Box, loops: dict[str, Edge], edges: Sequence[Edge]) -> None:
    if box.id is None:
        upright = ":" if edges[box.above[0].edge].conditional else "|"
        for row in range(top, top + 3):
            canvas.put(row, box.x, upright)
        return
    width = box.width - 2 * LOOP if box.id in loops else box.width
    left = box.x - width // 2
    space = width - 2 - _text_width(box.id)
    canvas.put(top, left, f"+{'-' * (width - 2)}+")
    canvas.put(top + 1, left, f"|{' ' * (space // 2)}{box.id}{' ' * (space - space // 2)}|")
    canvas.put(top + 2, left, f"+{'-' * (width - 2)}+")
    if box.id in loops:
        stroke = "." if loops[box.id].conditional else "-"
        canvas.put(top + 1, left + width, f"<{stroke}+")
        canvas.put(top + 2, left + width, f"{stroke}{stroke}+")


def _draw_lines(canvas: _Canvas, top: int, lines: Sequence[Line], edges: Sequence[Edge]) -> int:
    """The lines between two layers; the row at which the lower layer begins."""
    tracks = _tracks([line for line in lines if line.leaves != line.arrives])
    bottom = top + 1 + len(tracks)
    for line in lines:
        track = next((top + 1 + place for place, sideways in enumerate(tracks) if line in sideways), bottom)
        upright = ":" if edges[line.edge].conditional else "|"
        for row in range(top, bottom + 1):
            canvas.put(row, line.leaves if row < track else line.arrives, upright)
        if line.leaves != line.arrives:
            canvas.put(track, line.leaves, "+")
            canvas.put(track, line.arrives, "+")
        if line.reversed and line.upper.id is not None:
            canvas.put(top, line.leaves, "^")
        if not line.reversed and line.lower.id is not None:
            canvas.put(bottom, line.arrives, "v")
    for row, sideways in enumerate(tracks, start=top + 1):
        for line in sideways:
            left, right = sorted((line.leaves, line.arrives))
            stroke = "." if edges[line.edge].conditional else "-"
            canvas.put_below(row, left + 1, stroke * (right - left - 1))
    return bottom + 1


def _tracks(lines: Sequence[Line]) -> list[list[Line]]:
    """The lines that run sideways, by the row on which they do; those on one row do not touch.

    Of two that leave a box for the same side the outer one comes first: it runs above, and they do not cross.
    """
    leftward = sorted((line for line in lines if line.arrives < line.leaves), key=lambda line: line.leaves)
    rightward = sorted((line for line in lines if line.arrives > line.leaves), key=lambda line: -line.leaves)
    tracks: list[list[Line]] = []
    for line in [*leftward, *rightward]:
        track = next((track for track in tracks if not any(_touch(line, other) for other in track)), None)
        if track is None:
            tracks.append(track := [])
        track.append(line)
    return tracks


def _touch(one: Line, other: Line) -> bool:
    left, right = sorted((one.leaves, one.arrives))
    return left <= max(other.leaves, other.arrives) + 1 and min(other.leaves, other.arrives) <= right + 1


def _text_width(text: str) -> int:
    return sum(map(_width, text))


def _width(char: str) -> int:
    """The columns that a terminal gives the character."""
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
