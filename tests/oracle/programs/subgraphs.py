"""Graphs in graphs: as a node, called in a node, nested, and commands to the parent."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Annotated, Any

from typing_extensions import TypedDict

from ..program import Turn, program
from ..roots import Kit
from .control import saying
from .returns import State

if TYPE_CHECKING:
    from headrace.types import StreamWriter

FOO = Turn({"foo": "foo"})
ZERO = Turn({"x": 0})


class Inner(TypedDict):
    foo: str
    bar: str


class Outer(TypedDict):
    foo: str


class Items(TypedDict):
    """State of subgraphs that run side by side: a plain key would be written by all of them."""

    log: Annotated[list[Any], operator.add]


def _inner(kit: Kit, **options: Any) -> Any:
    def subgraph_node_1(state: Inner) -> Any:
        return {"bar": "bar"}

    def subgraph_node_2(state: Inner) -> Any:
        return {"foo": state["foo"] + state["bar"]}

    return kit.chain(Inner, subgraph_node_1=subgraph_node_1, subgraph_node_2=subgraph_node_2).compile(**options)


def _outer(kit: Kit, node_2: Any) -> Any:
    builder = kit.StateGraph(Outer).add_node("node_1", kit.node(lambda state: {"foo": "hi! " + state["foo"]}))
    return builder.add_node("node_2", node_2).add_edge(kit.START, "node_1").add_edge("node_1", "node_2")


def _calling(kit: Kit, times: int = 1) -> Any:
    """A node that calls the inner graph itself."""
    inner = _inner(kit)

    def call(state: Outer) -> Any:
        return {"foo": "".join(inner.invoke({"foo": state["foo"]})["foo"] for _ in range(times))}

    async def acall(state: Outer) -> Any:
        return {"foo": "".join([(await inner.ainvoke({"foo": state["foo"]}))["foo"] for _ in range(times)])}

    return acall if kit.coroutines else call


@program(FOO, subgraphs=True, shapes=True)
def subgraph_as_a_node(kit: Kit) -> Any:
    return _outer(kit, _inner(kit)).compile()


@program(FOO, FOO, subgraphs=True, saved=True)
def subgraph_on_a_thread(kit: Kit) -> Any:
    return _outer(kit, _inner(kit)).compile(checkpointer=kit.InMemorySaver())


@program(FOO, FOO, subgraphs=True, saved=True, differences=("place of a memory of its own",))
def subgraph_with_a_memory_of_its_own(kit: Kit) -> Any:
    return _outer(kit, _inner(kit, checkpointer=True)).compile(checkpointer=kit.InMemorySaver())


@program(FOO, subgraphs=True, saved=True)
def subgraph_that_is_not_saved(kit: Kit) -> Any:
    return _outer(kit, _inner(kit, checkpointer=False)).compile(checkpointer=kit.InMemorySaver())


@program(FOO, subgraphs=True, drivers=("sync", "async", "threads"))
def subgraph_called_in_a_node(kit: Kit) -> Any:
    return _outer(kit, _calling(kit)).compile()


@program(FOO, subgraphs=True)
def subgraph_called_twice_in_a_node(kit: Kit) -> Any:
    return _outer(kit, _calling(kit, times=2)).compile()


@program(FOO, subgraphs=True, saved=True)
def subgraph_called_in_a_node_on_a_thread(kit: Kit) -> Any:
    return _outer(kit, _calling(kit)).compile(checkpointer=kit.InMemorySaver())


@program(FOO, subgraphs=True)
def subgraph_streamed_in_a_node(kit: Kit) -> Any:
    inner = _inner(kit)

    def call(state: Outer) -> Any:
        return {"foo": str(list(inner.stream({"foo": state["foo"]}, stream_mode="updates")))}

    async def acall(state: Outer) -> Any:
        return {"foo": str([part async for part in inner.astream({"foo": state["foo"]}, stream_mode="updates")])}

    return _outer(kit, acall if kit.coroutines else call).compile()


@program(FOO, subgraphs=True)
def three_levels(kit: Kit) -> Any:
    middle = kit.StateGraph(Outer).add_node("deep", _inner(kit)).add_edge(kit.START, "deep").compile()
    return _outer(kit, middle).compile()


@program(ZERO, subgraphs=True, parallel=True)
def parallel_subgraphs(kit: Kit) -> Any:
    def inner(*names: str) -> Any:
        return kit.chain(Items, **{name: saying(name) for name in names}).compile()

    builder = kit.StateGraph(State).add_node("left", inner("a", "b")).add_node("right", inner("c", "d"))
    return builder.add_edge(kit.START, "left").add_edge(kit.START, "right").compile()


@program(ZERO, subgraphs=True, parallel=True)
def subgraph_with_parallel_nodes(kit: Kit) -> Any:
    nodes = {name: saying(name) for name in ("b", "a", "c")}
    starts = ((kit.START, "b"), (kit.START, "a"))
    inner = kit.graph(State, nodes, *starts, ("a", "c"), ("b", "c")).compile()
    return kit.StateGraph(State).add_node("sub", inner).add_edge(kit.START, "sub").compile()


@program(ZERO, subgraphs=True, parallel=True)
def subgraph_by_send(kit: Kit) -> Any:
    def tell(state: Any, writer: StreamWriter) -> Any:
        writer({"by": "tell", "log": state["log"]})
        return {"log": [f"told {state['log']}"]}

    inner = kit.chain(Items, tell=tell).compile()
    builder = kit.StateGraph(State).add_node("sub", inner)
    sends = lambda state: [kit.Send("sub", {"log": [i]}) for i in range(2)]  # noqa: E731
    return builder.add_conditional_edges(kit.START, sends).compile()


@program(FOO, subgraphs=True, differences=("router sees unknown keys",))
def branch_after_a_subgraph_with_a_key_of_its_own(kit: Kit) -> Any:
    """What the branch sees of the subgraph's `bar`, which the outer state does not have."""

    def choose(state: Any) -> str:
        kit.calls.append(str(sorted(state)))
        return "tell"

    builder = kit.StateGraph(Tally).add_node("sub", _inner(kit))
    builder.add_node("tell", kit.node(lambda state: {"log": kit.calls}))
    return builder.add_edge(kit.START, "sub").add_conditional_edges("sub", choose, ["tell"]).compile()


