"""What all tests share."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from hypothesis import settings

from tests.drive import Drive

# The machine that runs the tests may be busy; how long an example takes says nothing.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def pytest_collection_finish() -> None:
    """Many tests collect garbage to see what is left; what was there before them need not be looked through again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(params=["sync", "async"])
def drive(request: Any) -> Drive:
    """Runs a graph by the sync driver, and again by the async one."""
    return Drive(request.param)


@pytest.fixture
def thread() -> Any:
    """A config that names a thread."""
    return {"configurable": {"thread_id": "1"}}
