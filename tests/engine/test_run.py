"""The state of one run, as it is handed out."""

from __future__ import annotations

from typing import Any, TypedDict

import pytest

from headrace.engine.apply import put
from headrace.engine.plan import plan
from headrace.engine.run import Run
from headrace.graph import START, StateGraph
from headrace.names import branch_to


class State(TypedDict, total=False):
    items: list[int]
    text: str
    odd: Any


def standing(**values: Any) -> Run:
    builder = StateGraph(State).add_node("a", lambda state: {}).add_node("b", lambda state: {}).add_edge(START, "a")
    run = Run(builder.compile().program, {}, {}, {})
    for key, value in values.items():
        put(run, run.values, key, value)
    return run


def test_the_whole_state_is_a_copy_down_to_its_containers() -> None:
    run = standing(items=[1], text="x")
    run.state()["items"].append(2)
    run.state()["text"] = "y"
    run.read(run.program.everything)["items"].append(2)
    assert run.values == {"items": [1], "text": "x"}


def test_one_key_is_its_value_and_none_where_it_has_none() -> None:
    run = standing(items=[1])
    assert run.read("items") == [1]
    assert run.read("items") is not run.values["items"]
    assert run.read("text") is None


def test_several_keys_are_those_that_have_a_value() -> None:
    run = standing(items=[1], text="x")
    assert run.read(("text", "odd", "items")) == {"text": "x", "items": [1]}


def test_other_values_can_be_read_the_same_way() -> None:
    run = standing(items=[1])
    assert run.read(run.program.everything, {"items": [2], "text": "y"}) == {"items": [2], "text": "y"}


def test_another_value_of_a_key_that_holds_a_container_need_be_none() -> None:
    run = standing(odd=[1])
    assert run.read("odd", {"odd": 2}) == 2


def test_a_thread_is_named_by_text() -> None:
    run = standing()
    assert run.thread_id is None
    run.config = {"configurable": {"thread_id": 7}}
    assert run.thread_id == "7"


def test_a_task_is_found_by_the_names_of_nodes() -> None:
    run = standing()
    run.changed = (branch_to("a"),)
    tasks = plan(run)
    assert run.named("*", tasks)
    assert run.named(("b", "a"), tasks)
    assert not run.named(("b",), tasks)
    assert not run.named((), tasks)


@pytest.mark.parametrize(
    ("modes", "tasks", "checkpoints"),
    [((), False, False), (("values", "tasks"), True, False), (("checkpoints",), False, True), (("debug",), True, True)],
)
def test_what_nobody_listens_to_is_not_made(modes: tuple[str, ...], tasks: bool, checkpoints: bool) -> None:
    run = standing()
    run.listen(dict.fromkeys(modes, print))
    assert (run.tells_tasks, run.tells_checkpoints) == (tasks, checkpoints)
