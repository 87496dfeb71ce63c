"""The one place that makes ids."""

from __future__ import annotations

from hashlib import blake2b
from os import urandom
from random import random


def unique() -> str:
    """A random id: a UUID of version 4, made without the class, which takes four times as long to make and print."""
    digits = urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return shaped(f"{digits[:12]}4{digits[13:16]}{variant}{digits[17:]}")


def chance() -> float:
    """A random number from 0 to 1, for jitter."""
    return random()


def ordered() -> str:
    """An id that sorts after every one made before it, also in another process (to the clock's resolution)."""
    from uuid_utils import uuid6  # noqa: PLC0415 - a run without a saver needs no such id

    return str(uuid6())


def derived(content: str) -> str:
    """The same UUID-shaped id for the same content, on every machine."""
    return shaped(digest(content))


def shaped(digits: str) -> str:
    """32 hexadecimal digits as a UUID is written."""
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def digest(content: str) -> str:
    """Like `derived`, as 32 hexadecimal digits."""
    return blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
