"""A door for users who move over: the low-level face, under the path that they know."""

from headrace.graph.lowlevel import NodeBuilder, Pregel

__all__ = ["NodeBuilder", "Pregel"]
