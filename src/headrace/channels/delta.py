"""A reducer that takes all writes of a step at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from headrace.channels.base import BaseChannel, overwritten, own
from headrace.types import MISSING


class DeltaChannel(BaseChannel[Any, Any]):
    """Folds all writes of a step at once with `reducer(value, writes)`.

    `snapshot_frequency` is for savers that keep writes instead of whole values: after how many to keep a whole one.
    """

    __slots__ = ("reducer", "snapshot_frequency")

    def __init__(
        self, reducer: Callable[[Any, Sequence[Any]], Any], typ: Any = list, *, snapshot_frequency: int = 100
    ) -> None:
        super().__init__(typ)
        self.reducer = reducer
        self.snapshot_frequency = snapshot_frequency

    def initial(self) -> Any:
        return self.typ() if isinstance(self.typ, type) else []

    def fold(self, value: Any, writes: Sequence[Any]) -> Any:
        whole = overwritten(self, writes)
        if whole is not MISSING:
            return own(whole)
        return own(self.reducer(self.initial() if value is MISSING else value, writes))
