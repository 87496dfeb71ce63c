"""Any value that a stream or a state may hold, as one line of text.

Two values render alike when a user could not tell them apart: order of keys and the difference of
list and tuple count, the module of a class does not. What an error says counts only when the
program itself raised it: the two libraries word their own errors each in its own way.
"""

from __future__ import annotations

import dataclasses
import re
import traceback
from pathlib import Path
from typing import Any

ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{32}\b")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)?")
TEXT = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
"""A text as `repr` writes it."""
ADDRESS = re.compile(r" at 0x[0-9a-f]+")
UNORDERED = {"configurable", "metadata", "checkpoint_map", "parents"}
"""Dicts that are read by name only."""
NAMES_ONLY = {"lc_versions"}
"""Dicts whose values tell of the library, not of the run."""
INTERNAL = {"__pregel_checkpointer"}
"""Keys of a config that are the library's own, and are seen from outside by mistake."""
HERE = str(Path(__file__).parent)


def render(value: Any, key: str = "") -> str:
    if isinstance(value, str):
        return repr(TIME.sub("<time>", value))
    if isinstance(value, dict):
        return _mapping(value, key)
    if isinstance(value, BaseException):
        return error(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return _fields(value, dict(zip(value._fields, value, strict=True)))
    if isinstance(value, tuple):
        return "(" + ", ".join(map(render, value)) + ("," if len(value) == 1 else "") + ")"
    if isinstance(value, list):
        return "[" + ", ".join(map(render, value)) + "]"
    if isinstance(value, set | frozenset):
        return "{" + ", ".join(sorted(map(render, value))) + "}"
    if hasattr(value, "model_dump"):
        return _fields(value, {name: item for name, item in dict(value).items() if item not in (None, "", [], {})})
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _fields(value, {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.repr})
    return ADDRESS.sub("", repr(value))


def _mapping(value: dict[Any, Any], key: str) -> str:
    if key in NAMES_ONLY:
        return "{...}"
    items = [f"{name!r}: {render(item, str(name))}" for name, item in value.items() if name not in INTERNAL]
    return "{" + ", ".join(sorted(items) if key in UNORDERED else items) + "}"


def _fields(value: Any, fields: dict[str, Any]) -> str:
    return f"{type(value).__name__}(" + ", ".join(f"{name}={render(item, name)}" for name, item in fields.items()) + ")"


def error(value: BaseException) -> str:
    """The type alone; with its text when a program of this directory raised it."""
    frames = traceback.extract_tb(value.__traceback__)
    own = bool(frames) and frames[-1].filename.startswith(HERE)
    return f"{type(value).__name__}({value})" if own else type(value).__name__
