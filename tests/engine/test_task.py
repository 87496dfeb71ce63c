"""What a running node's code may ask, and what it is told once its time is over."""

from __future__ import annotations

import re
from typing import Any

import pytest

from headrace import clock, ids
from headrace.config import RunnableConfig, get_config, get_stream_writer
from headrace.engine.run import Run
from headrace.engine.task import ENDED, STOPPED, Task, order_of_writes
from headrace.errors import GraphInterrupt, NodeCancelled
from headrace.graph import START, StateGraph
from headrace.runtime import get_runtime
from headrace.types import Send, interrupt
from tests.drive import Drive
from tests.engine.build import State, chain, says


def task(config: RunnableConfig | None = None, puts: dict[str, Any] | None = None, sent: int | None = None) -> Task:
    """A task of a run that is under way."""
    program = chain(says("node"), name="graph").program
    run = Run(program, {}, config or {}, puts or {})
    run.step = 3
    return Task(run, program.nodes["node"], {}, sent)


# what it is


def test_the_id_is_the_same_for_the_same_task_of_the_same_checkpoint() -> None:
    one, other = task(), task()
    one.run.checkpoint_id = other.run.checkpoint_id = "x"
    assert one.id == other.id
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", one.id)


@pytest.mark.parametrize("change", ["checkpoint_id", "ns", "step", "upcoming"])
def test_the_id_is_another_for_another_place(change: str) -> None:
    one, other = task(), task()
    one.run.checkpoint_id = other.run.checkpoint_id = "x"
    other.step = 4 if change == "step" else 3
    if change != "step":
        setattr(other.run, change, ("a:1",) if change == "ns" else "y")
    assert one.id != other.id


def test_the_id_is_another_for_each_send() -> None:
    tasks = [task(sent=sent) for sent in (None, 0, 1)]
    for one in tasks:
        one.run.checkpoint_id = "x"
    assert len({one.id for one in tasks}) == 3


def test_the_ids_of_two_runs_without_a_checkpointer_differ() -> None:
    assert task().id != task().id


def test_path_and_triggers_tell_a_woken_task_from_a_sent_one() -> None:
    assert (task().path, task().triggers) == (("__pregel_pull", "node"), ("branch:to:node",))
    assert (task(sent=2).path, task(sent=2).triggers) == (("__pregel_push", 2, False), ("__pregel_push",))


def test_metadata_says_where_it_comes_from(drive: Drive) -> None:
    seen: list[Any] = []

    def node(state: State) -> None:
        seen.append((get_config()["metadata"], get_config()["configurable"]))

    def send(state: State) -> Any:
        return Send("node", {})

    graph = StateGraph(State).add_node("node", node).add_conditional_edges(START, send).compile()
    drive.invoke(graph, {"log": []})
    ((metadata, configurable),) = seen
    ns = metadata.pop("langgraph_checkpoint_ns")
    assert re.fullmatch("node:[0-9a-f-]{36}", ns)
    assert configurable["checkpoint_ns"] == ns
    assert metadata == {
        "langgraph_step": 1,
        "langgraph_node": "node",
        "langgraph_triggers": ("__pregel_push",),
        "langgraph_path": ("__pregel_push", 0, False),
    }


def test_the_config_of_a_node_has_the_callers_but_not_what_is_of_the_run_alone(drive: Drive) -> None:
    seen: list[Any] = []
    graph = chain(lambda state: seen.append(get_config()))
    run_id = "00000000-0000-0000-0000-000000000001"
    drive.invoke(graph, {"log": []}, {"run_name": "n", "run_id": run_id, "max_concurrency": 3, "metadata": {"a": 1}})
    (config,) = seen
    assert "run_name" not in config
    assert "run_id" not in config
    assert (config["max_concurrency"], config["metadata"]["a"]) == (3, 1)


def test_a_nodes_own_metadata_is_part_of_its_config(drive: Drive) -> None:
    seen: list[Any] = []
    builder = StateGraph(State).add_node("n", lambda state: seen.append(get_config()), metadata={"own": True})
    drive.invoke(builder.add_edge(START, "n").compile(), {"log": []}, {"metadata": {"own": False}})
    assert seen[0]["metadata"]["own"] is True


def test_config_metadata_and_runtime_are_made_once_for_each_task() -> None:
    one = task()
    assert one.config is one.config
    assert one.metadata is one.metadata
    assert one.runtime is one.runtime
    assert one.writer is one.writer
    assert one.run.runtime is one.run.runtime


def test_the_runtime_tells_where_a_node_runs(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: 123.0)
    seen: list[Any] = []
    graph = chain(lambda state: seen.append((get_runtime().execution_info, get_config())))
    run_id = "00000000-0000-0000-0000-000000000001"
    drive.invoke(graph, {"log": []}, {"run_id": run_id, "configurable": {"thread_id": 7}})
    ((info, config),) = seen
    assert (info.thread_id, info.run_id, info.node_attempt) == ("7", run_id, 1)
    assert info.node_first_attempt_time == 123.0
    assert info.checkpoint_ns == config["configurable"]["checkpoint_ns"]
    assert info.checkpoint_ns.endswith(info.task_id)


def test_a_graph_inside_a_node_is_of_the_same_run(drive: Drive) -> None:
    seen: list[Any] = []

    def inside(state: State) -> None:
        info = get_runtime().execution_info
        assert info is not None
        seen.append(info.run_id)

    inner = chain(inside)

    def outer(state: State) -> None:
        inner.invoke({"log": []})

    drive.invoke(chain(outer), {"log": []}, {"run_id": "00000000-0000-0000-0000-000000000001"})
    drive.invoke(chain(outer), {"log": []})
    assert seen == ["00000000-0000-0000-0000-000000000001", None]


