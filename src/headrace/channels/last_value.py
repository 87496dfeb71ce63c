"""One writer per step; the last value stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headrace.channels.base import BaseChannel, own, single
from headrace.types import Overwrite


class LastValue(BaseChannel[Any, Any]):
    """Holds what was written last; two writes in one step are an error."""

    __slots__ = ()
    guard = True

    def fold(self, value: Any, writes: Sequence[Any]) -> Any:
        new = writes[0] if len(writes) == 1 else single(self, writes)
        if type(new) is Overwrite:
            new = new.value
        return own(new)


class LastValueAfterFinish(LastValue):
    """A last value that readers see only when nothing else is left to run, and only once."""

    __slots__ = ()
    after_finish = True
    consumed = True
