"""A cache in memory."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from headrace import clock
from headrace.cache.base import BaseCache, FullKey, Namespace


class InMemoryCache(BaseCache[Any]):
    """Keeps copies and gives copies. Any thread may use it."""

    instant = True

    def __init__(self) -> None:
        self._kept: dict[Namespace, dict[str, tuple[Any, float | None]]] = {}
        """By namespace and key: the value, and when it expires in seconds since the epoch."""
        self._lock = threading.Lock()

    def get(self, keys: Sequence[FullKey]) -> dict[FullKey, Any]:
        found = {}
        with self._lock:
            for namespace, key in keys:
                value, expiry = self._kept.get(namespace, {}).get(key, (None, 0.0))
                if expiry is None or expiry > clock.now():
                    found[namespace, key] = deepcopy(value)
                elif expiry:
                    del self._kept[namespace][key]
        return found

    def set(self, pairs: Mapping[FullKey, tuple[Any, int | None]]) -> None:
        with self._lock:
            for (namespace, key), (value, ttl) in pairs.items():
                expiry = None if ttl is None else clock.now() + ttl
                self._kept.setdefault(namespace, {})[key] = deepcopy(value), expiry

    def clear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        with self._lock:
            if namespaces is None:
                self._kept.clear()
            else:
                for namespace in namespaces:
                    self._kept.pop(namespace, None)

    async def aget(self, keys: Sequence[FullKey]) -> dict[FullKey, Any]:
        return self.get(keys)

    async def aset(self, pairs: Mapping[FullKey, tuple[Any, int | None]]) -> None:
        self.set(pairs)

    async def aclear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        self.clear(namespaces)
