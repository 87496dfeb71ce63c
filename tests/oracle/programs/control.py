"""How control moves: branches, joins, Send, Command, deferred nodes, managed values."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Annotated, Any

from langchain_core.runnables import RunnableConfig
from typing_extensions import TypedDict

from ..program import Turn, program
from ..roots import Kit
from .returns import State

if TYPE_CHECKING:
    from headrace.types import StreamWriter

ZERO = Turn({"x": 0})


def saying(name: str) -> Any:
    """A node that tells who it is, in custom data and in the list."""

    def say(state: Any, writer: StreamWriter) -> Any:
        writer({"by": name})
        return {"log": [name]}

    return say


@program(ZERO, parallel=True, drivers=("sync", "async", "threads"))
def fan_out_and_in(kit: Kit) -> Any:
    nodes = {name: saying(name) for name in ("z_first", "a_second", "end")}
    starts = ((kit.START, "z_first"), (kit.START, "a_second"))
    return kit.graph(State, nodes, *starts, ("z_first", "end"), ("a_second", "end")).compile()


@program(ZERO, parallel=True)
def join(kit: Kit) -> Any:
    nodes = {name: saying(name) for name in ("a", "a2", "b", "d")}
    return kit.graph(State, nodes, (kit.START, "a"), ("a", "a2"), (kit.START, "b"), (("a2", "b"), "d")).compile()


@program(ZERO, parallel=True, saved=True)
def join_on_a_thread(kit: Kit) -> Any:
    nodes = {name: saying(name) for name in ("a", "b", "d")}
    graph = kit.graph(State, nodes, (kit.START, "a"), (kit.START, "b"), (("a", "b"), "d"))
    return graph.compile(checkpointer=kit.InMemorySaver())


@program(ZERO, parallel=True)
def join_and_edge_to_one_node(kit: Kit) -> Any:
    nodes = {name: saying(name) for name in ("a", "b", "d")}
    return kit.graph(State, nodes, (kit.START, "a"), (kit.START, "b"), (("a", "b"), "d"), ("a", "d")).compile()


@program(ZERO, parallel=True)
def deferred_node(kit: Kit) -> Any:
    nodes = {name: saying(name) for name in ("a", "b", "b2", "b3")}
    builder = kit.graph(State, nodes, (kit.START, "a"), (kit.START, "b"), ("b", "b2"), ("b2", "b3"))
    builder.add_node("d", kit.node(saying("d")), defer=True)
    return builder.add_edge("a", "d").add_edge("b3", "d").compile()


@program(ZERO, parallel=True)
def deferred_join(kit: Kit) -> Any:
    nodes = {name: saying(name) for name in ("a", "b", "c", "c2")}
    builder = kit.graph(State, nodes, (kit.START, "a"), (kit.START, "b"), (kit.START, "c"), ("c", "c2"))
    builder.add_node("d", kit.node(saying("d")), defer=True)
    return builder.add_edge(["a", "b"], "d").compile()


@program(Turn({"x": 0}), Turn({"x": 1}), Turn({"x": 2}))
def branch_by_name_and_by_map(kit: Kit) -> Any:
    nodes = {name: saying(name) for name in ("a", "b", "c")}
    builder = kit.graph(State, nodes, (kit.START, "a"))
    builder.add_conditional_edges("a", lambda state: state["x"], {0: "b", 1: "c", 2: kit.END})
    builder.add_conditional_edges("b", lambda state: "c", ["c", kit.END])
    return builder.compile()


@program(ZERO, parallel=True)
def branch_to_several(kit: Kit) -> Any:
    nodes = {name: saying(name) for name in ("a", "b", "c")}
    return kit.graph(State, nodes, (kit.START, "a")).add_conditional_edges("a", lambda state: ["c", "b"]).compile()


@program(ZERO, parallel=True)
def two_branches_of_one_node(kit: Kit) -> Any:
    def first(state: State) -> str:
        return "b"

    def second(state: State) -> str:
        return "c"

    nodes = {name: saying(name) for name in ("a", "b", "c")}
    builder = kit.graph(State, nodes, (kit.START, "a"), ("a", "c"))
    return builder.add_conditional_edges("a", first).add_conditional_edges("a", second).compile()


@program(ZERO, parallel=True)
def branch_from_the_start(kit: Kit) -> Any:
    nodes = {name: saying(name) for name in ("a", "b")}
    builder = kit.graph(State, nodes)
    return builder.add_conditional_edges(kit.START, lambda state: ["a", "b"]).compile()


@program(ZERO, differences=("unknown target",))
def branch_to_an_unknown_node(kit: Kit) -> Any:
    return kit.chain(State, a=saying("a")).add_conditional_edges("a", lambda state: "nowhere").compile()


@program(ZERO, differences=("failing branch",))
def branch_that_fails(kit: Kit) -> Any:
    def choose(state: State) -> str:
        raise ValueError("no way")

    return kit.graph(State, {"a": saying("a")}, (kit.START, "a")).add_conditional_edges("a", choose).compile()


def _worker(state: Any, writer: StreamWriter) -> Any:
    writer({"by": f"w{state['i']}"})
    return {"log": [state["i"]]}


@program(ZERO, parallel=True, drivers=("sync", "async", "threads"))
def send_three(kit: Kit) -> Any:
    nodes: dict[str, Any] = {
        "src": lambda state: {"x": 1},
        "w": _worker,
        "sink": lambda state: {"y": len(state["log"])},
    }
    builder = kit.graph(State, nodes, (kit.START, "src"), ("w", "sink"))
    return builder.add_conditional_edges("src", lambda state: [kit.Send("w", {"i": i}) for i in range(3)]).compile()


@program(ZERO, parallel=True, saved=True)
def send_three_on_a_thread(kit: Kit) -> Any:
    nodes: dict[str, Any] = {
        "src": lambda state: {"x": 1},
        "w": _worker,
        "sink": lambda state: {"y": len(state["log"])},
    }
    builder = kit.graph(State, nodes, (kit.START, "src"), ("w", "sink"))
    builder.add_conditional_edges("src", lambda state: [kit.Send("w", {"i": i}) for i in range(3)])
    return builder.compile(checkpointer=kit.InMemorySaver())


@program(ZERO, parallel=True)
def send_beside_a_name(kit: Kit) -> Any:
    nodes: dict[str, Any] = {"src": lambda state: {"x": 1}, "w": _worker, "a": saying("a")}
    builder = kit.graph(State, nodes, (kit.START, "src"))
    return builder.add_conditional_edges("src", lambda state: [kit.Send("w", {"i": 7}), "a"]).compile()


@program(ZERO, parallel=True)
def send_from_the_start(kit: Kit) -> Any:
    builder = kit.graph(State, {"w": _worker})
    sends = lambda state: [kit.Send("w", {"i": i}) for i in (1, 0)]  # noqa: E731
    return builder.add_conditional_edges(kit.START, sends).compile()


@program(ZERO)
def send_nobody(kit: Kit) -> Any:
    nodes: dict[str, Any] = {"src": lambda state: {"x": 1}, "w": _worker}
    return kit.graph(State, nodes, (kit.START, "src")).add_conditional_edges("src", lambda state: []).compile()


@program(ZERO, differences=("unknown target",))
def send_to_an_unknown_node(kit: Kit) -> Any:
    builder = kit.graph(State, {"src": saying("src")}, (kit.START, "src"))
    return builder.add_conditional_edges("src", lambda state: [kit.Send("nowhere", {})]).compile()


@program(ZERO)
def goto(kit: Kit) -> Any:
    def a(state: State) -> Any:
        return kit.Command(update={"x": 5}, goto="c")

    nodes = {"a": a, "b": saying("b"), "c": lambda state: {"y": state["x"]}}
    return kit.graph(State, nodes, (kit.START, "a")).compile()


@program(ZERO, parallel=True)
def goto_several_with_send(kit: Kit) -> Any:
    def a(state: State) -> Any:
        return kit.Command(update={"x": 5}, goto=["c", kit.Send("w", {"i": 3})])

    return kit.graph(State, {"a": a, "c": saying("c"), "w": _worker}, (kit.START, "a")).compile()


@program(ZERO, parallel=True)
def goto_beside_an_edge(kit: Kit) -> Any:
    nodes = {"a": lambda state: kit.Command(goto="c"), "b": saying("b"), "c": saying("c")}
    return kit.graph(State, nodes, (kit.START, "a"), ("a", "b")).compile()


@program(ZERO)
def goto_end(kit: Kit) -> Any:
    return kit.chain(State, a=lambda state: kit.Command(update={"x": 1}, goto=kit.END)).compile()


@program(ZERO, differences=("unknown target",))
def goto_an_unknown_node(kit: Kit) -> Any:
    return kit.chain(State, a=lambda state: kit.Command(update={"x": 1}, goto="nowhere")).compile()


@program(Turn({"x": 0}, {"recursion_limit": 4}))
def managed_values(kit: Kit) -> Any:
    # Made by a call: a class body's annotations could not name the kit.
    keys = {"x": int, "left": kit.RemainingSteps, "last": kit.IsLastStep, "log": Annotated[list[Any], operator.add]}
    counted: Any = TypedDict("counted", keys)  # type: ignore[misc]  # the keys are computed

    def n(state: Any) -> Any:
        return {"x": state["x"] + 1, "log": [(int(state["x"]), int(state["left"]), bool(state["last"]))]}

    builder = kit.graph(counted, {"n": n}, (kit.START, "n"))
    return builder.add_conditional_edges("n", lambda state: kit.END if state["x"] > 2 else "n").compile()


@program(ZERO)
def node_metadata(kit: Kit) -> Any:
    builder = kit.StateGraph(State).add_node("n", kit.node(saying("n")), metadata={"kind": "talk"})
    return builder.add_edge(kit.START, "n").compile()


@program(ZERO)
def injected_config(kit: Kit) -> Any:
    def n(state: State, config: RunnableConfig) -> Any:
        metadata = {key: value for key, value in config["metadata"].items() if key.startswith("langgraph")}
        return {"log": [sorted(config["tags"]), metadata, kit.get_config()["configurable"].get("other")]}

    return kit.chain(State, n=n).compile().with_config(tags=["t"], configurable={"other": 1})


@program(Turn({"x": 0}, options={"context": {"who": "me"}}))
def injected_runtime(kit: Kit) -> Any:
    class Context(TypedDict):
        who: str

    def n(state: State, runtime: Any) -> Any:
        runtime.stream_writer({"by": "n"})
        return {"log": [runtime.context, kit.get_runtime().context, runtime.store, runtime.previous]}

    return kit.graph(State, {"n": n}, (kit.START, "n"), context_schema=Context).compile()
