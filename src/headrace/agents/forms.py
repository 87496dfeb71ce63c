"""Nodes that have a sync form, an async form, or both: each driver takes its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from headrace.errors import InvalidUpdateError
from headrace.graph.schema import value_of
from headrace.runtime import get_runtime
from headrace.types import Command

Sync = Callable[[Any], Any]
Async = Callable[[Any], Awaitable[Any]]


@dataclass(frozen=True)
class Both:
    """A node in both forms."""

    sync: Sync
    awaited: Async
    wants: ClassVar[tuple[str, ...]] = ()
    """Not the config, which costs something to make: who needs it finds it in the context."""

    def invoke(self, state: Any, config: Any = None) -> Any:
        return self.sync(state)

    async def ainvoke(self, state: Any, config: Any = None) -> Any:
        return await self.awaited(state)


def node_of(sync: Sync | None, awaited: Async | None) -> Any:
    """The forms as a node. A sync one alone gets a thread under asyncio; an async one alone fails in a sync run."""
    if sync is not None and awaited is not None:
        return Both(sync, awaited)
    return sync or awaited


def hook_node(node: str, sync: Any, awaited: Any, jumps: tuple[str, ...]) -> Any:
    """The hook of a middleware as a node; it jumps only where it said that it may."""

    def call(state: Any) -> Any:
        return settled(checked(node, jumps, sync(state, get_runtime())), state, jumps)

    async def acall(state: Any) -> Any:
        return settled(checked(node, jumps, await awaited(state, get_runtime())), state, jumps)

    return node_of(None if sync is None else call, None if awaited is None else acall)


def checked(node: str, jumps: tuple[str, ...], update: Any) -> Any:
    """A hook's update; InvalidUpdateError for a jump that was not announced."""
    jump = said(update).get("jump_to")
    if jump is not None and jump not in jumps:
        allowed = ", ".join(map(repr, jumps)) or "nowhere"
        raise InvalidUpdateError(
            f"{node} jumps to {jump!r}, but may jump to: {allowed}; announce it with "
            f"@hook_config(can_jump_to=[{jump!r}])"
        )
    return update


def said(update: Any) -> dict[str, Any]:
    """The keys that an update writes."""
    written = update.update if isinstance(update, Command) else update
    return written if isinstance(written, dict) else {}


def settled(update: Any, state: Any, jumps: tuple[str, ...]) -> Any:
    """The update, with what must not stay as it was: a jump that led here, and the object of an earlier question.

    The jump is still in the state for this step, and where the hook may jump it would be taken again.
    """
    written: dict[str, Any] = said(update)
    stale: dict[str, Any] = {}
    if jumps and value_of(state, "jump_to")[1] is not None and "jump_to" not in written:
        stale["jump_to"] = None
    if written.get("jump_to") == "end" and value_of(state, "structured_response")[1] is not None:
        stale["structured_response"] = None
    if not stale:
        return update
    if isinstance(update, Command):
        return replace(update, update={**written, **stale})
    return {**written, **stale}
