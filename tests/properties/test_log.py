"""The event log: numbered without a gap, in an order that can be relied on, each event with its right place."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headrace.stream.events import StreamEvent
from tests.oracle.canonical import Ordinals
from tests.oracle.compare import recorded
from tests.oracle.program import MODES, Asking
from tests.oracle.random_graphs import Plan, build
from tests.oracle.render import render

from .plans import HEADRACE, few, graphs, kit, program, threads

ways = st.sampled_from(("sync", "async"))


def logged(plan: Plan, way: Any, modes: tuple[str, ...] = MODES) -> list[StreamEvent]:
    """The log of the first run of a graph, as far as it came."""
    graph = build(plan, kit(coroutines=way == "async"))
    config: Any = {"recursion_limit": plan.limit, "configurable": {"thread_id": "1"}}
    return read(graph, way, {"items": ["in"]}, config, modes)


def read(graph: Any, way: Any, given: Any, config: Any, modes: tuple[str, ...]) -> list[StreamEvent]:
    log: list[StreamEvent] = []

    async def aread() -> None:
        async for event in graph.aevents(given, config, stream_mode=list(modes), subgraphs=True):
            log.append(event)

    with suppress(Exception):  # some graphs are meant to fail
        if way == "async":
            asyncio.run(aread())
        else:
            for event in graph.events(given, config, stream_mode=list(modes), subgraphs=True):
                log.append(event)
    return log


@few
@given(graphs, ways, st.sets(st.sampled_from(MODES)).map(sorted).map(tuple))
def test_numbers_rise_by_one(plan: Plan, way: Any, modes: tuple[str, ...]) -> None:
    log = logged(plan, way, modes)
    assert [event.seq for event in log] == list(range(1, len(log) + 1))


# order within a step


@few
@given(graphs, ways)
def test_a_steps_events_come_in_their_order(plan: Plan, way: Any) -> None:
    """Starts, then what the tasks say and end with, then the values, then the checkpoint; in every graph alike."""
    for (ns, step), events in by_step(logged(plan, way)).items():
        ranks = [rank(event) for event in events]
        assert ranks == sorted(ranks), (ns, step, [(event.mode, event.seq) for event in events])


def by_step(log: list[StreamEvent]) -> dict[tuple[tuple[str, ...], int], list[StreamEvent]]:
    """Events of each graph's steps; those of subgraphs in their own."""
    steps: dict[tuple[tuple[str, ...], int], list[StreamEvent]] = {}
    for event in log:
        steps.setdefault((event.ns, event.step), []).append(event)
    return steps


def rank(event: StreamEvent) -> int:
    kind = event.data["type"] if event.mode == "debug" else event.mode
    if kind == "task" or (kind == "tasks" and "input" in event.data):
        return 0
    if kind == "values" and "__interrupt__" not in event.data:
        return 2
    return 3 if kind in ("checkpoint", "checkpoints") else 1


@few
@given(graphs, ways)
def test_a_tasks_events_come_in_their_order(plan: Plan, way: Any) -> None:
    """Its start, what it says while it runs, its update, its result; what a graph inside it says is said meanwhile."""
    log = logged(plan, way)
    for start, result in ended(log):
        place = (*start.ns, f"{start.data['name']}:{start.data['id']}")
        said = [event.seq for event in log if event.ns[: len(place)] == place or speaker(event) == place]
        updates = [event.seq for event in log if is_update(event, start, result)]
        assert all(start.seq < seq < result.seq for seq in said)
        assert len(updates) == (result.data["error"] is None)
        assert all(max([start.seq, *said]) < seq < result.seq for seq in updates)


