"""Nodes that have a sync form, an async form, or both: each driver takes its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from headrace.errors import InvalidUpdateError
from headrace.runtime import get_runtime
from headrace.types import Command

Sync = Callable[[Any], Any]
Async = Callable[[Any], Awaitable[Any]]


@dataclass(frozen=True)
class Both:
    """A node in both forms."""

    sync: Sync
    awaited: Async

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
        return checked(node, jumps, sync(state, get_runtime()))

    async def acall(state: Any) -> Any:
        return checked(node, jumps, await awaited(state, get_runtime()))

    return node_of(None if sync is None else call, None if awaited is None else acall)


def checked(node: str, jumps: tuple[str, ...], update: Any) -> Any:
    """A hook's update; InvalidUpdateError for a jump that was not announced."""
    said = update.update if isinstance(update, Command) else update
    jump = said.get("jump_to") if isinstance(said, dict) else None
    if jump is not None and jump not in jumps:
        allowed = ", ".join(map(repr, jumps)) or "nowhere"
        raise InvalidUpdateError(
            f"{node} jumps to {jump!r}, but may jump to: {allowed}; announce it with "
            f"@hook_config(can_jump_to=[{jump!r}])"
        )
    return update
