from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone

import pytest

from headrace import clock


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000000+00:00"),
        (0.5, "1970-01-01T00:00:00.500000+00:00"),
        (1.5, "1970-01-01T00:00:01.500000+00:00"),
        (1700000000.25, "2023-11-14T22:13:20.250000+00:00"),
    ],
)
def test_a_timestamp_is_iso_8601_in_utc_with_microseconds(
    seconds: float, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: seconds)
    assert clock.timestamp() == text


def test_timestamps_of_one_second_and_of_the_next_follow_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = []
    for seconds in (10.1, 10.9, 11.0, 10.5):
        monkeypatch.setattr(clock, "now", lambda at=seconds: at)
        texts.append(clock.timestamp())
    assert [text[17:26] for text in texts] == ["10.100000", "10.900000", "11.000000", "10.500000"]


def test_now_is_now() -> None:
    told = datetime.fromisoformat(clock.timestamp())
    assert abs(told - datetime.now(timezone.utc)) < timedelta(minutes=1)


def test_time_goes_on() -> None:
    before = clock.monotonic()
    clock.sleep(0)
    asyncio.run(clock.asleep(0))
    assert clock.monotonic() >= before
