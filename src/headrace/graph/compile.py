"""From what the author described to the program that the engine runs."""

from __future__ import annotations

import warnings
from collections.abc import AsyncGenerator, Callable, Generator, Hashable, Mapping
from typing import TYPE_CHECKING, Any

from headrace.channels import BaseChannel, NamedBarrierValue, NamedBarrierValueAfterFinish, Topic
from headrace.channels.base import own
from headrace.channels.signal import DeferredSignal, Signal
from headrace.engine.program import Branch, Callee, Node, Program, Write
from headrace.errors import InvalidInputError, InvalidUpdateError, ParentCommand
from headrace.graph.node import BranchSpec, NodeSpec
from headrace.graph.schema import converter, fields_of, is_mapping
from headrace.graph.validate import known
from headrace.names import END, ROOT, START, TASKS, branch_to, join_to
from headrace.types import MISSING, Command, Send

if TYPE_CHECKING:
    from headrace.engine.run import Run
    from headrace.graph.state import StateGraph

    Builder = StateGraph[Any, Any, Any, Any]

HANDLED = frozenset({"error"})


def program_of(graph: Builder, name: str) -> Program:
    """The program of a builder that was found to have no mistakes."""
    specs = graph.completed()
    state = {key: channel.copy() for key, channel in graph.channels.items()}
    control, triggers = signals(graph, specs)
    goals = Goals(specs)
    outputs = shown(graph, graph.output_schema, state)
    nodes = {name: node_of(graph, spec, state, triggers[name], goals) for name, spec in specs.items()}
    return Program(
        name=name,
        nodes=nodes,
        state=state,
        control=control,
        managed=graph.managed,
        command=Commanded(state, goals),
        start=start_of(graph, state, goals),
        outputs=outputs,
        streamed=ROOT if ROOT in state else visible(state),
        context=converter(graph.context_schema),
        present=presenter(graph.state_schema),
        present_output=presenter(graph.output_schema),
        whole=reader(graph, graph.state_schema, state),
    )


def presenter(schema: Any) -> Callable[[Any], Any] | None:
    """Makes an object of the schema out of values; values that are not complete stay a dict."""
    convert = converter(schema)
    if convert is None:
        return None

    def present(values: Any) -> Any:
        try:
            return convert(values)
        except (TypeError, ValueError):
            return values

    return present


def signals(graph: Builder, specs: Mapping[str, NodeSpec]) -> tuple[dict[str, BaseChannel], dict[str, tuple[str, ...]]]:
    """The control channels, and which of them wake which node."""
    control: dict[str, BaseChannel[Any, Any]] = {TASKS: Topic(Send)}
    triggers: dict[str, tuple[str, ...]] = {}
    for name, spec in specs.items():
        control[branch_to(name)] = DeferredSignal() if spec.defer else Signal()
        triggers[name] = (branch_to(name),)
    for starts, end in graph.joins:
        if end != END:
            barrier = NamedBarrierValueAfterFinish if specs[end].defer else NamedBarrierValue
            key = join_to(list(starts), end)
            control[key] = barrier(str, starts)
            triggers[end] = (*triggers[end], key)
    return control, triggers


def node_of(
    graph: Builder, spec: NodeSpec, state: dict[str, BaseChannel], triggers: tuple[str, ...], goals: Goals
) -> Node:
    """One node with its edges."""
    function = spec.data
    branches = [branch for branch in graph.branches if branch.source == spec.name]
    edges: list[Write] = [(branch_to(end), None) for start, end in graph.edges if start == spec.name and end != END]
    joins: list[Write] = [
        (join_to(list(starts), end), spec.name) for starts, end in graph.joins if spec.name in starts and end != END
    ]
    return Node(
        name=spec.name,
        callee=Callee.of(function, HANDLED if spec.handles_errors else frozenset()),
        triggers=triggers,
        read=reader(graph, spec.input_schema, state),
        write=update_of(spec.name, state, goals, lenient=spec.subgraph is not None),
        signals=(*edges, *joins),
        branches=tuple(branch_of(graph, branch, state, goals) for branch in branches),
        convert=converter(spec.input_schema),
        retry=spec.retry,
        cache=spec.cache,
        timeout=spec.timeout,
        handler=spec.handler,
        metadata=spec.metadata or {},
        subgraph=spec.inner,
        tags=tags_of(function),
        trace=spec.trace,
    )


