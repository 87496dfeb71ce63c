"""Keeps keys, tokens and headers out of what is written down.

Three nets, one behind the other: options whose name says that they are secret, the values that the model and the
environment hold under such names, and texts that look like a key.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pydantic import SecretBytes, SecretStr

HIDDEN = "***"

SECRET = re.compile(
    r"(?:^|[_-])(?:api_?key|(?:access|auth|bearer|refresh|session|security)_?token|secret|password|credentials?|"
    r"authorization|cookie)|^(?:token|key|authorization)$|api[_-]?key$",
    re.IGNORECASE,
)
"""Names of values that nobody else may see. Not `max_tokens`."""

HEADERS = re.compile(r"(?:^|_)headers$", re.IGNORECASE)
"""Names of headers, which are hidden whole."""

VARIABLE = re.compile(r"(?:API_?KEY|SECRET|TOKEN|PASSWORD)(?:_|$)")
"""Names of environment variables with a secret."""

LOOKS = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|hf|ghp|lsv2)[-_](?=[\w*-]*\d)[\w*-]{8,}"  # keys with the prefixes of the usual providers
    r"|\bAIza[\w-]{20,}|\bAKIA[A-Z0-9]{12,}|\beyJ[\w-]{10,}\.[\w.-]+"
    r"|(?<=bearer )\S+|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)",
    re.IGNORECASE,
)

SHORTEST, SHORTEST_VARIABLE = 6, 12
"""Characters below which a value is no secret; it would be found inside words."""

Clean = Callable[[str], str]


def without(secrets: Iterable[str]) -> Clean:
    """A function that hides these in a text."""
    found = sorted(set(secrets), key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, found))) if found else None
    return lambda text: text if pattern is None else pattern.sub(HIDDEN, text)


def without_keys(text: str) -> str:
    """The text without what looks like a key."""
    return LOOKS.sub(HIDDEN, text)


def redacted(value: Any, clean: Clean, *, names: bool = False) -> Any:
    """JSON with each text cleaned and what has a secret name hidden. `names` when the keys are parameters of a tool."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [redacted(item, clean) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: HIDDEN if not names and item and _is_secret(key) else redacted(item, clean, names=key == "properties")
        for key, item in value.items()
    }


def secrets_of(model: Any) -> set[str]:
    """What a model, if there is one, and the environment hold that must not be written down."""
    fields = {} if model is None else vars(model)
    found = {text for name, value in fields.items() for text in _secrets(name, value)}
    secrets = {part for text in found for part in (text, text.split(" ")[-1]) if len(part) >= SHORTEST}
    held = {value for name, value in os.environ.items() if VARIABLE.search(name) and len(value) >= SHORTEST_VARIABLE}
    return secrets | held


def _secrets(name: str, value: Any) -> Iterator[str]:
    """The secrets in a field of a model, which may hold others."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, SecretBytes):
        yield value.get_secret_value().decode(errors="replace")
    elif isinstance(value, str):
        if SECRET.search(name):
            yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _secrets(str(key), item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _secrets(name, item)


def _is_secret(name: str) -> bool:
    return bool(SECRET.search(name) or HEADERS.search(name))
