"""The face of a compiled graph: `stream`, `invoke`, their async forms, state, drawing, schemas."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias

from typing_extensions import Self, TypeVar, Unpack

from headrace import config as configs
from headrace.config import RunnableConfig
from headrace.engine import drive_sync
from headrace.engine.program import Program
from headrace.engine.run import Run
from headrace.engine.start import Call, run_of
from headrace.engine.tell import previewed
from headrace.graph.compile import program_of
from headrace.graph.options import Options, call_of, quiet
from headrace.graph.printing import DEBUG_MODES, printing
from headrace.graph.runnable import RunnableMethods, register
from headrace.graph.snapshots import Snapshots
from headrace.graph.state import as_names
from headrace.names import DEFAULT_NAME, INTERRUPT
from headrace.stream.events import Item, StreamEvent
from headrace.stream.modes import LIVE, checked, known, shape
from headrace.stream.outlet import AsyncOutlet, Outlet
from headrace.types import All, Checkpointer, GraphOutput, StreamMode

if TYPE_CHECKING:
    from headrace.cache.base import BaseCache
    from headrace.graph.drawing.graph import Graph
    from headrace.graph.state import StateGraph

StateT = TypeVar("StateT", default=Any)
ContextT = TypeVar("ContextT", default=None)
InputT = TypeVar("InputT", default=Any)
OutputT = TypeVar("OutputT", default=Any)

Modes: TypeAlias = StreamMode | Sequence[StreamMode]


class CompiledGraph(RunnableMethods, Snapshots, Generic[StateT, ContextT, InputT, OutputT]):
    """A graph that can run. It holds no state of a run: many may be under way at once, from any thread or loop."""

    stream_mode: Any = "values"
    """What `stream` tells when it is not asked for anything else."""

    def __init__(
        self,
        program: Program,
        *,
        checkpointer: Checkpointer = None,
        cache: BaseCache[Any] | None = None,
        store: Any = None,
        interrupt_before: All | Sequence[str] | None = None,
        interrupt_after: All | Sequence[str] | None = None,
        debug: bool = False,
        config: RunnableConfig | None = None,
    ) -> None:
        self.program = program
        self.name = program.name
        self.checkpointer = checkpointer
        self.cache = cache
        self.store = store
        self.interrupt_before: Any = "*" if interrupt_before == "*" else as_names(interrupt_before)
        self.interrupt_after: Any = "*" if interrupt_after == "*" else as_names(interrupt_after)
        self.debug = debug
        self.config: RunnableConfig = config or {}
        register()

    # streams

    def stream(
        self,
        input: Any,
        config: RunnableConfig | None = None,
        *,
        stream_mode: Modes | None = None,
        version: Literal["v1", "v2"] = "v1",
        subgraphs: bool = False,
        **options: Unpack[Options],
    ) -> Iterator[Any]:
        """Run the graph and yield what happens, as it happens.

        `input` is an update of the state that starts a run; `None` or a `Command` goes on with the thread's run.
        `stream_mode`: one mode, or several, which come as `(mode, data)`. `subgraphs`: also the events of graphs
        inside nodes, with their namespace first. `version="v2"`: every event as `{"type", "ns", "data"}`.
        The other options are those of `Options`.

        The run waits for its consumer before each step. Breaking off, closing or dropping the iterator stops the
        nodes; a sync function that runs at that moment ends at its next call of a stream writer, a model,
        `interrupt` or its config, and is not waited for otherwise.
        """
        mode = self.stream_mode if stream_mode is None else stream_mode
        shaped = shape(mode, subgraphs, version, self.program.present)
        return self._stream(input, config, mode, shaped, subgraphs, **options)

    def astream(
        self,
        input: Any,
        config: RunnableConfig | None = None,
        *,
        stream_mode: Modes | None = None,
        version: Literal["v1", "v2"] = "v1",
        subgraphs: bool = False,
        **options: Unpack[Options],
    ) -> AsyncIterator[Any]:
        """`stream` for asyncio. Async nodes run on the consumer's event loop, sync ones in threads.

        Cancelling the consumer, or leaving the iterator, cancels the nodes and waits for them; sync functions in
        threads are stopped as in `stream`.
        """
        mode = self.stream_mode if stream_mode is None else stream_mode
        shaped = shape(mode, subgraphs, version, self.program.present)
        return self._astream(input, config, mode, shaped, subgraphs, **options)

    def events(
        self,
        input: Any,
        config: RunnableConfig | None = None,
        *,
        stream_mode: Modes | None = None,
        subgraphs: bool = False,
        **options: Unpack[Options],
    ) -> Iterator[StreamEvent]:
        """Like `stream`, as numbered `StreamEvent`s: the run's event log."""
        mode = self.stream_mode if stream_mode is None else stream_mode
        return self._stream(input, config, mode, numbered(), subgraphs, **options)

    def aevents(
        self,
        input: Any,
        config: RunnableConfig | None = None,
        *,
        stream_mode: Modes | None = None,
        subgraphs: bool = False,
        **options: Unpack[Options],
    ) -> AsyncIterator[StreamEvent]:
        """`events` for asyncio."""
        mode = self.stream_mode if stream_mode is None else stream_mode
        return self._astream(input, config, mode, numbered(), subgraphs, **options)

    def _stream(
        self, input: Any, config: RunnableConfig | None, mode: Any, shaped: Callable[[Item], Any], subgraphs: bool,
        /, print_mode: Any = (), debug: bool | None = None, **options: Any,
    ) -> Iterator[Any]:  # fmt: skip
        modes, prints = checked(mode), self.prints(print_mode, debug)
        call = call_of(self.program, input, config, options, modes=(*modes, *prints), subgraphs=subgraphs)
        if self.is_live(call):
            outlet = Outlet()
            run = run_of(self, call, printing(outlet.put, modes, prints))
            run.paced, run.outlet = True, outlet
            return drive_sync.live(run, outlet, shaped)
        items: list[Item] = []
        run = run_of(self, call, printing(items.append, modes, prints))
        run.paced = True
        return drive_sync.pull(run, items, shaped)

    def _astream(
        self, input: Any, config: RunnableConfig | None, mode: Any, shaped: Callable[[Item], Any], subgraphs: bool,
        /, print_mode: Any = (), debug: bool | None = None, **options: Any,
    ) -> AsyncIterator[Any]:  # fmt: skip
        from headrace.engine import drive_async  # noqa: PLC0415 - not needed by a program without asyncio

        modes, prints = checked(mode), self.prints(print_mode, debug)
        call = call_of(self.program, input, config, options, modes=(*modes, *prints), subgraphs=subgraphs)
        if self.is_live(call):
            outlet = AsyncOutlet()
            run = run_of(self, call, printing(outlet.put, modes, prints))
            run.paced, run.outlet = True, outlet
            return drive_async.live(run, outlet, shaped)
        items: list[Item] = []
        run = run_of(self, call, printing(items.append, modes, prints))
        run.paced = True
        return drive_async.pull(run, items, shaped)

    def prints(self, print_mode: Any, debug: bool | None) -> tuple[str, ...]:
        """The modes whose events are printed."""
        return (*checked(print_mode), *(DEBUG_MODES if (self.debug if debug is None else debug) else ()))

    def is_live(self, call: Call) -> bool:
        """Whether events come out of nodes that are still running."""
        return not LIVE.isdisjoint(call.modes) or (call.subgraphs and self.program.may_nest)

    # results

    def invoke(
        self,
        input: Any,
        config: RunnableConfig | None = None,
        *,
        stream_mode: Modes = "values",
        version: Literal["v1", "v2"] = "v1",
        **options: Unpack[Options],
    ) -> Any:
        """Run the graph to its end or to an interrupt and return the state's output keys.

        After an interrupt the result has the questions under `__interrupt__`. `version="v2"`: a `GraphOutput`.
        With another `stream_mode`: the list of that mode's events.
        """
        if stream_mode != "values" or options.get("print_mode") or options.get("debug") or self.debug:
            stream = self.stream(input, config, stream_mode=stream_mode, version=version, **options)
            return gathered(list(stream), stream_mode, version)
        known(version)
        run = run_of(self, call_of(self.program, input, config, quiet(options)), None)
        drive_sync.complete(run)
        return result(run, version)

    async def ainvoke(
        self,
        input: Any,
        config: RunnableConfig | None = None,
        *,
        stream_mode: Modes = "values",
        version: Literal["v1", "v2"] = "v1",
        **options: Unpack[Options],
    ) -> Any:
        """`invoke` for asyncio. Cancelling it cancels the nodes and waits for them."""
        from headrace.engine import drive_async  # noqa: PLC0415

        if stream_mode != "values" or options.get("print_mode") or options.get("debug") or self.debug:
            stream = self.astream(input, config, stream_mode=stream_mode, version=version, **options)
            return gathered([event async for event in stream], stream_mode, version)
        known(version)
        run = run_of(self, call_of(self.program, input, config, quiet(options)), None)
        await drive_async.complete(run)
        return result(run, version)

    # the graph itself

    def with_config(self, config: RunnableConfig | None = None, **more: Any) -> Self:
        """The same graph, whose runs start from this config."""
        bound = copy(self)
        bound.config = configs.merge(self.config, config, more)  # type: ignore[arg-type]
        return bound

    def copy(self, update: dict[str, Any] | None = None) -> Self:
        """The same graph with some attributes replaced."""
        other = copy(self)
        for name, value in (update or {}).items():
            setattr(other, name, value)
        return other

    def clear_cache(self, nodes: Sequence[str] | None = None) -> None:
        """Forget the cached results of these nodes; of all for None."""
        if self.cache is not None:
            self.cache.clear(self._cached(nodes))

    async def aclear_cache(self, nodes: Sequence[str] | None = None) -> None:
        """`clear_cache` for asyncio."""
        if self.cache is not None:
            await self.cache.aclear(self._cached(nodes))

    def _cached(self, names: Sequence[str] | None) -> list[tuple[str, ...]]:
        """The namespaces under which the results of these nodes are cached; a name of no node has none."""
        known = self.program.nodes
        chosen = known if names is None else [name for name in names if name in known]
        return [("nodes", self.name, known[name].identity) for name in chosen]

    def get_subgraphs(
        self, *, namespace: str | None = None, recurse: bool = False
    ) -> Iterator[tuple[str, CompiledGraph[Any, Any, Any, Any]]]:
        """The graphs that are nodes of this one, by node name; with `recurse` also theirs, as `outer|inner`."""
        for name, node in self.program.nodes.items():
            if node.subgraph is None or (namespace is not None and namespace.split("|")[0] != name):
                continue
            if namespace in (None, name):
                yield name, node.subgraph
            if recurse or (namespace is not None and namespace != name):
                rest = None if namespace in (None, name) else namespace.split("|", 1)[1]
                for inner, graph in node.subgraph.get_subgraphs(namespace=rest, recurse=recurse):
                    yield f"{name}|{inner}", graph

    async def aget_subgraphs(
        self, *, namespace: str | None = None, recurse: bool = False
    ) -> AsyncIterator[tuple[str, CompiledGraph[Any, Any, Any, Any]]]:
        """`get_subgraphs` for asyncio."""
        for found in self.get_subgraphs(namespace=namespace, recurse=recurse):
            yield found


