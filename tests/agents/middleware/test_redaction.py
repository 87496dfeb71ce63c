"""Personal data in text: what is found, and what is put in its place."""

from __future__ import annotations

import time
from typing import Any

import pytest

from headrace.agents.middleware.redaction import (
    DETECTORS,
    PIIDetectionError,
    PIIMatch,
    RedactionRule,
    RedactionStrategy,
)


def applied(pii_type: str, text: str, strategy: RedactionStrategy = "redact", detector: Any = None) -> str:
    return RedactionRule(pii_type, strategy, detector).resolve().apply(text)[0]


def values(pii_type: str, text: str) -> list[str]:
    return [match["value"] for match in RedactionRule(pii_type).resolve().apply(text)[1]]


@pytest.mark.parametrize(
    ("pii_type", "text", "found"),
    [
        ("email", "ann@x.org, b.c+d@mail.example.com.", ["ann@x.org", "b.c+d@mail.example.com"]),
        ("email", "no@where and @x.org", []),
        ("credit_card", "4111 1111 1111 1111", ["4111 1111 1111 1111"]),
        ("credit_card", "4111111111111112 has a wrong check digit", []),
        ("credit_card", "378282246310005 has 15 digits", ["378282246310005"]),
        ("credit_card", "card-4111-1111-1111-1111 123 with its code", ["4111-1111-1111-1111"]),
        ("credit_card", "41111111111111111111111 has too many", []),
        ("ip", "1.2.3.4, 256.1.1.1 and version 1.2.3", ["1.2.3.4"]),
        ("ip", "from [2001:db8::1]:80 and ::ffff:10.0.0.1", ["2001:db8::1", "::ffff:10.0.0.1"]),
        ("ip", "at 12:30:45, a::b, std::vector", []),
        ("mac_address", "00:1a:2B:3c:4d:5e or 001a.2B3c.4d5e", ["00:1a:2B:3c:4d:5e", "001a.2B3c.4d5e"]),
        ("mac_address", "00:1a-2B:3c:4d:5e", []),
        ("url", "(see https://en.org/x_(y)), or www.a.org.", ["https://en.org/x_(y)", "www.a.org"]),
        ("url", "a.org/path, but not a.org or ann@x.org", ["a.org/path"]),
    ],
)
def test_a_detector_finds(pii_type: str, text: str, found: list[str]) -> None:
    assert values(pii_type, text) == found


@pytest.mark.parametrize(
    ("pii_type", "text", "masked"),
    [
        ("email", "ann@mail.x.org", "ann@****.org"),
        ("credit_card", "4111-1111-1111-1111", "****-****-****-1111"),
        ("ip", "10.0.0.7", "*.*.*.7"),
        ("ip", "::ffff:10.0.0.7", "****:7"),
        ("mac_address", "00:1a:2b:3c:4d:5e", "**:**:**:**:**:5e"),
        ("url", "https://a.org/me", "[MASKED_URL]"),
    ],
)
def test_a_mask_leaves_what_its_owner_knows_it_by(pii_type: str, text: str, masked: str) -> None:
    assert applied(pii_type, text, "mask") == masked


def test_a_hash_is_the_same_for_the_same_value_only() -> None:
    first, again, other = applied("email", "a@x.org a@x.org b@x.org", "hash").split()
    assert first == again != other
    assert first.startswith("<email_hash:")
    assert "a@x.org" not in first


def test_text_without_matches_stays() -> None:
    assert RedactionRule("email").resolve().apply("nothing here") == ("nothing here", [])


def test_a_block_tells_the_matches_but_not_in_its_text() -> None:
    with pytest.raises(PIIDetectionError) as raised:
        applied("email", "to ann@x.org", "block")
    assert raised.value.matches == [PIIMatch(type="email", value="ann@x.org", start=3, end=12)]
    assert raised.value.pii_type == "email"
    assert "ann" not in str(raised.value)


def test_a_detector_may_be_a_regular_expression() -> None:
    assert applied("key", "sk-abcdefgh and sk-", "redact", r"sk-\w+") == "[REDACTED_KEY] and sk-"
    assert applied("key", "sk-abcdefgh, sk-a", "mask", r"sk-\w+") == "****efgh, ****"


def test_a_detector_may_be_a_function() -> None:
    def shout(text: str) -> list[Any]:
        return [{"start": 0, "end": 2}, PIIMatch(type="end", value=text[-1], start=len(text) - 1, end=len(text))]

    assert applied("start", "hey!", "redact", shout) == "[REDACTED_START]y[REDACTED_END]"


def test_nothing_stays_of_matches_that_overlap() -> None:
    def overlapping(text: str) -> list[Any]:
        return [{"start": 1, "end": 4}, {"start": 0, "end": 3}]

    assert applied("x", "abcdef", "redact", overlapping) == "[REDACTED_X]ef"


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (RedactionRule("shoe_size"), "nothing detects 'shoe_size'"),
        (RedactionRule("email", "hide"), "no redaction strategy 'hide'"),  # type: ignore[arg-type]
        (RedactionRule("x", detector="("), "no regular expression"),
        (RedactionRule("x", detector=3), "or a function, got 3"),  # type: ignore[arg-type]
    ],
)
def test_a_bad_rule_is_refused(rule: RedactionRule, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        rule.resolve()


def test_a_detector_that_returns_something_else_is_named() -> None:
    with pytest.raises(TypeError, match="the detector for 'x' returned 'abc'"):
        applied("x", "abc", detector=lambda text: [text])


@pytest.mark.parametrize("pii_type", DETECTORS)
@pytest.mark.parametrize("piece", ["a", "1", "a.", "1 ", "1:", "a@", "@", "::", "www."])
def test_long_texts_take_no_long_time(pii_type: str, piece: str) -> None:
    before = time.process_time()
    applied(pii_type, piece * 20_000)
    assert time.process_time() - before < 5
