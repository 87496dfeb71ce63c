"""A played program as lines of text that are equal when the two runs were.

Three freedoms are taken out, and no other:

- Times are masked, and ids become ordinals of their first appearance, through the whole program,
  so that "the same id again" is still compared.
- The tasks of one step run at once, so the order *between* their events is free. What belongs to one
  task keeps its order, and the groups stand in the order of node names. What belongs to the step
  (values, checkpoints, the start of tasks) stays where it is, so an event on its wrong side shows.
- When one of several parallel tasks fails, how far its siblings came is luck: the events of that
  step's tasks are left out.

Which events form a step can be read from a stream that has the `tasks` mode in it. For a stream that
has not, an `Outline` made from one that has tells how many events each step has.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Any

from .record import Event, Played
from .render import ID, TEXT, render

ANSWER = re.compile(rf"(?<=ToolMessage\(content=){TEXT}")


@dataclass(frozen=True)
class Outline:
    """How many events each step of one turn has, for one mode, and whether its last step is a wide one."""

    cuts: tuple[int, ...]
    wide_end: bool


@dataclass
class Ordinals:
    known: dict[str, int] = field(default_factory=dict)

    def number(self, text: str) -> str:
        return ID.sub(lambda found: f"#{self.known.setdefault(found[0], len(self.known) + 1)}", text)

    def peek(self, text: str) -> str:
        """As `number`, but ids not met so far are all alike."""
        return ID.sub(lambda found: f"#{self.known.get(found[0], '?')}", text)


def lines(played: Sequence[Played], outlines: Sequence[Outline] | None = None) -> list[str]:
    """All turns as text. Without `outlines` the order of events is taken as it is."""
    ordinals = Ordinals()
    found: list[str] = []
    for at, turn in enumerate(played):
        outline = outlines[at] if outlines is not None else Outline((len(turn.events),), False)
        luck = outline.wide_end and turn.error is not None
        found.append(f"== turn {at}")
        if outlines is None:
            found += [ordinals.number(text(event)) for event in turn.events]
        else:
            found += _settled_turn(turn, outline, luck, ordinals)
        found.append(_ending(turn.error, luck))
        found += [ordinals.number(state) for state in _states(turn.states, luck)]
    return found


def _ending(error: BaseException | None, luck: bool) -> str:
    """When several may have failed, which of them was first is luck."""
    if error is None:
        return "== ended"
    return f"== raised {type(error).__name__ if luck else render(error)}"


def _states(states: Sequence[Any], luck: bool) -> list[str]:
    """The snapshots. When how far parallel tasks came is luck, the newest state and what the head of the
    history says of tasks are left out: both count what the finished ones wrote."""
    if luck and states:
        _, head, *older = states
        states = [head._replace(next=(), tasks=(), interrupts=()), *older]
    return [f"state {render(state)}" for state in states]


def text(event: Event) -> str:
    beside = "" if event.interrupts is None else f" interrupts={render(event.interrupts)}"
    return f"{event.ns!r} {event.mode} {render(_payload(event), event.mode)}{beside}"


def _payload(event: Event) -> Any:
    """The metadata of a message is read by name: its keys are sorted."""
    if event.mode == "messages":
        message, metadata = event.data
        return (message, dict(sorted(metadata.items())))
    return event.data


# steps


def outlines(played: Sequence[Played], mode: str | Sequence[str]) -> list[Outline]:
    """From a recording with the `tasks` mode in it, the outline of a stream that has only `mode`."""
    modes = {mode} if isinstance(mode, str) else set(mode)
    found = []
    for turn in played:
        steps = list(_steps(turn.events))
        cuts = tuple(sum(event.mode in modes for event in step) for step in steps)
        starts = sum(_is_start(event) and event.mode == "tasks" and not event.ns for event in steps[-1]) if steps else 0
        found.append(Outline(cuts, starts > 1))
    return found


def _steps(events: Sequence[Event]) -> Iterator[list[Event]]:
    step: list[Event] = []
    for event in events:
        if _is_start(event) and not event.ns and step and not (_is_start(step[-1]) and not step[-1].ns):
            yield step
            step = []
        step.append(event)
    if step:
        yield step


def _is_start(event: Event) -> bool:
    if event.mode == "debug":
        return bool(event.data["type"] == "task")
    return event.mode == "tasks" and "triggers" in event.data


# order


def _settled_turn(turn: Played, outline: Outline, luck: bool, ordinals: Ordinals) -> list[str]:
    left = iter(_owned(turn.events))
    steps = [list(islice(left, count)) for count in outline.cuts[: -1 if luck else None]]
    steps.append([(owner, event) for owner, event in left if not luck or (owner is None and not event.ns)])
    return [line for step in steps for line in _settle(step, 0, ordinals)]


Owned = tuple["Owner | None", Event]


@dataclass(frozen=True)
class Owner:
    """The task of the root graph that an event belongs to."""

    name: str
    key: Hashable


def _settle(step: Sequence[Owned], depth: int, ordinals: Ordinals) -> Iterator[str]:
    """The lines of one step, its tasks' events grouped task by task, nested graphs alike."""
    for owned, run in groupby(step, key=lambda pair: pair[0] is not None):
        if not owned:
            yield from (ordinals.number(text(event)) for _, event in run)
            continue
        groups: dict[Owner, list[Event]] = {}
        for owner, event in run:
            assert owner is not None
            groups.setdefault(owner, []).append(event)
        for _, group in sorted(groups.items(), key=lambda item: _sort_key(item[0], item[1], ordinals)):
            yield from _settle(_owned(group, depth + 1), depth + 1, ordinals)


