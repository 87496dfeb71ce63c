"""A compiled graph as its drawing sees it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headrace.graph.drawing import Graph, drawn
from headrace.graph.node import BranchSpec, NodeSpec

if TYPE_CHECKING:
    from headrace.graph.compiled import CompiledStateGraph


@dataclass(frozen=True)
class NodeOf:
    """One node; see `headrace.graph.drawing.view.NodeView`."""

    spec: NodeSpec

    @property
    def data(self) -> object:
        return self.spec.data

    @property
    def metadata(self) -> Mapping[str, Any] | None:
        return self.spec.metadata

    @property
    def defer(self) -> bool:
        return self.spec.defer

    @property
    def handles_errors(self) -> bool:
        return self.spec.handles_errors

    @property
    def destinations(self) -> Mapping[str, str | None]:
        return self.spec.destinations

    @property
    def subgraph(self) -> GraphOf | None:
        inner = self.spec.inner
        return GraphOf(inner) if hasattr(inner, "builder") else None


@dataclass(frozen=True)
class GraphOf:
    """A whole graph; see `headrace.graph.drawing.view.GraphView`."""

    graph: CompiledStateGraph[Any, Any, Any, Any]

    @property
    def nodes(self) -> Mapping[str, NodeOf]:
        return {name: NodeOf(spec) for name, spec in self.graph.builder.nodes.items()}

    @property
    def edges(self) -> Iterable[tuple[str, str]]:
        return self.graph.builder.edges

    @property
    def joins(self) -> Iterable[tuple[Sequence[str], str]]:
        return self.graph.builder.joins

    @property
    def branches(self) -> Iterable[BranchSpec]:
        return self.graph.builder.branches

    @property
    def interrupt_before(self) -> Any:
        return self.graph.interrupt_before

    @property
    def interrupt_after(self) -> Any:
        return self.graph.interrupt_after


def drawing_of(graph: CompiledStateGraph[Any, Any, Any, Any], xray: int | bool) -> Graph:
    """The drawing of a graph."""
    return drawn(GraphOf(graph), xray=xray)