def tags_of(action: Any) -> tuple[str, ...]:
    """The tags that a runnable or a graph was given with `with_config`."""
    config = getattr(action, "config", None)
    return tuple(config.get("tags") or ()) if isinstance(config, dict) else ()


def start_of(graph: Builder, state: dict[str, BaseChannel], goals: Goals) -> Node:
    """The pseudo-node whose edges lead on from an input."""
    branches = [branch for branch in graph.branches if branch.source == START]
    return Node(
        name=START,
        callee=Callee(None, None),
        triggers=(START,),
        read=lambda run: run.input,
        write=Input(graph, state),
        signals=tuple((branch_to(end), None) for start, end in graph.edges if start == START and end != END),
        branches=tuple(branch_of(graph, branch, state, goals) for branch in branches),
    )


def shown(graph: Builder, schema: Any, state: Mapping[str, BaseChannel[Any, Any]]) -> str | tuple[str, ...]:
    """The keys of a schema that hold values."""
    keys = tuple(key for key in visible(state) if key in graph.schemas[schema])
    return ROOT if keys == (ROOT,) else keys


def visible(state: Mapping[str, BaseChannel[Any, Any]]) -> tuple[str, ...]:
    """The keys that nodes and callers see: not those that wait for the end."""
    return tuple(key for key, channel in state.items() if not channel.after_finish)


class Reader:
    """How an input is made of a run's values: a dict of a schema's keys, or an object of the schema."""

    def __init__(self, graph: Builder, schema: Any, state: Mapping[str, BaseChannel[Any, Any]]) -> None:
        keys = graph.schemas[schema]
        self.root = not is_mapping(schema)
        self.keys = tuple(key for key, channel in state.items() if key in keys and not channel.after_finish)
        self.whole = self.keys == tuple(state)
        self.managed = {key: graph.managed[key] for key in keys if key in graph.managed}
        self.convert = converter(schema)

    def plain(self) -> bool:
        """Whether the input is just a copy of all values."""
        return self.whole and not self.root and not self.managed and self.convert is None

    def __call__(self, run: Run, changed: Mapping[str, Any] | None = None) -> Any:
        """The input; with `changed`, as the caller's own writes have changed these values."""
        if self.root:
            return copied(changed[ROOT]) if changed and ROOT in changed else run.read(ROOT)
        values = run.state() if self.whole else run.read(self.keys)
        for key, value in (changed or {}).items():
            if value is MISSING:
                values.pop(key, None)
            elif key in self.keys:
                values[key] = copied(value)
        for key, filled in self.managed.items():
            values[key] = filled.read(run.remaining())
        return values if self.convert is None else self.convert(values)


def copied(value: Any) -> Any:
    """A value for its reader to keep: containers are copies, a history of messages is a plain list."""
    return value.copy() if isinstance(value, list) else own(value)


def reader(graph: Builder, schema: Any, state: Mapping[str, BaseChannel[Any, Any]]) -> Callable[[Run], Any]:
    """How a node reads its input."""
    read = Reader(graph, schema, state)
    return whole_state if read.plain() else read


def whole_state(run: Run) -> dict[str, Any]:
    """The input of most nodes."""
    return run.state()


def branch_of(graph: Builder, spec: BranchSpec, state: Mapping[str, BaseChannel[Any, Any]], goals: Goals) -> Branch:
    """A routing function with what its answers mean."""
    read = Reader(graph, spec.reads or graph.state_schema, state)
    return Branch(spec.name, Callee.of(spec.path), Answers(spec, goals), read)


