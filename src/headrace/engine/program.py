"""What a graph compiles to: a flat, immutable description that the engine runs.

Everything that can be known before a run is known here: which channel wakes which nodes, how a node reads its
input and what its return value means, which parameters its function wants. A step looks up and calls; it scans
nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headrace import ids
from headrace.channels.base import BaseChannel
from headrace.channels.signal import Signal
from headrace.managed import ManagedValue
from headrace.names import DEFAULT_NAME, PUSH, TASKS
from headrace.types import MISSING, CachePolicy, RetryPolicy, TimeoutPolicy

if TYPE_CHECKING:
    from headrace.engine.run import Run
    from headrace.types import Send

Write = tuple[str, Any]
"""A channel and what was written to it."""

INJECTED = frozenset({"config", "runtime", "writer", "store", "previous"})
"""Parameters of a node, beside its input, that the engine fills in by name."""


@dataclass(frozen=True, slots=True)
class Callee:
    """A user's function, as the engine calls it: `fn(input, **{name: value for name in wants})`."""

    sync: Callable[..., Any] | None
    awaited: Callable[..., Any] | None
    """The form that returns an awaitable."""
    wants: frozenset[str] = frozenset()

    @classmethod
    def of(cls, function: Any, extra: frozenset[str] = frozenset()) -> Callee:
        """How to call a function, a callable object or anything with `invoke` and `ainvoke`."""
        if hasattr(function, "program"):  # a graph finds the run that it is part of by itself
            return cls(function.invoke, function.ainvoke)
        if hasattr(function, "invoke") and hasattr(function, "ainvoke"):
            return cls(function.invoke, function.ainvoke, frozenset(getattr(function, "wants", {"config"})))
        if not callable(function):
            raise TypeError(f"expected a function or something with invoke(), got {function!r}")
        wants = wanted(function, INJECTED | extra)
        return cls(None, function, wants) if is_async(function) else cls(function, None, wants)


def identity_of(function: Any) -> str:
    """A function by where it stands and what it says, the same in every process."""
    function = unwrapped(function)
    place = f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', type(function).__qualname__)}"
    code = getattr(function, "__code__", None)
    if code is None:
        return place
    plain = [const for const in code.co_consts if isinstance(const, (str, int, float, bytes, bool, type(None), tuple))]
    return f"{place} {ids.digest(f'{code.co_code!r} {plain!r} {code.co_names!r}')}"


def unwrapped(function: Any) -> Any:
    """What a `functools.partial` calls."""
    while hasattr(function, "func") and hasattr(function, "keywords"):
        function = function.func
    return function


def is_async(function: Any) -> bool:
    """Whether calling it gives an awaitable: also through `functools.partial` and `__call__`."""
    function = unwrapped(function)
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


def wanted(function: Any, names: frozenset[str]) -> frozenset[str]:
    """Those of `names` that the function has as parameters after its first."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):  # a builtin without a signature
        return frozenset()
    by_name = (parameter.name for parameter in parameters[1:] if parameter.kind is not parameter.POSITIONAL_ONLY)
    return names.intersection(by_name)


@dataclass(frozen=True, slots=True)
class Branch:
    """A routing function and what its answers mean."""

    name: str
    callee: Callee
    goals: Callable[[Any], list[Write]]
    """From the function's answer to writes of control channels; InvalidUpdateError for an unknown target."""
    read: Callable[[Run, Mapping[str, Any]], Any]
    """From the state with the node's own writes to the function's input."""


@dataclass(slots=True, eq=False)
class Node:
    """A node of the program. Frozen in spirit: only `compile` writes it."""

    name: str
    callee: Callee
    triggers: tuple[str, ...]
    """The channels that wake it."""
    read: Callable[[Run], Any]
    """Its input, made from the run's state."""
    write: Callable[[Any], list[Write]]
    """Its return value as writes of state channels, and of control channels for `goto`."""
    signals: tuple[Write, ...] = ()
    """Its static edges."""
    branches: tuple[Branch, ...] = ()
    convert: Callable[[Any], Any] | None = None
    """Turns a `Send`'s argument into the node's input schema."""
    consumes: tuple[str, ...] = field(init=False, default=())
    """Those of its triggers that it resets by running."""
    retry: tuple[RetryPolicy, ...] = ()
    cache: CachePolicy | None = None
    timeout: TimeoutPolicy | None = None
    handler: str | None = None
    """The node that takes over when this one fails."""
    metadata: dict[str, Any] = field(default_factory=dict)
    subgraph: Any = None
    """The compiled graph that this node is, if it is one."""
    tags: tuple[str, ...] = ()
    trace: Any = None

    @property
    def identity(self) -> str:
        """What its cached results go by: its name and its code, so that no other graph's node is taken for it."""
        return f"{self.name} {identity_of(self.callee.sync or self.callee.awaited)}"


