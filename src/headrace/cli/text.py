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

CALL, RESULT, FAILED = "→", "←", "✗"
"""Before a tool that is called, before what it gave, and before one that failed or cannot be called."""

CALLS = {"tool_call", "tool_call_chunk", "invalid_tool_call", "tool_use", "input_json_delta", "function_call"}
"""Blocks of content that a message has once more among its tool calls."""

TEXTS = ("text", "reasoning", "thinking")
"""Keys of blocks, and kinds of them, whose value is there to be read."""


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
    """The text of a message, and below it the tools it calls; for a tool's message, which tool it is from."""
    if isinstance(message, Mapping):
        return said(message)
    if message.type == "tool":
        mark = FAILED if getattr(message, "status", None) == "error" else RESULT
        return " ".join(part for part in (mark, message.name, said(message)) if part)
    return "\n".join(part for part in (said(message), *_calls(message)) if part)


def _calls(message: Any) -> list[str]:
    """A line for each tool call; of a message that has not come whole, as far as it has."""
    if pieces := getattr(message, "tool_call_chunks", None):
        return [f"{CALL} {piece.get('name') or ''} {piece.get('args') or ''}" for piece in pieces]
    calls = [f"{CALL} {call['name']} {as_json(call['args'])}" for call in getattr(message, "tool_calls", None) or ()]
    failed = [
        f"{FAILED} {call['name']} {call['args'] or ''} (not called: {call['error'] or 'the arguments are no JSON'})"
        for call in getattr(message, "invalid_tool_calls", None) or ()
    ]
    return [*calls, *failed]


def said(message: Any) -> str:
    """The text alone, of a message or of a piece of one."""
    content = message["content"] if isinstance(message, Mapping) else message.content
    blocks = content if isinstance(content, list) else [content]
    return "".join(_block(block) for block in blocks if block)


def _block(block: Any) -> str:
    if not isinstance(block, Mapping):
        return str(block)
    kind = block.get("type", "content")
    if kind in CALLS:
        return ""
    found = next((block[key] for key in TEXTS if key in block), None)
    if found is None and kind in TEXTS:
        return ""  # a signature, or a summary without text
    return f"[{kind}]" if found is None else str(found)


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
