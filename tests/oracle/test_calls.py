"""What stands beside the stream: the result of a call, and when nodes run while a stream is read."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import pytest

from . import programs
from .canonical import Ordinals
from .compare import differing, side_by_side
from .program import Driver, Program
from .programs.returns import State
from .record import results
from .render import render
from .roots import REFERENCE, SUBJECT, Kit, Root

pytestmark = pytest.mark.main_only

CALLS = [
    pytest.param(program, driver, version, id=f"{program.name}-{driver}-{version}")
    for program in programs.ALL
    for driver in program.drivers
    for version in ("v1", "v2")
]


@pytest.mark.parametrize(("program", "driver", "version"), CALLS)
def test_results_are_the_same(program: Program, driver: Driver, version: Literal["v1", "v2"]) -> None:
    expected, found = (_results(program, root, driver, version) for root in (REFERENCE, SUBJECT))
    expected, found = differing(program, expected, found)
    assert expected == found, side_by_side(expected, found, f"{program.name} [{driver} {version}]")


def _results(program: Program, root: Root, driver: Driver, version: Literal["v1", "v2"]) -> list[str]:
    ordinals = Ordinals()
    lines: list[str] = []
    for result in results(program, root, driver, version):
        if isinstance(result, BaseException):
            lines.append(f"== raised {type(result).__name__ if program.parallel else render(result)}")
        else:
            _in_order(result)
            lines += [ordinals.number(render(result)), "== ended"]
    return lines


def _in_order(result: Any) -> None:
    """Parallel questions come in the order in which they were asked, which is free."""
    if isinstance(result, dict) and "__interrupt__" in result:
        result["__interrupt__"].sort(key=lambda question: repr(question.value))
    elif getattr(result, "interrupts", None):
        ordered = tuple(sorted(result.interrupts, key=lambda question: repr(question.value)))
        object.__setattr__(result, "interrupts", ordered)


@pytest.mark.parametrize("mode", ["values", "updates", "debug", "tasks", "custom", ["values", "custom"]])
@pytest.mark.parametrize("driver", ["sync", "async"])
def test_nodes_run_when_the_reader_asks(driver: Driver, mode: Any) -> None:
    """After each item, the nodes that had run: a step waits until all of the last one's events are taken."""
    assert _pulled(REFERENCE, driver, mode) == _pulled(SUBJECT, driver, mode)


def _pulled(root: Root, driver: Driver, mode: Any) -> list[tuple[str, ...]]:
    kit = Kit(root, coroutines=driver == "async")

    def calling(name: str) -> Any:
        def call(state: State) -> Any:
            kit.calls.append(name)
            return {"log": [name]}

        return call

    graph = kit.chain(State, **{name: calling(name) for name in "abc"}).compile()
    if driver == "sync":
        return [tuple(kit.calls) for _ in graph.stream({"x": 0}, stream_mode=mode)]

    async def read() -> list[tuple[str, ...]]:
        return [tuple(kit.calls) async for _ in graph.astream({"x": 0}, stream_mode=mode)]

    return asyncio.run(read())


def test_a_printed_mode_is_not_in_the_stream(capsys: pytest.CaptureFixture[str]) -> None:
    kept, printed = [], []
    for root in (REFERENCE, SUBJECT):
        graph = Kit(root).chain(State, a=lambda state: {"x": 1}).compile()
        kept.append(list(graph.stream({"x": 0}, stream_mode="updates", print_mode=["values", "updates"])))
        printed.append(capsys.readouterr().out)
    assert kept[0] == kept[1] == [{"a": {"x": 1}}]
    assert printed[0] == printed[1]


def test_a_memory_of_its_own_is_where_the_task_says() -> None:
    """What the difference "place of a memory of its own" is for."""
    kit, config = Kit(SUBJECT), {"configurable": {"thread_id": "T"}}
    graph = programs.subgraphs.subgraph_with_a_memory_of_its_own(kit)
    graph.invoke({"foo": "foo"}, config)
    (place,) = [task.state for state in graph.get_state_history(config) for task in state.tasks if task.state]
    assert graph.get_state(place).values == {"foo": "hi! foobar", "bar": "bar"}


@pytest.mark.parametrize("driver", ["sync", "async"])
def test_a_batch_is_the_same(driver: Driver) -> None:
    given = [{"x": 1}, {"x": 2}, {"x": 3}]

    def run(root: Root) -> Any:
        graph = Kit(root, driver == "async").chain(State, a=lambda state: {"y": state["x"] * 2}).compile()
        return graph.batch(given) if driver == "sync" else asyncio.run(graph.abatch(given))

    assert run(REFERENCE) == run(SUBJECT)
