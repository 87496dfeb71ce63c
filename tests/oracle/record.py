"""Playing a program: every event, how each turn ended, and the states in between."""

from __future__ import annotations

import asyncio
import copy
import re
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

from .differences import WARNINGS
from .program import Asking, Driver, Program, Session, Turn, Update
from .roots import Kit, Root


@dataclass(frozen=True)
class Event:
    ns: tuple[str, ...]
    mode: str
    data: Any
    interrupts: tuple[Any, ...] | None = None
    """Beside the data of a `values` part in version v2."""


@dataclass(frozen=True)
class Played:
    """One turn: its events, and the error that ended it."""

    events: list[Event]
    error: BaseException | None = None
    states: list[Any] = field(default_factory=list)
    """The thread's state afterwards, that of subgraphs in it, and its history, newest first."""


def play(program: Program, root: Root, asking: Asking) -> list[Played]:
    kit = Kit(root, coroutines=asking.driver == "async")
    config = {"configurable": {"thread_id": "T"}} if program.saved else {}
    session = Session(kit, program.build(kit), config)
    with _expected_warnings():
        if asking.driver == "sync":
            return _turns(program, session, asking)
        return asyncio.run(_aturns(program, session, asking))


@contextmanager
def _expected_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        for part in WARNINGS:
            warnings.filterwarnings("ignore", message=f"(?s).*{re.escape(part)}")
        yield


def results(program: Program, root: Root, driver: Driver, version: Literal["v1", "v2"]) -> list[Any]:
    """What `invoke` (or `ainvoke`) returns or raises, turn by turn."""
    kit = Kit(root, coroutines=driver == "async")
    session = Session(kit, program.build(kit), {"configurable": {"thread_id": "T"}} if program.saved else {})
    with _expected_warnings():
        return [_result_or_error(session, turn, driver, version) for turn in program.turns]


def _result_or_error(session: Session, turn: Turn | Update, driver: Driver, version: Literal["v1", "v2"]) -> Any:
    try:
        return _result(session, turn, driver, version)
    except BaseException as error:
        return _not_ours(error)


def _result(session: Session, turn: Turn | Update, driver: Driver, version: Literal["v1", "v2"]) -> Any:
    if isinstance(turn, Update):
        values = _now(turn.values, session)
        return session.graph.update_state(_config(session, turn), values, as_node=turn.as_node)
    arguments = _arguments(session, turn, Asking("values", driver, version=version))
    del arguments["subgraphs"]
    if driver == "sync":
        return session.graph.invoke(**arguments)
    return asyncio.run(session.graph.ainvoke(**arguments))


def _turns(program: Program, session: Session, asking: Asking) -> list[Played]:
    played: list[Played] = []
    for turn in program.turns:
        played.append(_turn(program, session, turn, asking))
        if program.halts and played[-1].error is not None:
            break
    return played


async def _aturns(program: Program, session: Session, asking: Asking) -> list[Played]:
    played: list[Played] = []
    for turn in program.turns:
        played.append(await _aturn(program, session, turn, asking))
        if program.halts and played[-1].error is not None:
            break
    return played


def _turn(program: Program, session: Session, turn: Turn | Update, asking: Asking) -> Played:
    events: list[Event] = []
    error: BaseException | None = None
    try:
        if isinstance(turn, Update):
            session.graph.update_state(_config(session, turn), _now(turn.values, session), as_node=turn.as_node)
        else:
            _read(session.graph.stream(**_arguments(session, turn, asking)), turn, asking, events)
    except BaseException as caught:
        error = _not_ours(caught)
    if not program.saved or _refused(error):
        return Played(events, error)
    newest = session.graph.get_state(session.config, subgraphs=program.subgraphs)
    return Played(events, error, [newest, *session.history()])


async def _aturn(program: Program, session: Session, turn: Turn | Update, asking: Asking) -> Played:
    events: list[Event] = []
    error: BaseException | None = None
    try:
        if isinstance(turn, Update):
            values = _now(turn.values, session)
            await session.graph.aupdate_state(_config(session, turn), values, as_node=turn.as_node)
        else:
            await _aread(session.graph.astream(**_arguments(session, turn, asking)), turn, asking, events)
    except BaseException as caught:
        error = _not_ours(caught)
    if not program.saved or _refused(error):
        return Played(events, error)
    newest = await session.graph.aget_state(session.config, subgraphs=program.subgraphs)
    return Played(events, error, [newest, *[state async for state in session.graph.aget_state_history(session.config)]])


def _refused(error: BaseException | None) -> bool:
    """Whether the writes of a step could not be merged: the reference cannot tell the state after that."""
    return type(error).__name__ == "InvalidUpdateError"


def _not_ours(error: BaseException) -> BaseException:
    """Whatever a library lets out is compared; what ends this process goes on."""
    if isinstance(error, KeyboardInterrupt | SystemExit):
        raise error
    return error


def _read(stream: Iterator[Any], turn: Turn, asking: Asking, events: list[Event]) -> None:
    for item in islice(stream, turn.take and turn.take(asking)):
        events.append(unpack(item, asking))
    if turn.take is not None:
        stream.close()  # type: ignore[attr-defined]  # a generator in both libraries


async def _aread(stream: AsyncIterator[Any], turn: Turn, asking: Asking, events: list[Event]) -> None:
    async for item in stream:
        events.append(unpack(item, asking))
        if turn.take is not None and len(events) == turn.take(asking):
            await stream.aclose()  # type: ignore[attr-defined]  # a generator in both libraries
            return


def _now(value: Any, session: Session) -> Any:
    """A later value made now; a plain one copied, because a run gives ids to the messages it is handed."""
    return value(session) if callable(value) else copy.deepcopy(value)


def _config(session: Session, turn: Turn | Update) -> dict[str, Any]:
    own = _now(turn.config, session)
    both = {**session.config.get("configurable", {}), **own.get("configurable", {})}
    return {**session.config, **own, **({"configurable": both} if both else {})}


def _arguments(session: Session, turn: Turn, asking: Asking) -> dict[str, Any]:
    modes = asking.modes if isinstance(asking.modes, str) else list(asking.modes)
    return {
        "input": _now(turn.input, session),
        "config": _config(session, turn),
        "stream_mode": modes,
        "subgraphs": asking.subgraphs,
        "version": asking.version,
        **turn.options,
    }


def unpack(item: Any, asking: Asking) -> Event:
    """The event behind one item of the stream; fails when the item has not the shape that was asked for."""
    if asking.version == "v2":
        rest = {key: item[key] for key in item if key not in ("type", "ns", "data")}
        assert set(rest) == ({"interrupts"} if item["type"] == "values" else set()), item
        return Event(item["ns"], item["type"], item["data"], **rest)
    if isinstance(asking.modes, str):
        ns, data = item if asking.subgraphs else ((), item)
        return Event(ns, asking.modes, data)
    ns, mode, data = item if asking.subgraphs else ((), *item)
    return Event(ns, mode, data)
