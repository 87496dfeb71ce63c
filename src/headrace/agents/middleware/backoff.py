"""Trying again what failed, with pauses that grow: for models and for tools."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

from headrace import clock, ids
from headrace.engine.program import is_async
from headrace.prebuilt.tool_errors import InvalidAnswerError
from headrace.prebuilt.tool_policy import renewal

T = TypeVar("T")

RetryOn: TypeAlias = type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool]
"""The errors to try again after: of these types, or those that the function says."""

OnFailure: TypeAlias = Literal["continue", "error"] | Callable[[Exception], str]
"""What becomes of the last error: a text of ours in place of the answer, the error itself, or the function's text."""

JITTER = 0.25
"""The part of a pause by which it is made longer or shorter at random, so that many runs do not come back at once."""


def every_error(error: Exception) -> bool:
    """Whatever failed is tried again."""
    return True


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """How often to try again, and when. Times in seconds."""

    max_retries: int = 2
    """Attempts after the first one."""
    retry_on: RetryOn = every_error
    backoff_factor: float = 2.0
    """By which each pause is longer than the one before; 0: they stay the same."""
    initial_delay: float = 1.0
    max_delay: float = 60.0
    jitter: bool = True

    def __post_init__(self) -> None:
        for name in ("max_retries", "backoff_factor", "initial_delay", "max_delay"):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or value < 0:
                raise ValueError(f"{name} is a number that is not below 0, got {value!r}")
        if not can_say_when(self.retry_on):
            raise ValueError(f"retry_on takes exception types or a function of the error, got {self.retry_on!r}")

    def covers(self, error: Exception) -> bool:
        """Whether to try again after this error. What its caller has to mend is never tried again."""
        if isinstance(error, InvalidAnswerError):
            return False
        if isinstance(self.retry_on, (tuple, type)):
            return isinstance(error, self.retry_on)
        return bool(self.retry_on(error))

    def delay(self, retry: int) -> float:
        """Seconds before a retry, counted from 1."""
        pause = self.initial_delay * (self.backoff_factor ** (retry - 1) if self.backoff_factor else 1)
        pause = min(pause, self.max_delay)
        return pause * (1 + JITTER * (2 * ids.chance() - 1)) if self.jitter else pause

    def call(self, attempt: Callable[[], T], otherwise: Callable[[Exception, int], T]) -> T:
        """The first answer; `otherwise` makes one of the last error and the number of attempts.

        An error that is not covered is raised. Stopping the run ends this after the pause.
        """
        tried, again = 0, renewal()
        while True:
            try:
                return attempt()
            except Exception as error:
                tried += 1
                if not self.covers(error):
                    raise
                if tried > self.max_retries:
                    return otherwise(error, tried)
            clock.sleep(self.delay(tried))
            again()

    async def acall(self, attempt: Callable[[], Awaitable[T]], otherwise: Callable[[Exception, int], T]) -> T:
        """`call` for asyncio; cancelling it ends the pause."""
        tried, again = 0, renewal()
        while True:
            try:
                return await attempt()
            except Exception as error:
                tried += 1
                if not self.covers(error):
                    raise
                if tried > self.max_retries:
                    return otherwise(error, tried)
            await clock.asleep(self.delay(tried))
            again()


def can_say_when(given: Any) -> bool:
    """Whether this is a `RetryOn`."""
    if isinstance(given, (tuple, type)):
        kinds = given if isinstance(given, tuple) else (given,)
        return all(isinstance(kind, type) and issubclass(kind, Exception) for kind in kinds)
    return callable(given) and not is_async(given)


def checked_on_failure(given: Any) -> OnFailure:
    """ValueError for what says nothing of the last error."""
    if given in ("continue", "error") or (callable(given) and not isinstance(given, type) and not is_async(given)):
        return given  # type: ignore[no-any-return] # seen above
    raise ValueError(f"on_failure is 'continue', 'error' or a function of the error that returns a text, got {given!r}")
