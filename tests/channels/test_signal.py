from __future__ import annotations

from headrace.channels.signal import DeferredSignal, Signal
from headrace.types import MISSING


def test_a_signal_holds_nothing() -> None:
    assert Signal().fold(MISSING, [None]) is MISSING


def test_a_deferred_signal_stays_until_its_reader_has_run() -> None:
    assert DeferredSignal().fold(MISSING, [None, None]) is True
    assert DeferredSignal.consumed
