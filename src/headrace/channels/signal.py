"""Edges between nodes: that they were written is all there is to know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headrace.channels.base import BaseChannel
from headrace.types import MISSING


class Signal(BaseChannel[None, None]):
    """Wakes its listeners in the step after it was written; holds nothing."""

    __slots__ = ()

    def fold(self, value: Any, writes: Sequence[None]) -> Any:
        return MISSING


class DeferredSignal(BaseChannel[bool, None]):
    """Wakes its listeners once nothing else is left to run."""

    __slots__ = ()
    after_finish = True
    consumed = True

    def fold(self, value: Any, writes: Sequence[None]) -> Any:
        return True
