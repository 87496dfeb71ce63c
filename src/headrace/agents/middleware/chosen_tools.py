"""Which tools a middleware is about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from langchain_core.tools import BaseTool


def names_of(tools: Iterable[BaseTool | str] | None, setting: str = "tools") -> frozenset[str] | None:
    """The names of the tools; None stands for all there are. ValueError for what is no tool and no name."""
    if tools is None:
        return None
    if isinstance(tools, str):
        raise ValueError(f"{setting} is a list of tools or of their names, got {tools!r}")
    return frozenset(name_of(tool, setting) for tool in tools)


def name_of(tool: Any, setting: str) -> str:
    if isinstance(tool, str):
        return tool
    if isinstance(tool, BaseTool):
        return tool.name
    raise ValueError(f"{setting} names tools by themselves or by their names, got {tool!r}")