def _sort_key(owner: Owner, group: Sequence[Event], ordinals: Ordinals) -> tuple[str, list[str]]:
    """What tools answer may be worded differently; the ids of their calls are the program's."""
    return owner.name, sorted(ANSWER.sub("", ordinals.peek(text(event))) for event in group)


# who says what


def _owned(events: Sequence[Event], depth: int = 0) -> list[Owned]:
    """Each event with its task. Read backwards: a task's result names its id, what it said stands before."""
    tasks: dict[Hashable, Owner] = {}
    found: list[Owned] = []
    for event in reversed(events):
        if len(event.ns) == depth:
            _note_result(event, tasks)
        found.append((_owner(event, depth, tasks), event))
    return found[::-1]


def _note_result(event: Event, tasks: dict[Hashable, Owner]) -> None:
    result = event.data if event.mode == "tasks" else event.data.get("payload") if event.mode == "debug" else None
    if result is not None and "result" in result:
        tasks[result["name"]] = owner = Owner(result["name"], result["id"])
        tasks[result["name"], render(result["result"])] = owner
        tasks.update((interrupt["id"], owner) for interrupt in result["interrupts"])
        if len(answered := _answered(result["result"])) == 1:
            tasks["call", answered[0]] = owner


def _answered(result: Any) -> list[str]:
    """The tool calls that a task's result answers."""
    messages = result.get("messages", ()) if isinstance(result, dict) else ()
    several = messages if isinstance(messages, list) else ()
    return [message.tool_call_id for message in several if hasattr(message, "tool_call_id")]


def _owner(event: Event, depth: int, tasks: dict[Hashable, Owner]) -> Owner | None:
    if len(event.ns) > depth:
        name, _, key = event.ns[depth].partition(":")
        return Owner(name, key)
    if len(event.ns) < depth or _is_start(event):
        return None
    return _SPEAKERS[event.mode](event, tasks)


def _of_result(event: Event, tasks: dict[Hashable, Owner]) -> Owner | None:
    result = event.data if event.mode == "tasks" else event.data["payload"]
    return Owner(result["name"], result["id"]) if "result" in result else None


def _of_update(event: Event, tasks: dict[Hashable, Owner]) -> Owner | None:
    name = next(iter(event.data), "")
    if name == "__interrupt__":
        return _of_interrupts(event.data[name], tasks)
    if "__metadata__" in event.data:  # known from before; its task does not run and has no result
        return Owner(name, text(event))
    if (name, render(event.data[name] or {})) in tasks:  # one of several tasks of the node
        return tasks[name, render(event.data[name] or {})]
    return tasks.get(name) or Owner(name, text(event))


def _of_interrupts(interrupts: Sequence[Any], tasks: dict[Hashable, Owner]) -> Owner | None:
    if not interrupts:
        return None
    return tasks.get(interrupts[0].id) or Owner("", interrupts[0].id)


def _of_values(event: Event, tasks: dict[Hashable, Owner]) -> Owner | None:
    inside = event.data.get("__interrupt__", ()) if isinstance(event.data, dict) else ()
    return _of_interrupts(event.interrupts or inside, tasks)


def _of_custom(event: Event, tasks: dict[Hashable, Owner]) -> Owner | None:
    by = event.data.get("by") if isinstance(event.data, dict) else None
    if by is None:
        return None
    name, _, key = by.partition(":")
    return Owner(name, key) if key else tasks.get(name) or Owner(name, name)


def _of_message(event: Event, tasks: dict[Hashable, Owner]) -> Owner | None:
    metadata = event.data[1]
    name, _, key = metadata["langgraph_checkpoint_ns"].split("|")[len(event.ns)].partition(":")
    return Owner(name, key)


def _of_tool(event: Event, tasks: dict[Hashable, Owner]) -> Owner | None:
    """The task that answers this call alone; several calls of one task run at once."""
    call = event.data["tool_call_id"]
    return tasks.get(("call", call)) or Owner("tools", call)


def _of_step(event: Event, tasks: dict[Hashable, Owner]) -> Owner | None:
    return None


_SPEAKERS = {
    "updates": _of_update,
    "values": _of_values,
    "custom": _of_custom,
    "messages": _of_message,
    "tasks": _of_result,
    "debug": _of_result,
    "tools": _of_tool,
    "checkpoints": _of_step,
}
