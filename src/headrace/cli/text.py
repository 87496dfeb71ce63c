"""What a person sees of a value: text without control characters, messages as dialogue, the rest as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from headrace.stream.encode import encode, well_formed

CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}
"""Shown as escapes: a model's output must not move the cursor or recolour the terminal."""

LINES = 20
"""Lines of one value that are shown; a pipe has them all."""


def visible(text: str) -> str:
    """Text as it can be printed on a terminal."""
    return well_formed(text).replace("\r\n", "\n").translate(CONTROLS)


def is_message(value: Any) -> bool:
    """Whether it is a chat message: of langchain-core, or a dict with role and content."""
    if isinstance(value, Mapping):
        return "content" in value and ("role" in value or "type" in value)
    return isinstance(getattr(value, "type", None), str) and hasattr(value, "content")


def speaker(message: Any) -> str:
    """`human`, `ai`, `tool`, ...; for a dict its role."""
    if isinstance(message, Mapping):
        return str(message.get("role") or message.get("type"))
    return str(message.type).replace("AIMessageChunk", "ai")


def words(message: Any) -> str:
    """The text of a message or of a piece of one, and the tools it calls."""
    content = message["content"] if isinstance(message, Mapping) else message.content
    blocks = content if isinstance(content, list) else [content]
    said = "".join(_block(block) for block in blocks if block)
    if isinstance(message, Mapping):
        return said
    if pieces := getattr(message, "tool_call_chunks", None):
        return said + "".join(_call(piece.get("name"), piece.get("args")) for piece in pieces)
    calls = getattr(message, "tool_calls", None) or ()
    return said + "".join(_call(call["name"], as_json(call["args"])) for call in calls)


def _block(block: Any) -> str:
    if not isinstance(block, Mapping):
        return str(block)
    return str(block.get("text") or block.get("reasoning") or "") or f"[{block.get('type', 'content')}]"


def _call(name: str | None, args: str | None) -> str:
    return (f"→ {name} " if name else "") + (args or "")


def as_json(value: Any, indent: int | None = None) -> str:
    """The value as its JSON on the wire, for reading."""
    return json.dumps(encode(value), ensure_ascii=False, indent=indent)


def as_text(value: Any, width: int = 80) -> str:
    """The value in as many lines as it needs, at most `LINES`; a string without quotes."""
    if isinstance(value, str):
        text = value
    elif is_message(value):
        text = f"{speaker(value)}: {words(value)}"
    elif isinstance(value, list) and value and all(map(is_message, value)):
        text = "\n".join(as_text(item, width) for item in value)
    else:
        text = as_json(value)
        text = text if len(text) <= width else as_json(value, 2)
    lines = visible(text).split("\n")
    rest = len(lines) - LINES
    return "\n".join(lines if rest <= 0 else [*lines[:LINES], f"… {rest} more lines"])
