"""What changed, as a function of a run's state and of the writes of a step."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

import pytest

from headrace.channels import AnyValue, BaseChannel, EphemeralValue
from headrace.channels import Topic as TopicChannel
from headrace.engine.apply import apply, consumed_by, fold, folded, gather, put, store
from headrace.engine.run import Run
from headrace.engine.task import Task
from headrace.errors import InvalidUpdateError
from headrace.graph import START, StateGraph
from headrace.graph.lowlevel import NodeBuilder, Pregel
from headrace.names import TASKS, branch_to
from headrace.types import MISSING, Command, Overwrite, Send
from tests.drive import Drive
from tests.engine.test_loop import notes


class Items(list[int]):
    """A list of its own kind."""


class State(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]
    answer: str
    any: Annotated[int, AnyValue]
    once: Annotated[int, EphemeralValue]
    topic: Annotated[list[int], TopicChannel]
    all: Annotated[list[int], TopicChannel(int, accumulate=True)]
    maybe: Annotated[list[Any] | None, operator.add]
    box: Any


def standing(**values: Any) -> Run:
    """A run of a graph with nodes `a`, `b` and `join`, with these values."""
    builder = StateGraph(State)
    for name in ("a", "b", "join"):
        builder.add_node(name, lambda state: {})
    builder.add_edge(START, "a").add_edge(["a", "b"], "join")
    run = Run(builder.compile().program, {}, {}, {})
    run.step = 4
    for key, value in values.items():
        put(run, run.home(key), key, value)
    return run


def done(run: Run, name: str, *writes: tuple[str, Any], sent: int | None = None) -> Task:
    """A task that has finished with these writes."""
    task = Task(run, run.program.nodes[name], {}, sent)
    task.writes = list(writes)
    return task


JOIN = "join:a+b:join"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(["1"], "['1']"), (["x" * 75], f"['{'x' * 75}']"), (["x" * 76], f"['{'x' * 75}...")],
)
def test_a_reducer_that_fails_says_where_and_on_what(value: Any, shown: str) -> None:
    run = standing(log=None)
    with pytest.raises(TypeError) as caught:
        apply(run, [done(run, "a", ("log", value))])
    assert notes(caught.value) == [f"in the reducer of key 'log', step 4, which was given {shown}"]


def test_a_reducer_that_fails_shows_all_that_it_was_given() -> None:
    run = standing(log=None)
    with pytest.raises(TypeError) as caught:
        apply(run, [done(run, "a", ("log", [1])), done(run, "b", ("log", [2]))])
    assert notes(caught.value) == ["in the reducer of key 'log', step 4, which was given [1] and [2]"]


def test_writes_are_gathered_by_channel_in_task_order() -> None:
    run = standing()
    tasks = [done(run, "a", ("log", [1]), ("answer", "x")), done(run, "b", ("log", [2]))]
    assert gather(tasks) == {"log": [[1], [2]], "answer": ["x"]}


def test_a_task_that_has_not_finished_has_no_writes_to_gather() -> None:
    run = standing()
    assert gather([Task(run, run.program.nodes["a"], {}), done(run, "b", ("log", [2]))]) == {"log": [[2]]}


def test_folding_changes_nothing_that_is_stored() -> None:
    run = standing(log=[1], once=5)
    before = (dict(run.values), dict(run.control), run.transient, run.mutable, run.written)
    assert fold(run, {"log": [[2]], "answer": ["x"]}) == {"once": MISSING, "log": [1, 2], "answer": "x"}
    assert (run.values, run.control, run.transient, run.mutable, run.written) == before


def test_a_signal_is_folded_into_nothing() -> None:
    assert fold(standing(), {branch_to("a"): [None]}) == {}


def test_a_control_channel_is_folded_apart_from_the_state() -> None:
    run = standing()
    run.control[JOIN] = frozenset("a")
    assert fold(run, {JOIN: ["b"], TASKS: [Send("a", 1)]}) == {JOIN: frozenset("ab"), TASKS: [Send("a", 1)]}


def test_what_lives_for_one_step_goes_when_it_is_not_written() -> None:
    run = standing(once=1, any=2, log=[0])
    assert fold(run, {}) == {"once": MISSING, "any": MISSING}
    assert fold(run, {"once": [3]}) == {"any": MISSING, "once": 3}


def test_what_lives_on_without_being_written_does() -> None:
    assert fold(standing(all=[1]), {}) == {"all": [1]}


def test_a_consumed_channel_is_empty_unless_it_is_written_again() -> None:
    run = standing()
    run.control[JOIN] = frozenset("ab")
    assert fold(run, {}, consumed=[JOIN]) == {JOIN: MISSING}
    assert fold(run, {JOIN: ["a"]}, consumed=[JOIN]) == {JOIN: frozenset("a")}


def test_a_join_that_is_half_reached_stays_so_when_its_node_was_woken_otherwise() -> None:
    run = standing()
    run.control[JOIN] = frozenset("a")
    assert fold(run, {}, consumed=[JOIN]) == {}
    assert fold(run, {JOIN: ["b"]}, consumed=[JOIN]) == {JOIN: frozenset("ab")}


def test_a_value_that_was_folded_before_is_used_again() -> None:
    run = standing(log=[1])
    made = [1, 2]
    new = fold(run, {"log": [[2]], "answer": ["x"]}, reuse={"log": made})
    assert new["log"] is made
    assert new["answer"] == "x"


def test_only_tasks_that_a_channel_woke_consume_it() -> None:
    run = standing()
    assert consumed_by([done(run, "join"), done(run, "a")]) == {JOIN}
    assert consumed_by([done(run, "join", sent=0)]) == set()


def test_a_stored_step_says_what_changed() -> None:
    run = standing(log=[1])
    apply(run, [done(run, "a", ("log", [2]), (branch_to("b"), None))])
    assert run.values == {"log": [1, 2]}
    assert run.changed == ("log", branch_to("b"))


def test_a_step_without_writes_changes_nothing() -> None:
    run = standing(log=[1])
    apply(run, [done(run, "a")])
    assert (run.values, run.changed) == ({"log": [1]}, ())


def test_a_refused_step_leaves_no_trace() -> None:
    run = standing(log=[1])
    run.changed = (branch_to("a"),)
    with pytest.raises(InvalidUpdateError):
        apply(run, [done(run, "a", ("log", [2]), ("answer", "x")), done(run, "b", ("answer", "y"))])
    assert (run.values, run.control, run.changed) == ({"log": [1]}, {}, (branch_to("a"),))


def test_woken_nodes_write_before_sends() -> None:
    run = standing(log=[])
    tasks = [
        done(run, "b", ("log", ["b0"]), sent=0),
        done(run, "a", ("log", ["a1"]), sent=1),
        done(run, "a", ("log", ["a"])),
        done(run, "b", ("log", ["b"])),
    ]
    apply(run, tasks)
    assert run.values["log"] == ["a", "b", "b0", "a1"]


def test_even_one_send_writes_after_a_woken_node() -> None:
    run = standing(log=[])
    apply(run, [done(run, "b", ("log", ["b0"]), sent=0), done(run, "a", ("log", ["a"]))])
    assert run.values["log"] == ["a", "b0"]


def test_values_folded_for_routing_are_stored_as_they_are() -> None:
    run = standing(log=[1])
    task = done(run, "a", ("log", [2]))
    made = [1, 2]
    task.folded = {"log": made}
    apply(run, [task])
    assert run.values["log"] is made


def test_values_folded_for_routing_do_not_count_when_others_wrote_too() -> None:
    run = standing(log=[])
    tasks = [done(run, "a", ("log", [1])), done(run, "b", ("log", [2]))]
    for task in tasks:
        task.folded = folded(run, task.writes or [], run.program.state)
    apply(run, tasks)
    assert run.values["log"] == [1, 2]


def test_a_woken_join_is_reset_by_the_step_it_ran_in() -> None:
    run = standing()
    put(run, run.control, JOIN, frozenset("ab"))
    apply(run, [done(run, "join")])
    assert run.control == {}


def test_the_states_keys_stay_in_the_order_of_its_class() -> None:
    run = standing(answer="x")
    apply(run, [done(run, "a", ("log", [1]))])
    assert list(run.values) == ["log", "answer"]


def test_an_emptied_key_is_gone() -> None:
    run = standing(once=1, topic=[1])
    assert run.mutable == {"topic"}
    apply(run, [done(run, "a", ("answer", "x"))])
    assert run.values == {"answer": "x"}
    assert (run.transient, run.mutable) == (frozenset(), frozenset())


def test_a_key_that_lives_for_one_step_is_known_as_such() -> None:
    run = standing()
    apply(run, [done(run, "a", ("once", 1), ("topic", 2))])
    assert run.transient == {"once", "topic"}
    assert run.mutable == {"topic"}


@pytest.mark.parametrize("value", [[1], {"a": 1}, {1}, Items([1])], ids=lambda value: type(value).__name__)
def test_a_container_is_known_as_one_that_a_reader_could_change(value: Any) -> None:
    run = standing()
    apply(run, [done(run, "a", ("box", value))])
    assert run.mutable == {"box"}
    apply(run, [done(run, "a", ("box", "text"))])
    assert run.mutable == frozenset()
    apply(run, [done(run, "a", ("box", value))])
    apply(run, [done(run, "a", ("box", value))])
    assert run.mutable == {"box"}


@pytest.mark.parametrize("value", [[1], {"a": 1}, Items([1])], ids=lambda value: type(value).__name__)
def test_a_container_that_is_put_is_known_too_unless_no_reader_sees_it(value: Any) -> None:
    run = standing(box=value)
    put(run, run.values, "log", value)
    put(run, run.control, TASKS, [Send("a", 1)])
    assert run.mutable == {"box", "log"}
    put(run, run.values, "log", value)
    put(run, run.values, "box", "text")
    assert run.mutable == {"log"}
    assert run.transient == {TASKS}
    put(run, run.values, "answer", "x")
    assert run.transient == {TASKS}


def test_a_key_for_one_step_may_hold_a_container_and_then_none(drive: Drive) -> None:
    builder = StateGraph(State).add_node("a", lambda state: {"once": [1]}).add_node("b", lambda state: {"once": "text"})
    builder.add_node("c", lambda state: {"answer": repr(state)})
    graph = builder.add_edge(START, "a").add_edge("a", "b").add_edge("b", "c").compile()
    assert drive.invoke(graph, {"log": []})["answer"] == "{'log': [], 'once': 'text'}"


def test_putting_nothing_empties_a_key() -> None:
    run = standing(topic=[1], log=[2])
    put(run, run.values, "topic", MISSING)
    put(run, run.values, "once", MISSING)
    assert (run.values, run.transient) == ({"log": [2]}, frozenset())
    assert run.mutable == {"log"}


def test_what_some_writes_alone_would_give_can_be_seen() -> None:
    run = standing(log=[1], answer="x")
    alone = folded(run, [("log", [2]), (branch_to("b"), None), ("log", [3])], run.program.state)
    assert alone == {"log": [1, 2, 3]}
    assert run.values == {"log": [1], "answer": "x"}


def test_a_first_write_alone_is_folded_into_nothing() -> None:
    run = standing()
    assert folded(run, [("maybe", [1])], run.program.state) == {"maybe": [1]}


class Counted(BaseChannel[int, int]):
    """A channel that its reader empties, and that would show whether it is empty."""

    __slots__ = ()
    consumed = True

    def fold(self, value: Any, writes: Any) -> Any:
        return len(writes) if value is MISSING else value + len(writes)


def test_a_consumed_channel_that_is_written_again_begins_empty(drive: Drive) -> None:
    node = NodeBuilder().subscribe_only("count").do(lambda count: count if count > 1 else None).write_to("count")
    graph = Pregel(nodes={"n": node}, channels={"count": Counted()}, input_channels="count", output_channels="count")
    run = Run(graph.program, None, {}, {})
    put(run, run.values, "count", 5)
    assert fold(run, {"count": [1, 1]}, consumed=["count"]) == {"count": 2}
    assert drive.invoke(graph, 7) is None


def test_storing_a_folded_control_channel_leaves_the_state_alone() -> None:
    run = standing(log=[1])
    store(run, {JOIN: frozenset("a")})
    assert (run.values, run.control) == ({"log": [1]}, {JOIN: frozenset("a")})


# what a user is told of a refused step


def one_step(**nodes: Any) -> Any:
    """A graph whose only step runs these nodes."""
    builder = StateGraph(State)
    for name, node in nodes.items():
        builder.add_node(name, node).add_edge(START, name)
    return builder.compile()


def refusal(drive: Drive, graph: Any) -> str:
    with pytest.raises(InvalidUpdateError) as caught:
        drive.invoke(graph, {"log": []})
    return str(caught.value)


def test_two_writers_on_a_plain_key_are_named_with_the_key_the_step_and_the_remedy(drive: Drive) -> None:
    text = refusal(drive, one_step(a=lambda state: {"answer": "x"}, b=lambda state: {"answer": "y"}))
    for part in ("'answer'", "nodes 'a' and 'b'", "step 1", "Annotated[str, fn]"):
        assert part in text


def test_a_node_that_writes_a_plain_key_twice_is_named_once(drive: Drive) -> None:
    commands = [Command(update={"answer": "x"}), Command(update={"answer": "y"})]
    text = refusal(drive, one_step(a=lambda state: commands, b=lambda state: {"log": [1]}))
    assert text.endswith("(in step 1, by node 'a')")


def test_two_overwrites_are_told_apart_from_two_writers(drive: Drive) -> None:
    text = refusal(drive, one_step(a=lambda state: {"log": Overwrite([1])}, b=lambda state: {"log": Overwrite([2])}))
    assert text == "channel 'log' was overwritten 2 times in one super-step (in step 1, by nodes 'a' and 'b')"


def picky(value: int, write: int) -> int:
    raise InvalidUpdateError("no such number")


class Picky(TypedDict):
    number: Annotated[int, picky]


def test_a_refusal_by_a_users_reducer_is_passed_on(drive: Drive) -> None:
    builder = StateGraph(Picky).add_node("a", lambda state: {"number": 1}).add_edge(START, "a")
    with pytest.raises(InvalidUpdateError, match=r"^no such number\nin the reducer of key 'number'"):
        drive.invoke(builder.compile(), {})


def test_nothing_of_a_refused_step_is_told_as_values(drive: Drive) -> None:
    graph = one_step(a=lambda state: {"answer": "x"}, b=lambda state: {"answer": "y"})
    told, error = drive.broken(graph, {"log": [0]}, stream_mode="values")
    assert isinstance(error, InvalidUpdateError)
    assert told == [{"log": [0]}]
