"""Nodes and channels as they are."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.cache.memory import InMemoryCache
from headrace.channels import BinaryOperatorAggregate, EphemeralValue, LastValue, Topic
from headrace.errors import InvalidGraphError, InvalidUpdateError
from headrace.graph.lowlevel import NodeBuilder, Pregel
from headrace.managed import REMAINING_STEPS
from headrace.types import CachePolicy, Command, RetryPolicy, Send, TimeoutPolicy
from tests.drive import Drive
from tests.engine.build import chain, says


def app(nodes: dict[str, NodeBuilder], input: Any = "a", output: Any = "b", **options: Any) -> Pregel:
    channels: dict[str, Any] = {
        "a": EphemeralValue(str),
        "b": LastValue(str),
        "c": LastValue(str),
        "d": Topic(str, accumulate=True),
        "left": REMAINING_STEPS,
    }
    return Pregel(
        nodes=nodes, channels={**channels, **options.pop("channels", {})}, input_channels=input, output_channels=output,
        **options,
    )  # fmt: skip


def doubled(value: Any) -> Any:
    return value + value


def test_a_node_runs_when_its_channel_was_written(drive: Drive) -> None:
    graph = app({"one": NodeBuilder().subscribe_only("a").do(doubled).write_to("b")})
    assert drive.invoke(graph, "x") == "xx"


def test_inputs_and_outputs_can_be_several_channels(drive: Drive) -> None:
    graph = app({"one": NodeBuilder().subscribe_only("a").do(doubled).write_to("b")}, ["a", "c"], ["b", "c"])
    assert drive.invoke(graph, {"a": "x", "c": "y", "else": "z"}) == {"b": "xx", "c": "y"}


def test_nodes_follow_one_another_through_channels(drive: Drive) -> None:
    one = NodeBuilder().subscribe_only("a").do(doubled).write_to("b").build()
    two = NodeBuilder().subscribe_only("b").do(doubled).write_to("c")
    assert drive.invoke(app({"one": one, "two": two}, output=["b", "c"]), "x") == {"b": "xx", "c": "xxxx"}


def test_a_node_may_write_and_wake_itself_until_it_writes_nothing(drive: Drive) -> None:
    node = NodeBuilder().subscribe_only("b").do(lambda value: value + value if len(value) < 8 else None).write_to("b")
    assert drive.invoke(app({"one": node}, "b", "b"), "x") == "x" * 8


def test_a_node_can_read_channels_it_does_not_listen_to(drive: Drive) -> None:
    node = NodeBuilder().subscribe_to("a").read_from("c", "left").do(repr).write_to("b")
    graph = app({"one": node}, ["a", "c"])
    assert drive.invoke(graph, {"a": "x", "c": "y"}, {"recursion_limit": 5}) == "{'a': 'x', 'c': 'y', 'left': 4}"


def test_a_node_can_listen_to_channels_it_does_not_read(drive: Drive) -> None:
    node = NodeBuilder().subscribe_to("a", "a", read=False).read_from("c").do(repr).write_to("b")
    assert drive.invoke(app({"one": node}, ["a", "c"]), {"a": "x", "c": "y"}) == "{'c': 'y'}"


def test_one_channel_can_be_read_together_with_others(drive: Drive) -> None:
    node = NodeBuilder().subscribe_only("a").read_from("a", "c").do(repr).write_to("b")
    assert drive.invoke(app({"one": node}, ["a", "c"]), {"a": "x", "c": "y"}) == "{'a': 'x', 'c': 'y'}"


def test_results_constants_and_functions_of_the_result_are_written(drive: Drive) -> None:
    node = NodeBuilder().subscribe_only("a").do(doubled).write_to("b", c="fixed", d=lambda result: result.upper())
    assert drive.invoke(app({"one": node}, output=["b", "c", "d"]), "x") == {"b": "xx", "c": "fixed", "d": ["XX"]}


def test_a_function_that_gives_nothing_writes_nothing(drive: Drive) -> None:
    node = NodeBuilder().subscribe_only("a").write_to("b", c=lambda result: None)
    assert drive.invoke(app({"one": node}, output=["b", "c"]), "x") == {"b": "x"}


def test_a_node_without_an_action_passes_its_input_on(drive: Drive) -> None:
    assert drive.invoke(app({"one": NodeBuilder().subscribe_only("a").write_to("b")}), "x") == "x"


def test_a_send_is_a_task_of_its_own(drive: Drive) -> None:
    one = NodeBuilder().subscribe_only("a").do(lambda value: Send("two", "sent"))
    two = NodeBuilder().subscribe_only("c").do(doubled).write_to("b")
    assert drive.invoke(app({"one": one, "two": two}), "x") == "sentsent"


def test_a_reducer_is_a_channel(drive: Drive) -> None:
    nodes = {name: NodeBuilder().subscribe_only("a").write_to("sum") for name in ("one", "two")}
    channels = {"sum": BinaryOperatorAggregate(str, lambda one, other: one + other)}
    assert drive.invoke(app(nodes, output="sum", channels=channels), "x") == "xx"


def test_a_graph_can_be_an_action() -> None:
    inner = chain(says("n"))
    graph = app({"one": NodeBuilder().subscribe_only("a").do(inner).write_to("b")})
    assert [name for name, _ in graph.get_subgraphs()] == ["one"]


def test_policies_tags_and_metadata_reach_the_node(drive: Drive) -> None:
    retry = RetryPolicy(max_attempts=2, initial_interval=0, jitter=False, retry_on=ValueError)
    builder = (
        NodeBuilder()
        .subscribe_only("a")
        .meta("tag", key="value")
        .add_retry_policies(retry)
        .add_cache_policy(CachePolicy(ttl=1))
        .set_timeout(3)
    )
    node = app({"one": builder}).program.nodes["one"]
    assert (node.tags, node.metadata, node.retry, node.cache) == (
        ("tag",),
        {"key": "value"},
        (retry,),
        CachePolicy(ttl=1),
    )
    assert node.timeout == TimeoutPolicy(run_timeout=3)


def test_policies_of_the_graph_are_for_nodes_without_their_own() -> None:
    own, common = RetryPolicy(max_attempts=7), RetryPolicy(max_attempts=2)
    nodes = {"one": NodeBuilder().subscribe_only("a").add_retry_policies(own), "two": NodeBuilder().subscribe_only("a")}
    graph = app(nodes, retry_policy=common, cache_policy=CachePolicy(), cache=InMemoryCache())
    assert [graph.program.nodes[name].retry for name in nodes] == [(own,), (common,)]
    assert graph.program.nodes["one"].cache == CachePolicy()


def test_values_are_streamed_unless_asked_for_something_else(drive: Drive) -> None:
    graph = app({"one": NodeBuilder().subscribe_only("a").do(doubled).write_to("b")})
    assert drive.stream(graph, "x") == ["xx"]
    updates = app({"one": NodeBuilder().subscribe_only("a").do(doubled).write_to("b")}, stream_mode="updates")
    assert drive.stream(updates, "x") == [{"one": "xx"}]


@pytest.mark.parametrize("channels", ["c", ["c"]])
def test_other_channels_can_be_streamed_than_come_out(channels: Any, drive: Drive) -> None:
    node = NodeBuilder().subscribe_only("a").do(doubled).write_to("b", c="c")
    graph = app({"one": node}, stream_channels=channels)
    assert drive.stream(graph, "x") == ["c" if channels == "c" else {"c": "c"}]
    assert drive.invoke(graph, "x") == "xx"


def test_it_can_pause_at_a_node(drive: Drive, thread: Any) -> None:
    from headrace.checkpoint.memory import InMemorySaver

    one = NodeBuilder().subscribe_only("a").do(doubled).write_to("b")
    two = NodeBuilder().subscribe_only("b").do(doubled).write_to("c")
    graph = app(
        {"one": one, "two": two}, output=["b", "c"], checkpointer=InMemorySaver(), interrupt_before_nodes=["two"]
    )
    drive.invoke(graph, "x", thread)
    assert drive.state(graph, thread).next == ("two",)
    assert drive.invoke(graph, None, thread) == {"b": "xx", "c": "xxxx"}


# bad input


def test_all_channels_that_are_not_there_and_nodes_that_nothing_wakes_are_told_at_once() -> None:
    with pytest.raises(InvalidGraphError) as caught:
        app(
            {"one": NodeBuilder().subscribe_only("zz").read_from("yy").write_to("xx"), "two": NodeBuilder()},
            "ww",
            ["vv"],
        )
    text = str(caught.value)
    assert len(caught.value.mistakes) == 6
    for part in ("input_channels has 'ww'", "output_channels has 'vv'", "node 'one' uses 'zz'", "'yy'", "'xx'"):
        assert part in text
    assert "node 'two' listens to no channel; give it one with subscribe_only()" in text


def test_the_check_can_be_left_out() -> None:
    assert app({"one": NodeBuilder()}, auto_validate=False).program.nodes["one"].triggers == ()


def test_an_input_that_is_no_dict_is_refused_where_there_are_several_channels(drive: Drive) -> None:
    graph = app({"one": NodeBuilder().subscribe_only("a")}, ["a", "c"])
    with pytest.raises(InvalidUpdateError, match=r"the input is 'x', not a dict of the input channels \['a', 'c'\]"):
        drive.invoke(graph, "x")


def test_a_callers_command_can_update_but_not_go_anywhere(drive: Drive) -> None:
    graph = app({"one": NodeBuilder().subscribe_only("a").do(doubled).write_to("b")})
    assert drive.invoke(graph, Command(update="x")) == "xx"
    with pytest.raises(InvalidUpdateError, match="no nodes to go to by name"):
        drive.invoke(graph, Command(goto="one"))
