from __future__ import annotations

import re
from uuid import UUID

from headrace import ids

SHAPE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def test_random_ids_are_uuids_of_version_4_and_differ() -> None:
    made = [ids.unique() for _ in range(500)]
    assert len(set(made)) == 500
    assert {UUID(one).version for one in made} == {4}
    assert {UUID(one).variant for one in made} == {"specified in RFC 4122"}
    assert {one[19] for one in made} == set("89ab")


def test_ordered_ids_rise() -> None:
    made = [ids.ordered() for _ in range(500)]
    assert made == sorted(made)
    assert len(set(made)) == 500
    assert all(SHAPE.fullmatch(one) for one in made)


def test_derived_ids_are_the_same_for_the_same_content_everywhere() -> None:
    assert ids.derived("text") == ids.derived("text")
    assert ids.derived("text") != ids.derived("texts")
    assert SHAPE.fullmatch(ids.derived("text"))
    assert ids.derived("text").replace("-", "") == ids.digest("text")


def test_any_text_can_be_named() -> None:
    assert ids.digest("\ud800") != ids.digest("")
    assert re.fullmatch("[0-9a-f]{32}", ids.digest("äöü"))
