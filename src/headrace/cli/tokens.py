"""Several messages that stream at once, on a terminal that has room for one: the first is shown live.

The others are kept until it is complete; then the next is shown, with what it has so far.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Protocol


class Page(Protocol):
    """Where messages are written, one after the other."""

    def open(self, label: str) -> None: ...

    def write(self, piece: str) -> None: ...

    def close(self) -> None: ...


@dataclass
class _Flow:
    """A message that is arriving."""

    label: str
    task: str
    kept: list[str] = field(default_factory=list)
    open: bool = False
    complete: bool = False


class Tokens:
    """Puts the pieces of messages in reading order."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.flows: dict[Hashable, _Flow] = {}

    def add(self, key: Hashable, piece: str, *, label: str, task: str, last: bool) -> None:
        """A piece of the message `key`, which the task streams; `last` when the message is complete with it."""
        flow = self.flows.setdefault(key, _Flow(label, task))
        if piece:
            flow.kept.append(piece)
        flow.complete = flow.complete or last
        self._show()

    def end(self, task: str | None = None) -> None:
        """The task, or every task, is over, and so are the messages it did not complete."""
        for flow in self.flows.values():
            flow.complete = flow.complete or task in (None, flow.task)
        self._show()

    def _show(self) -> None:
        while self.flows:
            key, flow = next(iter(self.flows.items()))
            self._write(flow)
            if not flow.complete:
                return
            if flow.open:
                self.page.close()
            del self.flows[key]

    def _write(self, flow: _Flow) -> None:
        if flow.kept and not flow.open:
            flow.kept[0] = flow.kept[0].lstrip("\n")  # it begins on the label's line
            self.page.open(flow.label)
            flow.open = True
        for piece in flow.kept:
            self.page.write(piece)
        flow.kept.clear()