class Goals:
    """Where a run can go: names of nodes, END, and sends, as writes of control channels."""

    def __init__(self, nodes: Mapping[str, NodeSpec]) -> None:
        self.nodes = nodes

    def writes(self, goals: Any, whose: str) -> list[Write]:
        """The writes that lead to one goal or several; InvalidUpdateError for an unknown one."""
        several = goals if isinstance(goals, (list, tuple)) else (goals,)
        return [write for goal in several if goal != END for write in (self.write(goal, whose),)]

    def write(self, goal: Any, whose: str) -> Write:
        name = goal.node if isinstance(goal, Send) else goal
        if not isinstance(name, str) or name not in self.nodes:
            kind = "sends a task" if isinstance(goal, Send) else "leads"
            text = known(name, self.nodes) if isinstance(name, str) else "it must be the name of a node, END, or a Send"
            raise InvalidUpdateError(f"{whose} {kind} to unknown node {name!r}; {text}")
        return (TASKS, goal) if isinstance(goal, Send) else (branch_to(name), None)


class Answers:
    """What a routing function's answers mean."""

    def __init__(self, spec: BranchSpec, goals: Goals) -> None:
        self.whose = f"the conditional edge {spec.name!r} from {spec.source!r}"
        self.ends = spec.ends
        self.goals = goals

    def __call__(self, answer: Any) -> list[Write]:
        several = answer if isinstance(answer, (list, tuple)) else (answer,)
        return self.goals.writes([self.target(one) for one in several], self.whose)

    def target(self, answer: Any) -> Any:
        """The goal that one answer stands for."""
        if answer is None:
            raise InvalidUpdateError(f"{self.whose} gave no answer; return the name of a node, END, a Send or a list")
        if self.ends is None or isinstance(answer, Send):
            return answer
        if isinstance(answer, Hashable) and answer in self.ends:
            return self.ends[answer]
        raise InvalidUpdateError(
            f"{self.whose} answered {answer!r}, which its path map does not have; it has: "
            f"{', '.join(map(repr, self.ends))}"
        )


class Update:
    """What a node's return value writes: keys of the state, and for commands where to go."""

    __slots__ = ("goals", "lenient", "name", "state", "warned")

    def __init__(self, name: str, state: Mapping[str, Any], goals: Goals, lenient: bool = False) -> None:
        self.name = name
        self.state = state
        self.goals = goals
        self.lenient = lenient
        """Unknown keys are expected: a subgraph's state may have more keys than this graph's."""
        self.warned: set[str] = set()

    def __call__(self, output: Any) -> list[Write]:
        if type(output) is dict:
            state = self.state
            writes = [(key, value) for key, value in output.items() if key in state]
            if len(writes) != len(output):
                self.unknown(output, writes)
            return writes
        if output is None:
            return []
        if isinstance(output, Command):
            return self.commanded(output)
        if isinstance(output, (list, tuple)) and any(isinstance(one, Command) for one in output):
            return [write for one in output for write in self(one)]
        if isinstance(output, Mapping):
            return self(dict(output))
        fields = fields_of(output)
        if fields is None:
            yields = isinstance(output, (Generator, AsyncGenerator))
            hint = "; tell what comes on the way with get_stream_writer(), not with yield" if yields else ""
            raise InvalidUpdateError(
                f"node {self.name!r} returned {short(output)}; a node returns a dict of the keys it updates "
                f"({', '.join(map(repr, self.state))}), a Command, or None{hint}"
            )
        return [(key, value) for key, value in fields.items() if key in self.state]

    def commanded(self, command: Command[Any]) -> list[Write]:
        if command.graph is not None:
            raise ParentCommand(command)
        return [*self.updates(command.update), *self.goals.writes(command.goto, f"node {self.name!r}")]

    def updates(self, update: Any) -> list[Write]:
        """A command's update: what a node may return, or pairs of key and value."""
        if isinstance(update, (list, tuple)) and all(isinstance(one, tuple) and len(one) == 2 for one in update):
            return [write for pair in update for write in self(dict([pair]))]
        return self(update)

    def unknown(self, output: Mapping[str, Any], writes: list[Write]) -> None:
        """Keys that the state does not have: an error if there are no others, else a warning, once."""
        if self.lenient:
            return
        strangers = [key for key in output if key not in self.state]
        text = f"node {self.name!r} returned {', '.join(map(repr, strangers))}, which the state does not have"
        keys = f"its keys are: {', '.join(map(repr, self.state))}"
        if not writes:
            raise InvalidUpdateError(f"{text}; {keys}")
        if not self.warned.issuperset(strangers):
            self.warned.update(strangers)
            warnings.warn(f"{text}; it was dropped. {keys[0].upper()}{keys[1:]}", RuntimeWarning, stacklevel=2)


