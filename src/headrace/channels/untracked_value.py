"""A value that is never stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headrace.channels.base import BaseChannel, own, single


class UntrackedValue(BaseChannel[Any, Any]):
    """A last value that checkpoints leave out: a client, a handle, a secret. With `guard`, one write per step."""

    __slots__ = ("guard",)
    tracked = False

    def __init__(self, typ: Any = Any, guard: bool = True) -> None:
        super().__init__(typ)
        self.guard = guard

    def fold(self, value: Any, writes: Sequence[Any]) -> Any:
        return own(single(self, writes) if self.guard else writes[-1])