class CompiledStateGraph(CompiledGraph[StateT, ContextT, InputT, OutputT]):
    """A compiled `StateGraph`; `builder` is what it was made of."""

    stream_mode = "updates"

    def __init__(self, builder: StateGraph[Any, Any, Any, Any], *, name: str | None = None, **options: Any) -> None:
        super().__init__(program_of(builder, name or DEFAULT_NAME), **options)
        self.builder = builder

    @property
    def nodes(self) -> dict[str, Any]:
        """The nodes by name, the start included."""
        return {self.program.start.name: self.program.start, **self.program.nodes}

    @property
    def channels(self) -> dict[str, Any]:
        """The channels by name, signals between nodes included."""
        return {**self.program.state, **self.program.control}

    def get_graph(self, config: RunnableConfig | None = None, *, xray: int | bool = False) -> Graph:
        """The graph as nodes and edges, to be drawn; `xray`: with subgraphs expanded, so many levels or all."""
        from headrace.graph.view import drawing_of  # noqa: PLC0415 - drawing is for people, not for runs

        return drawing_of(self, xray)

    async def aget_graph(self, config: RunnableConfig | None = None, *, xray: int | bool = False) -> Graph:
        """`get_graph` for asyncio."""
        return self.get_graph(config, xray=xray)

    def get_input_jsonschema(self, config: RunnableConfig | None = None) -> dict[str, Any]:
        """The JSON schema of the input."""
        return self._jsonschema(self.builder.input_schema, f"{self.name}Input")

    def get_output_jsonschema(self, config: RunnableConfig | None = None) -> dict[str, Any]:
        """The JSON schema of the output."""
        return self._jsonschema(self.builder.output_schema, f"{self.name}Output")

    def get_context_jsonschema(self) -> dict[str, Any] | None:
        """The JSON schema of the context; None when the graph has no context schema."""
        schema = self.builder.context_schema
        return None if schema is None else self._jsonschema(schema, schema.__name__)

    def get_config_jsonschema(self, *, include: Sequence[str] | None = None) -> dict[str, Any]:
        """The JSON schema of the config's `configurable`."""
        from headrace.graph.jsonschema import config_json_schema  # noqa: PLC0415

        return config_json_schema(self.builder.context_schema, name=f"{self.name}Config")

    def _jsonschema(self, schema: Any, name: str) -> dict[str, Any]:
        from headrace.graph.jsonschema import json_schema  # noqa: PLC0415 - needs Pydantic

        return json_schema(schema, name=name)


def numbered() -> Callable[[Item], StreamEvent]:
    """Gives each event of one run its number as it is read."""
    count = 0

    def event(item: Item) -> StreamEvent:
        nonlocal count
        count += 1
        return StreamEvent(count, *item)

    return event


def result(run: Run, version: str) -> Any:
    """What a run comes to."""
    value = run.read(run.outputs, previewed(run, run.active) if run.suspended else None)
    if version == "v2":
        present = run.program.present_output
        return GraphOutput(value if present is None else present(value), tuple(run.interrupts))
    if run.interrupts:
        questions = list(run.interrupts)
        return {**value, INTERRUPT: questions} if isinstance(value, dict) else {INTERRUPT: questions}
    return value


def gathered(events: list[Any], mode: Any, version: str) -> Any:
    """The result of `invoke` out of a stream's events."""
    if mode != "values":
        return events
    if version == "v2":
        interrupts = tuple(one for event in events for one in event.get("interrupts", ()))
        return GraphOutput(events[-1]["data"] if events else None, interrupts)
    return events[-1] if events else None
