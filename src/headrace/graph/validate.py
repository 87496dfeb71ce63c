"""All mistakes of a graph, found before it runs and told at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from headrace.errors import InvalidGraphError
from headrace.names import END, ERROR, HANDLED, HANDLER, INTERRUPT, NO_WRITES, RESUME, START, TASKS

if TYPE_CHECKING:
    from headrace.graph.state import StateGraph


RESERVED = frozenset({END, ERROR, HANDLED, INTERRUPT, NO_WRITES, RESUME, START, TASKS})


def mistakes(graph: StateGraph[Any, Any, Any, Any], interrupts: Sequence[str]) -> None:
    """InvalidGraphError with every mistake of the graph, if it has any."""
    found = [*graph.found, *names(graph), *edges(graph), *branches(graph), *entry(graph), *keys(graph)]
    for name in interrupts:
        if name not in graph.nodes and name != "*":
            found.append(f"interrupt at unknown node {name!r}; {known(name, graph.nodes)}")
    if found:
        raise InvalidGraphError(found)


def names(graph: StateGraph[Any, Any, Any, Any]) -> Iterator[str]:
    """Names that a node cannot have."""
    for name, spec in graph.nodes.items():
        if name in (START, END):
            yield f"a node cannot be called {name!r}: that is the graph's own start or end"
        if name.startswith(HANDLER) and not spec.handles_errors:
            yield f"node {name!r} begins like the name of an error handler, {HANDLER!r}; give it another name"
        for sign in ("|", ":"):
            if sign in name:
                yield f"node {name!r} has {sign!r} in its name, which separates namespaces; leave it out"


def edges(graph: StateGraph[Any, Any, Any, Any]) -> Iterator[str]:
    """Edges and joins that start or end at no node."""
    both = [((start,), end) for start, end in graph.edges]
    for starts, end in [*both, *graph.joins]:
        sources = " and ".join(map(repr, starts))
        for start in starts:
            if start == END:
                yield f"an edge starts at END (it leads to {end!r}); nothing comes after END"
            elif start not in graph.nodes and (start != START or len(starts) > 1):
                yield f"an edge to {end!r} starts at unknown node {start!r}; {known(start, graph.nodes)}"
        if end == START:
            yield f"an edge from {sources} leads to START; nothing comes before START"
        elif end not in graph.nodes and end != END:
            yield f"an edge from {sources} leads to unknown node {end!r}; {known(end, graph.nodes)}"


def branches(graph: StateGraph[Any, Any, Any, Any]) -> Iterator[str]:
    """Conditional edges that start or end at no node."""
    for branch in graph.branches:
        if branch.source not in graph.nodes and branch.source != START:
            yield f"a conditional edge starts at unknown node {branch.source!r}; {known(branch.source, graph.nodes)}"
        for end in (branch.ends or {}).values():
            if end not in graph.nodes and end != END:
                yield (
                    f"the conditional edge {branch.name!r} from {branch.source!r} leads to unknown node {end!r}; "
                    f"{known(end, graph.nodes)}"
                )
    for spec in graph.nodes.values():
        for end in spec.destinations:
            if end not in graph.nodes and end != END:
                yield f"node {spec.name!r} names the unknown destination {end!r}; {known(end, graph.nodes)}"


def entry(graph: StateGraph[Any, Any, Any, Any]) -> Iterator[str]:
    """A graph that starts nowhere."""
    if any(start == START for start, _ in graph.edges) or any(branch.source == START for branch in graph.branches):
        return
    first = next(iter(graph.nodes), "a_node")
    yield f"the graph has no entry point; add one: add_edge(START, {first!r})"


def keys(graph: StateGraph[Any, Any, Any, Any]) -> Iterator[str]:
    """Keys whose names the engine uses, and those that two schemas describe in ways that do not fit together."""
    chosen = graph.keys
    for key in chosen:
        if key in RESERVED or key.startswith(("branch:to:", "join:")):
            yield f"the state cannot have a key {key!r}: the engine uses that name; choose another"
    for schema, kinds in graph.schemas.items():
        for key, kind in kinds.items():
            if kind != chosen[key] and type(kind).__name__ != "LastValue":
                name = getattr(schema, "__name__", schema)
                yield (
                    f"key {key!r} is {chosen[key]!r} in one schema and {kind!r} in {name}; "
                    "give it the same annotation in both"
                )


def known(name: str, nodes: Iterable[str]) -> str:
    """What to do about an unknown name: the one that was meant, or all there are."""
    if name in ("START", "END"):
        return f"START and END are names to import, not text: from headrace.graph import {name}"
    names = [node for node in nodes if not node.startswith("__")]
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"the nodes are: {', '.join(map(repr, names)) or 'none'}"
