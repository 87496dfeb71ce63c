"""One task, from its input to its outcome."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from headrace import clock, ids
from headrace.cache.memory import InMemoryCache
from headrace.checkpoint.memory import InMemorySaver
from headrace.engine.attempt import backoff
from headrace.engine.run import Run
from headrace.engine.task import Task
from headrace.errors import InvalidUpdateError, NodeError, NodeInterrupt, ParentCommand
from headrace.graph import END, START, StateGraph
from headrace.runtime import Runtime
from headrace.types import CachePolicy, Command, RetryPolicy, Send, interrupt
from tests.drive import Drive
from tests.engine.build import State, chain, says
from tests.engine.test_loop import notes

AT_ONCE = RetryPolicy(initial_interval=0, jitter=False, retry_on=ValueError)


def failing(times: int, error: type[Exception] = ValueError) -> Any:
    """A node that fails so many times, and tells its attempt when it does not."""
    left = times

    def node(state: State, runtime: Runtime) -> State:
        nonlocal left
        left -= 1
        if left >= 0:
            raise error("not yet")
        assert runtime.execution_info is not None
        return {"log": [runtime.execution_info.node_attempt]}

    return node


def single(node: Any, compile: dict[str, Any] | None = None, **options: Any) -> Any:
    """A graph of the one node `node`."""
    return StateGraph(State).add_node("node", node, **options).add_edge(START, "node").compile(**(compile or {}))


# retries


def test_a_failed_node_runs_again_as_its_policy_says(drive: Drive) -> None:
    assert drive.invoke(single(failing(2), retry_policy=AT_ONCE), {"log": []}) == {"log": [3]}


def test_the_last_attempts_error_is_raised(drive: Drive) -> None:
    with pytest.raises(ValueError, match="not yet"):
        drive.invoke(single(failing(3), retry_policy=AT_ONCE), {"log": []})


def test_an_error_that_no_policy_covers_is_final(drive: Drive) -> None:
    with pytest.raises(KeyError):
        drive.invoke(single(failing(1, KeyError), retry_policy=AT_ONCE), {"log": []})


def test_the_first_policy_that_covers_an_error_counts(drive: Drive) -> None:
    never = RetryPolicy(max_attempts=1, retry_on=KeyError)
    graph = single(failing(1), retry_policy=[never, AT_ONCE])
    assert drive.invoke(graph, {"log": []}) == {"log": [2]}
    with pytest.raises(KeyError):
        drive.invoke(single(failing(1, KeyError), retry_policy=[never, AT_ONCE]), {"log": []})


def test_the_first_attempts_time_stays_that_of_the_first(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[Any] = []

    def node(state: State, runtime: Runtime) -> None:
        assert runtime.execution_info is not None
        times.append(runtime.execution_info.node_first_attempt_time)
        monkeypatch.setattr(clock, "now", lambda: 200.0)
        if len(times) < 2:
            raise ValueError

    monkeypatch.setattr(clock, "now", lambda: 100.0)
    drive.invoke(single(node, retry_policy=AT_ONCE), {"log": []})
    assert times == [100.0, 100.0]


def test_nothing_of_a_failed_attempt_is_left(drive: Drive) -> None:
    tries: list[int] = []

    def node(state: State) -> State:
        tries.append(1)
        inner.invoke({"log": []})
        if len(tries) == 1:
            raise ValueError
        return {"log": ["once"]}

    inner = chain(says("inner"))
    graph = single(node, retry_policy=AT_ONCE)
    events = drive.stream(graph, {"log": []}, stream_mode="updates", subgraphs=True)
    places = [ns for ns, update in events if "inner" in update]
    assert [len(ns) for ns in places] == [1, 1], "the second attempt's subgraph is the first of its attempt"
    assert places[0] == places[1]
    assert events[-1] == ((), {"node": {"log": ["once"]}})


@pytest.mark.parametrize(
    ("attempt", "policy", "seconds"),
    [
        (1, RetryPolicy(retry_on=ValueError, jitter=False), 0.5),
        (2, RetryPolicy(retry_on=ValueError, jitter=False), 1.0),
        (2, RetryPolicy(retry_on=ValueError, jitter=False, max_interval=0.75), 0.75),
        (1, RetryPolicy(retry_on=ValueError), 0.75),
        (3, RetryPolicy(retry_on=ValueError), None),
        (1, RetryPolicy(retry_on=KeyError), None),
    ],
)
def test_the_wait_before_the_next_attempt(
    attempt: int, policy: RetryPolicy, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ids, "chance", lambda: 0.25)
    program = single(says("x"), retry_policy=policy).program
    task = Task(Run(program, {}, {}, {}), program.nodes["node"], {})
    task.attempt = attempt
    assert backoff(task, ValueError()) == seconds


# error handlers


def test_an_error_handler_runs_in_place_of_a_node_that_failed_for_good(drive: Drive) -> None:
    def handle(state: State, error: NodeError) -> State:
        return {"log": [(error.node, str(error.error), state.get("log"))]}

    graph = single(failing(9), error_handler=handle, retry_policy=AT_ONCE)
    assert drive.invoke(graph, {"log": ["in"]}) == {"log": ["in", ("node", "not yet", ["in"])]}


def test_a_node_without_a_handler_fails(drive: Drive) -> None:
    with pytest.raises(ValueError, match="not yet") as caught:
        drive.invoke(single(failing(1)), {"log": []})
    assert "in node 'node', step 1, task " in notes(caught.value)[0]


def test_a_handler_that_fails_fails_the_run(drive: Drive) -> None:
    def handle(state: State, error: NodeError) -> State:
        raise KeyError("worse") from error.error

    with pytest.raises(KeyError):
        drive.invoke(single(failing(1), error_handler=handle), {"log": []})


class Odd(Exception):
    """An error that cannot be made from its message alone."""

    def __init__(self, code: int, cause: str) -> None:
        super().__init__("odd")
        self.code = code


def repaired(calls: list[str], *, asks: bool) -> StateGraph[State]:
    """Two nodes beside each other: one fails, and its handler asks if it `asks`; the other one asks."""

    def fails(state: State) -> State:
        calls.append("fails")
        raise Odd(7, "any")

    def handle(state: State, error: NodeError) -> State:
        calls.append("handle")
        assert isinstance(error.error, Odd)
        assert error.error.code == 7
        return {"log": [interrupt("repair?") if asks else "repaired"]}

    def other(state: State) -> State:
        calls.append("other")
        return {"log": [interrupt("other?")]}

    builder = StateGraph(State).add_node("fails", fails, error_handler=handle).add_node("other", other)
    return builder.add_edge(START, "fails").add_edge(START, "other")


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_a_handler_can_ask(durability: Any, drive: Drive, thread: Any) -> None:
    calls: list[str] = []
    graph = repaired(calls, asks=True).compile(checkpointer=InMemorySaver())
    drive.invoke(graph, {"log": []}, thread, durability=durability)
    state = drive.state(graph, thread)
    assert [(task.name, task.error, [one.value for one in task.interrupts]) for task in state.tasks] == [
        ("fails", "Odd('odd')", ["repair?"]),
        ("other", None, ["other?"]),
    ]
    answers = {one.id: one.value.upper() for one in state.interrupts}
    del calls[:]
    result = drive.invoke(graph, Command(resume=answers), thread, durability=durability)
    assert result == {"log": ["REPAIR?", "OTHER?"]}
    assert sorted(calls) == ["handle", "other"]


def test_a_failed_node_whose_handler_is_gone_runs_again(drive: Drive, thread: Any) -> None:
    calls: list[str] = []
    saver = InMemorySaver()
    drive.invoke(repaired(calls, asks=True).compile(checkpointer=saver), {"log": []}, thread)
    del calls[:]
    builder = StateGraph(State).add_node("other", lambda state: {"log": [interrupt("other?")]}).add_edge(START, "other")
    builder.add_node("fails", lambda state: calls.append("fails")).add_edge(START, "fails")
    drive.invoke(builder.compile(checkpointer=saver), Command(resume="yes"), thread)
    assert calls == ["fails"]


def test_every_task_that_starts_is_told_to_end(drive: Drive, thread: Any) -> None:
    graph = repaired([], asks=True).compile(checkpointer=InMemorySaver())
    told = drive.stream(graph, {"log": []}, thread, stream_mode="tasks")
    starts = [task["name"] for task in told if "input" in task]
    assert starts == ["fails", "other", "__error_handler__fails"]
    assert sorted(task["name"] for task in told if "input" not in task) == sorted(starts)
    answers = {one.id: "yes" for one in drive.state(graph, thread).interrupts}
    told = drive.stream(graph, Command(resume=answers), thread, stream_mode="tasks")
    starts = [task["name"] for task in told if "input" in task]
    assert starts == ["__error_handler__fails", "other"]
    assert sorted(task["name"] for task in told if "input" not in task) == sorted(starts)


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_a_handled_failure_is_not_repeated_when_another_node_gets_its_answer(
    durability: Any, drive: Drive, thread: Any
) -> None:
    calls: list[str] = []
    graph = repaired(calls, asks=False).compile(checkpointer=InMemorySaver())
    drive.invoke(graph, {"log": []}, thread, durability=durability)
    state = drive.state(graph, thread)
    assert (state.next, state.values) == (("other",), {"log": ["repaired"]})
    assert [(task.name, task.error, task.result) for task in state.tasks] == [
        ("fails", "Odd('odd')", {"log": ["repaired"]}),
        ("other", None, None),
    ]
    del calls[:]
    assert drive.invoke(graph, Command(resume="yes"), thread, durability=durability) == {"log": ["repaired", "yes"]}
    assert calls == ["other"]


def test_another_answer_is_for_the_node_that_asked_not_for_its_handler(drive: Drive, thread: Any) -> None:
    calls: list[str] = []

    def asks(state: State) -> State:
        calls.append("asks")
        if interrupt("how?") == "badly":
            raise ValueError
        return {"log": ["well"]}

    def handle(state: State, error: NodeError) -> State:
        calls.append("handle")
        return {"log": ["handled"]}

    graph = single(asks, {"checkpointer": InMemorySaver()}, error_handler=handle)
    drive.invoke(graph, {"log": []}, thread)
    asked = drive.state(graph, thread).config
    assert drive.invoke(graph, Command(resume="badly"), thread) == {"log": ["handled"]}
    assert drive.invoke(graph, Command(resume="well"), asked) == {"log": ["well"]}
    assert calls == ["asks", "asks", "handle", "asks"]


class Made(Exception):
    """An error that says more than it was given."""

    def __init__(self, city: str) -> None:
        super().__init__(f"no city {city.upper()}")


class Unmade(Exception):
    """An error that cannot be made again from its message."""

    def __init__(self, cause: Any) -> None:
        super().__init__("failed")
        self.code = cause.code


@pytest.mark.parametrize("error", [Made("Rome"), Unmade(SystemExit(3))], ids=["made", "unmade"])
def test_a_handler_gets_the_same_error_with_its_answer(error: Exception, drive: Drive, thread: Any) -> None:
    got: list[str] = []

    def fails(state: State) -> State:
        raise error

    def handle(state: State, error: NodeError) -> State:
        got.append(repr(error.error))
        return {"log": [interrupt("what now?")]}

    graph = single(fails, {"checkpointer": InMemorySaver()}, error_handler=handle)
    drive.invoke(graph, {"log": []}, thread)
    assert drive.invoke(graph, Command(resume="on"), thread) == {"log": ["on"]}
    assert got == [repr(error)] * 2


def test_handlers_of_one_nodes_tasks_are_told_apart(drive: Drive, thread: Any) -> None:
    def fails(state: Any) -> State:
        raise ValueError(state)

    def handle(state: Any, error: NodeError) -> State:
        return {"log": [interrupt(f"repair {error.error}?")]}

    builder = StateGraph(State).add_node("fails", fails, error_handler=handle)
    builder.add_conditional_edges(START, lambda state: [Send("fails", "one"), Send("fails", "two")], ["fails"])
    graph = builder.compile(checkpointer=InMemorySaver())
    drive.invoke(graph, {"log": []}, thread)
    questions = drive.state(graph, thread).interrupts
    assert [one.value for one in questions] == ["repair one?", "repair two?"]
    answers = {questions[1].id: "second", questions[0].id: "first"}
    assert drive.invoke(graph, Command(resume=answers), thread) == {"log": ["first", "second"]}


# caches


def test_a_cached_result_is_given_again_and_its_events_say_so(drive: Drive) -> None:
    graph = single(failing(0), {"cache": InMemoryCache()}, cache_policy=CachePolicy())
    first = drive.stream(graph, {"log": []}, stream_mode="updates")
    second = drive.stream(graph, {"log": []}, stream_mode="updates")
    assert first == [{"node": {"log": [1]}}]
    assert second == [{"node": {"log": [1]}, "__metadata__": {"cached": True}}]


def test_a_cached_result_is_for_one_input(drive: Drive) -> None:
    calls: list[Any] = []
    graph = single(calls.append, {"cache": InMemoryCache()}, cache_policy=CachePolicy())
    for log in ([1], [2], [1]):
        drive.invoke(graph, {"log": log})
    assert calls == [{"log": [1]}, {"log": [2]}]


@pytest.mark.parametrize("key", ["k", b"k"])
def test_a_policys_key_says_which_inputs_are_the_same(key: str | bytes, drive: Drive) -> None:
    calls: list[Any] = []
    policy = CachePolicy(key_func=lambda state: key)
    graph = single(calls.append, {"cache": InMemoryCache()}, cache_policy=policy)
    drive.invoke(graph, {"log": [1]})
    drive.invoke(graph, {"log": [2]})
    assert calls == [{"log": [1]}]


def test_a_result_is_not_given_to_other_code_of_the_same_name(drive: Drive) -> None:
    cache = InMemoryCache()
    log = [
        drive.invoke(single(node, {"cache": cache}, cache_policy=CachePolicy()), {"log": []})["log"]
        for node in (
            lambda state: {"log": ["old"]},
            partial(lambda state: {"log": ["new"]}),
            lambda state: {"log": ["old"]},
        )
    ]
    assert log == [["old"], ["new"], ["old"]]


class Counted:
    calls = 0

    def __call__(self, state: State) -> dict[str, Any]:
        Counted.calls += 1
        return {"log": [Counted.calls]}


def test_the_results_of_an_object_that_can_be_called_are_kept_for_its_kind(
    drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counted, "calls", 0)
    cache = InMemoryCache()
    for _ in range(2):
        graph = single(Counted(), {"cache": cache}, cache_policy=CachePolicy())
        assert drive.invoke(graph, {"log": []}) == {"log": [1]}


def test_a_cache_policy_without_a_cache_does_nothing(drive: Drive) -> None:
    calls: list[Any] = []
    graph = single(calls.append, cache_policy=CachePolicy())
    drive.invoke(graph, {"log": []})
    drive.invoke(graph, {"log": []})
    assert len(calls) == 2


def test_a_cached_node_leads_on_like_any_other(drive: Drive) -> None:
    builder = StateGraph(State).add_node("a", says("a"), cache_policy=CachePolicy()).add_node("b", says("b"))
    graph = builder.add_edge(START, "a").add_conditional_edges("a", lambda state: "b").compile(cache=InMemoryCache())
    assert drive.invoke(graph, {"log": []}) == drive.invoke(graph, {"log": []}) == {"log": ["a", "b"]}


def test_a_cached_one_of_several_parallel_nodes_is_told_too(drive: Drive) -> None:
    builder = StateGraph(State).add_node("a", says("a"), cache_policy=CachePolicy()).add_node("b", says("b"))
    graph = builder.add_edge(START, "a").add_edge(START, "b").compile(cache=InMemoryCache())
    drive.invoke(graph, {"log": []})
    events = drive.stream(graph, {"log": []}, stream_mode="updates")
    assert {"a": {"log": ["a"]}, "__metadata__": {"cached": True}} in events
    assert {"b": {"log": ["b"]}} in events


# where a result leads


def test_a_routing_function_sees_what_its_own_node_wrote_and_not_its_neighbour(drive: Drive) -> None:
    seen: list[Any] = []

    def route(state: State) -> str:
        seen.append(state["log"])
        return END

    builder = StateGraph(State).add_node("a", says("a")).add_node("b", says("b"))
    builder.add_edge(START, "a").add_edge(START, "b").add_conditional_edges("a", route)
    assert drive.invoke(builder.compile(), {"log": [0]}) == {"log": [0, "a", "b"]}
    assert seen == [[0, "a"]]


def test_a_routing_function_can_have_what_a_node_can_have(drive: Drive) -> None:
    def route(state: State, config: Any) -> Any:
        return [Send("b", {"log": [config["configurable"]["who"]]})]

    builder = StateGraph(State).add_node("a", says("a")).add_node("b", lambda state: state)
    builder.add_edge(START, "a").add_conditional_edges("a", route)
    assert drive.invoke(builder.compile(), {"log": []}, {"configurable": {"who": "me"}}) == {"log": ["a", "me"]}


def test_two_routing_functions_of_a_node_are_both_followed(drive: Drive) -> None:
    builder = StateGraph(State)
    for name in "abc":
        builder.add_node(name, says(name))
    builder.add_edge(START, "a").add_conditional_edges("a", lambda state: "b")

    def other(state: State) -> str:
        return "c"

    builder.add_conditional_edges("a", other)
    assert drive.invoke(builder.compile(), {"log": []}) == {"log": ["a", "b", "c"]}


def test_an_async_routing_function_needs_an_async_call() -> None:
    async def route(state: State) -> str:
        return END

    builder = StateGraph(State).add_node("a", says("a")).add_edge(START, "a").add_conditional_edges("a", route)
    graph = builder.compile()
    with pytest.raises(TypeError, match=r"a routing function of node 'a' is async; use ainvoke\(\) or astream\(\)"):
        graph.invoke({"log": []})
    assert asyncio.run(graph.ainvoke({"log": []})) == {"log": ["a"]}


def test_a_failing_routing_function_fails_its_node(drive: Drive) -> None:
    def route(state: State) -> str:
        raise ValueError("lost")

    builder = StateGraph(State).add_node("a", says("a")).add_edge(START, "a").add_conditional_edges("a", route)
    with pytest.raises(ValueError, match="lost") as caught:
        drive.invoke(builder.compile(), {"log": []})
    assert "in node 'a'" in notes(caught.value)[0]


# commands for the graph above


def above(inner: Any) -> Any:
    """A graph with `inner` as a node, and a node `after` that nothing leads to."""
    builder = StateGraph(State).add_node("inner", inner).add_node("after", says("after"))
    return builder.add_edge(START, "inner").compile(name="outer")


def test_a_command_for_the_graph_above_goes_there(drive: Drive) -> None:
    inner = single(lambda state: Command(graph=Command.PARENT, update={"log": ["up"]}, goto="after"))
    assert drive.invoke(above(inner), {"log": []}) == {"log": ["up", "after"]}


def test_a_command_can_name_the_graph_it_is_for(drive: Drive) -> None:
    inner = single(lambda state: Command(graph="outer", update={"log": ["up"]}, goto="after"))
    middle = single(inner)
    assert drive.invoke(above(middle), {"log": []}) == {"log": ["up", "after"]}


@pytest.mark.parametrize(("graph", "where"), [(Command.PARENT, "the graph above"), ("nowhere", "graph 'nowhere'")])
def test_a_command_for_a_graph_that_is_not_there_is_an_error_with_a_remedy(
    graph: str, where: str, drive: Drive
) -> None:
    with pytest.raises(InvalidUpdateError) as caught:
        drive.invoke(single(lambda state: Command(graph=graph), {"name": "alone"}), {"log": []})
    text = str(caught.value)
    assert "node 'node'" in text
    assert where in text
    assert "graph 'alone'" in text
    assert "leave out `graph=`" in text


def test_a_command_for_a_graph_that_is_nowhere_above_is_an_error_of_the_outermost(drive: Drive) -> None:
    inner = single(lambda state: Command(graph="nowhere"))
    with pytest.raises(InvalidUpdateError, match="node 'inner' returned a command for graph 'nowhere'"):
        drive.invoke(above(inner), {"log": []})


def test_a_command_can_be_raised(drive: Drive) -> None:
    def node(state: State) -> None:
        raise ParentCommand(Command(graph=Command.PARENT, update={"log": ["raised"]}))

    assert drive.invoke(above(single(node)), {"log": []}) == {"log": ["raised"]}


# questions


def test_a_question_that_a_node_raised_itself_gets_an_id_like_any_other(drive: Drive, thread: Any) -> None:
    def node(state: State) -> None:
        raise NodeInterrupt("really?")

    def asks(state: State) -> None:
        interrupt("really?")

    ids = []
    for function in (node, asks):
        graph = single(function, {"checkpointer": InMemorySaver()})
        (question,) = drive.invoke(graph, {"log": []}, thread)["__interrupt__"]
        assert question.value == "really?"
        ids.append(question.id)
    assert all(len(one) == 32 for one in ids)
    assert ids[0] != ids[1], "they are of different runs"


def test_a_question_keeps_the_id_that_a_node_gave_it(drive: Drive, thread: Any) -> None:
    def node(state: State) -> None:
        raise NodeInterrupt("really?", id="mine")

    (question,) = drive.invoke(single(node, {"checkpointer": InMemorySaver()}), {"log": []}, thread)["__interrupt__"]
    assert question.id == "mine"
