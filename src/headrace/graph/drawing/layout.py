"""Where the boxes of a layered drawing stand (Sugiyama's method, in its simplest form).

Edges that lead back are turned round; each node stands one layer below the last of those that lead to it; an edge
that spans layers goes through a *bend*, a box without a text, in each layer between; each layer is put in an order
with few crossings; then every box gets its column. One rule makes the lines between two layers easy to route: the
column at which a line arrives is never one at which another line leaves, so that no two upright pieces can meet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

GAP = 3
"""Columns between two boxes of a layer."""
PORTS_APART = 4
"""Columns between two lines that enter, or leave, one box."""
CHOICE = 3
"""Columns that are tried for a box, to have more lines come straight down."""
SWEEPS = 8
"""Passes that pull boxes to their neighbours; more of them change nothing in graphs that fit a terminal."""


@dataclass(eq=False)
class Box:
    """A node, or the bend of a long edge (no `id`). `x` is the middle column."""

    id: str | None
    layer: int
    width: int = 1
    x: int = 0
    above: list[Line] = field(default_factory=list)
    below: list[Line] = field(default_factory=list)


@dataclass(eq=False)
class Line:
    """The piece of an edge between two layers that follow each other, with its columns at both ends."""

    edge: int
    """The edge's place in the list that was given; the pieces of one edge share it."""
    upper: Box
    lower: Box
    reversed: bool
    """True when the edge leads up."""
    leaves: int = 0
    arrives: int = 0


def layers(nodes: Mapping[str, int], edges: Sequence[tuple[str, str]], beside: Mapping[str, int]) -> list[list[Box]]:
    """The boxes of each layer from left to right, with their lines. Pure.

    `nodes` holds the least width of each node's box, `beside` the columns that some want free on either side, counted
    into `Box.width`; no edge may lead from a node to itself.
    """
    back = _leading_back(nodes, edges)
    down = [(target, source) if index in back else (source, target) for index, (source, target) in enumerate(edges)]
    ranks = _ranks(nodes, down)
    rows: list[list[Box]] = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
    boxes = {name: Box(name, ranks[name]) for name in nodes}
    for box in boxes.values():
        rows[box.layer].append(box)
    for index, (upper, lower) in enumerate(down):
        _connect(boxes[upper], boxes[lower], index, index in back, rows)
    for name, box in boxes.items():
        ports = max(len(box.above), len(box.below), 1)
        least = max(nodes[name], (ports - 1) * PORTS_APART + 5)
        box.width = (least | 1) + 2 * beside.get(name, 0)  # odd: there is a middle column
    for row in rows:
        row.sort(key=lambda box: box.id is None)
    _order(rows)
    _place(rows)
    return rows


def _leading_back(nodes: Iterable[str], edges: Sequence[tuple[str, str]]) -> set[int]:
    """The edges that close a circle when one walks the graph depth first."""
    leaving: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for index, (source, target) in enumerate(edges):
        leaving[source].append((index, target))
    back: set[int] = set()
    done: set[str] = set()
    for start in nodes:
        walk: dict[str, Iterator[tuple[int, str]]] = {} if start in done else {start: iter(leaving[start])}
        while walk:
            here = next(reversed(walk))
            index, target = next(walk[here], (-1, ""))
            if index < 0:
                del walk[here]
                done.add(here)
            elif target in walk:
                back.add(index)
            elif target not in done:
                walk[target] = iter(leaving[target])
    return back