@dataclass(slots=True, eq=False)
class Program:
    """A compiled graph as data."""

    name: str
    nodes: dict[str, Node]
    state: dict[str, BaseChannel]
    """The channels whose values users see, in the order in which they show them."""
    control: dict[str, BaseChannel]
    """The channels that carry signals between nodes."""
    managed: dict[str, ManagedValue]
    command: Callable[[Any], list[Write]]
    """The writes that a caller's command stands for."""
    start: Node
    """A pseudo-node that an input is the return value of."""
    outputs: str | tuple[str, ...]
    """What `invoke` returns."""
    streamed: str | tuple[str, ...]
    """What `values` and `updates` events show."""
    context: Callable[[Any], Any] | None = None
    """Makes the runtime's context out of what the caller passes."""
    present: Callable[[Any], Any] | None = None
    """Makes an object of the state's class out of values, for typed results."""
    present_output: Callable[[Any], Any] | None = None
    """The same for the output."""
    whole: Callable[[Run], Any] = lambda run: run.state()
    """The state as a node without an input schema of its own reads it."""
    channels: dict[str, BaseChannel] = field(init=False)
    listeners: dict[str, tuple[Node, ...]] = field(init=False)
    """Which nodes a channel wakes."""
    deferred: tuple[str, ...] = field(init=False)
    """Channels whose listeners wait until nothing else is due."""
    prepares: dict[str, Callable[[Any], Any]] = field(init=False)
    """Channels that fill in what is written to them."""
    starting: tuple[tuple[str, BaseChannel], ...] = field(init=False)
    """The channels that hold a value before any write."""
    everything: tuple[str, ...] = field(init=False)
    """All keys of the state."""
    shown: frozenset[str] = field(init=False)
    """The streamed keys."""
    label: str = field(init=False)
    """What error messages call it."""
    signals: frozenset[str] = field(init=False)
    """Control channels that hold nothing: that they were written is all they say."""
    consumes: bool = field(init=False)
    """Whether any node resets the channels that wake it."""
    may_nest: bool = field(init=False)
    """Whether a node may run another graph: it is one, or its code cannot be told not to."""

    def __post_init__(self) -> None:
        self.channels = {**self.state, **self.control}
        for key, channel in self.channels.items():
            channel.key = key
        listeners: dict[str, list[Node]] = {}
        for node in self.nodes.values():
            node.consumes = tuple(key for key in node.triggers if self.channels[key].consumed)
            for trigger in node.triggers:
                listeners.setdefault(trigger, []).append(node)
        self.listeners = {trigger: tuple(nodes) for trigger, nodes in listeners.items()}
        self.deferred = tuple(key for key, channel in self.channels.items() if channel.after_finish)
        prepares = {key: channel.prepare for key, channel in self.state.items()}
        self.prepares = {key: prepare for key, prepare in prepares.items() if prepare is not None}
        self.everything = tuple(self.state)
        if self.streamed == self.everything:
            self.streamed = self.everything
        if self.outputs == self.everything:
            self.outputs = self.everything
        self.shown = frozenset((self.streamed,) if isinstance(self.streamed, str) else self.streamed)
        self.label = "the graph" if self.name == DEFAULT_NAME else f"graph {self.name!r}"
        self.signals = frozenset(key for key, channel in self.control.items() if isinstance(channel, Signal))
        self.starting = tuple((key, one) for key, one in self.channels.items() if one.initial() is not MISSING)
        self.consumes = any(node.consumes for node in self.nodes.values())
        self.may_nest = any(node.subgraph is not None or opaque(node.callee) for node in self.nodes.values())


def opaque(callee: Callee) -> bool:
    """Whether a function could call a graph. One that names nothing global or enclosing cannot."""
    function = callee.sync or callee.awaited
    code = getattr(function, "__code__", None)
    if code is None:
        return True
    return bool(code.co_freevars) or bool(code.co_names) or any(hasattr(one, "co_code") for one in code.co_consts)


def prepared(program: Program, writes: list[Write]) -> list[Write]:
    """Writes of a node as they are to be shown and folded."""
    prepares = program.prepares
    if not prepares:
        return writes
    return [(key, prepares[key](value) if key in prepares else value) for key, value in writes]


def send_path(index: int) -> tuple[Any, ...]:
    """The path of the task that the step's `index`-th send made."""
    return (PUSH, index, False)


def sends(control: Mapping[str, Any]) -> Sequence[Send]:
    """The sends that are due."""
    return control.get(TASKS) or ()
