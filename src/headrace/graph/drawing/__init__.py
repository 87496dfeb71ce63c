"""Drawing a graph: as mermaid text, as JSON, and on a plain terminal.

`drawn` makes a `Graph` (nodes and edges, nothing of the engine) from whatever shows itself as a `GraphView`.
"""

from headrace.graph.drawing.graph import Graph
from headrace.graph.drawing.mermaid import MermaidRenderError, NodeStyles
from headrace.graph.drawing.model import Edge, Node
from headrace.graph.drawing.view import BranchView, GraphView, NodeView, drawn

__all__ = [
    "BranchView",
    "Edge",
    "Graph",
    "GraphView",
    "MermaidRenderError",
    "Node",
    "NodeStyles",
    "NodeView",
    "drawn",
]
