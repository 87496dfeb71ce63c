"""What is compared: programs, their turns, and the ways to ask for a stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .differences import Difference
from .roots import Kit

Driver = Literal["sync", "async", "threads"]
"""Plain nodes under `stream`, coroutine nodes under `astream`, plain nodes under `astream`."""

MODES = ("values", "updates", "messages", "custom", "debug", "tasks", "checkpoints")


@dataclass(frozen=True)
class Asking:
    """One way to ask a graph for its stream."""

    modes: str | tuple[str, ...] = MODES
    driver: Driver = "sync"
    subgraphs: bool = False
    version: Literal["v1", "v2"] = "v1"

    def __str__(self) -> str:
        modes = (
            self.modes
            if isinstance(self.modes, str)
            else "all"
            if len(self.modes) >= len(MODES)
            else f"[{'+'.join(self.modes)}]"
        )
        return "-".join([self.driver, modes, *["subgraphs"] * self.subgraphs, *["v2"] * (self.version == "v2")])


@dataclass(frozen=True)
class Session:
    """A graph in use: what the input of a later turn may be made from."""

    kit: Kit
    graph: Any
    config: Mapping[str, Any]

    def state(self) -> Any:
        return self.graph.get_state(self.config)

    def history(self) -> list[Any]:
        return list(self.graph.get_state_history(self.config))


Later = Callable[[Session], Any]


@dataclass(frozen=True)
class Turn:
    """One run of the graph. `input` and `config` may be functions of the session so far."""

    input: Any = None
    config: Mapping[str, Any] | Later = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of `stream`: output_keys, interrupt_before, ..."""
    take: Callable[[Asking], int] | None = None
    """Close the stream after so many events."""


@dataclass(frozen=True)
class Update:
    """A call of `update_state` between two runs."""

    values: Any
    as_node: str | None = None
    config: Mapping[str, Any] | Later = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Program:
    name: str
    build: Callable[[Kit], Any]
    turns: Sequence[Turn | Update]
    saved: bool = False
    """Runs on a thread: the program compiles with a saver, and states are compared after every turn."""
    parallel: bool = False
    """Some step has several tasks, whose events may come in any order."""
    subgraphs: bool = False
    drivers: tuple[Driver, ...] = ("sync", "async")
    shapes: bool = False
    """Asked also in the forms whose only news is how an item is wrapped."""
    halts: bool = False
    """No more turns after one that failed."""
    differences: tuple[str | Difference, ...] = ()
    """What applies to this program: names from `differences.py`, or differences that belong to it alone."""
    modes: tuple[str, ...] = MODES
    """All modes that it can be asked for."""

    def askings(self) -> list[Asking]:
        """Every mode alone and all together, in both versions; a few of them for `threads`."""
        found: list[Asking] = []
        for driver in self.drivers:
            found.append(Asking(self.modes, driver, self.subgraphs))
            if driver == "threads":
                found.append(Asking("custom", driver, self.subgraphs))
                continue
            found += [
                Asking(mode, driver, self.subgraphs) for mode in self.modes if self.saved or mode != "checkpoints"
            ]
            found.append(Asking(self.modes, driver, self.subgraphs, "v2"))
            if self.subgraphs:
                found.append(Asking(self.modes, driver))
            if self.shapes:
                found += [
                    Asking(("updates",), driver),
                    Asking("updates", driver, True),
                    Asking("values", driver, False, "v2"),
                ]
        return found


PROGRAMS: dict[str, Program] = {}


def program(*turns: Turn | Update, **facts: Any) -> Callable[[Callable[[Kit], Any]], Callable[[Kit], Any]]:
    """Register a function that builds a graph, with the turns to play on it."""

    def register(build: Callable[[Kit], Any]) -> Callable[[Kit], Any]:
        name = build.__name__
        assert name not in PROGRAMS, name
        PROGRAMS[name] = Program(name, build, turns, **facts)
        return build

    return register
