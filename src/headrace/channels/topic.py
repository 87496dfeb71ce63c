"""Many writers, one list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headrace.channels.base import BaseChannel
from headrace.types import MISSING


class Topic(BaseChannel[list[Any], Any]):
    """The list of a step's writes, where a written list counts as many; with `accumulate`, of all steps' writes."""

    __slots__ = ("accumulate",)
    transient = True

    def __init__(self, typ: Any = Any, accumulate: bool = False) -> None:
        super().__init__(typ)
        self.accumulate = accumulate

    def fold(self, value: Any, writes: Sequence[Any]) -> Any:
        items = list(value) if self.accumulate and value is not MISSING else []
        for write in writes:
            if isinstance(write, list):
                items.extend(write)
            else:
                items.append(write)
        return items or MISSING
