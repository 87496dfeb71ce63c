"""The state of threads, as users read and change it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from headrace.config import RunnableConfig
from headrace.engine.drive_sync import SyncPort, answer
from headrace.engine.program import Program
from headrace.engine.record import asked_place, place
from headrace.engine.run import Run
from headrace.engine.start import Call, run_of
from headrace.graph import history
from headrace.types import StateSnapshot, StateUpdate


class Snapshots:
    """`get_state` and its kin; they need a checkpointer and a thread."""

    name: str
    program: Program
    config: RunnableConfig
    checkpointer: Any
    cache: Any
    store: Any
    interrupt_before: Any
    interrupt_after: Any

    def get_subgraphs(self, *, namespace: str | None = None, recurse: bool = False) -> Iterator[tuple[str, Any]]:
        raise NotImplementedError

    def _at(self, config: RunnableConfig) -> Run:
        """A run that stands where the config says and goes nowhere."""
        run = run_of(self, Call(None, config), None)
        history.require_saver(run)
        run.saver_ns = (config.get("configurable") or {}).get("checkpoint_ns") or ""
        run.ns = tuple(run.saver_ns.split("|")) if run.saver_ns else ()
        return run

    def _owner(self, config: RunnableConfig) -> Snapshots:
        """The graph that the config's namespace is of: this one or a subgraph."""
        ns = (config.get("configurable") or {}).get("checkpoint_ns") or ""
        names = [part.split(":")[0] for part in ns.split("|") if part and not part.isdigit()]
        graph: Snapshots = self
        for name in names:
            found = next((one for key, one in graph.get_subgraphs() if key == name), None)
            if found is None:
                raise ValueError(f"no subgraph {name!r} for the namespace {ns!r}")
            graph = found.copy({"checkpointer": graph.checkpointer}) if found.checkpointer in (None, True) else found
        return graph

    # reading

    def get_state(self, config: RunnableConfig, *, subgraphs: bool = False) -> StateSnapshot:
        """The state of a thread: at the checkpoint that the config names, or now.

        `subgraphs`: also the states of graphs that are interrupted inside their node, under `tasks`.
        """
        owner = self._owner(config)
        run = owner._at(config)
        assert run.saver is not None
        found = history.snapshot(run, run.saver.get_tuple(asked_place(run)), now=not history.named(run))
        if not subgraphs:
            return found
        return found._replace(tasks=tuple(
            task if task.state is None else task._replace(state=self.get_state(task.state, subgraphs=True))  # type: ignore[arg-type]
            for task in found.tasks
        ))  # fmt: skip

    async def aget_state(self, config: RunnableConfig, *, subgraphs: bool = False) -> StateSnapshot:
        """`get_state` for asyncio."""
        owner = self._owner(config)
        run = owner._at(config)
        assert run.saver is not None
        found = history.snapshot(run, await run.saver.aget_tuple(asked_place(run)), now=not history.named(run))
        if not subgraphs:
            return found
        return found._replace(tasks=tuple([
            task if task.state is None else task._replace(state=await self.aget_state(task.state, subgraphs=True))  # type: ignore[arg-type]
            for task in found.tasks
        ]))  # fmt: skip

    def get_state_history(
        self,
        config: RunnableConfig,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[StateSnapshot]:
        """The states of a thread, newest first; `filter`: by metadata, `before`: older than, `limit`: how many."""
        owner = self._owner(config)
        run = owner._at(config)
        assert run.saver is not None
        for record in run.saver.list(place(run), filter=filter, before=before, limit=limit):
            yield history.snapshot(owner._at(config), record, now=False)

    async def aget_state_history(
        self,
        config: RunnableConfig,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[StateSnapshot]:
        """`get_state_history` for asyncio."""
        owner = self._owner(config)
        run = owner._at(config)
        assert run.saver is not None
        async for record in run.saver.alist(place(run), filter=filter, before=before, limit=limit):
            yield history.snapshot(owner._at(config), record, now=False)

    # writing

    def update_state(
        self, config: RunnableConfig, values: Any, as_node: str | None = None, task_id: str | None = None
    ) -> RunnableConfig:
        """Write to a thread's state as if node `as_node` had returned `values`; the new checkpoint's config.

        Without `as_node`: the node that ran last. Its edges are followed, so the thread goes on from there.
        """
        return self.bulk_update_state(config, [[StateUpdate(values, as_node, task_id)]])

    async def aupdate_state(
        self, config: RunnableConfig, values: Any, as_node: str | None = None, task_id: str | None = None
    ) -> RunnableConfig:
        """`update_state` for asyncio."""
        return await self.abulk_update_state(config, [[StateUpdate(values, as_node, task_id)]])

    def bulk_update_state(self, config: RunnableConfig, supersteps: Sequence[Sequence[StateUpdate]]) -> RunnableConfig:
        """Several updates, one super-step after the other; the last checkpoint's config."""
        checked_updates(supersteps)
        owner = self._owner(config)
        for updates in supersteps:
            run = owner._at(config)
            config = answer(history.update(run, SyncPort(run), updates))
        return config

    async def abulk_update_state(
        self, config: RunnableConfig, supersteps: Sequence[Sequence[StateUpdate]]
    ) -> RunnableConfig:
        """`bulk_update_state` for asyncio."""
        from headrace.engine.drive_async import AsyncPort  # noqa: PLC0415

        checked_updates(supersteps)
        owner = self._owner(config)
        for updates in supersteps:
            run = owner._at(config)
            config = await history.update(run, AsyncPort(run), updates)
        return config


def checked_updates(supersteps: Sequence[Sequence[StateUpdate]]) -> None:
    """ValueError for updates that are none."""
    if not supersteps or not all(supersteps):
        raise ValueError("bulk_update_state() got a super-step without updates; give each at least one StateUpdate")
