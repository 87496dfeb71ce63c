"""What code inside a node can ask of the run it belongs to.

The running task is held in one context variable, `current`, as a small protocol; the engine implements it.
So `get_stream_writer`, `interrupt` and the rest work wherever the context of a node reaches: in the node, in
functions and tools it calls, in asyncio child tasks, in `asyncio.to_thread`, in langchain-core's executors.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

from headrace.errors import InvalidConfigError

if TYPE_CHECKING:
    from headrace.runtime import Runtime


class RunnableConfig(TypedDict, total=False):
    """The caller's settings for one run; the same keys as langchain-core's config."""

    tags: list[str]
    metadata: dict[str, Any]
    callbacks: Any
    run_name: str
    max_concurrency: int | None
    recursion_limit: int
    configurable: dict[str, Any]
    run_id: Any


class RunningTask(Protocol):
    """The task that the current context belongs to."""

    @property
    def config(self) -> RunnableConfig:
        """The caller's config, with what the run adds for this task under `metadata` and `configurable`."""

    @property
    def runtime(self) -> Runtime[Any]:
        """The run's dependencies, as this task sees them."""

    @property
    def state_now(self) -> Any:
        """The graph's whole state as this step found it, private keys included; the caller's to keep."""

    @property
    def writer(self) -> Callable[[Any], None]:
        """Puts a value on the `custom` stream; does nothing when nobody asked for that mode."""

    @property
    def metadata(self) -> dict[str, Any]:
        """What `messages` events say about where they come from; one dict per task."""

    def emit(self, mode: str, data: Any) -> None:
        """Put an event on the stream, if that mode was asked for."""

    def extra_write(self, key: str, value: Any) -> None:
        """Add a write of a state key to those of the node's return value."""

    def ask(self, value: Any, response_schema: Any = None) -> Any:
        """The answer to this question, or `GraphInterrupt` while there is none."""


current: ContextVar[RunningTask | None] = ContextVar("headrace_task", default=None)
"""The task whose code is running; None outside a run."""


def running_task(asked: str) -> RunningTask:
    """The current task; RuntimeError naming what was `asked` for when there is none."""
    task = current.get()
    if task is None:
        raise RuntimeError(f"{asked} works inside a node of a running graph; here no node is running")
    return task


def get_config() -> RunnableConfig:
    """The config of the running node. RuntimeError outside a run."""
    return running_task("get_config()").config


def get_store() -> Any:
    """The store that the graph was compiled with. RuntimeError outside a run."""
    return running_task("get_store()").runtime.store


def get_stream_writer() -> Callable[[Any], None]:
    """A function that puts a value on the `custom` stream at once.

    Outside a run it returns a writer that does nothing, so that a tool can be called and tested alone. A plain
    thread started by a node has no context: take the writer before starting it.
    """
    task = current.get()
    return discard if task is None else task.writer


def discard(value: Any, /) -> None:
    """A stream writer nobody listens to."""


def merge(*configs: RunnableConfig | None) -> RunnableConfig:
    """One config out of several, later ones winning; tags, metadata, configurable and callbacks are joined."""
    merged: dict[str, Any] = {}
    for config in configs:
        for key, value in (config or {}).items():
            if value is None:
                continue
            if key in ("metadata", "configurable"):
                merged[key] = {**merged.get(key, {}), **value}  # type: ignore[dict-item]
            elif key == "tags":
                merged[key] = [*merged.get(key, ()), *(tag for tag in value if tag not in merged.get(key, ()))]  # type: ignore[attr-defined]
            elif key == "callbacks":
                merged[key] = join_callbacks(merged.get(key), value)
            else:
                merged[key] = value
    return merged  # type: ignore[return-value]


def join_callbacks(first: Any, second: Any) -> Any:
    """Both sets of callbacks: each a list of handlers or a callback manager of langchain-core."""
    if not first:
        return second
    if isinstance(first, Sequence) and isinstance(second, Sequence):
        return [*first, *(handler for handler in second if handler not in first)]
    manager, other = (first, second) if not isinstance(first, Sequence) else (second, first)
    handlers = other if isinstance(other, Sequence) else other.handlers
    manager = manager.copy()
    for handler in handlers:
        manager.add_handler(handler, inherit=True)
    return manager


RUN_S_OWN = ("callbacks", "run_name", "run_id")
"""Keys of a config that say something of one run; runs below it get their callbacks from the task that calls them."""


def handed_down(config: RunnableConfig) -> RunnableConfig:
    """What the config of a run means for the runs below it."""
    return {key: value for key, value in config.items() if key not in RUN_S_OWN}  # type: ignore[return-value]


PLACES = ("checkpoint_ns", "checkpoint_id", "checkpoint_map")
"""Keys that a task's config has under `configurable`."""


def own_part(config: RunnableConfig | None) -> RunnableConfig | None:
    """What a node's code set itself in a config that it passes on: not what the engine put there for that node."""
    if config is None:
        return None
    own = config.copy()
    own["metadata"] = {
        key: value
        for key, value in (config.get("metadata") or {}).items()
        if key[:10] != "langgraph_" and key != "checkpoint_ns"
    }
    own["configurable"] = {key: value for key, value in (config.get("configurable") or {}).items() if key not in PLACES}
    return own


def joined(graph: RunnableConfig, call: RunnableConfig | None) -> RunnableConfig:
    """The config of a run: what the graph was given with `with_config`, and the call's."""
    return limited(merge(graph, call), graph)


def limited(config: RunnableConfig, graph: RunnableConfig | None) -> RunnableConfig:
    """A caller may have fewer tasks run at a time than the graph's author said, not more: tools may rely on it."""
    own, asked = (graph or {}).get("max_concurrency"), config.get("max_concurrency")
    if own and asked:
        config["max_concurrency"] = min(own, asked)
    return config


def nested(graph: RunnableConfig | None, around: RunnableConfig, call: RunnableConfig | None) -> RunnableConfig:
    """The config of a run inside another: the graph's own, the one of the run around it, and the call's.

    Of the metadata the graph's own says more of it than what is said of the whole run: an agent inside another one has
    a name of its own. The caller may still say something else.
    """
    config = merge(graph, handed_down(around), own_part(call))
    named = (graph or {}).get("metadata")
    if named:
        outer, said = around.get("metadata") or {}, (call or {}).get("metadata") or {}
        new = {key for key, value in said.items() if key not in outer or outer[key] != value}
        config["metadata"] = {**config["metadata"], **{key: named[key] for key in named if key not in new}}
    return limited(config, graph)


DEFAULT_RECURSION_LIMIT = int(os.environ.get("HEADRACE_DEFAULT_RECURSION_LIMIT", "10007"))
"""Super-steps that a run may take unless its config says otherwise; meant to catch loops, not to hinder work."""


def recursion_limit(config: RunnableConfig) -> int:
    """How many super-steps the run may take. InvalidConfigError for what is no number of steps."""
    limit: Any = config.get("recursion_limit")
    if limit is None:
        return DEFAULT_RECURSION_LIMIT
    if not isinstance(limit, int) or limit < 1:
        raise InvalidConfigError(f"recursion_limit must be a whole number of super-steps, at least 1, got {limit!r}")
    return limit