def ended(log: list[StreamEvent]) -> Iterator[tuple[StreamEvent, StreamEvent]]:
    """Start and result of the tasks that alone have their name in a step, and did not ask."""
    for events in by_step(log).values():
        told = [event for event in events if event.mode == "tasks"]
        names = [event.data["name"] for event in told if "input" in event.data]
        for start in told:
            results = [event for event in told if event.data["id"] == start.data["id"] and "result" in event.data]
            alone = names.count(start.data["name"]) == 1
            if "input" in start.data and alone and results and not results[0].data["interrupts"]:
                yield start, results[0]


def speaker(event: StreamEvent) -> tuple[str, ...] | None:
    """The task that wrote a custom event; it names itself."""
    by = event.data.get("by", "") if event.mode == "custom" else ""
    return (*event.ns, by) if ":" in by else None


def is_update(event: StreamEvent, start: StreamEvent, result: StreamEvent) -> bool:
    place = (start.ns, start.step)
    return event.mode == "updates" and (event.ns, event.step) == place and start.data["name"] in event.data


# place


@few
@given(graphs, ways)
def test_every_event_knows_its_place(plan: Plan, way: Any) -> None:
    """The namespace leads through tasks that had begun; the step is that of the task, or of the checkpoint."""
    begun: dict[str, StreamEvent] = {}
    for event in logged(plan, way):
        assert all(begun[part].ns == event.ns[:depth] for depth, part in enumerate(event.ns))
        if event.mode == "tasks" and "input" in event.data:
            begun[f"{event.data['name']}:{event.data['id']}"] = event
        assert event.step == stated_step(event, begun)


def stated_step(event: StreamEvent, begun: dict[str, StreamEvent]) -> int:
    """The step that the event's content tells, where it does."""
    if event.mode == "debug":
        return int(event.data["step"])
    if event.mode == "checkpoints":
        return int(event.data["metadata"]["step"])
    if event.mode == "tasks":
        return begun.get(f"{event.data['name']}:{event.data['id']}", event).step
    by = speaker(event)
    return event.step if by is None else begun[by[-1]].step


# again


@few
@given(graphs, ways)
def test_a_run_repeated_is_told_the_same(plan: Plan, way: Any) -> None:
    """To the letter where no tasks run side by side; where some do, but for the order between them."""
    asking = Asking(MODES, way, subgraphs=True)
    assert recorded(program(plan), HEADRACE, asking) == recorded(program(plan), HEADRACE, asking)
    one, other = logged(plan, way), logged(plan, way)
    if not any(is_wide(events) for events in by_step(one).values()):
        assert written(one) == written(other)


def is_wide(events: list[StreamEvent]) -> bool:
    return sum(event.mode == "tasks" and "input" in event.data for event in events) > 1


def written(log: list[StreamEvent]) -> list[str]:
    ordinals = Ordinals()
    return [ordinals.number(f"{event.seq} {event.ns} {event.step} {event.mode} {render(event.data)}") for event in log]


@few
@given(threads, ways, st.integers(0, 9))
def test_a_replay_tells_what_the_run_told_from_there_on(plan: Plan, way: Any, back: int) -> None:
    """The updates after any checkpoint of a step, each step's in any order."""
    plan = replace(plan, stops_before=None)
    graph = build(plan, kit(coroutines=way == "async"))
    config: Any = {"recursion_limit": plan.limit, "configurable": {"thread_id": "1"}}
    first = read(graph, way, {"items": ["in"]}, config, ("updates",))
    newest = graph.get_state(config)
    if newest.next and not newest.interrupts:  # it failed, or met its limit
        return
    states = [state for state in graph.get_state_history(config) if state.metadata["step"] >= 0]
    state = states[back % len(states)]
    again = read(graph, way, None, {**state.config, "recursion_limit": plan.limit}, ("updates",))
    from_there = [event for event in first if event.step > state.metadata["step"]]
    assert updates(again) == updates(from_there)


def updates(log: list[StreamEvent]) -> list[list[str]]:
    """Those of the graph itself, step by step, without ids."""
    own = by_step([event for event in log if not event.ns]).values()
    return [sorted(Ordinals().peek(render(event.data)) for event in events) for events in own]
