"""From a compiled graph to its drawing.

What is drawn:

- an edge for every pair of nodes of which one can lead to the other; where several do, a conditional one wins;
- a conditional edge without known ends leads to every node and to the end, since nobody can tell;
- a node that nothing leaves ends the graph: an edge to the end is drawn. Edges to the end beside others are not:
  they do nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from headrace.graph.drawing.graph import Graph
from headrace.graph.drawing.model import Edge, EntryPoint, Node

START, END = "__start__", "__end__"


class NodeView(Protocol):
    """One node of a graph, as the drawing sees it."""

    @property
    def data(self) -> object:
        """What the user gave to `add_node`."""

    @property
    def metadata(self) -> Mapping[str, Any] | None: ...

    @property
    def defer(self) -> bool: ...

    @property
    def handles_errors(self) -> bool:
        """True for an error handler: the engine leads there, no edge does, and none leaves it."""

    @property
    def destinations(self) -> Mapping[str, str | None]:
        """Where its `Command(goto=...)` may lead, with the edge's label."""

    @property
    def subgraph(self) -> GraphView | None:
        """The graph that runs inside; only read when it is to be drawn, so it may be searched for then."""


class BranchView(Protocol):
    """A conditional edge."""

    @property
    def source(self) -> str: ...

    @property
    def ends(self) -> Mapping[Any, str] | None:
        """Each answer of the path function (the edge's label, when it is not the target) with its target.

        None when the ends are not known: no path map was given and the function's return type does not say.
        """


class GraphView(Protocol):
    """A graph, as the drawing sees it. The start and the end are known by their names."""

    @property
    def nodes(self) -> Mapping[str, NodeView]:
        """By name, in the order in which they are drawn, without the start and the end."""

    @property
    def edges(self) -> Iterable[tuple[str, str]]: ...

    @property
    def joins(self) -> Iterable[tuple[Sequence[str], str]]: ...

    @property
    def branches(self) -> Iterable[BranchView]: ...

    @property
    def interrupt_before(self) -> Collection[str] | Literal["*"]: ...

    @property
    def interrupt_after(self) -> Collection[str] | Literal["*"]: ...


def drawn(view: GraphView, *, xray: int | bool = False) -> Graph:
    """The drawing of a graph. Pure.

    `xray` is the number of levels of subgraphs that are drawn in place of their node; True for all.
    """
    nodes = {START: Node(START, START, EntryPoint())}
    for name, node in view.nodes.items():
        nodes[name] = Node(name, name, node.data, _metadata(view, name, node))
    nodes[END] = Node(END, END)
    graph = Graph(nodes, _edges(view))
    return _expanded(graph, view, xray) if xray else graph


def _metadata(view: GraphView, name: str, node: NodeView) -> Mapping[str, Any] | None:
    found = dict(node.metadata or {})
    if node.defer:
        found["defer"] = True
    stops = {"before": view.interrupt_before, "after": view.interrupt_after}
    interrupt = ",".join(when for when, names in stops.items() if names == "*" or name in names)
    if interrupt:
        found["__interrupt"] = interrupt
    return found or None


def _edges(view: GraphView) -> list[Edge]:
    """Sorted by their ends; those that are only drawn because a node ends come last, in node order."""
    strongest: dict[tuple[str, str], Edge] = {}
    for edge in _possible(view):
        key = edge.source, edge.target
        if key not in strongest or _strength(edge) < _strength(strongest[key]):
            strongest[key] = edge
    edges = [strongest[key] for key in sorted(strongest)]
    leading = {edge.source for edge in edges}
    ending = (name for name, node in view.nodes.items() if name not in leading and not node.handles_errors)
    return [*edges, *(Edge(name, END) for name in ending)]


def _strength(edge: Edge) -> tuple[bool, str]:
    """Conditional before static; among labels none before any, then by the alphabet: the same edges draw the same."""
    return not edge.conditional, edge.data or ""


def _possible(view: GraphView) -> Iterable[Edge]:
    static = [*view.edges, *((start, end) for starts, end in view.joins for start in starts)]
    yield from (Edge(source, target) for source, target in static if target != END)
    for branch in view.branches:
        yield from (_conditional(branch.source, *end) for end in _ends(view, branch))
    for name, node in view.nodes.items():
        yield from (_conditional(name, label, target) for target, label in node.destinations.items())


def _ends(view: GraphView, branch: BranchView) -> Iterable[tuple[object, str]]:
    if branch.ends is not None:
        return branch.ends.items()
    return [(None, name) for name, node in view.nodes.items() if not node.handles_errors] + [(None, END)]


def _conditional(source: str, label: object, target: str) -> Edge:
    text = None if label is None or str(label) == target else str(label)
    return Edge(source, target, text, conditional=True)


def _expanded(graph: Graph, view: GraphView, xray: int | bool) -> Graph:
    """The same drawing with each node that holds a subgraph replaced by that subgraph's nodes."""
    nodes, inner_edges = dict(graph.nodes), []
    entries, exits = {}, {}
    for name, node in view.nodes.items():
        if node.subgraph is None:
            continue
        inside = _trimmed(drawn(node.subgraph, xray=xray if xray is True else xray - 1))
        del nodes[name]
        for child in inside.graph.nodes.values():
            nodes[f"{name}:{child.id}"] = Node(f"{name}:{child.id}", child.name, child.data, child.metadata)
        inner_edges += [
            Edge(f"{name}:{edge.source}", f"{name}:{edge.target}", edge.data, edge.conditional)
            for edge in inside.graph.edges
        ]
        entries[name], exits[name] = f"{name}:{inside.entry}", f"{name}:{inside.exit}"
    outer_edges = [
        Edge(exits.get(edge.source, edge.source), entries.get(edge.target, edge.target), edge.data, edge.conditional)
        for edge in graph.edges
    ]
    return Graph(nodes, outer_edges + inner_edges)


@dataclass(frozen=True)
class _Inside:
    """A subgraph's drawing, and the ids at which the outer edges enter and leave it."""

    graph: Graph
    entry: str
    exit: str


def _trimmed(graph: Graph) -> _Inside:
    """Without its start, when one node alone follows and nothing else leads there; its end in the same way."""
    entry, exit_ = START, END
    starts = [edge.target for edge in graph.edges if edge.source == START]
    if len(starts) == 1 and sum(edge.target == starts[0] for edge in graph.edges) == 1:
        entry = starts[0]
    ends = [edge.source for edge in graph.edges if edge.target == END]
    if len(ends) == 1 and ends[0] != START and sum(edge.source == ends[0] for edge in graph.edges) == 1:
        exit_ = ends[0]
    gone = {START, END} - {entry, exit_}
    nodes = {id: node for id, node in graph.nodes.items() if id not in gone}
    edges = [edge for edge in graph.edges if edge.source not in gone and edge.target not in gone]
    return _Inside(Graph(nodes, edges), entry, exit_)
