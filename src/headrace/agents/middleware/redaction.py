"""Finding personal data in text, and what is put in its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv6Address
from typing import Any, Literal, TypeAlias, get_args

from typing_extensions import TypedDict

from headrace.errors import HeadraceError

RedactionStrategy: TypeAlias = Literal["block", "redact", "mask", "hash"]
"""What becomes of a match: an error, `[REDACTED_EMAIL]`, its last characters only, or a short hash of it."""


class PIIMatch(TypedDict):
    """A piece of personal data: `text[start:end] == value`."""

    type: str
    value: str
    start: int
    end: int


Detector: TypeAlias = Callable[[str], Sequence[PIIMatch]]


class PIIDetectionError(HeadraceError):
    """Personal data was found where it is to be refused. The values are in `matches`, and not in the message."""

    def __init__(self, pii_type: str, matches: Sequence[PIIMatch]) -> None:
        self.pii_type, self.matches = pii_type, list(matches)
        super().__init__(f"refused: the text has personal data of type {pii_type!r} in {len(self.matches)} place(s)")


@dataclass(frozen=True)
class RedactionRule:
    """What to look for, and what to do with it.

    `pii_type`: one of `DETECTORS`, or any name together with a `detector`: a regular expression, or a function of the
    text that returns matches (without `type` they get the rule's).
    """

    pii_type: str
    strategy: RedactionStrategy = "redact"
    detector: Detector | str | None = None

    def resolve(self) -> ResolvedRedactionRule:
        """The rule ready for use. ValueError for a type or strategy that there is not, or a bad expression."""
        if self.strategy not in get_args(RedactionStrategy):
            names = ", ".join(map(repr, get_args(RedactionStrategy)))
            raise ValueError(f"no redaction strategy {self.strategy!r}; there are: {names}")
        return ResolvedRedactionRule(self.pii_type, self.strategy, detector_of(self.pii_type, self.detector))


@dataclass(frozen=True)
class ResolvedRedactionRule:
    """A rule whose detector is known."""

    pii_type: str
    strategy: RedactionStrategy
    detector: Detector

    def apply(self, content: str) -> tuple[str, list[PIIMatch]]:
        """The text with every match replaced, and the matches. PIIDetectionError if the strategy is "block"."""
        matches = joined(content, self.detector(content))
        if matches and self.strategy == "block":
            raise PIIDetectionError(self.pii_type, matches)
        replaced = REPLACED.get(self.strategy, redacted)
        parts, done = [], 0
        for match in matches:
            parts += [content[done : match["start"]], replaced(match)]
            done = match["end"]
        return "".join([*parts, content[done:]]), matches


def joined(text: str, matches: Iterable[PIIMatch]) -> list[PIIMatch]:
    """The matches in their order in the text; those that overlap become one, so that nothing of either stays."""
    result: list[PIIMatch] = []
    for match in sorted(matches, key=lambda one: (one["start"], -one["end"])):
        last = result[-1] if result else None
        if last is None or match["start"] >= last["end"]:
            result.append(match)
        elif match["end"] > last["end"]:
            start, end = last["start"], match["end"]
            result[-1] = PIIMatch(type=last["type"], value=text[start:end], start=start, end=end)
    return result


def detector_of(pii_type: str, given: Detector | str | None) -> Detector:
    """The function that finds the matches of a rule."""
    if given is None:
        if pii_type not in DETECTORS:
            names = ", ".join(map(repr, DETECTORS))
            raise ValueError(f"nothing detects {pii_type!r}; pass `detector`, or use one of: {names}")
        return DETECTORS[pii_type]
    if isinstance(given, str):
        try:
            pattern = re.compile(given)
        except re.error as error:
            raise ValueError(f"the detector for {pii_type!r} is no regular expression: {given!r} ({error})") from error
        return lambda text: [match_of(pii_type, found) for found in pattern.finditer(text) if found[0]]
    if not callable(given):
        raise ValueError(f"the detector for {pii_type!r} is a regular expression or a function, got {given!r}")
    return lambda text: [match_from(pii_type, text, one) for one in given(text)]


def match_from(pii_type: str, text: str, found: Any) -> PIIMatch:
    """What a user's detector found, as a match. TypeError for what is none."""
    if not isinstance(found, Mapping) or not {"start", "end"} <= found.keys():
        raise TypeError(f"the detector for {pii_type!r} returned {found!r}; it returns dicts with 'start' and 'end'")
    start, end = found["start"], found["end"]
    value = str(found.get("value", text[start:end]))
    return PIIMatch(type=str(found.get("type", pii_type)), value=value, start=start, end=end)


def match_of(pii_type: str, found: re.Match[str]) -> PIIMatch:
    return PIIMatch(type=pii_type, value=found[0], start=found.start(), end=found.end())


# what is put in the place of a match


def redacted(match: PIIMatch) -> str:
    """Its type."""
    return f"[REDACTED_{match['type'].upper()}]"


def hashed(match: PIIMatch) -> str:
    """The same for the same value, so that values can be told apart. Short: who can guess a value can check it."""
    return f"<{match['type']}_hash:{sha256(match['value'].encode()).hexdigest()[:8]}>"


def masked(match: PIIMatch) -> str:
    """Enough of the value for its owner to know it by."""
    value, kind = match["value"], match["type"]
    if kind == "email" and "@" in value:
        return f"{value.partition('@')[0]}@****.{value.rpartition('.')[2]}"
    if kind == "credit_card":
        return starred(r"\d", value, 4)
    if kind == "mac_address":
        return starred(r"[0-9A-Fa-f]", value, 2)
    if kind == "ip":
        return f"{'****:' if ':' in value else '*.*.*.'}{re.split('[.:]', value)[-1]}"
    if kind == "url":
        return "[MASKED_URL]"
    return f"****{value[-4:]}" if len(value) > 4 else "****"


def starred(kind: str, value: str, kept: int) -> str:
    """A star for each character of a kind but the last ones; separators stay."""
    hidden = max(len(re.findall(kind, value)) - kept, 0)
    return re.sub(kind, "*", value, count=hidden) if hidden else value


REPLACED: dict[str, Callable[[PIIMatch], str]] = {"redact": redacted, "mask": masked, "hash": hashed}

# what is found without a detector of the user's; each expression looks at a character a bounded number of times

EMAIL = re.compile(r"(?<![\w.%+-])[\w.%+-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}")
DIGITS = re.compile(r"(?<![A-Za-z0-9])\d+(?:[ -]\d+)*(?![A-Za-z0-9])")
IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w])(?!\.\d)")
IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f.]{0,15}(?<!\.)(?![\w:])")
MAC = re.compile(
    r"(?<![\w:-])(?:[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}|(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4})(?!\w)"
)
URL = re.compile(
    r"https?://[^\s<>\"']+|(?<![\w@/.-])(?:www\.(?:[\w-]+\.)+[A-Za-z]{2,}(?:/[^\s<>\"']*)?|(?:[\w-]+\.)+[A-Za-z]{2,}/[^\s<>\"']*)",
    re.IGNORECASE,
)


