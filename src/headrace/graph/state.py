"""The graph builder."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, Literal

from typing_extensions import Self, TypeVar

from headrace.channels import BaseChannel, LastValue
from headrace.graph.node import BranchSpec, NodeSpec, as_tuple, goals_of, name_of, possible_ends
from headrace.graph.schema import Kind, input_schema_of, keys_of
from headrace.graph.validate import mistakes
from headrace.managed import ManagedValue
from headrace.names import END, HANDLER, START
from headrace.types import All, CachePolicy, Checkpointer, RetryPolicy, TimeoutPolicy, TracePolicy

if TYPE_CHECKING:
    from headrace.cache.base import BaseCache
    from headrace.graph.compiled import CompiledStateGraph

StateT = TypeVar("StateT", default=Any)
ContextT = TypeVar("ContextT", default=None)
InputT = TypeVar("InputT", default=StateT)
OutputT = TypeVar("OutputT", default=StateT)


RUNNING = frozenset({"invoke", "ainvoke", "stream", "astream", "batch", "abatch", "get_state", "get_graph"})
"""Methods of a graph that is compiled."""


class StateGraph(Generic[StateT, ContextT, InputT, OutputT]):
    """A graph of nodes that read a shared state and return updates of it.

    `state_schema` is a TypedDict, a dataclass or a Pydantic model; `Annotated[list, add]` gives a key a reducer.
    Methods return the builder, so calls can be chained; mistakes are reported by `compile`, all at once.
    """

    def __init__(
        self,
        state_schema: type[StateT],
        context_schema: type[ContextT] | None = None,
        *,
        input_schema: type[InputT] | None = None,
        output_schema: type[OutputT] | None = None,
    ) -> None:
        self.state_schema = state_schema
        self.context_schema = context_schema
        self.input_schema: Any = input_schema or state_schema
        self.output_schema: Any = output_schema or state_schema
        self.nodes: dict[str, NodeSpec] = {}
        self.edges: list[tuple[str, str]] = []
        self.joins: list[tuple[tuple[str, ...], str]] = []
        self.branches: list[BranchSpec] = []
        self.schemas: dict[Any, dict[str, Kind]] = {}
        """The keys of every schema that something in the graph uses."""
        self.found: list[str] = []
        """Mistakes that were seen while building."""
        self._defaults: dict[str, Any] = {}
        self.add_schema(state_schema)
        self.add_schema(self.input_schema)
        self.add_schema(self.output_schema)

    def add_schema(self, schema: Any) -> None:
        """Make the keys of a schema known to the graph."""
        if schema not in self.schemas:
            self.schemas[schema] = keys_of(schema)

    @property
    def keys(self) -> dict[str, Kind]:
        """All keys of all schemas, those of the state first; a key that says more than "last value" wins."""
        merged: dict[str, Kind] = {}
        for keys in self.schemas.values():
            for key, kind in keys.items():
                if key not in merged or plain(merged[key]):
                    merged[key] = kind
        return merged

    @property
    def channels(self) -> dict[str, BaseChannel[Any, Any]]:
        """The keys that can be written."""
        return {key: kind for key, kind in self.keys.items() if isinstance(kind, BaseChannel)}

    @property
    def managed(self) -> dict[str, ManagedValue]:
        """The keys that the engine fills in."""
        return {key: kind for key, kind in self.keys.items() if isinstance(kind, ManagedValue)}

    def set_node_defaults(
        self,
        *,
        retry_policy: RetryPolicy | Sequence[RetryPolicy] | None = None,
        cache_policy: CachePolicy | None = None,
        error_handler: Callable[..., Any] | None = None,
        timeout: float | timedelta | TimeoutPolicy | None = None,
    ) -> Self:
        """Policies for every node that has none of its own, whether it was added before or comes later."""
        given = {
            "retry": as_tuple(retry_policy),
            "cache": cache_policy,
            "error_handler": error_handler,
            "timeout": TimeoutPolicy.of(timeout),
        }
        self._defaults.update({name: value for name, value in given.items() if value})
        return self

    def add_node(
        self,
        node: str | Any,
        action: Any = None,
        *,
        defer: bool = False,
        metadata: dict[str, Any] | None = None,
        input_schema: Any = None,
        retry_policy: RetryPolicy | Sequence[RetryPolicy] | None = None,
        cache_policy: CachePolicy | None = None,
        error_handler: Callable[..., Any] | None = None,
        destinations: dict[str, str] | tuple[str, ...] | None = None,
        timeout: float | timedelta | TimeoutPolicy | None = None,
        trace_policy: TracePolicy | None = None,
    ) -> Self:
        """Add a node: `add_node(function)` under the function's name, or `add_node("name", function)`.

        The action is a function, sync or async, a callable object, anything with `invoke`, or a compiled graph. Its
        first argument is the state, as `input_schema` or the annotation of that parameter asks for it; `config`,
        `runtime`, `writer`, `store` and `previous` are filled in where it has parameters of these names.

        `defer`: run only when nothing else is due. `retry_policy`: one or several, the first that covers an error
        counts. `error_handler`: runs in place of the node when it has failed for good; gets the node's input and, as
        `error`, a `NodeError`. `destinations`: where a returned `Command` may lead, for drawings. `timeout`: seconds
        for one attempt, or a `TimeoutPolicy`.
        """
        name, action = (node, action) if isinstance(node, str) else (name_of(node), node if action is None else action)
        if action is None:
            self.found.append(f"node {name!r} has no function; pass one: add_node({name!r}, function)")
            action = same
        if isinstance(action, StateGraph):
            self.found.append(f"node {name!r} is a graph that is not compiled; pass its compile()")
            action = same
        if not callable(action) and not hasattr(action, "invoke"):
            self.found.append(f"node {name!r} needs a function or something with invoke(), got {action!r}")
            action = same
        if name in self.nodes:
            self.found.append(f"two nodes are called {name!r}; give one of them another name")
        schema = input_schema or input_schema_of(action) or self.state_schema
        self.add_schema(schema)
        spec = NodeSpec(
            name, action, defer, metadata, schema, as_tuple(retry_policy), cache_policy,
            destinations=labelled(goals_of(action) if destinations is None else destinations),
            timeout=TimeoutPolicy.of(timeout), trace=trace_policy,
        )  # fmt: skip
        if error_handler is not None:
            spec.handler = self.add_handler(name, error_handler, schema)
        self.nodes[name] = spec
        return self

    def add_handler(self, name: str, function: Any, schema: Any) -> str:
        """The node that takes over when node `name` fails; its name."""
        handler = f"{HANDLER}{name}"
        self.nodes[handler] = NodeSpec(handler, function, input_schema=schema, handles_errors=True)
        return handler

    def add_edge(self, start_key: str | Sequence[str], end_key: str) -> Self:
        """Lead from a node to another; from a list of nodes: once all of them have run."""
        starts: list[Any] = [start_key] if isinstance(start_key, str) or callable(start_key) else list(start_key)
        wrong = [end for end in (*starts, end_key) if not isinstance(end, str)]
        if wrong:
            self.found.append(f"an edge takes names of nodes, got {wrong[0]!r}; pass {name_of(wrong[0])!r}")
        elif isinstance(start_key, str):
            self.edges.append((start_key, end_key))
        else:
            self.joins.append((tuple(starts), end_key))
        return self

    def add_conditional_edges(
        self, source: str, path: Any, path_map: Mapping[Hashable, str] | list[str] | None = None
    ) -> Self:
        """After `source`, go where `path` says: to one node, to several, or to `Send`s.

        `path` is called with the state as the node left it. `path_map` translates its answers to names of nodes and
        tells drawings where they can lead; a return type `Literal["a", "b"]` does the latter as well.
        """
        name = name_of(path)
        if any(branch.source == source and branch.name == name for branch in self.branches):
            self.found.append(f"node {source!r} has two conditional edges by {name!r}; one of them is enough")
        ends = possible_ends(path, path_map)
        reads = None if hasattr(path, "invoke") else input_schema_of(path)
        if reads is not None:
            self.add_schema(reads)
        self.branches.append(BranchSpec(source, name, path, ends, reads))
        return self

    def add_sequence(self, nodes: Sequence[Any]) -> Self:
        """Add nodes, functions or `(name, function)` pairs, each leading to the next."""
        if not nodes:
            self.found.append("add_sequence() got no nodes")
        before = None
        for node in nodes:
            name, action = node if isinstance(node, tuple) else (name_of(node), node)
            self.add_node(name, action)
            if before is not None:
                self.add_edge(before, name)
            before = name
        return self

    def set_entry_point(self, key: str) -> Self:
        """Start at this node: `add_edge(START, key)`."""
        return self.add_edge(START, key)

    def set_finish_point(self, key: str) -> Self:
        """End after this node: `add_edge(key, END)`."""
        return self.add_edge(key, END)

    def set_conditional_entry_point(
        self, path: Any, path_map: Mapping[Hashable, str] | list[str] | None = None
    ) -> Self:
        """Start where `path` says: `add_conditional_edges(START, path, path_map)`."""
        return self.add_conditional_edges(START, path, path_map)

    def __getattr__(self, name: str) -> Any:
        remedy = f"; compile it first: graph.compile().{name}(...)" if name in RUNNING else ""
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{remedy}")

    def validate(self, interrupt: Sequence[str] | Literal["*"] | None = None) -> Self:
        """InvalidGraphError with every mistake of the graph, if it has any."""
        mistakes(self, interrupt or ())
        return self

    def completed(self) -> dict[str, NodeSpec]:
        """The nodes with the defaults filled in."""
        default = self._defaults
        for name, spec in list(self.nodes.items()):
            if spec.handles_errors:
                continue
            spec.retry = spec.retry or default.get("retry", ())
            spec.cache = spec.cache or default.get("cache")
            spec.timeout = spec.timeout or default.get("timeout")
            if spec.handler is None and "error_handler" in default:
                spec.handler = self.add_handler(name, default["error_handler"], spec.input_schema)
        return self.nodes

    def compile(
        self,
        checkpointer: Checkpointer = None,
        *,
        cache: BaseCache[Any] | None = None,
        store: Any = None,
        interrupt_before: All | list[str] | None = None,
        interrupt_after: All | list[str] | None = None,
        debug: bool = False,
        name: str | None = None,
    ) -> CompiledStateGraph[StateT, ContextT, InputT, OutputT]:
        """A graph that can run. InvalidGraphError with every mistake, if it has any.

        `checkpointer` keeps the state of threads; `interrupt_before` and `interrupt_after` name nodes (or `"*"`) at
        which a run pauses; `debug` prints every step.
        """
        from headrace.graph.compiled import CompiledStateGraph  # noqa: PLC0415 - which needs this class for its types

        if isinstance(checkpointer, type):
            raise TypeError(f"checkpointer must be a saver, got the class {checkpointer.__name__}; add () to make one")
        if not (checkpointer is None or isinstance(checkpointer, bool) or hasattr(checkpointer, "get_tuple")):
            raise TypeError(
                f"checkpointer must be a saver such as InMemorySaver(), True, False or None, got {checkpointer!r}"
            )
        names = [*as_names(interrupt_before), *as_names(interrupt_after)]
        self.validate([name for name in names if name != "*"])
        return CompiledStateGraph(
            self,
            checkpointer=checkpointer,
            cache=cache,
            store=store,
            interrupt_before=interrupt_before,
            interrupt_after=interrupt_after,
            debug=debug,
            name=name,
        )


def __getattr__(name: str) -> Any:
    """`CompiledStateGraph`, which users' type hints look for here, and whose module needs this one."""
    if name == "CompiledStateGraph":
        from headrace.graph.compiled import CompiledStateGraph  # noqa: PLC0415

        return CompiledStateGraph
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def same(value: Any) -> Any:
    """Stands for an action that is none, until `compile` reports it."""
    return value


def plain(kind: Kind) -> bool:
    """Whether a key is nothing more than a last value."""
    return type(kind) is LastValue


def as_names(nodes: All | Sequence[str] | None) -> tuple[str, ...]:
    """Names of nodes as a tuple; "*" stays one name."""
    if nodes is None:
        return ()
    return (nodes,) if isinstance(nodes, str) else tuple(nodes)


def labelled(destinations: Mapping[str, str] | Sequence[str] | None) -> Mapping[str, str | None]:
    """Destinations with their labels."""
    if isinstance(destinations, Mapping):
        return dict(destinations)
    return dict.fromkeys(destinations or ())
