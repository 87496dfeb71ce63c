"""The words that nodes, callers and the engine share."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from headrace.types import (
    MISSING,
    CachePolicy,
    Command,
    Interrupt,
    Overwrite,
    RetryPolicy,
    Send,
    TimeoutPolicy,
    as_json,
    cache_key,
    interrupt,
    retry_by_default,
)


class ServerError(Exception):
    """An error with an HTTP response, as clients raise them."""

    def __init__(self, status: Any) -> None:
        self.response = SimpleNamespace(status_code=status)


# when to try again


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (ConnectionError(), True),
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (ServerError(500), True),
        (ServerError(503), True),
        (ServerError(499), False),
        (ServerError(404), False),
        (ServerError(None), True),
        (ValueError(), False),
        (KeyError(), False),
        (OSError(), False),
        (RuntimeError(), False),
        (Exception(), True),
    ],
    ids=repr,
)
def test_errors_that_are_likely_to_pass_are_tried_again(error: Exception, answer: bool) -> None:
    assert retry_by_default(error) is answer
    assert RetryPolicy().covers(error) is answer


@pytest.mark.parametrize(
    ("retry_on", "error", "answer"),
    [
        (ValueError, ValueError(), True),
        (ValueError, UnicodeError(), True),
        (ValueError, KeyError(), False),
        ((KeyError, ValueError), ValueError(), True),
        ([KeyError], ValueError(), False),
        ({KeyError, ValueError}, ValueError(), True),
        (lambda error: "again" in str(error), ValueError("again"), True),
        (lambda error: "again" in str(error), ValueError(), False),
    ],
)
def test_a_policy_says_which_errors_it_is_about(retry_on: Any, error: Exception, answer: bool) -> None:
    assert RetryPolicy(retry_on=retry_on).covers(error) is answer


def test_waits_grow_up_to_their_limit() -> None:
    policy = RetryPolicy(initial_interval=1, backoff_factor=3, max_interval=10, jitter=False)
    assert [policy.wait(attempt, 0.5) for attempt in (1, 2, 3, 4)] == [1, 3, 9, 10]


def test_jitter_adds_to_the_wait() -> None:
    assert RetryPolicy(initial_interval=1).wait(1, 0.25) == 1.25


# what names an input


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({1, 2, 3}, {3, 2, 1}),
        ([1, (2, 3)], [1, (2, 3)]),
        (frozenset("ab"), frozenset("ba")),
    ],
)
def test_the_same_content_has_the_same_key(one: Any, other: Any) -> None:
    assert cache_key(one) == cache_key(other)
    assert cache_key(x=one) == cache_key(x=other)


def test_different_contents_have_different_keys() -> None:
    inputs: list[Any] = [None, 1, "1", [1], {"a": 1}, {"a": [1]}, {"b": 1}, {1, 2}, [1, 2], [[1]], [("a", 1)]]
    keys = [cache_key(one) for one in inputs] + [cache_key(1, 1), cache_key(x=1)]
    assert len(set(keys)) == len(keys)


# timeouts


def test_timeouts_are_kept_in_seconds() -> None:
    policy = TimeoutPolicy(run_timeout=timedelta(minutes=1), idle_timeout=2)
    assert (policy.run_timeout, policy.idle_timeout) == (60.0, 2)
    assert TimeoutPolicy() == TimeoutPolicy(run_timeout=None, idle_timeout=None)


@pytest.mark.parametrize("value", [0, -1, timedelta(0), timedelta(seconds=-1)])
@pytest.mark.parametrize("name", ["run_timeout", "idle_timeout"])
def test_a_timeout_must_be_longer_than_nothing(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match="a timeout must be longer than nothing"):
        TimeoutPolicy(**{name: value})


@pytest.mark.parametrize("value", [3, 3.0, timedelta(seconds=3), TimeoutPolicy(run_timeout=3)])
def test_a_number_of_seconds_stands_for_a_policy(value: Any) -> None:
    assert TimeoutPolicy.of(value) == TimeoutPolicy(run_timeout=3)


def test_no_timeout_is_no_policy() -> None:
    assert TimeoutPolicy.of(None) is None


# data


@pytest.mark.parametrize(
    "value",
    [Interrupt("?"), Send("a", 1), Command(), Overwrite(1), TimeoutPolicy(), CachePolicy()],
    ids=["Interrupt", "Send", "Command", "Overwrite", "TimeoutPolicy", "CachePolicy"],
)
def test_data_that_crosses_a_border_does_not_change(value: Any) -> None:
    name = next(iter(vars(value)))
    with pytest.raises(FrozenInstanceError):
        setattr(value, name, None)


def test_values_are_compared_by_content() -> None:
    assert Send("a", 1) == Send("a", 1)
    assert Send("a", 1) != Send("a", 1, timeout=3)
    assert Command(update={"a": 1}) == Command(update={"a": 1})
    assert Interrupt("?", "i") != Interrupt("?", "j")


def test_an_interrupt_as_events_show_it() -> None:
    assert as_json(Interrupt("?", "i")) == {"value": "?", "id": "i", "response_schema": None}


def test_nothing_is_false_and_says_what_it_is() -> None:
    assert not MISSING
    assert repr(MISSING) == "<nothing>"


def test_a_question_outside_a_run_is_an_error_that_says_so() -> None:
    with pytest.raises(RuntimeError, match=r"interrupt\(\) works inside a node of a running graph"):
        interrupt("?")
