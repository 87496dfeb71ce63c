"""The low-level face of the engine: nodes that listen to channels and write to channels, without a shared state.

one = NodeBuilder().subscribe_only("a").do(lambda x: x + x).write_to("b")
app = Pregel(nodes={"one": one}, channels={"a": EphemeralValue(str), "b": LastValue(str)},
             input_channels="a", output_channels="b")
app.invoke({"a": "x"})
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from typing_extensions import Self

from headrace.channels import BaseChannel, Topic
from headrace.engine.program import Callee, Node, Program, Write
from headrace.engine.run import Run
from headrace.errors import InvalidGraphError, InvalidUpdateError
from headrace.graph.compile import for_this_graph
from headrace.graph.compiled import CompiledGraph
from headrace.graph.node import as_tuple
from headrace.graph.state import as_names
from headrace.managed import ManagedValue
from headrace.names import DEFAULT_NAME, START, TASKS
from headrace.types import All, CachePolicy, Checkpointer, Command, RetryPolicy, Send, TimeoutPolicy


class NodeBuilder:
    """Describes one node: what it listens to, what it does, where its result goes."""

    def __init__(self) -> None:
        self.triggers: list[str] = []
        self.reads: list[str] = []
        self.only: str | None = None
        self.action: Any = None
        self.targets: dict[str, Any] = {}
        """Channel to what is written: the result, a function of it, or a constant."""
        self.tags: list[str] = []
        self.metadata: dict[str, Any] = {}
        self.retry: tuple[RetryPolicy, ...] = ()
        self.cache: CachePolicy | None = None
        self.timeout: TimeoutPolicy | None = None

    def subscribe_only(self, channel: str) -> Self:
        """Run when this channel was written, with its value as the input."""
        self.only = channel
        self.triggers = [channel]
        return self

    def subscribe_to(self, *channels: str, read: bool = True) -> Self:
        """Run when one of these channels was written; with `read`, their values are part of the input, a dict."""
        self.triggers += [channel for channel in channels if channel not in self.triggers]
        if read:
            self.read_from(*channels)
        return self

    def read_from(self, *channels: str) -> Self:
        """Add these channels to the input without listening to them."""
        self.reads += [channel for channel in channels if channel not in self.reads]
        return self

    def do(self, node: Any) -> Self:
        """What the node does: a function, sync or async, or anything with `invoke`."""
        self.action = node
        return self

    def write_to(self, *channels: str, **values: Any) -> Self:
        """Write the result to `channels`; to a channel given by name a constant, or what a function makes of it.

        A function that returns None writes nothing.
        """
        self.targets.update(dict.fromkeys(channels, RESULT))
        self.targets.update(values)
        return self

    def meta(self, *tags: str, **metadata: Any) -> Self:
        """Tags and metadata for callbacks and events."""
        self.tags += tags
        self.metadata.update(metadata)
        return self

    def add_retry_policies(self, *policies: RetryPolicy) -> Self:
        """When to run again after an error; the first that covers it counts."""
        self.retry += policies
        return self

    def add_cache_policy(self, policy: CachePolicy) -> Self:
        """Keep the result for the same input."""
        self.cache = policy
        return self

    def set_timeout(self, timeout: float | timedelta | TimeoutPolicy | None) -> Self:
        """Seconds for one attempt, or a policy."""
        self.timeout = TimeoutPolicy.of(timeout)
        return self

    def build(self) -> Self:
        """The builder itself; `Pregel` takes it as it is."""
        return self

    def node(self, name: str, channels: Mapping[str, Any]) -> Node:
        """The node as the engine runs it."""
        return Node(
            name=name,
            callee=Callee.of(self.action if self.action is not None else same),
            triggers=tuple(self.triggers),
            read=self.reader(channels),
            write=self.writes,
            retry=self.retry,
            cache=self.cache,
            timeout=self.timeout,
            metadata=self.metadata,
            tags=tuple(self.tags),
            subgraph=self.action if hasattr(self.action, "program") else None,
        )

    def reader(self, channels: Mapping[str, Any]) -> Callable[[Run], Any]:
        """The input out of a run's values."""
        only, managed = self.only, {key: channels[key] for key in self.reads if isinstance(channels[key], ManagedValue)}
        if only is not None and not self.reads:
            return lambda run: run.read(only)
        keys = tuple(key for key in self.reads if key not in managed and self.sees(key, channels[key]))

        def read(run: Run) -> Any:
            return {**run.read(keys), **{key: value.read(run.remaining()) for key, value in managed.items()}}

        return read

    def sees(self, key: str, channel: BaseChannel[Any, Any]) -> bool:
        """Whether the node may read a channel: one that waits for the end is seen by those that it wakes."""
        return key in self.triggers or not channel.after_finish

    def writes(self, output: Any) -> list[Write]:
        """What a result writes."""
        writes: list[Write] = []
        for channel, target in self.targets.items():
            value = output if target is RESULT else target(output) if callable(target) else target
            if value is not None:
                writes.append((channel, value))
        if isinstance(output, Send):
            writes.append((TASKS, output))
        return writes


