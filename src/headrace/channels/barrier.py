"""Joins: a signal that is given once every named writer has given its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from headrace.channels.base import BaseChannel
from headrace.errors import InvalidUpdateError
from headrace.types import MISSING


class NamedBarrierValue(BaseChannel[frozenset[str], str]):
    """Available once all of `names` were written, in any number of steps; the reader it wakes resets it."""

    __slots__ = ("names",)
    consumed = True

    def __init__(self, typ: Any = str, names: Iterable[str] = ()) -> None:
        super().__init__(typ)
        self.names = frozenset(names)

    def fold(self, value: Any, writes: Sequence[str]) -> Any:
        unknown = set(writes) - self.names
        if unknown:
            raise InvalidUpdateError(f"barrier {self.key!r} waits for {sorted(self.names)}, not for {sorted(unknown)}")
        return frozenset(writes) | (value or frozenset())

    def read(self, value: Any) -> Any:
        return None if value == self.names else MISSING


class NamedBarrierValueAfterFinish(NamedBarrierValue):
    """A barrier whose reader waits, in addition, until nothing else is left to run."""

    __slots__ = ()
    after_finish = True
