"""Events of mode `tools`, for reading: a line for a call's start, each part of its output, and its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace.cli.text import CALL, FAILED, RESULT, as_json, as_text, is_message, said

PART = "…"
"""Before a part of a tool's output."""


class ToolLines:
    """Remembers the tools' names, which stand in the first event of a call alone."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}

    def line(self, event: Mapping[str, Any]) -> str:
        """What is to be shown of an event. More than one line where a tool's text has several."""
        id = event["tool_call_id"]
        match event["event"]:
            case "tool-started":
                name = self.names[id] = event["tool_name"]
                return _line(CALL, name, event["input"])
            case "tool-output-delta":
                return _line(PART, self.names.get(id, ""), event["delta"])
            case "tool-finished":
                output = event["output"]
                failed = getattr(output, "status", None) == "error"
                return _line(FAILED if failed else RESULT, self.names.pop(id, ""), output)
            case "tool-error":
                return _line(FAILED, self.names.pop(id, ""), event["message"])
        return as_json(event)


def _line(mark: str, name: str, value: Any) -> str:
    if not isinstance(value, (str, Mapping)) and is_message(value):
        value = said(value)
    text = as_text(value if isinstance(value, str) else as_json(value)).replace("\n", "\n    ")
    return " ".join(part for part in (mark, name, text) if part)
