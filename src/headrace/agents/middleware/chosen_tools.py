"""Which tools a middleware is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.tools import BaseTool


def names_of(tools: Sequence[BaseTool | str] | None) -> frozenset[str] | None:
    """The names of the tools; None stands for all there are. ValueError for what is no tool and no name."""
    if tools is None:
        return None
    if isinstance(tools, str):
        raise ValueError(f"tools is a list of tools or of their names, got {tools!r}")
    return frozenset(name_of(tool) for tool in tools)


def name_of(tool: Any) -> str:
    if isinstance(tool, str):
        return tool
    if isinstance(tool, BaseTool):
        return tool.name
    raise ValueError(f"tools names tools by themselves or by their names, got {tool!r}")
