from __future__ import annotations

from headrace.channels import Topic
from headrace.types import MISSING


def test_a_topic_lists_the_writes_of_one_step() -> None:
    assert Topic(int).fold([1], [2, 3]) == [2, 3]


def test_a_written_list_counts_as_many() -> None:
    assert Topic(int).fold(MISSING, [1, [2, 3]]) == [1, 2, 3]


def test_a_step_without_writes_empties_it() -> None:
    assert Topic(int).fold([1], []) is MISSING


def test_accumulating_it_lists_the_writes_of_all_steps() -> None:
    topic = Topic(int, accumulate=True)
    first = topic.fold(MISSING, [1])
    assert topic.fold(first, [2]) == [1, 2]
    assert topic.fold([1, 2], []) == [1, 2]
    assert first == [1]
