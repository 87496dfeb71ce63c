"""The saver in memory; what it keeps never changes."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from headrace.checkpoint.base import CheckpointTuple, create_checkpoint, empty_checkpoint
from headrace.checkpoint.memory import InMemorySaver, MemorySaver
from headrace.names import ERROR, INTERRUPT, RESUME
from tests.drive import Drive


def at(thread: str = "1", ns: str | None = "", checkpoint: str | None = None) -> Any:
    """The config of a place."""
    place = {"thread_id": thread, "checkpoint_ns": ns, "checkpoint_id": checkpoint}
    return {"configurable": {key: value for key, value in place.items() if value is not None}}


class Kept:
    """A saver with some checkpoints, put one after the other."""

    def __init__(self, drive: Drive) -> None:
        self.drive = drive
        self.saver = InMemorySaver()

    def put(self, place: Any, metadata: Any = None, **values: Any) -> Any:
        """Store values as the next checkpoint; its config."""
        checkpoint = create_checkpoint(empty_checkpoint(), values, 1)
        versions = {key: self.saver.get_next_version(None, None) for key in values}
        checkpoint["channel_versions"] = versions
        return self.drive.call(self.saver, "put", place, checkpoint, metadata or {}, versions)

    def get(self, place: Any) -> CheckpointTuple:
        found: CheckpointTuple | None = self.drive.call(self.saver, "get_tuple", place)
        assert found is not None
        return found

    def ids(self, config: Any, **options: Any) -> list[str]:
        return [
            one.config["configurable"]["checkpoint_id"] for one in self.drive.all(self.saver, "list", config, **options)
        ]


@pytest.fixture
def kept(drive: Drive) -> Kept:
    return Kept(drive)


def id_of(config: Any) -> str:
    name: str = config["configurable"]["checkpoint_id"]
    return name


def test_the_old_name_is_the_same_saver() -> None:
    assert MemorySaver is InMemorySaver


def test_a_checkpoint_comes_back_as_it_was_put(kept: Kept) -> None:
    config = kept.put(at(), {"step": 1}, log=[1])
    found = kept.get(config)
    assert found.config == config
    assert found.checkpoint["channel_values"] == {"log": [1]}
    assert (found.metadata, found.parent_config, found.pending_writes) == ({"step": 1}, None, [])


def test_without_an_id_the_last_checkpoint_is_meant(kept: Kept) -> None:
    first = kept.put(at(), log=[1])
    second = kept.put(first, log=[2])
    found = kept.get(at())
    assert (found.config, found.parent_config) == (second, first)
    assert kept.drive.call(kept.saver, "get", at())["channel_values"] == {"log": [2]}


@pytest.mark.parametrize("place", [at("nobody"), at(ns="else"), at(checkpoint="nothing")])
def test_what_is_not_there_is_none(place: Any, kept: Kept) -> None:
    kept.put(at(), log=[1])
    assert kept.drive.call(kept.saver, "get_tuple", place) is None
    assert kept.drive.call(kept.saver, "get", place) is None


def test_threads_and_namespaces_are_apart(kept: Kept) -> None:
    places = [at("1"), at("2"), at("1", "sub:1")]
    for index, place in enumerate(places):
        kept.put(place, log=[index])
    assert [kept.get(place).checkpoint["channel_values"]["log"] for place in places] == [[0], [1], [2]]


def test_a_thread_is_the_same_by_number_and_by_text(kept: Kept) -> None:
    kept.put({"configurable": {"thread_id": 1}}, log=[1])
    assert kept.get(at("1")).checkpoint["channel_values"] == {"log": [1]}


def test_what_was_put_or_got_can_be_changed_without_changing_what_is_kept(kept: Kept) -> None:
    log = [[1]]
    kept.put(at(), log=log)
    log[0].append(2)
    found = kept.get(at())
    assert found.checkpoint["channel_values"] == {"log": [[1]]}
    found.checkpoint["channel_values"]["log"][0].append(3)
    found.metadata["new"] = True
    assert kept.get(at()).checkpoint["channel_values"] == {"log": [[1]]}
    assert kept.get(at()).metadata == {}


def test_what_cannot_be_copied_is_kept_as_it_is(kept: Kept) -> None:
    lock = threading.Lock()
    kept.put(at(), lock=lock)
    assert kept.get(at()).checkpoint["channel_values"]["lock"] is lock


def test_a_value_that_did_not_change_is_kept_once(kept: Kept) -> None:
    first = kept.put(at(), log=[1], text="x")
    checkpoint = create_checkpoint(kept.get(first).checkpoint, {"log": [1], "text": "y"}, 2)
    checkpoint["channel_versions"] = {
        **checkpoint["channel_versions"],
        "text": kept.saver.get_next_version(checkpoint["channel_versions"]["text"], None),
    }
    second = kept.drive.call(kept.saver, "put", first, checkpoint, {}, {"text": checkpoint["channel_versions"]["text"]})
    assert kept.get(second).checkpoint["channel_values"] == {"log": [1], "text": "y"}
    assert kept.get(first).checkpoint["channel_values"] == {"log": [1], "text": "x"}
    (space,) = kept.saver._threads["1"].values()
    assert sorted(key for key, _ in space.values) == ["log", "text", "text"]


def test_versions_rise_and_never_meet() -> None:
    saver = InMemorySaver()
    first = saver.get_next_version(None, None)
    second, other = saver.get_next_version(first, None), saver.get_next_version(first, None)
    assert first < second
    assert first < other
    assert second != other


# listing


def test_a_list_begins_with_the_newest(kept: Kept) -> None:
    ids = [id_of(kept.put(at(), log=[index])) for index in range(3)]
    assert kept.ids(at()) == ids[::-1]
    assert kept.ids(at(), limit=2) == ids[:0:-1]
    assert kept.ids(at(), limit=0) == []
    assert kept.ids(at(), before=at(checkpoint=ids[2])) == ids[1::-1]
    assert kept.ids(at(checkpoint=ids[1])) == [ids[1]]
    assert kept.ids(at("nobody")) == []


def test_a_list_can_be_narrowed_by_metadata(kept: Kept) -> None:
    first = id_of(kept.put(at(), {"source": "input", "user": "me"}))
    second = id_of(kept.put(at(), {"source": "loop", "user": "me"}))
    assert kept.ids(at(), filter={"user": "me"}) == [second, first]
    assert kept.ids(at(), filter={"user": "me", "source": "input"}) == [first]
    assert kept.ids(at(), filter={"nothing": 1}) == []


def test_without_a_namespace_all_of_a_thread_are_listed_and_without_a_config_all_there_are(kept: Kept) -> None:
    places = [at("1"), at("1", "sub:1"), at("2")]
    ids = [id_of(kept.put(place)) for place in places]
    assert set(kept.ids(at("1", None))) == set(ids[:2])
    assert kept.ids(at("1", "sub:1")) == [ids[1]]
    assert set(kept.ids(None)) == set(ids)


def test_a_deleted_thread_is_gone(kept: Kept) -> None:
    kept.put(at("1"))
    kept.put(at("2"))
    kept.drive.call(kept.saver, "delete_thread", 1)
    kept.drive.call(kept.saver, "delete_thread", "nobody")
    assert kept.drive.call(kept.saver, "get_tuple", at("1")) is None
    assert kept.get(at("2"))


# writes beside a checkpoint


def test_writes_come_back_with_their_checkpoint_in_the_order_of_storing(kept: Kept) -> None:
    config = kept.put(at())
    kept.drive.call(kept.saver, "put_writes", config, [("log", [1]), ("log", [2])], "t1")
    kept.drive.call(kept.saver, "put_writes", config, [("log", [3])], "t2", "path")
    assert kept.get(config).pending_writes == [("t1", "log", [1]), ("t1", "log", [2]), ("t2", "log", [3])]


def test_new_writes_of_a_task_replace_its_old_ones_but_what_it_asked_and_was_told_stays(kept: Kept) -> None:
    config = kept.put(at())
    old = [(INTERRUPT, ["?"]), (RESUME, ["yes"]), (ERROR, "bad"), ("log", [1])]
    kept.drive.call(kept.saver, "put_writes", config, old, "t1")
    kept.drive.call(kept.saver, "put_writes", config, [("log", [2]), (RESUME, ["no"])], "t1")
    assert kept.get(config).pending_writes == [
        ("t1", INTERRUPT, ["?"]),
        ("t1", ERROR, "bad"),
        ("t1", "log", [2]),
        ("t1", RESUME, ["no"]),
    ]


def test_stored_writes_do_not_change(kept: Kept) -> None:
    config, value = kept.put(at()), [1]
    kept.drive.call(kept.saver, "put_writes", config, [("log", value)], "t1")
    value.append(2)
    found = kept.get(config).pending_writes
    assert found is not None
    found[0][2].append(3)
    assert kept.get(config).pending_writes == [("t1", "log", [1])]


def test_it_can_be_opened_and_closed() -> None:
    async def opened() -> bool:
        async with InMemorySaver() as saver:
            return isinstance(saver, InMemorySaver)

    with InMemorySaver() as saver:
        assert isinstance(saver, InMemorySaver)
    assert asyncio.run(opened())