def _ranks(nodes: Iterable[str], down: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The length of the longest way to each node; `down` has no circle."""
    ranks = dict.fromkeys(nodes, 0)
    waiting = dict.fromkeys(nodes, 0)
    leaving: dict[str, list[str]] = defaultdict(list)
    for source, target in down:
        leaving[source].append(target)
        waiting[target] += 1
    ready = [name for name in nodes if not waiting[name]]
    for name in ready:
        for target in leaving[name]:
            ranks[target] = max(ranks[target], ranks[name] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    return ranks


def _connect(upper: Box, lower: Box, edge: int, reversed: bool, rows: list[list[Box]]) -> None:
    bends = [Box(None, layer) for layer in range(upper.layer + 1, lower.layer)]
    for bend in bends:
        rows[bend.layer].append(bend)
    for one, other in zip([upper, *bends], [*bends, lower], strict=True):
        line = Line(edge, one, other, reversed)
        one.below.append(line)
        other.above.append(line)


def _order(rows: list[list[Box]]) -> None:
    """Each layer by the mean place of its neighbours, down and up in turn (the barycentre heuristic)."""
    places = {id(box): float(place) for row in rows for place, box in enumerate(row)}
    for neighbours, row in _sweeps(rows):
        means = [_mean([places[id(near)] for near in neighbours(box)], places[id(box)]) for box in row]
        row[:] = [box for _, box in sorted(zip(means, row, strict=True), key=lambda pair: pair[0])]
        places.update((id(box), float(place)) for place, box in enumerate(row))


def _sweeps(rows: list[list[Box]]) -> Iterator[tuple[Callable[[Box], list[Box]], list[Box]]]:
    """Every layer, going down and up in turn, with the neighbours that were looked at before it."""
    for _ in range(SWEEPS):
        yield from ((_above, row) for row in rows)
        yield from ((_below, row) for row in reversed(rows))


def _place(rows: list[list[Box]]) -> None:
    """First where each box would like to be, pulled to its neighbours; then, from the top, real columns."""
    wish: dict[int, float] = {}
    for row in rows:
        _spread(row, dict.fromkeys(map(id, row), 0.0), wish)
    for neighbours, row in _sweeps(rows):
        means = {id(box): _mean([wish[id(near)] for near in neighbours(box)], wish[id(box)]) for box in row}
        _spread(row, means, wish)
    left = min((wish[id(box)] - box.width // 2 for row in rows for box in row), default=0)
    columns = {box: round(column - left) for box, column in wish.items()}
    for row in rows:
        _settle(row, columns)


def _spread(row: list[Box], means: Mapping[int, float], wish: dict[int, float]) -> None:
    """As near to the means as the distances allow: the middle between packing from the left and from the right."""
    from_left: list[float] = []
    for place, box in enumerate(row):
        least = from_left[-1] + _distance(row[place - 1], box) if place else means[id(box)]
        from_left.append(max(means[id(box)], least))
    right = 0.0
    for place in reversed(range(len(row))):
        box = row[place]
        most = right - _distance(box, row[place + 1]) if place + 1 < len(row) else means[id(box)]
        right = min(means[id(box)], most)
        wish[id(box)] = (from_left[place] + right) / 2


def _settle(row: list[Box], wished: Mapping[int, int]) -> None:
    """Give every box its column and its lines theirs; see the rule at the top."""
    taken = {line.leaves: line.edge for box in row for line in box.above}
    least = 0
    for place, box in enumerate(row):
        first = box.width // 2 if place == 0 else least + _distance(row[place - 1], box)
        box.above.sort(key=lambda line: (line.leaves, line.edge))
        free = (x for x in _nearest(wished[id(box)], first) if _free(box, x, taken))
        box.x = max(islice(free, CHOICE), key=lambda x: _straight(box, x))
        for line, column in zip(box.above, _ports(box.x, len(box.above)), strict=True):
            line.arrives = column
        least = box.x
    for box in row:
        box.below.sort(key=lambda line: (wished[id(line.lower)], line.edge))
        for line, column in zip(box.below, _ports(box.x, len(box.below)), strict=True):
            line.leaves = column


def _free(box: Box, x: int, taken: Mapping[int, int]) -> bool:
    return all(
        taken.get(column, line.edge) == line.edge
        for line, column in zip(box.above, _ports(x, len(box.above)), strict=True)
    )


def _straight(box: Box, x: int) -> int:
    """How many lines would come straight down to the box at this column."""
    return sum(line.leaves == column for line, column in zip(box.above, _ports(x, len(box.above)), strict=True))


def _nearest(wished: int, least: int) -> Iterator[int]:
    """The columns from `least` on, those near the wished one first."""
    start = max(wished, least)
    step = 0
    while True:
        yield start + step
        if step and start - step >= least:
            yield start - step
        step += 1


def _ports(x: int, count: int) -> range:
    first = x - (count - 1) * PORTS_APART // 2
    return range(first, first + count * PORTS_APART, PORTS_APART)


def _distance(left: Box, right: Box) -> int:
    return left.width // 2 + right.width // 2 + 1 + GAP


def _above(box: Box) -> list[Box]:
    return [line.upper for line in box.above]


def _below(box: Box) -> list[Box]:
    return [line.lower for line in box.below]


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
