from __future__ import annotations

import pytest

from headrace.channels import EphemeralValue, LastValue, LastValueAfterFinish
from headrace.errors import InvalidUpdateError
from headrace.graph.lowlevel import NodeBuilder, Pregel
from headrace.types import MISSING, Overwrite
from tests.drive import Drive


def test_the_last_write_stays() -> None:
    assert LastValue(int).fold(1, [2]) == 2


def test_two_writes_in_one_step_are_refused() -> None:
    with pytest.raises(InvalidUpdateError):
        LastValue(int).fold(1, [2, 3])


def test_an_overwrite_is_a_write_like_any_other() -> None:
    assert LastValue(int).fold(1, [Overwrite(2)]) == 2


def test_a_written_container_is_the_channels_own() -> None:
    written = [1]
    value = LastValue(list).fold(MISSING, [written])
    written.append(2)
    assert value == [1]


def test_a_value_after_the_finish_wakes_its_reader_when_nothing_else_is_due_and_only_once(drive: Drive) -> None:
    first = NodeBuilder().subscribe_only("start").do(lambda x: x + "1").write_to("late", "middle")
    second = NodeBuilder().subscribe_only("middle").do(lambda x: x + "2").write_to("other")
    third = NodeBuilder().subscribe_only("late").do(lambda x: x + "3").write_to("end")
    graph = Pregel(
        nodes={"first": first, "second": second, "third": third},
        channels={
            "start": EphemeralValue(str),
            "middle": EphemeralValue(str),
            "other": LastValue(str),
            "late": LastValueAfterFinish(str),
            "end": LastValue(str),
        },
        input_channels="start",
        output_channels="end",
    )
    ran = [next(iter(update)) for update in drive.stream(graph, "0", stream_mode="updates")]
    assert ran == ["first", "second", "third"]
    assert drive.invoke(graph, "0") == "013"
