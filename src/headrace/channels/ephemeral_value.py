"""A value for the next step only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headrace.channels.base import BaseChannel, own, single
from headrace.types import MISSING


class EphemeralValue(BaseChannel[Any, Any]):
    """Holds a value for the step after the one that wrote it. With `guard`, two writes in one step are an error."""

    __slots__ = ("guard",)
    transient = True

    def __init__(self, typ: Any = Any, guard: bool = True) -> None:
        super().__init__(typ)
        self.guard = guard

    def fold(self, value: Any, writes: Sequence[Any]) -> Any:
        if not writes:
            return MISSING
        return own(single(self, writes) if self.guard else writes[-1])
