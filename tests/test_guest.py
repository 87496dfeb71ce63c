"""When the engine loads what speaks for langchain-core."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from headrace import guest
from headrace.engine.run import Run
from headrace.errors import MissingExtraError
from tests.drive import Drive
from tests.engine.build import asays, chain, fan, says

langchain_core = pytest.importorskip("langchain_core")


def run(config: Any, *modes: str) -> Run:
    return Run(chain(says("a")).program, {}, config, dict.fromkeys(modes, print))


def test_a_loaded_library_is_spoken_for() -> None:
    assert guest.load(run({})) is not None


def test_one_that_is_neither_loaded_nor_needed_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, guest.HOST)
    assert guest.load(run({}, "values", "custom")) is None
    assert guest.HOST not in sys.modules


def test_a_run_without_it_comes_to_the_same(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = fan(says("a"), asays("b")) if drive.way == "async" else fan(says("a"), says("b"))
    monkeypatch.delitem(sys.modules, guest.HOST)
    assert drive.invoke(graph, {"log": []}) == {"log": ["a", "b"]}
    assert guest.HOST not in sys.modules


@pytest.mark.parametrize(
    ("config", "mode"), [({}, "messages"), ({"tags": ["t"]}, "values"), ({"callbacks": [1]}, "values")]
)
def test_one_that_is_needed_is_loaded(config: Any, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, guest.HOST)
    assert guest.load(run(config, mode)) is not None


def test_one_that_is_not_installed_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest, "HOST", "no_such_library")
    assert guest.load(run({"tags": ["t"]}, "updates")) is None


def test_messages_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest, "HOST", "no_such_library")
    with pytest.raises(MissingExtraError, match=r"messages need langchain-core.*headrace\[agents\]"):
        guest.load(run({}, "messages"))
