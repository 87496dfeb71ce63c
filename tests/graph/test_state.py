"""The builder, and what its graphs do."""

from __future__ import annotations

import functools
import operator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypedDict

import pytest
from pydantic import BaseModel, ValidationError

from headrace.errors import InvalidUpdateError
from headrace.graph import END, START, StateGraph
from headrace.managed import IsLastStep, RemainingSteps
from headrace.types import CachePolicy, RetryPolicy, Send, TimeoutPolicy
from tests.drive import Drive
from tests.engine.build import State, says

Builder = StateGraph[Any, Any, Any, Any]


def other(state: State) -> State:
    return {"log": ["other"]}


class Greeter:
    def __call__(self, state: State) -> State:
        return {"log": ["object"]}


# nodes and edges


def test_a_node_is_named_after_its_function() -> None:
    graph: Any = StateGraph(State).add_node(other).add_node(functools.partial(says("part")))
    assert list(graph.nodes) == ["other", "part"]


@pytest.mark.parametrize(
    ("action", "said"), [(other, "other"), (functools.partial(other), "other"), (Greeter(), "object")]
)
def test_functions_partials_and_objects_are_nodes(action: Any, said: str, drive: Drive) -> None:
    graph = StateGraph(State).add_node("n", action).add_edge(START, "n").compile()
    assert drive.invoke(graph, {"log": []}) == {"log": [said]}


def test_calls_can_be_chained(drive: Drive) -> None:
    graph = (
        StateGraph(State)
        .add_node(says("a"))
        .add_node("b", says("b"))
        .set_entry_point("a")
        .add_edge("a", "b")
        .set_finish_point("b")
        .compile(name="chained")
    )
    assert drive.invoke(graph, {"log": []}) == {"log": ["a", "b"]}
    assert graph.name == "chained"


def test_a_sequence_leads_from_each_node_to_the_next(drive: Drive) -> None:
    graph = StateGraph(State).add_sequence([says("a"), ("second", says("b")), says("c")]).set_entry_point("a")
    assert list(graph.nodes) == ["a", "second", "c"]
    assert drive.invoke(graph.compile(), {"log": []}) == {"log": ["a", "b", "c"]}


def diamond(**options: Any) -> Builder:
    graph = StateGraph(State)
    for name in ("a", "b", "b2", "c"):
        graph.add_node(name, says(name), **(options if name == "c" else {}))
    return graph.add_edge(START, "a").add_edge(START, "b").add_edge("b", "b2")


def test_a_join_waits_for_all_its_starts(drive: Drive) -> None:
    graph = diamond().add_edge(["a", "b2"], "c").compile()
    assert drive.invoke(graph, {"log": []}) == {"log": ["a", "b", "b2", "c"]}


def test_two_edges_run_their_target_for_each(drive: Drive) -> None:
    graph = diamond().add_edge("a", "c").add_edge("b2", "c").compile()
    assert drive.invoke(graph, {"log": []}) == {"log": ["a", "b", "b2", "c", "c"]}


@pytest.mark.parametrize("join", [True, False])
def test_a_deferred_node_runs_once_at_the_end(join: bool, drive: Drive) -> None:
    graph = diamond(defer=True)
    if join:
        graph.add_edge(["a", "b"], "c")
    else:
        graph.add_edge("a", "c").add_edge("b", "c")
    assert drive.invoke(graph.compile(), {"log": []}) == {"log": ["a", "b", "b2", "c"]}


def test_a_join_that_leads_to_the_end_is_an_end(drive: Drive) -> None:
    assert drive.invoke(diamond().add_edge(["a", "b"], END).compile(), {"log": []}) == {"log": ["a", "b", "b2"]}


# conditional edges


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("b", ["a", "b"]),
        (["b", "c"], ["a", "b", "c"]),
        (("c", "b"), ["a", "b", "c"]),
        (END, ["a"]),
        ([END, "b"], ["a", "b"]),
        (Send("b", {"log": []}), ["a", "b"]),
        (["c", Send("b", {}), Send("b", {})], ["a", "c", "b", "b"]),
        ([], ["a"]),
    ],
    ids=repr,
)
def test_a_routing_function_may_answer_in_many_ways(answer: Any, said: list[str], drive: Drive) -> None:
    graph = StateGraph(State)
    for name in "abc":
        graph.add_node(name, says(name))
    graph.add_edge(START, "a").add_conditional_edges("a", lambda state: answer)
    assert drive.invoke(graph.compile(), {"log": []}) == {"log": said}


