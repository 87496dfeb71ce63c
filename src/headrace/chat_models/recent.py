"""The models that were used last, by their settings."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from threading import Lock
from typing import Any

KEPT = 64
"""A bound, since the settings may be a stranger's."""


class Recent:
    """What was used last, by key; for several threads. A key that cannot be hashed is not kept."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._values: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable) -> Any:
        """None when it is not there."""
        with self._lock:
            try:
                self._values.move_to_end(key)
            except (KeyError, TypeError):
                return None
            return self._values[key]

    def put(self, key: Hashable, value: Any) -> None:
        with self._lock:
            try:
                self._values[key] = value
            except TypeError:
                return
            while len(self._values) > KEPT:
                self._values.popitem(last=False)


def key_of(value: Any) -> Hashable:
    """A key for settings: equal for equal ones of the same types (1 is not True)."""
    if isinstance(value, Mapping):
        return tuple((key, key_of(value[key])) for key in sorted(value, key=str))
    if isinstance(value, (list, tuple)):
        return type(value), tuple(map(key_of, value))
    return type(value), value
