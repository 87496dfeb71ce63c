"""From the log to the shape that a caller of `stream` asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, get_args

from headrace.names import INTERRUPT
from headrace.stream.events import Item
from headrace.types import StreamMode

MODES: tuple[str, ...] = get_args(StreamMode)

LIVE = frozenset({"custom", "messages", "structured", "tools"})
"""Modes whose events come out while a node is running."""


def checked(modes: str | Sequence[str]) -> tuple[str, ...]:
    """The asked modes; ValueError for one that does not exist, naming those that do."""
    asked = (modes,) if isinstance(modes, str) else tuple(modes)
    for mode in asked:
        if mode not in MODES:
            raise ValueError(f"unknown stream mode {mode!r}; the modes are: {', '.join(MODES)}")
    return asked


def known(version: str) -> str:
    """The version of the shape of events and results; ValueError for one that does not exist."""
    if version not in ("v1", "v2"):
        raise ValueError(f"unknown version {version!r} of the stream's shape; there are 'v1' and 'v2'")
    return version


def shape(
    modes: str | Sequence[str], subgraphs: bool, version: str, present: Callable[[Any], Any] | None = None
) -> Callable[[Item], Any]:
    """How one event is handed to the consumer.

    One mode as a string: the data alone; a list, even of one: `(mode, data)`; with `subgraphs` the namespace comes
    first. `version="v2"`: always a dict with `type`, `ns`, `data`, and `interrupts` for `values`, whose data the
    graph's own events show as an object of the state's class (`present`).
    """
    if known(version) == "v2":
        return as_part if present is None else presented(present)
    if isinstance(modes, str):
        return as_pair if subgraphs else as_data
    return as_triple if subgraphs else as_mode_and_data


def as_data(item: Item) -> Any:
    return item[3]


def as_pair(item: Item) -> tuple[tuple[str, ...], Any]:
    return item[0], item[3]


def as_mode_and_data(item: Item) -> tuple[str, Any]:
    return item[2], item[3]


def as_triple(item: Item) -> tuple[tuple[str, ...], str, Any]:
    return item[0], item[2], item[3]


def presented(present: Callable[[Any], Any]) -> Callable[[Item], dict[str, Any]]:
    """Typed parts, with the graph's own state as an object."""

    def part(item: Item) -> dict[str, Any]:
        found = as_part(item)
        if found["type"] == "values" and not found["ns"]:
            found["data"] = present(found["data"])
        return found

    return part


def as_part(item: Item) -> dict[str, Any]:
    """A typed part; in `values` the interrupts stand beside the state, not in it."""
    ns, _, mode, data = item
    if mode != "values":
        return {"type": mode, "ns": ns, "data": data}
    interrupts: tuple[Any, ...] = ()
    if isinstance(data, dict) and INTERRUPT in data:
        interrupts = data[INTERRUPT]
        data = {key: value for key, value in data.items() if key != INTERRUPT}
    return {"type": mode, "ns": ns, "data": data, "interrupts": interrupts}
