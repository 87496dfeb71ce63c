"""Values as JSON: the one function behind every wire, log line and recorded event.

Two rules:

- **Total.** Whatever a node puts on a stream has a JSON form; no value ends a stream. An object that nobody knows
  becomes its repr, and the log says so once for its type.
- **Valid.** The bytes are UTF-8 that every parser takes: NaN and the infinities are null, lone surrogates are U+FFFD,
  keys are strings.

`unfold` opens one level of one object. orjson calls it for what it does not know (the fast path); where orjson refuses
(big integers, surrogates, other keys than strings, cycles) `encode` walks the value with the same `unfold`.
"""

from __future__ import annotations

import json
import logging
import math
from base64 import b64encode
from collections.abc import Callable, Collection, Mapping, Set
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import lru_cache
from pathlib import PurePath
from re import Pattern
from typing import Any, TypeAlias, Union
from uuid import UUID

import orjson

Json: TypeAlias = Union[bool, int, float, str, "list[Json]", "dict[str, Json]", None]

DEPTH = 150
"""Levels that `encode` opens; deeper ones become a marker. Below half of Python's own limit of 1000 frames."""

DIGITS = 4096
"""Bits up to which an integer is written as a number; Python refuses to print those of more than some 14,000."""

REPR = 10_000
"""Characters of a repr that are kept: some objects print all they hold."""

OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
"""Dataclasses and times are for `unfold`: orjson writes 10 ms after midnight as 00:00:00.10000."""

logger = logging.getLogger(__name__)


def encode_json(value: Any) -> bytes:
    """`value` as one line of JSON. Never raises for a value's sake."""
    try:
        return orjson.dumps(value, unfold, OPTIONS)
    except (TypeError, RecursionError):
        text = json.dumps(encode(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode()


def encode(value: Any) -> Json:
    """`value` as dicts with string keys, lists, strings, numbers, booleans and None. Never raises for a value's sake.

    Keys that are equal as strings (`1` and `"1"`) fall together; the last one stays.
    """
    try:
        return _encode(value, ())
    except RecursionError:
        return f"<{type(value).__name__} too deep to show>"


def _encode(value: Any, above: tuple[int, ...]) -> Json:
    """`above` holds the ids of the containers that `value` lies in, so that a cycle is seen."""
    if isinstance(value, Enum):
        return _encode(value.value, above)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, int):
        return int(value) if value.bit_length() <= DIGITS else hex(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    return _encode_container(value, above)


def _encode_container(value: Any, above: tuple[int, ...]) -> Json:
    if id(value) in above:
        return f"<{type(value).__name__} that contains itself>"
    if len(above) >= DEPTH:
        return f"<{type(value).__name__} too deep to show>"
    above = (*above, id(value))
    if isinstance(value, dict):
        return {_key(key): _encode(item, above) for key, item in list(value.items())}
    if isinstance(value, list) or type(value) is tuple:
        return [_encode(item, above) for item in list(value)]
    return _encode(unfold(value), above)


def _key(key: Any) -> str:
    if isinstance(key, str) and not isinstance(key, Enum):
        return well_formed(key)
    if key is None or isinstance(key, (bool, int, float, Enum, date, time, UUID)):
        plain = _encode(key, ())
        return plain if isinstance(plain, str) else json.dumps(plain)
    return well_formed(shown(key))


def well_formed(text: str) -> str:
    """`text` as UTF-8 can hold it: surrogates in pairs joined, lone ones (models do emit them) replaced by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return str.__str__(text)


def unfold(value: Any) -> Any:
    """An object as something simpler, one level deep; its repr where its type is unknown or its own code fails."""
    kind: type = type(value)
    try:
        return _rule(kind)(value)
    except Exception:  # any code of the user's class may run here
        return shown(value)


def shown(value: Any) -> str:
    """The repr of anything, even of an object whose repr fails."""
    try:
        text = repr(value)
    except Exception:  # as in unfold
        return f"<{type(value).__module__}.{type(value).__qualname__} object>"
    return text if len(text) <= REPR else f"{text[:REPR]}…"


@lru_cache(maxsize=1024)
def _rule(kind: type) -> Callable[[Any], Any]:
    """How objects of `kind` are opened; found once per type."""
    for applies, rule in _RULES:
        if applies(kind):
            return rule
    logger.warning("%s.%s has no JSON form; streams show its repr", kind.__module__, kind.__qualname__)
    return shown


def _is(*kinds: type) -> Callable[[type], bool]:
    return lambda kind: issubclass(kind, kinds)


def _has(*names: str) -> Callable[[type], bool]:
    return lambda kind: all(hasattr(kind, name) for name in names)


def _error(error: BaseException) -> dict[str, str]:
    return {"error": type(error).__name__, "message": str(error)}


def _class(kind: Any) -> Any:
    """A class: its JSON schema if it is a Pydantic model (an interrupt's `response_schema`), else its name."""
    return kind.model_json_schema() if hasattr(kind, "model_json_schema") else f"{kind.__module__}.{kind.__qualname__}"


def _dataclass(value: Any) -> dict[str, Any]:
    """Public fields that are set; not `asdict`, which copies what it cannot encode."""
    names = [field.name for field in fields(value) if not field.name.startswith("_")]
    return {name: getattr(value, name) for name in names if hasattr(value, name)}


def _model(value: Any) -> Any:
    """A Pydantic model, messages of langchain-core among them; fields by what they hold, not by what is declared."""
    return value.model_dump(serialize_as_any=True, warnings=False)


def _set(value: Set[Any]) -> list[Any]:
    """Sorted where that works: the order of a set of strings changes with every process."""
    try:
        return sorted(value)
    except TypeError:
        return list(value)


_RULES: tuple[tuple[Callable[[type], bool], Callable[[Any], Any]], ...] = (
    (_is(BaseException), _error),
    (_is(type), _class),
    (is_dataclass, _dataclass),
    (_has("model_dump"), _model),
    (_has("_asdict", "_fields"), lambda value: value._asdict()),
    (_is(float), float),
    (_is(tuple), list),
    (_is(Mapping), dict),
    (_is(Set), _set),
    (_is(bytes, bytearray, memoryview), lambda value: b64encode(value).decode()),
    (_is(Decimal, Fraction, PurePath), str),
    (_is(timedelta), timedelta.total_seconds),
    (_is(datetime, date, time), lambda value: value.isoformat()),
    (_is(Pattern), lambda value: value.pattern),
    (_has("tolist", "dtype"), lambda value: value.tolist()),  # arrays and their scalars
    (_has("compressed", "exploded"), str),  # IP addresses and networks
    (_has("urn", "hex"), str),  # a UUID of another library
    (_is(Collection), list),  # deque, range, views
)
