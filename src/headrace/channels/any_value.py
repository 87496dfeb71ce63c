"""Several writers that agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headrace.channels.base import BaseChannel, own
from headrace.types import MISSING


class AnyValue(BaseChannel[Any, Any]):
    """Holds the last write of the last step; several writers in one step are taken to say the same.

    A step that does not write it empties it.
    """

    __slots__ = ()
    transient = True

    def fold(self, value: Any, writes: Sequence[Any]) -> Any:
        return own(writes[-1]) if writes else MISSING
