"""Printing of events beside streaming them, for `print_mode` and `debug`."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.stream.events import Item, Put

BOLD, PLAIN = "\033[1m", "\033[0m"

DEBUG_MODES = ("values", "updates", "tasks")


def printing(put: Put, modes: tuple[str, ...], wanted: Sequence[str]) -> Put:
    """`put` for the streamed modes, with events of the `wanted` ones printed."""
    if not wanted:
        return put

    def both(item: Item) -> None:
        if item[2] in wanted:
            where = f"[{'|'.join(item[0])}] " if item[0] else ""
            print(f"{where}{BOLD}[{item[2]}]{PLAIN} {item[3]}")
        if item[2] in modes:
            put(item)

    return both