def mapped(path_map: Any, answer: Any) -> Any:
    graph = StateGraph(State).add_node("a", says("a")).add_node("b", says("b")).add_edge(START, "a")
    return graph.add_conditional_edges("a", lambda state: answer, path_map).compile()


@pytest.mark.parametrize(
    ("path_map", "answer", "said"),
    [
        ({True: "b", False: END}, True, ["a", "b"]),
        ({True: "b", False: END}, False, ["a"]),
        (["b"], "b", ["a", "b"]),
        ({"go": "b"}, ["go"], ["a", "b"]),
        ({"go": "b"}, Send("b", {}), ["a", "b"]),
    ],
)
def test_a_path_map_translates_answers(path_map: Any, answer: Any, said: list[str], drive: Drive) -> None:
    assert drive.invoke(mapped(path_map, answer), {"log": []}) == {"log": said}


@pytest.mark.parametrize(
    ("path_map", "answer", "words"),
    [
        ({"go": "b"}, "stay", ("'stay'", "path map", "'go'")),
        ({"go": "b"}, {"go": 1}, ("{'go': 1}", "path map", "'go'")),
        (None, "bb", ("'bb'", "did you mean 'b'?")),
        (None, Send("bb", {}), ("sends a task", "'bb'", "did you mean 'b'?")),
        (None, 7, ("unknown node 7", "END, or a Send")),
        (None, None, ("gave no answer", "return the name of a node")),
    ],
    ids=repr,
)
def test_an_answer_that_leads_nowhere_names_the_edge_and_the_remedy(
    path_map: Any, answer: Any, words: tuple[str, ...], drive: Drive
) -> None:
    with pytest.raises(InvalidUpdateError) as caught:
        drive.invoke(mapped(path_map, answer), {"log": []})
    text = str(caught.value)
    assert "the conditional edge '<lambda>' from 'a'" in text
    assert all(word in text for word in words)


def literal(state: State) -> Literal["b"]:
    return "b"


class Route:
    def __call__(self, state: State) -> Literal["b"]:
        return "b"


@pytest.mark.parametrize("path", [literal, Route()])
def test_a_literal_return_type_says_where_an_edge_may_lead(path: Any) -> None:
    graph = StateGraph(State).add_node("a", says("a")).add_node("b", says("b")).add_edge(START, "a")
    graph.add_conditional_edges("a", path)
    assert graph.branches[0].ends == {"b": "b"}


def test_a_routing_function_may_ask_for_a_schema_of_its_own(drive: Drive) -> None:
    def route(state: Narrow) -> str:
        seen.append(state)
        return END

    seen: list[Any] = []
    builder: Any = StateGraph(Full).add_node("a", lambda state: {"left": 1, "log": ["a"]}).add_edge(START, "a")
    graph = builder.add_conditional_edges("a", annotated(route, Narrow)).compile()
    drive.invoke(graph, {"log": [], "right": 2})
    assert seen == [{"left": 1}]


def annotated(function: Any, schema: Any) -> Any:
    """A function whose parameter is annotated with a class that its module cannot see by name."""
    function.__annotations__ = {"state": schema, "return": str}
    return function


class Full(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]
    left: int
    right: int


class Narrow(TypedDict, total=False):
    left: int


@dataclass
class Object:
    left: int = 0
    last: IsLastStep = False


# schemas


def test_a_node_sees_what_its_input_schema_asks_for(drive: Drive) -> None:
    seen: list[Any] = []
    builder: Any = StateGraph(Full).add_node("a", seen.append, input_schema=Narrow)
    drive.invoke(builder.add_edge(START, "a").compile(), {"left": 1, "right": 2})
    assert seen == [{"left": 1}]


class Private(TypedDict):
    secret: str


def test_a_key_of_a_nodes_own_schema_is_passed_on_and_shown_in_values(drive: Drive) -> None:
    builder: Any = StateGraph(Full).add_node("a", lambda state: {"secret": "s"})
    builder.add_node("b", lambda state: {"log": [state["secret"]]}, input_schema=Private)
    graph = builder.add_edge(START, "a").add_edge("a", "b").compile()
    assert drive.invoke(graph, {"log": []})["log"] == ["s"]


def test_input_and_output_schemas_narrow_what_goes_in_and_comes_out(drive: Drive) -> None:
    builder: Any = StateGraph(Full, input_schema=Narrow, output_schema=Private)
    builder.add_node("a", lambda state: {"secret": repr(state)}).add_edge(START, "a")
    graph = builder.compile()
    with pytest.raises(InvalidUpdateError, match="its input keys are: 'left'"):
        drive.invoke(graph, {"right": 1})
    assert drive.invoke(graph, {"left": 1, "right": 2}) == {"secret": "{'log': [], 'left': 1}"}


