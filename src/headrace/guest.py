"""The place of a library that wants to see what nodes do, such as langchain-core with its callbacks.

The engine knows no such library. When one is needed, `load` finds the module that speaks for it by name.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

from headrace.errors import MissingExtraError

if TYPE_CHECKING:
    from headrace.config import RunnableConfig
    from headrace.engine.run import Run
    from headrace.engine.task import Task

HOST = "langchain_core"
SPEAKER = "headrace.messages.guest"
TRACED = ("callbacks", "tags", "metadata", "run_name")
"""Keys of a config that mean something to the guest alone."""

Code = Callable[[], Awaitable[Any]]


class Guest(Protocol):
    """What a run tells its guest, in the run's own thread or task, except where said."""

    observes: bool
    """Whether it wants to see the run itself: only then are `around*` and `resumed` called."""

    def enter(self, task: Task) -> None:
        """Before user code, in the context it will run in (and its thread)."""

    def complete(self, task: Task, config: RunnableConfig) -> None:
        """Add to a task's config what its code needs to call the library."""

    def returned(self, task: Task) -> None:
        """A node's writes, before they are told."""

    def emitted(self, mode: str, data: Any) -> None:
        """An event that a node's code sent by hand, in that code's thread."""

    async def around(self, task: Task, attempt: Code, sync: bool) -> None:
        """Run one attempt of a task, which answers what the node returned."""

    async def around_route(self, task: Task, index: int, input: Any, call: Code, sync: bool) -> Any:
        """Ask the `index`-th routing function of a task's node; its answer."""

    async def around_run(self, run: Run, body: Code, sync: bool) -> None:
        """Run the whole loop."""

    async def resumed(self, run: Run, sync: bool) -> None:
        """A run that goes on from a checkpoint has loaded it."""


def load(run: Run) -> Guest | None:
    """The run's guest; None when its library is neither loaded nor needed, or is not there at all."""
    if HOST not in sys.modules:
        needed = "messages" in run.puts or any(run.config.get(key) for key in TRACED)
        if not needed or find_spec(HOST) is None:
            if "messages" in run.puts:
                raise MissingExtraError("messages", "langchain-core", "agents")
            return None
    speaker = sys.modules.get(SPEAKER) or importlib.import_module(SPEAKER)
    guest: Guest = speaker.LangchainGuest(run)
    return guest
