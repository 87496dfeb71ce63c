"""Who moves over reads of every difference that the comparisons know of."""

from __future__ import annotations

import pytest

from . import differences_table

pytestmark = pytest.mark.main_only


def test_the_page_has_every_difference() -> None:
    """If not: `python -m tests.docs.differences_table`."""
    assert differences_table.in_page() == differences_table.table()