class RootUpdate(Update):
    """The same for a state that is one value: whatever a node returns is a write of it, None excepted."""

    __slots__ = ()

    def __call__(self, output: Any) -> list[Write]:
        if isinstance(output, Command):
            return self.commanded(output)
        if isinstance(output, (list, tuple)) and any(isinstance(one, Command) for one in output):
            return [write for one in output for write in self(one)]
        return [] if output is None else [(ROOT, output)]

    def updates(self, update: Any) -> list[Write]:
        return self(update)


def update_of(name: str, state: Mapping[str, Any], goals: Goals, lenient: bool = False) -> Update:
    """How the return values of a node of this name are read."""
    return (RootUpdate if ROOT in state else Update)(name, state, goals, lenient)


class Commanded:
    """What a command that a caller passes as input writes."""

    def __init__(self, state: Mapping[str, Any], goals: Goals) -> None:
        self.update = update_of("the caller's command", state, goals)

    def __call__(self, command: Command[Any]) -> list[Write]:
        return self.update.commanded(for_this_graph(command))


def for_this_graph(command: Command[Any]) -> Command[Any]:
    """A caller's command; InvalidUpdateError for one that is meant for another graph."""
    if command.graph is not None:
        raise InvalidUpdateError(
            f"a command for graph {command.graph!r} came as input, where there is no graph above; leave out `graph=`"
        )
    return command


class Input:
    """What an input writes."""

    def __init__(self, graph: Builder, state: Mapping[str, Any]) -> None:
        self.keys = {key: None for key in state if key in graph.schemas[graph.input_schema]}
        self.convert = converter(graph.input_schema)
        """A model refuses what does not fit; what fits is taken as it was given."""
        self.channels = {key: channel for key, channel in state.items() if channel.prepare is not None}
        """Those that take more than they hold: a message may be given as a text or a dict."""

    def merged(self, key: str, value: Any) -> Any:
        """A value as the state will hold it."""
        channel = self.channels.get(key)
        try:
            return value if channel is None else channel.fold(channel.initial(), [value])
        except ValueError:  # an update of what is there already, such as the removal of a message
            return channel.initial() if channel is not None else value

    def __call__(self, value: Any) -> list[Write]:
        if ROOT in self.keys:
            return [(ROOT, value)]
        if isinstance(value, Mapping):
            if self.convert is not None:
                self.convert({key: self.merged(key, one) for key, one in value.items()})
            writes = [(key, one) for key, one in value.items() if key in self.keys]
            if value and not writes:
                listed = ", ".join(map(repr, value))
                raise InvalidInputError(f"the input has {listed}, of which the graph takes none; {self.taken()}")
            return writes
        fields = fields_of(value)
        if fields is None:
            raise InvalidInputError(f"the input is {short(value)}, not a dict; {self.taken()}")
        return [(key, one) for key, one in fields.items() if key in self.keys]

    def taken(self) -> str:
        return f"its input keys are: {', '.join(map(repr, self.keys))}"


def short(value: Any) -> str:
    """A value, not too long, with its type."""
    text = repr(value)
    return f"{text if len(text) < 80 else text[:77] + '...'} ({type(value).__name__})"
