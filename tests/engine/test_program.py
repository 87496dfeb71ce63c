"""What can be known of a graph before it runs."""

from __future__ import annotations

import functools
import operator
from typing import Annotated, Any, TypedDict

import pytest

from headrace.channels import LastValue, LastValueAfterFinish, NamedBarrierValue
from headrace.engine.program import Callee, is_async, opaque, prepared, sends, wanted
from headrace.graph import START, StateGraph
from headrace.graph.lowlevel import NodeBuilder, Pregel
from headrace.names import TASKS
from headrace.runtime import Runtime
from headrace.types import Send
from tests.drive import Drive
from tests.engine.build import State, chain, says


def plain(state: State) -> State:
    return {"log": ["plain"]}


async def coroutine(state: State) -> State:
    return {"log": ["coroutine"]}


class Sync:
    def __call__(self, state: State) -> State:
        return {"log": ["object"]}


class Async:
    async def __call__(self, state: State) -> State:
        return {"log": ["async object"]}


class Runnable:
    """Something with `invoke` and `ainvoke` that wants the config."""

    def invoke(self, state: State, config: Any) -> State:
        return {"log": [("invoke", config["configurable"]["who"])]}

    async def ainvoke(self, state: State, config: Any) -> State:
        return {"log": [("ainvoke", config["configurable"]["who"])]}


@pytest.mark.parametrize(
    ("function", "answer"),
    [
        (plain, False),
        (coroutine, True),
        (functools.partial(plain), False),
        (functools.partial(functools.partial(coroutine)), True),
        (Sync(), False),
        (Async(), True),
        (functools.partial(Async()), True),
    ],
)
def test_an_async_function_is_known_through_its_wrappings(function: Any, answer: bool) -> None:
    assert is_async(function) is answer


def test_a_function_is_called_sync_or_async_as_it_is() -> None:
    assert Callee.of(plain) == Callee(plain, None)
    assert Callee.of(coroutine) == Callee(None, coroutine)


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(TypeError, match=r"expected a function or something with invoke\(\), got 'text'"):
        Callee.of("text")


def test_a_runnable_brings_both_forms_and_gets_the_config(drive: Drive) -> None:
    graph = StateGraph(State).add_node("a", Runnable()).add_edge(START, "a").compile()
    config = {"configurable": {"who": "me"}}
    form = "invoke" if drive.way == "sync" else "ainvoke"
    assert drive.invoke(graph, {"log": []}, config) == {"log": [(form, "me")]}


def takes(state: State, config: Any, other: Any = 1, *, writer: Any) -> None: ...


def takes_by_place(config: Any, store: Any, /, runtime: Any) -> None: ...


@pytest.mark.parametrize(
    ("function", "names"),
    [(takes, {"config", "writer"}), (takes_by_place, {"runtime"}), (lambda config: None, set()), (min, set())],
    ids=["by name", "not by place only", "the first is the input", "without a signature"],
)
def test_parameters_after_the_input_are_filled_in_by_name(function: Any, names: set[str]) -> None:
    assert wanted(function, frozenset({"config", "writer", "store", "runtime"})) == names


def test_every_injected_parameter_is_filled_in(drive: Drive) -> None:
    def node(state: State, *, config: Any, runtime: Runtime, writer: Any, store: Any, previous: Any) -> State:
        writer("told")
        return {"log": [config["configurable"]["who"], runtime.context, store, previous]}

    graph = chain(node, store="the store")
    config = {"configurable": {"who": "me"}}
    events = drive.stream(graph, {"log": []}, config, context={"k": 1}, stream_mode=["custom", "values"])
    assert events[1:] == [("custom", "told"), ("values", {"log": ["me", {"k": 1}, "the store", None]})]


def small(state: State) -> State:
    return {}


def nested(state: Any) -> Any:
    def inner() -> Any:
        return None

    return {}


def enclosing(value: Any) -> Any:
    def node(state: Any) -> Any:
        return value

    return node


@pytest.mark.parametrize(
    ("function", "answer"),
    [(small, False), (says, True), (nested, True), (enclosing(1), True), (len, True), (None, True)],
    ids=["nothing global", "a global", "a function inside", "something enclosing", "builtin", "none"],
)
def test_only_a_function_that_names_nothing_else_is_known_to_run_no_graph(function: Any, answer: bool) -> None:
    assert opaque(Callee(function, None)) is answer


def test_a_graph_as_a_node_may_nest() -> None:
    assert not chain(small).program.may_nest
    inner = chain(small)
    assert StateGraph(State).add_node("inner", inner).add_edge(START, "inner").compile().program.may_nest


def test_a_program_knows_who_listens_to_what() -> None:
    builder = StateGraph(State).add_node("a", small).add_node("b", small).add_node("c", small, defer=True)
    program = builder.add_edge(START, "a").add_edge(["a", "b"], "c").compile().program
    assert {key: [node.name for node in nodes] for key, nodes in program.listeners.items()} == {
        "branch:to:a": ["a"],
        "branch:to:b": ["b"],
        "branch:to:c": ["c"],
        "join:a+b:c": ["c"],
    }
    assert program.deferred == ("branch:to:c", "join:a+b:c")
    assert program.signals == {"branch:to:a", "branch:to:b"}
    assert program.nodes["c"].consumes == ("branch:to:c", "join:a+b:c")
    assert program.consumes
    assert [key for key, _ in program.starting] == ["log"]


def test_a_program_in_which_no_node_resets_anything_says_so() -> None:
    assert not chain(small).program.consumes


@pytest.mark.parametrize("channel", [NamedBarrierValue(str, ["x"]), LastValueAfterFinish(str)], ids=repr)
def test_a_node_resets_the_state_channel_that_woke_it(channel: Any, drive: Drive) -> None:
    """It would run for ever otherwise, or never again."""
    first = NodeBuilder().subscribe_only("in").write_to("middle")
    second = NodeBuilder().subscribe_only("middle").do(lambda value: "ran").write_to("out")
    graph = Pregel(
        nodes={"first": first, "second": second},
        channels={"in": LastValueAfterFinish(str), "middle": channel, "out": LastValue(str)},
        input_channels="in",
        output_channels=["out"],
    )
    assert drive.invoke(graph, "x") == {"out": "ran"}


def test_keys_that_are_all_there_are_are_one_tuple() -> None:
    program = chain(small).program
    assert program.outputs is program.everything
    assert program.streamed is program.everything
    assert program.shown == {"log"}


class Two(TypedDict):
    a: int
    b: int


class One(TypedDict):
    b: int


def test_some_keys_stay_some() -> None:
    builder = StateGraph(Two, output_schema=One).add_node("n", lambda state: {"b": 1}).add_edge(START, "n")
    program = builder.compile().program
    assert (program.outputs, program.everything) == (("b",), ("a", "b"))


def test_one_value_as_state_shows_one_key() -> None:
    schema: Any = Annotated[list[int], operator.add]
    builder: Any = StateGraph(schema)
    program = builder.add_node("n", lambda state: [1]).add_edge(START, "n").compile().program
    assert (program.outputs, program.shown) == ("__root__", {"__root__"})


def test_writes_are_taken_as_they_are_where_nothing_prepares_them() -> None:
    writes = [("log", [1])]
    assert prepared(chain(small).program, writes) is writes


def test_sends_that_are_due_are_none_when_there_are_none() -> None:
    assert list(sends({})) == []
    assert list(sends({TASKS: [Send("a", 1)]})) == [Send("a", 1)]
