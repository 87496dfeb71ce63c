"""INPUT and the options that take JSON: text from the command line, a file or standard input."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from headrace.cli.failure import Failure

Schema = Mapping[str, Any]


def read(text: str, what: str) -> str:
    """The text that an argument stands for: `@file` is the file's content, `-` is standard input."""
    if not text.startswith("@") and text != "-":
        return text
    source = "standard input" if text == "-" else repr(text[1:])
    try:
        data = sys.stdin.buffer.read() if text == "-" else Path(text[1:]).expanduser().read_bytes()
        return data.decode("utf-8-sig").rstrip("\r\n")  # a file's last line has an end; a message has none
    except OSError as error:
        raise Failure(f"cannot read {what} from {source}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise Failure(f"{what} from {source} is not UTF-8 text: {error}") from None


def read_object(text: str | None, what: str) -> dict[str, Any]:
    """The JSON object of an option; empty when the option is not given."""
    if text is None:
        return {}
    value = _parse(read(text, what), what)
    if not isinstance(value, dict):
        raise Failure(f"{what} must be a JSON object, got {json.dumps(value)[:80]}")
    return value


def interpret(text: str, schema: Callable[[], Schema]) -> Any:
    """What the graph gets for INPUT. `schema` is asked only where the text alone does not tell.

    JSON objects and null go in as they are. Other text is one user message when the input has `messages`, and
    goes in as it is when the input is no object (a graph may take a plain string or list).
    """
    stripped = text.strip()
    if stripped[:1] in ("{", "[") or stripped == "null":
        value = _parse(stripped, "INPUT")
        if value is None or isinstance(value, dict) or not _takes_object(schema()):
            return value
        raise Failure(f"INPUT must be a JSON object. {takes(schema())}")
    found = schema()
    if not _takes_object(found):
        return _parsed_or_text(text)
    if "messages" in found.get("properties", {}):
        return {"messages": [{"role": "user", "content": _unquoted(text)}]}
    raise Failure(f"INPUT is not a JSON object, and the graph has no 'messages' for plain text. {takes(found)}")


def parse_answer(text: str) -> Any:
    """An answer typed at the prompt: JSON where it is JSON, else the text itself."""
    return _parsed_or_text(text.strip())


def takes(schema: Schema) -> str:
    """What the graph's input looks like, a line per key."""
    properties = schema.get("properties", {})
    if not properties:
        return f"The graph takes: {json.dumps(schema)}"
    lines = [f"  {name}: {_type(part)}{_comment(part)}" for name, part in properties.items()]
    return "\n".join(["The graph takes a JSON object with:", *lines])


def _parse(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Failure(f"{what} is not valid JSON: {error}") from None


def _parsed_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _unquoted(text: str) -> str:
    """`"hi"` in JSON's quotes is the text hi; anything else is meant as it stands."""
    value = _parsed_or_text(text)
    return value if isinstance(value, str) else text


def _takes_object(schema: Schema) -> bool:
    return schema.get("type", "object") == "object" and "anyOf" not in schema


def _type(part: Any) -> str:
    if not isinstance(part, Mapping):
        return "anything"
    if "$ref" in part:
        return str(part["$ref"]).rsplit("/", 1)[-1]
    if "enum" in part or "const" in part:
        return " | ".join(json.dumps(value) for value in part.get("enum", [part.get("const")]))
    if "anyOf" in part:
        return " | ".join(dict.fromkeys(_type(option) for option in part["anyOf"]))
    kind = str(part.get("type", "anything"))
    items = _type(part["items"]) if kind == "array" and "items" in part else ""
    return f"array of {items}" if items and len(items) < 40 else kind


def _comment(part: Any) -> str:
    text = part.get("description") if isinstance(part, Mapping) else None
    return f", {str(text).strip().splitlines()[0]}" if text and str(text).strip() else ""