# writing


def heard(mode: str = "custom") -> tuple[Task, list[Any]]:
    """A task whose events of this mode go into the list."""
    events: list[Any] = []
    return task(puts={mode: events.append}), events


def test_what_is_written_is_told_with_its_place() -> None:
    one, events = heard()
    one.run.ns = ("a:1",)
    one.writer("x")
    assert events == [(("a:1",), 3, "custom", "x")]


def test_a_writer_that_nobody_hears_does_nothing() -> None:
    task().writer("x")


def test_any_mode_can_be_emitted_and_is_told_if_it_was_asked_for() -> None:
    one, events = heard("messages")
    one.emit("messages", "m")
    one.emit("custom", "c")
    assert events == [((), 3, "messages", "m")]


@pytest.mark.parametrize("write", [lambda one: one.writer("x"), lambda one: one.emit("custom", "x")])
def test_an_event_after_the_end_is_dropped_and_warned_of_once(write: Any) -> None:
    one, events = heard()
    one.state = ENDED
    with pytest.warns(RuntimeWarning, match="node 'node' has ended; a custom event .* was dropped"):
        write(one)
    write(one)
    assert events == []


def test_each_task_is_warned_of(drive: Drive) -> None:
    writers: list[Any] = []

    def node(state: State) -> State:
        writers.append(get_stream_writer())
        return {}

    graph = StateGraph(State).add_node("a", node).add_node("b", node).add_edge(START, "a").add_edge("a", "b").compile()
    drive.stream(graph, {"log": []}, stream_mode="custom")
    for name, writer in zip("ab", writers, strict=True):
        with pytest.warns(RuntimeWarning, match=f"node '{name}' has ended"):
            writer("late")


@pytest.mark.parametrize("puts", [{}, {"custom": lambda item: None}], ids=["unheard", "heard"])
@pytest.mark.parametrize(
    "use",
    [
        lambda one: one.writer("x"),
        lambda one: one.config,
        lambda one: one.runtime,
        lambda one: one.ask("?"),
        lambda one: one.heartbeat(),
    ],
    ids=["writer", "config", "runtime", "ask", "heartbeat"],
)
def test_the_code_of_a_stopped_node_is_stopped_at_its_next_call(use: Any, puts: dict[str, Any]) -> None:
    one = task(puts=puts)
    writer = one.writer
    assert callable(writer)
    one.stop()
    with pytest.raises(NodeCancelled, match="node 'node' must end"):
        use(one)


def test_a_task_that_has_ended_is_not_stopped() -> None:
    one = task()
    one.state = ENDED
    one.stop()
    assert one.state == ENDED


def test_stopping_reaches_the_runs_below() -> None:
    one, below = task(), task()
    below.run.active = [below]
    one.children = [below.run]
    one.stop()
    assert below.run.stopped
    assert below.state == STOPPED


def test_signs_of_life_restart_the_idle_timeout() -> None:
    one, _ = heard()
    signs: list[str] = []
    one.sign, one.beat = lambda: signs.append("sign"), lambda: signs.append("beat")
    one.writer("x")
    one.emit("custom", "x")
    one.emit("values", "nobody asked")
    one.unheard("x")
    one.heartbeat()
    assert signs == ["sign", "sign", "sign", "beat"]


# asking


def test_questions_are_answered_in_their_order_and_the_next_one_is_raised() -> None:
    one = task()
    one.answers = ["first"]
    assert one.ask("1") == "first"
    with pytest.raises(GraphInterrupt) as caught:
        one.ask("2", response_schema=int)
    (question,) = caught.value.interrupts
    assert (question.value, question.response_schema, question.id) == ("2", int, one.interrupt_id(1))


def test_an_answer_by_id_is_kept_for_the_next_attempt() -> None:
    one = task()
    one.run.answers = {one.interrupt_id(0): "yes"}
    assert one.ask("1") == "yes"
    assert (one.answers, one.kept) == (["yes"], 1)
    with pytest.raises(GraphInterrupt):
        one.ask("2")
    one.kept = 0
    one.run.answers = {}
    assert one.ask("1") == "yes"


def test_each_question_of_each_task_has_an_id_of_its_own() -> None:
    one, other = task(), task(sent=1)
    one.run.checkpoint_id = other.run.checkpoint_id = "x"
    assert len({one.interrupt_id(0), one.interrupt_id(1), other.interrupt_id(0)}) == 3
    assert one.interrupt_id(0) == ids.digest(f"interrupt {one.id} 0")


def test_extra_writes_come_before_those_of_the_return_value(drive: Drive) -> None:
    from headrace.config import current

    def node(state: State) -> State:
        running = current.get()
        assert running is not None
        running.extra_write("log", ["one"])
        running.extra_write("log", ["two"])
        return {"log": ["three"]}

    assert drive.invoke(chain(node), {"log": []}) == {"log": ["one", "two", "three"]}


# order


def test_writes_are_applied_in_the_order_of_woken_nodes_and_then_of_sends() -> None:
    tasks = [task(sent=0), task(), task(sent=1), task()]
    ordered = order_of_writes(tasks)
    assert ordered == [tasks[1], tasks[3], tasks[0], tasks[2]]
    woken = [task(), task()]
    assert order_of_writes(woken) is woken


def test_a_question_needs_a_running_node() -> None:
    with pytest.raises(RuntimeError, match=r"interrupt\(\) works inside a node of a running graph"):
        interrupt("?")
