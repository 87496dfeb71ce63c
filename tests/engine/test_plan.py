"""What runs next, as a function of the program and of where a run stands."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

import pytest

from headrace.channels import EphemeralValue, LastValue, LastValueAfterFinish, NamedBarrierValue
from headrace.engine.plan import plan, ready, sent_tasks, woken
from headrace.engine.run import Run
from headrace.errors import InvalidUpdateError
from headrace.graph import START, StateGraph
from headrace.graph.lowlevel import NodeBuilder, Pregel
from headrace.names import TASKS, branch_to
from headrace.types import Send, TimeoutPolicy
from tests.drive import Drive
from tests.engine.test_loop import notes


class State(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]


@dataclass
class Topic:
    name: str


def graph(**nodes: Any) -> StateGraph[Any, Any, Any, Any]:
    """Nodes without edges; a value is the options of its node."""
    builder = StateGraph(State)
    for name, options in nodes.items():
        builder.add_node(name, lambda state: {}, **options)
    return builder.add_edge(START, next(iter(nodes)))


def standing(builder: StateGraph[Any, Any, Any, Any], *changed: str, **values: Any) -> Run:
    """A run whose last step wrote these channels."""
    run = Run(builder.compile().program, {}, {}, {})
    run.changed, run.step = changed, 3
    run.values.update(values)
    return run


def names(run: Run) -> list[str]:
    return [task.name for task in plan(run)]


def test_nothing_is_due_when_nothing_was_written() -> None:
    assert plan(standing(graph(a={}, b={}))) == []


def test_a_signal_wakes_its_node_with_the_state_as_input() -> None:
    (task,) = plan(standing(graph(a={}, b={}), branch_to("b"), log=[1]))
    assert (task.name, task.input, task.step, task.sent) == ("b", {"log": [1]}, 3, None)


@dataclass
class Checked:
    """An input that nothing is good enough for."""

    log: Any = None

    def __post_init__(self) -> None:
        raise ValueError("not good enough")


@pytest.mark.parametrize("sent", [False, True])
def test_an_input_that_its_schema_refuses_names_the_node_and_the_step(sent: bool) -> None:
    run = standing(graph(a={"input_schema": Checked}), *(() if sent else (branch_to("a"),)))
    if sent:
        run.control[TASKS] = [Send("a", {"log": 1})]
    with pytest.raises(ValueError, match="not good enough") as caught:
        plan(run)
    assert notes(caught.value) == ["in the input of node 'a', step 3"]


def test_a_state_key_wakes_nobody() -> None:
    assert names(standing(graph(a={}, b={}), "log", log=[1])) == []


def test_woken_nodes_come_by_name_whatever_the_order_of_writing() -> None:
    builder = graph(b={}, a={}, c={})
    assert names(standing(builder, *map(branch_to, "cab"))) == ["a", "b", "c"]
    assert names(standing(builder, *map(branch_to, "ba"))) == ["a", "b"]


def test_a_node_that_is_woken_twice_runs_once() -> None:
    assert names(standing(graph(a={}, b={}), branch_to("a"), branch_to("a"))) == ["a"]


def test_a_deferred_node_waits_while_another_is_due() -> None:
    builder = graph(a={}, late={"defer": True})
    run = standing(builder, branch_to("late"), branch_to("a"))
    run.control[branch_to("late")] = True
    assert names(run) == ["a"]


def test_a_deferred_node_runs_when_nothing_else_is_due() -> None:
    run = standing(graph(a={}, late={"defer": True}))
    run.control[branch_to("late")] = True
    assert names(run) == ["late"]


def test_a_deferred_node_waits_for_sends_too() -> None:
    run = standing(graph(a={}, late={"defer": True}), TASKS)
    run.control.update({branch_to("late"): True, TASKS: [Send("a", {})]})
    assert names(run) == ["a"]


def test_a_deferred_node_that_was_not_woken_does_not_run() -> None:
    assert names(standing(graph(a={}, late={"defer": True}))) == []


def test_sends_come_first_and_in_their_order() -> None:
    run = standing(graph(a={}, b={}), branch_to("a"), TASKS)
    run.control[TASKS] = [Send("b", 1), Send("a", 2), Send("b", 3)]
    assert [(task.name, task.sent) for task in plan(run)] == [("b", 0), ("a", 1), ("b", 2), ("a", None)]


def test_a_send_gives_its_node_its_own_input() -> None:
    run = standing(graph(a={}), TASKS, log=[1])
    run.control[TASKS] = [Send("a", {"topic": "cats"})]
    assert plan(run)[0].input == {"topic": "cats"}


def test_a_send_is_read_as_the_nodes_input_schema() -> None:
    run = standing(graph(a={"input_schema": Topic}), TASKS)
    run.control[TASKS] = [Send("a", {"name": "cats"})]
    assert plan(run)[0].input == Topic("cats")


@pytest.mark.parametrize(("given", "seconds"), [(7, 7.0), (TimeoutPolicy(run_timeout=8), 8.0)])
def test_a_send_can_bring_its_own_timeout(given: Any, seconds: float) -> None:
    run = standing(graph(a={"timeout": 1}), TASKS)
    run.control[TASKS] = [Send("a", {}, timeout=given), Send("a", {})]
    assert [task.timeout for task in sent_tasks(run)] == [
        TimeoutPolicy(run_timeout=seconds),
        TimeoutPolicy(run_timeout=1),
    ]


def test_a_send_to_an_unknown_node_names_it_the_step_and_the_nodes_there_are() -> None:
    run = standing(graph(b={}, a={}), TASKS)
    run.control[TASKS] = [Send("nobody", {})]
    with pytest.raises(InvalidUpdateError, match="Send to unknown node 'nobody' in step 3; the nodes are: a, b"):
        plan(run)


def test_a_join_wakes_its_node_once_all_have_run() -> None:
    builder = graph(a={}, b={}, end={}).add_edge(["a", "b"], "end")
    run = standing(builder, "join:a+b:end")
    run.control["join:a+b:end"] = frozenset("a")
    assert names(run) == []
    run.control["join:a+b:end"] = frozenset("ab")
    assert names(run) == ["end"]


def test_a_deferred_join_waits_until_nothing_else_is_due() -> None:
    builder = graph(a={}, b={}, end={"defer": True}).add_edge(["a", "b"], "end")
    run = standing(builder, "join:a+b:end", branch_to("a"))
    run.control["join:a+b:end"] = frozenset("ab")
    assert names(run) == ["a"]
    run.changed = ()
    assert names(run) == ["end"]


def low_level(**channels: Any) -> Run:
    """A run of a graph whose node `one` listens to all channels."""
    listener = NodeBuilder().subscribe_to(*channels)
    app = Pregel(nodes={"one": listener}, channels=channels, input_channels="a", output_channels="a")
    run = Run(app.program, None, {}, {})
    run.changed = tuple(channels)
    return run


def test_a_channel_with_a_value_that_stays_is_ready_whenever_it_was_written() -> None:
    run = low_level(a=LastValue(int))
    assert ready(run, "a", deferred=False)
    assert not ready(run, "a", deferred=True)


def test_a_channel_that_is_consumed_is_ready_while_it_holds_something() -> None:
    run = low_level(a=NamedBarrierValue(str, ["x"]))
    assert not ready(run, "a", deferred=False)
    run.values["a"] = frozenset("x")
    assert ready(run, "a", deferred=False)


def test_a_channel_for_the_end_is_ready_only_there() -> None:
    run = low_level(a=LastValueAfterFinish(int))
    run.values["a"] = 1
    assert not ready(run, "a", deferred=False)
    assert ready(run, "a", deferred=True)


def test_a_channel_without_listeners_wakes_nobody() -> None:
    assert woken(low_level(a=EphemeralValue(int)), ["no such channel"], deferred=False) == []


def test_planning_changes_nothing() -> None:
    run = standing(graph(a={}, b={}), branch_to("b"), TASKS, log=[1])
    run.control[TASKS] = [Send("a", 1)]
    assert [task.id for task in plan(run)] == [task.id for task in plan(run)]
    assert (run.changed, run.values, run.control) == ((branch_to("b"), TASKS), {"log": [1]}, {TASKS: [Send("a", 1)]})


def test_a_step_of_nodes_and_sends_runs_them_all(drive: Drive) -> None:
    def spread(state: State) -> list[Any]:
        return ["b", Send("a", {"log": ["sent"]}), Send("a", {"log": ["again"]})]

    builder = StateGraph(State)
    builder.add_node("a", lambda state: {"log": [("a", state["log"])]})
    builder.add_node("b", lambda state: {"log": [("b", state["log"])]})
    builder.add_conditional_edges(START, spread)
    assert drive.invoke(builder.compile(), {"log": [0]}) == {
        "log": [0, ("b", [0]), ("a", ["sent"]), ("a", ["again"])],
    }