def test_a_node_of_a_dataclass_state_gets_an_object_and_may_return_one(drive: Drive) -> None:
    def node(state: Any) -> Any:
        return Object(left=state.left + 1)

    graph = StateGraph(Object).add_node("a", node).add_edge(START, "a").compile()
    assert drive.invoke(graph, {"left": 1}) == {"left": 2}
    assert drive.invoke(graph, Object(left=5)) == {"left": 6}


class Model(BaseModel):
    left: int


def test_a_pydantic_state_refuses_what_does_not_fit(drive: Drive) -> None:
    graph = StateGraph(Model).add_node("a", lambda state: {"left": state.left + 1}).add_edge(START, "a").compile()
    assert drive.invoke(graph, {"left": 1}) == {"left": 2}
    assert drive.invoke(graph, Model(left=2)) == {"left": 3}
    with pytest.raises(ValidationError):
        drive.invoke(graph, {"left": "many"})


class Managed(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]
    last: IsLastStep
    left: RemainingSteps


def test_managed_values_are_filled_in_for_each_node_and_each_routing_function(drive: Drive) -> None:
    def node(state: Any) -> Any:
        return {"log": [(state["last"], state["left"])]}

    def route(state: Any) -> str:
        return "a" if state["left"] > 1 else END

    builder: Any = StateGraph(Managed).add_node("a", node).add_edge(START, "a").add_conditional_edges("a", route)
    graph = builder.compile()
    assert drive.invoke(graph, {"log": []}, {"recursion_limit": 4}) == {
        "log": [(False, 3), (False, 2), (True, 1)],
    }
    assert sorted(builder.managed) == ["last", "left"]
    assert sorted(builder.channels) == ["log"]


def test_a_state_may_be_one_value(drive: Drive) -> None:
    schema: Any = Annotated[list[int], operator.add]
    builder: Any = StateGraph(schema).add_node("a", lambda state: [len(state)])
    builder.add_edge(START, "a").add_conditional_edges("a", lambda state: END if len(state) > 2 else "a")
    graph = builder.compile()
    assert drive.invoke(graph, [7]) == [7, 1, 2]


# policies


def test_node_defaults_are_for_nodes_without_their_own(drive: Drive) -> None:
    own = RetryPolicy(max_attempts=1)
    graph = (
        StateGraph(State).add_node("a", other).add_node("b", other, retry_policy=own, timeout=1).add_edge(START, "a")
    )
    graph.set_node_defaults(retry_policy=RetryPolicy(max_attempts=7), cache_policy=CachePolicy(ttl=3), timeout=2)
    graph.set_node_defaults(error_handler=lambda state: {"log": ["handled"]})
    nodes = graph.add_node("c", other).compile().program.nodes
    assert [nodes[name].retry[0].max_attempts for name in "abc"] == [7, 1, 7]
    assert [nodes[name].timeout for name in "ab"] == [TimeoutPolicy(run_timeout=2), TimeoutPolicy(run_timeout=1)]
    assert {nodes[name].cache for name in "abc"} == {CachePolicy(ttl=3)}
    assert nodes["a"].handler == "__error_handler__a"
    assert nodes["__error_handler__a"].retry == ()


def test_a_default_error_handler_handles_any_node(drive: Drive) -> None:
    def bad(state: State) -> State:
        raise ValueError

    graph = StateGraph(State).add_node(bad).add_edge(START, "bad")
    graph.set_node_defaults(error_handler=lambda state: {"log": ["handled"]})
    assert drive.invoke(graph.compile(), {"log": []}) == {"log": ["handled"]}


def test_a_builder_that_is_run_says_to_compile_it() -> None:
    builder: Any = StateGraph(State)
    with pytest.raises(AttributeError, match=r"no attribute 'invoke'; compile it first: graph.compile\(\).invoke"):
        builder.invoke({})
    assert not hasattr(builder, "other")


@pytest.mark.parametrize("policy", [3, [RetryPolicy(), "again"]])
def test_what_is_no_retry_policy_is_refused(policy: Any) -> None:
    with pytest.raises(TypeError, match="retry_policy must be a RetryPolicy or several"):
        StateGraph(State).add_node("a", lambda state: {}, retry_policy=policy)


def test_a_retry_policy_without_an_attempt_is_refused() -> None:
    with pytest.raises(ValueError, match="max_attempts counts the first attempt as well"):
        StateGraph(State).add_node("a", lambda state: {}, retry_policy=RetryPolicy(max_attempts=0))