@program(FOO, subgraphs=True)
def subgraph_with_an_output_schema(kit: Kit) -> Any:
    nodes = {"a": lambda state: {"bar": "b"}, "b": lambda state: {"foo": state["foo"] + state["bar"]}}
    inner = kit.graph(Inner, nodes, (kit.START, "a"), ("a", "b"), output_schema=Outer)
    return _outer(kit, inner.compile()).compile()


@program(ZERO, subgraphs=True)
def subgraph_fails(kit: Kit) -> Any:
    def fail(state: State) -> Any:
        raise ValueError("inner boom")

    inner = kit.chain(State, a=saying("a"), fail=fail).compile()
    return kit.StateGraph(State).add_node("sub", inner).add_edge(kit.START, "sub").compile()


class Tally(TypedDict):
    foo: str
    log: Annotated[list[str], operator.add]


@program(FOO, subgraphs=True)
def command_to_the_parent(kit: Kit) -> Any:
    def leave(state: Any) -> Any:
        return kit.Command(update={"foo": "left", "log": ["left"]}, goto="after", graph=kit.Command.PARENT)

    inner = kit.chain(Inner, a=lambda state: {"bar": "b"}, leave=leave, never=lambda state: {"bar": "never"}).compile()
    builder = kit.StateGraph(Tally).add_node("sub", inner).add_node("after", kit.node(saying("after")))
    return builder.add_edge(kit.START, "sub").compile()


@program(FOO, subgraphs=True, saved=True)
def command_to_the_parent_on_a_thread(kit: Kit) -> Any:
    def leave(state: Any) -> Any:
        return kit.Command(update={"foo": "left"}, goto="after", graph=kit.Command.PARENT)

    inner = kit.chain(Inner, leave=leave).compile()
    builder = kit.StateGraph(Tally).add_node("sub", inner).add_node("after", kit.node(saying("after")))
    return builder.add_edge(kit.START, "sub").compile(checkpointer=kit.InMemorySaver())


@program(FOO, differences=("no parent",))
def command_to_a_parent_that_is_not(kit: Kit) -> Any:
    return kit.chain(Tally, leave=lambda state: kit.Command(graph=kit.Command.PARENT, goto="x")).compile()