def detect_email(text: str) -> list[PIIMatch]:
    """Addresses such as `ann@mail.example.com`."""
    return [match_of("email", found) for found in EMAIL.finditer(text)]


def detect_credit_card(text: str) -> list[PIIMatch]:
    """Numbers of 13 to 19 digits whose check digit is right (Luhn, ISO/IEC 7812-1), in groups or in one."""
    return [match for run in DIGITS.finditer(text) for match in cards(text, run)]


def cards(text: str, run: re.Match[str]) -> Iterator[PIIMatch]:
    """The card numbers in a run of groups of digits; other groups may stand around them."""
    groups = [(found.start() + run.start(), found.end() + run.start()) for found in re.finditer(r"\d+", run[0])]
    at = 0
    while at < len(groups):
        start, length, found = groups[at][0], 0, 0
        for after, (begin, end) in enumerate(groups[at:], at + 1):
            length += end - begin
            if length > 19:
                break
            if length >= 13 and luhn(text[start:end]):
                found = after
        if found:
            end = groups[found - 1][1]
            yield PIIMatch(type="credit_card", value=text[start:end], start=start, end=end)
        at = found or at + 1


def luhn(number: str) -> bool:
    """Whether the last digit fits the others."""
    digits = [int(one) for one in reversed(number) if one.isdigit()]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def detect_ip(text: str) -> list[PIIMatch]:
    """Addresses of IPv4, and of IPv6 with a digit in them."""
    four = (found for found in IPV4.finditer(text) if all(int(part) < 256 for part in found[0].split(".")))
    six = (found for found in IPV6.finditer(text) if is_ipv6(found[0]))
    return sorted((match_of("ip", found) for found in (*four, *six)), key=lambda match: match["start"])


def is_ipv6(value: str) -> bool:
    """Whether it is an address; `a::b` is one, too, but more likely a name in a program."""
    if not any(one.isdigit() for one in value):
        return False
    try:
        IPv6Address(value)
    except ValueError:
        return False
    return True


def detect_mac_address(text: str) -> list[PIIMatch]:
    """Hardware addresses: pairs joined by `:` or `-`, or groups of four by dots."""
    return [match_of("mac_address", found) for found in MAC.finditer(text)]


def detect_url(text: str) -> list[PIIMatch]:
    """`http(s)://...`, `www....`, and a domain with a path. The punctuation of the sentence around is left out."""
    return [trimmed(match_of("url", found)) for found in URL.finditer(text)]


def trimmed(match: PIIMatch) -> PIIMatch:
    value = match["value"]
    while value[-1] in ".,;:!?" or (value[-1] == ")" and value.count(")") > value.count("(")):
        value = value[:-1]
    return PIIMatch(type=match["type"], value=value, start=match["start"], end=match["start"] + len(value))


DETECTORS: dict[str, Detector] = {
    "email": detect_email,
    "credit_card": detect_credit_card,
    "ip": detect_ip,
    "mac_address": detect_mac_address,
    "url": detect_url,
}
"""By type."""
