"""The run's dependencies and facts."""

from __future__ import annotations

from typing import Any

from headrace.runtime import DEFAULT_RUNTIME, ExecutionInfo, RunControl, Runtime, ServerInfo, no_heartbeat


def test_a_run_that_nobody_drains_goes_on() -> None:
    control = RunControl()
    assert (control.drain_requested, control.drain_reason) == (False, None)
    runtime: Runtime[Any] = Runtime(control=control)
    assert (runtime.drain_requested, runtime.drain_reason) == (False, None)


def test_a_request_to_drain_is_seen_with_its_reason() -> None:
    control = RunControl()
    runtime: Runtime[Any] = Runtime(control=control)
    control.request_drain()
    assert (runtime.drain_requested, runtime.drain_reason) == (True, "shutdown")
    control.request_drain("deploy")
    assert (control.drain_requested, control.drain_reason) == (True, "deploy")


def test_without_a_control_nothing_is_drained() -> None:
    assert (DEFAULT_RUNTIME.drain_requested, DEFAULT_RUNTIME.drain_reason) == (False, None)


def test_a_runtime_is_changed_by_making_another() -> None:
    first: Runtime[Any] = Runtime(context=1)
    second = first.override(context=2, store="s")
    assert (first.context, second.context, second.store) == (1, 2, "s")


def test_merged_what_the_other_sets_wins() -> None:
    one: Runtime[Any] = Runtime(context=1, previous="before")
    other: Runtime[Any] = Runtime(context=2, store="s")
    merged = one.merge(other)
    assert (merged.context, merged.store, merged.previous) == (2, "s", "before")
    assert one.merge(Runtime()) == one


def test_the_default_runtime_does_nothing() -> None:
    DEFAULT_RUNTIME.stream_writer("x")
    DEFAULT_RUNTIME.heartbeat()
    assert DEFAULT_RUNTIME.heartbeat is no_heartbeat
    assert (DEFAULT_RUNTIME.context, DEFAULT_RUNTIME.execution_info, DEFAULT_RUNTIME.server_info) == (None, None, None)


def test_facts_are_patched_by_making_others() -> None:
    info = ExecutionInfo("c", "ns", "t")
    assert info.node_attempt == 1
    assert info.patch(node_attempt=2) == ExecutionInfo("c", "ns", "t", node_attempt=2)
    assert info.node_attempt == 1


def test_a_server_tells_what_it_knows() -> None:
    info = ServerInfo("assistant", "graph")
    assert (info.assistant_id, info.graph_id, info.user) == ("assistant", "graph", None)
