"""What `get_graph` returns: a picture of a graph that draws itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from headrace.graph.drawing import mermaid, terminal
from headrace.graph.drawing.mermaid import CurveStyle, NodeStyles
from headrace.graph.drawing.model import Edge, Node, edge_json, node_json


@dataclass(frozen=True)
class Graph:
    """Nodes by id and edges, in the order in which they are drawn."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)

    def first_node(self) -> Node | None:
        """The only node that no edge enters; None when there are none or several."""
        return self._only_one_outside({edge.target for edge in self.edges})

    def last_node(self) -> Node | None:
        """The only node that no edge leaves; None when there are none or several."""
        return self._only_one_outside({edge.source for edge in self.edges})

    def _only_one_outside(self, ids: set[str]) -> Node | None:
        found = [node for node in self.nodes.values() if node.id not in ids]
        return found[0] if len(found) == 1 else None

    def to_json(self, *, with_schemas: bool = False) -> dict[str, list[dict[str, Any]]]:
        """`{"nodes": [...], "edges": [...]}`, as front ends read it.

        `with_schemas` changes nothing: nodes have no schema of their own, they read the graph's state.
        """
        return {
            "nodes": [node_json(node) for node in self.nodes.values()],
            "edges": [edge_json(edge) for edge in self.edges],
        }

    def draw_mermaid(
        self,
        *,
        with_styles: bool = True,
        curve_style: CurveStyle = "linear",
        node_colors: NodeStyles | None = None,
        wrap_label_n_words: int = 9,
        frontmatter_config: Mapping[str, Any] | None = None,
    ) -> str:
        """The graph as mermaid flowchart text.

        Without styles there are only edges, for a reader that brings its own. `frontmatter_config` goes into the
        YAML head (`{"config": {"theme": "neutral"}}`); labels are broken after `wrap_label_n_words` words.
        """
        style = None
        if with_styles:
            style = mermaid.Style(
                node_colors or NodeStyles(),
                mermaid.front_matter(frontmatter_config or {}, curve_style),
                first=_id(self.first_node()),
                last=_id(self.last_node()),
            )
        return mermaid.flowchart(list(self.nodes.values()), self.edges, style, wrap_label_n_words)

    def draw_mermaid_png(
        self,
        *,
        curve_style: CurveStyle = "linear",
        node_colors: NodeStyles | None = None,
        wrap_label_n_words: int = 9,
        output_file_path: str | None = None,
        draw_method: object = None,
        background_color: str = "white",
        max_retries: int = 1,
        retry_delay: float = 1.0,
        frontmatter_config: Mapping[str, Any] | None = None,
    ) -> bytes:
        """The mermaid text as a PNG picture, rendered by a local `mmdc` (mermaid-cli); nothing leaves the machine.

        Raises `MermaidRenderError` when there is no `mmdc` on the path, or it fails. `draw_method`, `max_retries` and
        `retry_delay` belong to rendering by a web service, which this never does; they have no effect.
        """
        text = self.draw_mermaid(
            curve_style=curve_style,
            node_colors=node_colors,
            wrap_label_n_words=wrap_label_n_words,
            frontmatter_config=frontmatter_config,
        )
        return mermaid.render_png(text, output_file_path, background_color)

    def draw_ascii(self) -> str:
        """The graph from top to bottom in plain characters, conditional edges dotted, labels listed below."""
        return terminal.draw(list(self.nodes), self.edges)

    def print_ascii(self) -> None:
        """Print `draw_ascii()`."""
        print(self.draw_ascii())


def _id(node: Node | None) -> str | None:
    return None if node is None else node.id
