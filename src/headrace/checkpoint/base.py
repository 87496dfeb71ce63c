"""What a saver is: the store of a thread's checkpoints and of the writes beside them.

A checkpoint is the state after a super-step. Between two checkpoints stand *writes*: what tasks of the next step
have already returned, asked or failed with. Both are addressed by a config: `thread_id`, `checkpoint_ns` (the
namespace of a subgraph, `""` for the graph itself) and `checkpoint_id`, without which the last one is meant.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from typing import Any, Generic, Literal, NamedTuple, Protocol

from typing_extensions import NotRequired, TypedDict, TypeVar

from headrace import clock, ids
from headrace.config import RunnableConfig

V = TypeVar("V", default=int)

ChannelVersions = dict[str, Any]
"""Channel to version; a version says that the value changed, not how often."""

PendingWrite = tuple[str, str, Any]
"""Task id, channel, value."""


class CheckpointMetadata(TypedDict, total=False):
    """What is known of a checkpoint beside the state; a caller's own metadata stands beside these keys."""

    source: Literal["input", "loop", "update", "fork"]
    """A new input, a super-step, `update_state`, or a copy of another checkpoint."""
    step: int
    """-1 for the first input, then counted up."""
    parents: dict[str, str]
    """Checkpoint ids of the graphs above, by namespace."""
    run_id: str


class Checkpoint(TypedDict):
    """The state of a thread after a super-step."""

    v: int
    """Version of this layout."""
    id: str
    """Rises from checkpoint to checkpoint of a thread."""
    ts: str
    """ISO 8601, UTC."""
    channel_values: dict[str, Any]
    channel_versions: ChannelVersions
    versions_seen: dict[str, ChannelVersions]
    updated_channels: list[str] | None
    """The channels that the step wrote: they say what is due next."""
    task: NotRequired[str]
    """Of a subgraph: the id of the task that it ran in."""
    branches: NotRequired[Sequence[Sequence[str]]]
    """Where the thread's history turned back: pairs of ids between which checkpoints of subgraphs are of no account."""


class CheckpointTuple(NamedTuple):
    """A checkpoint, and where it stands."""

    config: RunnableConfig
    checkpoint: Checkpoint
    metadata: Any
    parent_config: RunnableConfig | None = None
    pending_writes: list[PendingWrite] | None = None


class SerializerProtocol(Protocol):
    """Turns values into bytes with a type tag, and back."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]: ...

    def loads_typed(self, data: tuple[str, bytes]) -> Any: ...


def empty_checkpoint() -> Checkpoint:
    """A checkpoint of a thread without a history."""
    return {
        "v": 2,
        "id": ids.ordered(),
        "ts": clock.timestamp(),
        "channel_values": {},
        "channel_versions": {},
        "versions_seen": {},
        "updated_channels": None,
    }


def create_checkpoint(
    checkpoint: Checkpoint, channels: Mapping[str, Any] | None, step: int, *, id: str | None = None
) -> Checkpoint:
    """The checkpoint that follows, with these values where given."""
    values = checkpoint["channel_values"] if channels is None else dict(channels)
    return {**checkpoint, "id": id or ids.ordered(), "ts": clock.timestamp(), "channel_values": values}


class BaseCheckpointSaver(Generic[V]):
    """The interface of savers. A subclass gives the sync methods, the async ones, or both.

    The async methods here run the sync ones in a thread.
    """

    instant = False
    """Its calls cost less than handing them to a thread, so they are made in place, under asyncio too."""

    def __init__(self, *, serde: SerializerProtocol | None = None) -> None:
        self.serde = serde

    def get(self, config: RunnableConfig) -> Checkpoint | None:
        """The checkpoint that the config names."""
        found = self.get_tuple(config)
        return found.checkpoint if found is not None else None

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that the config names with all about it; the thread's last one if it names none."""
        raise NotImplementedError

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """The checkpoints of a thread (of all threads for None), newest first.

        `filter`: metadata that must be equal; `before`: only older ones than this config's; `limit`: how many.
        """
        raise NotImplementedError

    def put(
        self, config: RunnableConfig, checkpoint: Checkpoint, metadata: Any, new_versions: ChannelVersions
    ) -> RunnableConfig:
        """Store a checkpoint whose parent is `config`'s; the config that names it. `new_versions`: what changed."""
        raise NotImplementedError

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store what came of a task of the step after `config`'s checkpoint, in place of what is there of it."""
        raise NotImplementedError

    def delete_thread(self, thread_id: str) -> None:
        """Forget all about a thread."""
        raise NotImplementedError

    def get_next_version(self, current: Any, channel: None) -> Any:
        """The version after this one; versions must rise."""
        return 1 if current is None else current + 1

    def with_allowlist(self, extra_allowlist: Collection[tuple[str, ...]]) -> BaseCheckpointSaver[V]:
        """A saver that also restores these types; savers that keep no bytes need none."""
        return self

    async def aget(self, config: RunnableConfig) -> Checkpoint | None:
        found = await self.aget_tuple(config)
        return found.checkpoint if found is not None else None

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return await asyncio.to_thread(self.get_tuple, config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        def all_of_it() -> tuple[CheckpointTuple, ...]:
            return tuple(self.list(config, filter=filter, before=before, limit=limit))

        for found in await asyncio.to_thread(all_of_it):
            yield found

    async def aput(
        self, config: RunnableConfig, checkpoint: Checkpoint, metadata: Any, new_versions: ChannelVersions
    ) -> RunnableConfig:
        return await asyncio.to_thread(self.put, config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        await asyncio.to_thread(self.put_writes, config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        await asyncio.to_thread(self.delete_thread, thread_id)


def last_before(
    saver: BaseCheckpointSaver[Any], where: RunnableConfig, before: RunnableConfig
) -> CheckpointTuple | None:
    """The last checkpoint of a thread and namespace that is older than another one."""
    return next(iter([*saver.list(where, before=before, limit=1)]), None)


async def alast_before(
    saver: BaseCheckpointSaver[Any], where: RunnableConfig, before: RunnableConfig
) -> CheckpointTuple | None:
    """`last_before` for asyncio."""
    return next(iter([one async for one in saver.alist(where, before=before, limit=1)]), None)