class _Result:
    """Stands for the node's result."""


RESULT = _Result()


def same(value: Any) -> Any:
    """A node that passes its input on."""
    return value


class Pregel(CompiledGraph[Any, Any, Any, Any]):
    """Nodes and channels as they are; see `NodeBuilder`. `StateGraph` is the friendlier way to build one."""

    def __init__(
        self,
        *,
        nodes: Mapping[str, NodeBuilder],
        channels: Mapping[str, BaseChannel[Any, Any] | ManagedValue] | None,
        input_channels: str | Sequence[str],
        output_channels: str | Sequence[str],
        stream_channels: str | Sequence[str] | None = None,
        stream_mode: Any = "values",
        interrupt_before_nodes: All | Sequence[str] = (),
        interrupt_after_nodes: All | Sequence[str] = (),
        checkpointer: Checkpointer = None,
        store: Any = None,
        cache: Any = None,
        retry_policy: RetryPolicy | Sequence[RetryPolicy] = (),
        cache_policy: CachePolicy | None = None,
        auto_validate: bool = True,
        debug: bool | None = None,
        config: Any = None,
        name: str = DEFAULT_NAME,
    ) -> None:
        given = dict(channels or {})
        if auto_validate:
            checked(nodes, given, input_channels, output_channels)
        for builder in nodes.values():
            builder.retry = builder.retry or as_tuple(retry_policy)
            builder.cache = builder.cache or cache_policy
        super().__init__(
            program_of(nodes, given, input_channels, output_channels, stream_channels, name),
            checkpointer=checkpointer,
            cache=cache,
            store=store,
            interrupt_before=interrupt_before_nodes,
            interrupt_after=interrupt_after_nodes,
            debug=bool(debug),
            config=config,
        )
        self.stream_mode = stream_mode
        self.nodes = dict(nodes)
        self.channels = given
        self.input_channels = input_channels
        self.output_channels = output_channels


def program_of(
    nodes: Mapping[str, NodeBuilder],
    channels: Mapping[str, Any],
    inputs: str | Sequence[str],
    outputs: str | Sequence[str],
    streamed: str | Sequence[str] | None,
    name: str,
) -> Program:
    """The program of channels and nodes."""
    state = {key: one.copy() for key, one in channels.items() if isinstance(one, BaseChannel)}
    takes = Inputs(inputs)
    return Program(
        name=name,
        nodes={key: builder.node(key, channels) for key, builder in nodes.items()},
        state=state,
        control={TASKS: Topic(Send)},
        managed={key: one for key, one in channels.items() if isinstance(one, ManagedValue)},
        command=takes.commanded,
        start=Node(START, Callee(None, None), (START,), lambda run: run.input, takes),
        outputs=visible(state, outputs),
        streamed=visible(state, outputs if streamed is None else streamed),
    )


def visible(state: Mapping[str, BaseChannel[Any, Any]], keys: str | Sequence[str]) -> str | tuple[str, ...]:
    """Those of the keys that others than their listeners see."""
    return keys if isinstance(keys, str) else tuple(key for key in keys if not state[key].after_finish)


class Inputs:
    """What an input, or a caller's command, writes."""

    def __init__(self, keys: str | Sequence[str]) -> None:
        self.keys = keys

    def __call__(self, value: Any) -> list[Write]:
        if isinstance(self.keys, str):
            return [(self.keys, value)]
        if not isinstance(value, Mapping):
            raise InvalidUpdateError(f"the input is {value!r}, not a dict of the input channels {list(self.keys)}")
        return [(key, one) for key, one in value.items() if key in self.keys]

    def commanded(self, command: Command[Any]) -> list[Write]:
        if for_this_graph(command).goto:
            raise InvalidUpdateError("a low-level graph has no nodes to go to by name; write to their channels instead")
        return [] if command.update is None else self(command.update)


def checked(
    nodes: Mapping[str, NodeBuilder],
    channels: Mapping[str, Any],
    inputs: str | Sequence[str],
    outputs: str | Sequence[str],
) -> None:
    """InvalidGraphError with every channel that is used and not there, and every node that nothing wakes."""
    used = [(f"input_channels has {key!r}", key) for key in as_names(inputs)]
    used += [(f"output_channels has {key!r}", key) for key in as_names(outputs)]
    found = []
    for name, builder in nodes.items():
        used += [(f"node {name!r} uses {key!r}", key) for key in (*builder.triggers, *builder.reads, *builder.targets)]
        if not builder.triggers:
            found.append(f"node {name!r} listens to no channel; give it one with subscribe_only() or subscribe_to()")
    known = ", ".join(map(repr, channels))
    found += [f"{text}, which is no channel; the channels are: {known}" for text, key in used if key not in channels]
    if found:
        raise InvalidGraphError(found)
