"""What the loop and the attempt need of the world. There are two: one that never suspends, one for asyncio."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headrace.engine.program import Callee
    from headrace.engine.run import Run
    from headrace.engine.task import Task


class Pause:
    """Awaited by the loop where the consumer takes all events so far; meanwhile the loop starts no node."""

    __slots__ = ()

    def __await__(self) -> Generator[Pause, None, None]:
        yield self


PAUSE = Pause()


class Port(Protocol):
    """The sync port's methods never suspend, so that a plain `send(None)` runs the loop to its next PAUSE."""

    sync: bool

    async def call(self, task: Task, args: dict[str, Any]) -> Any:
        """The return value of a task's node. User code runs only here and in `route`; timeouts are kept here."""

    async def route(self, task: Task, callee: Callee, input: Any, args: dict[str, Any]) -> Any:
        """The answer of a routing function."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""

    async def start(self, tasks: Sequence[Task]) -> None:
        """Set tasks going; each runs its attempt."""

    async def next(self) -> Task:
        """Wait for a task to finish, any of those started."""

    async def dismiss(self) -> None:
        """End what was started and has not finished; wait for all that can be waited for."""

    async def io(self, owner: Any, function: Callable[..., Any], twin: Callable[..., Any], *args: Any) -> Any:
        """The answer of a saver or cache: of `function` where blocking is allowed, else of its async `twin`.

        An `owner` that says it is `instant` is always called in place.
        """

    async def save(self, run: Run, function: Callable[..., Any], twin: Callable[..., Any], *args: Any) -> None:
        """Like `io`, but with durability "async" it only begins, after the save before it has ended."""

    async def saved(self) -> None:
        """Wait for the save that is under way; raises its error."""
