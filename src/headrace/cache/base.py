"""What a cache is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Generic

from typing_extensions import TypeVar

Namespace = tuple[str, ...]
FullKey = tuple[Namespace, str]
"""A place in a cache: namespace and key."""

ValueT = TypeVar("ValueT", default=Any)


class BaseCache(Generic[ValueT]):
    """The interface of caches. The async methods run the sync ones in a thread."""

    instant = False
    """Its calls cost less than handing them to a thread."""

    def get(self, keys: Sequence[FullKey]) -> dict[FullKey, ValueT]:
        """The values that are there and have not expired."""
        raise NotImplementedError

    def set(self, pairs: Mapping[FullKey, tuple[ValueT, int | None]]) -> None:
        """Keep values, each with its seconds to live; None: for ever."""
        raise NotImplementedError

    def clear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        """Forget these namespaces; all for None."""
        raise NotImplementedError

    async def aget(self, keys: Sequence[FullKey]) -> dict[FullKey, ValueT]:
        return await asyncio.to_thread(self.get, keys)

    async def aset(self, pairs: Mapping[FullKey, tuple[ValueT, int | None]]) -> None:
        await asyncio.to_thread(self.set, pairs)

    async def aclear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        await asyncio.to_thread(self.clear, namespaces)
