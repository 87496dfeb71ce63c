"""The cache in memory; both forms of its methods."""

from __future__ import annotations

from typing import Any

import pytest

from headrace import clock
from headrace.cache.base import FullKey
from headrace.cache.memory import InMemoryCache
from tests.drive import Drive

ONE: FullKey = (("nodes", "a"), "1")
OTHER: FullKey = (("nodes", "b"), "1")


def filled(drive: Drive, ttl: int | None = None) -> InMemoryCache:
    cache = InMemoryCache()
    drive.call(cache, "set", {ONE: ([1], ttl), OTHER: ([2], None)})
    return cache


def test_what_was_set_is_found_and_nothing_else(drive: Drive) -> None:
    cache = filled(drive)
    assert drive.call(cache, "get", [ONE, OTHER, (("nodes", "a"), "2"), (("else",), "1")]) == {ONE: [1], OTHER: [2]}


def test_what_was_set_later_replaces_it(drive: Drive) -> None:
    cache = filled(drive)
    drive.call(cache, "set", {ONE: ([3], None)})
    assert drive.call(cache, "get", [ONE]) == {ONE: [3]}


def test_copies_go_in_and_come_out(drive: Drive) -> None:
    cache, value = InMemoryCache(), [[1]]
    drive.call(cache, "set", {ONE: (value, None)})
    value[0].append(2)
    drive.call(cache, "get", [ONE])[ONE][0].append(3)
    assert drive.call(cache, "get", [ONE]) == {ONE: [[1]]}


def test_a_value_expires_and_is_forgotten(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: 100.0)
    cache = filled(drive, ttl=10)
    monkeypatch.setattr(clock, "now", lambda: 109.9)
    assert drive.call(cache, "get", [ONE]) == {ONE: [1]}
    monkeypatch.setattr(clock, "now", lambda: 110.0)
    assert drive.call(cache, "get", [ONE, OTHER]) == {OTHER: [2]}
    monkeypatch.setattr(clock, "now", lambda: 100.0)
    assert drive.call(cache, "get", [ONE]) == {}


@pytest.mark.parametrize(
    ("namespaces", "left"), [(None, []), ([("nodes", "a")], [OTHER]), ([("else",)], [ONE, OTHER]), ([], [ONE, OTHER])]
)
def test_namespaces_can_be_forgotten(namespaces: Any, left: list[FullKey], drive: Drive) -> None:
    cache = filled(drive)
    drive.call(cache, "clear", namespaces)
    assert list(drive.call(cache, "get", [ONE, OTHER])) == left
