"""What a node may return, what an input may be, and the mistakes that both refuse."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel
from typing_extensions import TypedDict

from ..program import MODES, Asking, Turn, program
from ..roots import Kit


class State(TypedDict):
    x: int
    y: int
    log: Annotated[list[Any], operator.add]


ZERO = Turn({"x": 0})


def returning(name: str, make: Callable[[Kit], Any], **facts: Any) -> None:
    """Register a program of one node that returns what `make` gives."""

    def build(kit: Kit) -> Any:
        return kit.chain(State, n=lambda state: make(kit)).compile()

    build.__name__ = f"node_returns_{name}"
    program(ZERO, **facts)(build)


returning("none", lambda kit: None)
returning("an_empty_dict", lambda kit: {})
returning("an_unknown_key", lambda kit: {"zz": 1}, differences=("unknown key returned",))
returning("a_known_and_an_unknown_key", lambda kit: {"zz": 1, "y": 2})
returning("a_number", lambda kit: 5)
returning("a_string", lambda kit: "text")
returning("the_same_value", lambda kit: {"x": 0})
returning("none_for_a_key", lambda kit: {"x": None})
returning("a_list_of_dicts", lambda kit: [{"x": 1}, {"log": [2]}])
returning("a_command", lambda kit: kit.Command(update={"x": 9}))
returning("an_empty_command", lambda kit: kit.Command())
returning("a_command_with_pairs", lambda kit: kit.Command(update=[("x", 1), ("log", [3])]))
returning("commands", lambda kit: [kit.Command(update={"x": 1}), kit.Command(update={"log": [2]})])
returning("a_dict_and_a_command", lambda kit: [{"x": 1}, kit.Command(update={"log": [2]})])
returning("an_overwrite", lambda kit: {"log": kit.Overwrite(["new"])})
returning("a_non_list_for_a_list", lambda kit: {"log": 7}, differences=("merge that fails",))


@program(Turn({}))
def input_empty(kit: Kit) -> Any:
    return kit.chain(State, n=lambda state: {"x": 1}).compile()


@program(Turn(None))
def input_none(kit: Kit) -> Any:
    return kit.chain(State, n=lambda state: {"x": 1}).compile()


@program(Turn({"zz": 1}), differences=("unknown key in the input",))
def input_of_unknown_keys(kit: Kit) -> Any:
    return kit.chain(State, n=lambda state: {"x": 1}).compile()


@program(Turn(lambda session: session.kit.Command(update={"x": 4})))
def input_a_command(kit: Kit) -> Any:
    return kit.chain(State, n=lambda state: {"y": state["x"]}).compile()


@program(Turn({"x": 1, "log": ["in"]}))
def input_goes_through_the_reducer(kit: Kit) -> Any:
    return kit.chain(State, n=lambda state: {"log": ["n"]}).compile()


@program(ZERO, differences=("thread id missing",))
def thread_id_missing(kit: Kit) -> Any:
    return kit.chain(State, n=lambda state: {"x": 1}).compile(checkpointer=kit.InMemorySaver())


@program(ZERO, parallel=True)
def two_writers_of_one_plain_key(kit: Kit) -> Any:
    nodes = {"a": lambda state: {"x": 1}, "b": lambda state: {"x": 2}}
    return kit.graph(State, nodes, (kit.START, "a"), (kit.START, "b")).compile()


@program(ZERO)
def node_fails(kit: Kit) -> Any:
    return kit.chain(State, a=lambda state: {"log": [1]}, n=_failing, b=lambda state: {"log": [2]}).compile()


@program(ZERO, Turn(None), saved=True)
def node_fails_and_is_run_again(kit: Kit) -> Any:
    def second_time(state: State) -> Any:
        kit.calls.append("n")
        return _failing(state) if len(kit.calls) == 1 else {"x": 7}

    return kit.chain(State, a=lambda state: {"log": [1]}, n=second_time).compile(checkpointer=kit.InMemorySaver())


@program(ZERO, parallel=True)
def parallel_node_fails(kit: Kit) -> Any:
    nodes = {"a": lambda state: {"log": [1]}, "b": _failing, "c": lambda state: {"log": [3]}}
    return kit.graph(State, nodes, *((kit.START, name) for name in nodes)).compile()


def _failing(state: Any) -> Any:
    raise ValueError("boom")


@program(ZERO, Turn({"x": 5}, {"recursion_limit": 3}))
def recursion_limit(kit: Kit) -> Any:
    nodes = {"n": lambda state: {"x": state["x"] + 1}}
    builder = kit.graph(State, nodes, (kit.START, "n"))
    builder.add_conditional_edges("n", lambda state: kit.END if state["x"] == 4 else "n")
    return builder.compile()


@program(
    Turn({"x": 0}, {"recursion_limit": 2}), Turn({"x": 0}, {"recursion_limit": 3}), differences=("limit met exactly",)
)
def recursion_limit_met_exactly(kit: Kit) -> Any:
    return kit.chain(State, a=lambda state: {"x": 1}, b=lambda state: {"x": 2}).compile()


@program(ZERO)
def output_schema(kit: Kit) -> Any:
    class Out(TypedDict):
        y: int

    nodes = {"n": lambda state: {"x": 1, "y": 2}}
    return kit.graph(State, nodes, (kit.START, "n"), output_schema=Out).compile()


@program(Turn({"x": 1, "y": 2}))
def input_schema(kit: Kit) -> Any:
    class In(TypedDict):
        x: int

    nodes = {"n": lambda state: {"log": [dict(state)]}}
    return kit.graph(State, nodes, (kit.START, "n"), input_schema=In).compile()


class Private(TypedDict):
    secret: str


class Seen(TypedDict):
    x: int


@program(Turn({"x": 1, "y": 2}))
def node_sees_its_own_schema(kit: Kit) -> Any:
    def hide(state: State) -> Any:
        return {"secret": "s"}

    def tell(state: Private) -> Any:
        return {"log": [dict(state)]}

    builder = kit.StateGraph(State).add_node("hide", kit.node(hide)).add_node("tell", kit.node(tell))
    builder.add_node("see", kit.node(lambda state: {"log": [dict(state)]}), input_schema=Seen)
    return builder.add_edge(kit.START, "hide").add_edge("hide", "tell").add_edge("tell", "see").compile()


@program(Turn({"x": 0}, options={"output_keys": ["x"]}), Turn({"x": 0}, options={"output_keys": "y"}))
def output_keys(kit: Kit) -> Any:
    return kit.chain(State, a=lambda state: {"x": 1, "log": [1]}, b=lambda state: {"y": 2}).compile()


@dataclass
class Data:
    x: int = 0
    log: Annotated[list[int], operator.add] = field(default_factory=list)


@program(Turn({"x": 2}), Turn({}))
def state_is_a_dataclass(kit: Kit) -> Any:
    return kit.chain(Data, n=lambda state: {"x": state.x + 1, "log": [state.x]}, m=lambda state: Data(x=9)).compile()


class Model(BaseModel):
    x: int = 0
    log: Annotated[list[int], operator.add] = []


@program(Turn({"x": 2}), Turn({}), Turn({"x": "not a number"}))
def state_is_a_pydantic_model(kit: Kit) -> Any:
    return kit.chain(Model, n=lambda state: {"x": state.x + 1, "log": [state.x]}, m=lambda state: Model(x=9)).compile()


def _input_is_told(asking: Asking) -> int:
    """The number of the event that tells of the input's values, or of what comes after them."""
    return 3 if asking.modes == MODES else 2 if asking.modes in ("debug", "checkpoints") else 1


@program(ZERO, Turn({"x": 1}, take=_input_is_told), Turn(None), saved=True)
def stream_left_early(kit: Kit) -> Any:
    return _two_steps(kit)


@program(ZERO, Turn({"x": 1}, take=lambda asking: 1), saved=True, differences=("left at the input",))
def stream_left_at_the_first_event(kit: Kit) -> Any:
    return _two_steps(kit)


def _two_steps(kit: Kit) -> Any:
    return kit.chain(State, a=lambda state: {"log": ["a"]}, b=lambda state: {"log": ["b"]}).compile(
        checkpointer=kit.InMemorySaver()
    )


@program(ZERO, drivers=("sync", "threads"), differences=("a generator for a node",))
def node_that_is_a_generator(kit: Kit) -> Any:
    def n(state: State) -> Any:
        yield {"x": 1}
        yield {"x": 2}

    return kit.chain(State, n=n).compile()
