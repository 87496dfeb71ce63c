"""The parts of a drawing: nodes and edges, as plain data."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Node:
    """A node of the drawing."""

    id: str
    """Unique in the drawing; a node of an expanded subgraph is `outer:inner`."""
    name: str
    """The node's name in the graph it belongs to."""
    data: object = None
    """What runs there: a function, a callable object, a compiled graph; None for the end."""
    metadata: Mapping[str, Any] | None = None
    """The user's metadata, with `defer` and `__interrupt` ("before", "after" or "before,after") where they hold."""


@dataclass(frozen=True)
class Edge:
    """An edge of the drawing; `data` is its label."""

    source: str
    target: str
    data: str | None = None
    conditional: bool = False


@dataclass(frozen=True)
class EntryPoint:
    """What stands behind the start: it takes the graph's input."""


def node_json(node: Node) -> dict[str, Any]:
    """The node as front ends read it; keys that have nothing to say are absent."""
    found: dict[str, Any] = {"id": node.id}
    if node.data is not None:
        found["type"] = "runnable"
        found["data"] = {"id": code_path(node.data), "name": node.id}
    if node.metadata is not None:
        found["metadata"] = dict(node.metadata)
    return found


def edge_json(edge: Edge) -> dict[str, Any]:
    """The edge as front ends read it; a static edge has no `conditional`, one without a label no `data`."""
    found: dict[str, Any] = {"source": edge.source, "target": edge.target}
    if edge.data is not None:
        found["data"] = edge.data
    if edge.conditional:
        found["conditional"] = True
    return found


def code_path(data: object) -> list[str]:
    """Where the code of a node is found: module path and qualified name of the function, or of the object's class."""
    while isinstance(data, functools.partial):
        data = data.func
    code = data if inspect.isroutine(data) or isinstance(data, type) else type(data)
    return [*(code.__module__ or "").split("."), code.__qualname__]
