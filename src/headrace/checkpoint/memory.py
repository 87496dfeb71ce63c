"""A saver that keeps all in memory, for tests and for runs that need not outlive their process."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from copy import deepcopy
from typing import Any, NamedTuple

from headrace import ids
from headrace.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointTuple,
    PendingWrite,
)
from headrace.config import RunnableConfig
from headrace.names import ERROR, HANDLED, INTERRUPT, RESUME

ATOMS = (str, int, float, bool, bytes, type(None), frozenset, BaseException)
"""Values that cannot change, so that no copy is needed; nor of an error, which is copied by being made again."""


NOTES = (INTERRUPT, RESUME, ERROR, HANDLED)
"""Writes that stay when others of their task are stored: what it asked and was told before it finished."""


class Stored(NamedTuple):
    """One checkpoint as it is kept: without its values, which stand beside it by version."""

    checkpoint: Checkpoint
    keys: tuple[str, ...]
    metadata: Any
    parent_id: str | None


class Space:
    """All of one thread and namespace."""

    __slots__ = ("checkpoints", "values", "writes")

    def __init__(self) -> None:
        self.checkpoints: dict[str, Stored] = {}
        """By id, in the order of being stored."""
        self.values: dict[tuple[str, Any], Any] = {}
        """By channel and version: a value that does not change is kept once."""
        self.writes: dict[str, dict[str, list[PendingWrite]]] = {}
        """By checkpoint id and task id."""


class InMemorySaver(BaseCheckpointSaver[str]):
    """Keeps copies, so that what is stored never changes, whatever a node does to its state. Any thread may use it."""

    instant = True

    def __init__(self, *, serde: Any = None) -> None:
        super().__init__(serde=serde)
        self._threads: dict[str, dict[str, Space]] = {}
        self._lock = threading.RLock()

    def get_next_version(self, current: Any, channel: None) -> str:
        """A number that rises, and a random part: two branches of a thread must not give two values one version."""
        count = int(str(current).split(".")[0]) + 1 if current else 1
        return f"{count:032}.{ids.unique()}"

    def __enter__(self) -> InMemorySaver:
        return self

    def __exit__(self, *_: object) -> None: ...

    async def __aenter__(self) -> InMemorySaver:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        thread_id, ns, checkpoint_id = address(config)
        with self._lock:
            space = self._threads.get(thread_id, {}).get(ns)
            if space is None or not space.checkpoints:
                return None
            checkpoint_id = checkpoint_id or next(reversed(space.checkpoints))
            return self._tuple(thread_id, ns, space, checkpoint_id) if checkpoint_id in space.checkpoints else None

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        with self._lock:
            found = [*self._selected(config, filter or {}, before)]
        yield from found if limit is None else found[:limit]

    def _selected(
        self, config: RunnableConfig | None, filter: dict[str, Any], before: RunnableConfig | None
    ) -> Iterator[CheckpointTuple]:
        thread_id, ns, only = (None, None, None) if config is None else address(config)
        if config is not None and "checkpoint_ns" not in config.get("configurable", {}):
            ns = None
        end = None if before is None else address(before)[2]
        for thread in [thread_id] if thread_id is not None else list(self._threads):
            for name, space in self._threads.get(thread, {}).items():
                if ns is not None and name != ns:
                    continue
                for checkpoint_id in sorted(space.checkpoints, reverse=True):
                    if (end is not None and checkpoint_id >= end) or only not in (None, checkpoint_id):
                        continue
                    metadata = space.checkpoints[checkpoint_id].metadata
                    if all(metadata.get(key) == value for key, value in filter.items()):
                        yield self._tuple(thread, name, space, checkpoint_id)

    def _tuple(self, thread_id: str, ns: str, space: Space, checkpoint_id: str) -> CheckpointTuple:
        stored = space.checkpoints[checkpoint_id]
        versions = stored.checkpoint["channel_versions"]
        values = {key: copied(space.values[key, versions.get(key)]) for key in stored.keys}
        checkpoint: Checkpoint = {**stored.checkpoint, "channel_values": values}
        stored_writes = [write for task in space.writes.get(checkpoint_id, {}).values() for write in task]
        writes = [(task_id, key, copied(value)) for task_id, key, value in stored_writes]
        parent = None if stored.parent_id is None else named(thread_id, ns, stored.parent_id)
        return CheckpointTuple(named(thread_id, ns, checkpoint_id), checkpoint, dict(stored.metadata), parent, writes)

    def put(
        self, config: RunnableConfig, checkpoint: Checkpoint, metadata: Any, new_versions: ChannelVersions
    ) -> RunnableConfig:
        thread_id, ns, parent_id = address(config)
        values = checkpoint["channel_values"]
        versions = checkpoint["channel_versions"]
        bare: Checkpoint = {**checkpoint, "channel_values": {}}
        with self._lock:
            space = self._threads.setdefault(thread_id, {}).setdefault(ns, Space())
            for key, value in values.items():
                at = key, versions.get(key)
                if key in new_versions or at not in space.values:
                    space.values[at] = copied(value)
            space.checkpoints[checkpoint["id"]] = Stored(bare, tuple(values), dict(metadata), parent_id)
        return named(thread_id, ns, checkpoint["id"])

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        thread_id, ns, checkpoint_id = address(config)
        assert checkpoint_id is not None
        kept = [(task_id, key, copied(value)) for key, value in writes]
        told = {key for key, _ in writes}
        with self._lock:
            space = self._threads.setdefault(thread_id, {}).setdefault(ns, Space())
            tasks = space.writes.setdefault(checkpoint_id, {})
            notes = [write for write in tasks.get(task_id, ()) if write[1] in NOTES and write[1] not in told]
            tasks[task_id] = notes + kept

    def delete_thread(self, thread_id: str) -> None:
        with self._lock:
            self._threads.pop(str(thread_id), None)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return self.get_tuple(config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        for found in self.list(config, filter=filter, before=before, limit=limit):
            yield found

    async def aput(
        self, config: RunnableConfig, checkpoint: Checkpoint, metadata: Any, new_versions: ChannelVersions
    ) -> RunnableConfig:
        return self.put(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        self.put_writes(config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        self.delete_thread(thread_id)


MemorySaver = InMemorySaver


def address(config: RunnableConfig) -> tuple[str, str, str | None]:
    """Thread, namespace and checkpoint id of a config."""
    configurable = config.get("configurable") or {}
    return str(configurable["thread_id"]), configurable.get("checkpoint_ns") or "", configurable.get("checkpoint_id")


def named(thread_id: str, ns: str, checkpoint_id: str) -> RunnableConfig:
    """The config that names a checkpoint."""
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": ns, "checkpoint_id": checkpoint_id}}


def copied(value: Any) -> Any:
    """A deep copy, or the value itself where nothing can change it or where it cannot be copied, such as a lock."""
    if isinstance(value, ATOMS):
        return value
    try:
        return deepcopy(value)
    except Exception:  # of whatever an object does to be copied
        return value
