"""Graphs drawn at random, built alike on both roots.

A `Plan` is data. What a node does depends on the plan and on the state that it sees, and on nothing
else, so a graph that merges writes in another order soon says something else.
"""

from __future__ import annotations

import operator
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from hypothesis import strategies as st
from typing_extensions import TypedDict

from .differences import resumed_limit
from .program import Later, Program, Session, Turn, Update
from .roots import Kit

if TYPE_CHECKING:
    from headrace.types import StreamWriter

Kind = Literal["plain", "silent", "fails", "asks", "commands", "sends", "graph"]
Durability = Literal["sync", "async", "exit"]
KEYS = ("items", "total", "shared", "own")
"""A list and a sum with reducers; a plain key that all may write, at their peril; a plain key of the node alone."""


@dataclass(frozen=True)
class Node:
    name: str
    kind: Kind
    writes: tuple[str, ...]
    says: int
    """How many custom events it writes."""
    targets: tuple[str, ...]
    """Where its branch or command may lead; none means no branch."""
    wide: bool
    """Whether its branch leads to several targets at once."""
    questions: int
    """How many it asks, one after the other."""
    defer: bool
    retried: bool
    handled: bool
    """Whether its errors have a handler."""


@dataclass(frozen=True)
class Move:
    """What is done on the thread between two runs, or to begin one."""

    kind: Literal["answer", "answer one", "input", "command", "update", "fork", "replay"]
    node: str | None
    """Where a command leads; as which node an update is made."""
    back: int
    """How far back in the thread's history it begins."""


@dataclass(frozen=True)
class Plan:
    nodes: tuple[Node, ...]
    edges: tuple[tuple[tuple[str, ...], str], ...]
    """From START ("") or nodes; several starts are a join."""
    inner_is_wide: bool
    inner_asks: bool
    sent_to: tuple[str, ...]
    """The nodes among which those that send choose."""
    saved: bool
    durability: Durability
    """Of the first run."""
    moves: tuple[Move, ...]
    stops_before: str | None
    limit: int


rarely = st.sampled_from((False, False, False, True))


def _moves(names: list[str]) -> st.SearchStrategy[Move]:
    kinds = ("answer", "answer", "answer one", "input", "command", "update", "fork", "replay")
    return st.builds(Move, st.sampled_from(kinds), st.sampled_from([None, *names]), st.integers(0, 9))


def plans() -> st.SearchStrategy[Plan]:
    """Plans clear of what is open; with `ORACLE_OPEN=1` all."""
    return all_plans() if os.environ.get("ORACLE_OPEN") else all_plans().map(settled)


def settled(plan: Plan) -> Plan:
    for clear in OPEN.values():
        plan = clear(plan)
    return plan


def without_exit(plan: Plan) -> Plan:
    return replace(plan, durability="sync") if plan.durability == "exit" else plan


def _without_pauses_beside(plan: Plan) -> Plan:
    return replace(plan, inner_is_wide=plan.inner_is_wide and not plan.inner_asks)


def _without_edits(plan: Plan) -> Plan:
    return replace(plan, moves=tuple(move for move in plan.moves if move.kind not in ("update", "fork")))


def _without_defer_beside_pushed_tasks(plan: Plan) -> Plan:
    """No deferred node waits while tasks come from a Send or from the caller's command."""
    pushed = any(node.kind == "sends" for node in plan.nodes) or any(move.kind == "command" for move in plan.moves)
    return replace(plan, nodes=tuple(replace(node, defer=node.defer and not pushed) for node in plan.nodes))


def _without_gotos(plan: Plan) -> Plan:
    moves = (replace(move, node=None) if move.kind == "command" else move for move in plan.moves)
    return replace(plan, moves=tuple(moves))


def _without_handlers(plan: Plan) -> Plan:
    return replace(plan, nodes=tuple(replace(node, handled=False) for node in plan.nodes))


def _without_exit_around_subgraphs(plan: Plan) -> Plan:
    return without_exit(plan) if any(node.kind == "graph" for node in plan.nodes) else plan


def _without_limits_in_subgraphs(plan: Plan) -> Plan:
    """No subgraph comes to its limit, which beside a node that fails would also be a race of two errors."""
    return replace(plan, limit=max(plan.limit, 8)) if any(node.kind == "graph" for node in plan.nodes) else plan


def _without_joins_that_wait(plan: Plan) -> Plan:
    waits = plan.stops_before is not None or any(node.kind in ("asks", "fails") for node in plan.nodes)
    edges = tuple((starts, end) for starts, end in plan.edges if len(starts) == 1)
    return replace(plan, edges=edges) if plan.saved and (waits or plan.inner_asks) else plan


OPEN: dict[str, Callable[[Plan], Plan]] = {
    "the start of an error handler, and what the history says of the error": _without_handlers,
    "what a subgraph tells when it pauses beside a finished task": _without_pauses_beside,
    "what states show of a subgraph when only the end of a run is stored": _without_exit_around_subgraphs,
    "a join half reached in a step that waits or fails: taken as reached by the reference": _without_joins_that_wait,
    "the limit of a subgraph in a run that is resumed (see `resumed_limit`)": _without_limits_in_subgraphs,
    "edits: the node they count for, and what the history says of it": _without_edits,
    "whether a deferred node waits for tasks of Send and of a caller's command": _without_defer_beside_pushed_tasks,
    "what states show of a task that a caller's command sent to": _without_gotos,
}
"""What the two libraries still do differently, and how a plan keeps clear of it. To be emptied."""


@st.composite
def all_plans(draw: st.DrawFn) -> Plan:
    names = [f"n{at}" for at in range(draw(st.integers(2, 5)))]
    nodes = tuple(draw(_nodes(name, names)) for name in names)
    edges: list[tuple[tuple[str, ...], str]] = [
        (("",), name) for name in draw(st.sets(st.sampled_from(names), min_size=1, max_size=3))
    ]
    for at, name in enumerate(names[1:], 1):
        starts = draw(st.lists(st.sampled_from(names[:at]), max_size=2, unique=True))
        joined = len(starts) > 1 and draw(st.booleans())
        edges += [(tuple(starts), name)] if joined else [((start,), name) for start in starts]
    saved = draw(st.booleans())
    return Plan(
        nodes,
        tuple(sorted(edges)),
        inner_is_wide=draw(st.booleans()),
        inner_asks=draw(rarely),
        sent_to=tuple(draw(st.lists(st.sampled_from(["worker", *names]), min_size=1, max_size=2, unique=True))),
        saved=saved,
        durability=draw(st.sampled_from(("sync", "async", "exit"))),
        moves=tuple(draw(st.lists(_moves(names), max_size=3))) if saved else (),
        stops_before=draw(st.sampled_from([None, None, *names])) if saved else None,
        limit=draw(st.integers(4, 8)),
    )


@st.composite
def _nodes(draw: st.DrawFn, name: str, names: list[str]) -> Node:
    kind: Kind = draw(
        st.sampled_from(("plain", "plain", "plain", "silent", "fails", "asks", "commands", "sends", "graph"))
    )
    writes = draw(st.sets(st.sampled_from(("items", "total", "own")), min_size=1))
    if draw(st.integers(0, 9)) == 0:
        writes.add("shared")
    branches = kind == "commands" or draw(st.integers(0, 3)) == 0
    targets = draw(st.lists(st.sampled_from([*names, "END"]), min_size=1, max_size=3, unique=True)) if branches else []
    return Node(
        name,
        kind,
        tuple(sorted(writes)),
        says=draw(st.integers(0, 2)),
        targets=tuple(targets),
        wide=draw(st.booleans()),
        questions=draw(st.integers(1, 2)),
        defer=draw(rarely),
        retried=kind == "fails" and draw(st.booleans()),
        handled=kind == "fails" and draw(st.booleans()),
    )


def as_program(plan: Plan) -> Program:
    """Played until it ends or fails; on a thread, what was asked is answered in the end."""
    limit = {"recursion_limit": plan.limit}
    first = Turn({"items": ["in"]}, limit, {"durability": plan.durability} if plan.saved else {})
    turns = [
        first,
        *(_turn(move, plan.limit) for move in plan.moves),
        *[Turn(_answers, resumed_limit(plan.limit))] * plan.saved,
    ]
    subgraphs = any(node.kind == "graph" for node in plan.nodes)
    return Program(
        "random", lambda kit: build(plan, kit), turns, plan.saved, parallel=True, subgraphs=subgraphs, halts=True
    )


def _turn(move: Move, limit: int) -> Turn | Update:
    then = resumed_limit(limit)
    if move.kind == "input":
        return Turn({"items": ["more"]}, {"recursion_limit": limit})
    if move.kind == "update":
        return Update({"items": ["edited"], "total": 2}, move.node)
    if move.kind == "fork":
        return Update({"items": ["forked"]}, move.node, _back(move.back))
    if move.kind == "replay":
        return Turn(None, _back(move.back, limit))
    if move.kind == "command":
        return Turn(lambda session: _command(session, move.node), then)
    return Turn(_answers if move.kind == "answer" else _one_answer, then)


def _back(steps: int, limit: int = 25) -> Later:
    """The config of a checkpoint of the thread's past; not of an input, until replaying one is the same."""

    def later(session: Session) -> Any:
        sources = ("loop", "update", *("input", "fork") * bool(os.environ.get("ORACLE_OPEN")))
        states = [state for state in session.history() if state.metadata["source"] in sources]
        return {
            **resumed_limit(limit, from_the_past=True)(session),
            **(states[steps % len(states)].config if states else {}),
        }

    return later


def _command(session: Session, node: str | None) -> Any:
    """An answer to what was asked, an update and a way to go, in one."""
    answers = _resume(session.state().interrupts)
    parts: dict[str, Any] = {"resume": answers} if answers else {}
    parts |= {"goto": node} if node else {}
    return session.kit.Command(update={"items": ["commanded"]}, **parts)


def _answers(session: Session) -> Any:
    """An answer for everything that was asked; going on, when nothing was."""
    asked = session.state().interrupts
    return session.kit.Command(resume=_resume(asked)) if asked else None


def _one_answer(session: Session) -> Any:
    asked = sorted(session.state().interrupts, key=lambda question: str(question.value))
    return session.kit.Command(resume=_resume(asked[:1])) if asked else None


def _resume(asked: Any) -> dict[str, int]:
    return {question.id: _dice(question.value) % 10 for question in asked}


def _dice(*seen: Any) -> int:
    return zlib.crc32(repr(seen).encode())


def build(plan: Plan, kit: Kit) -> Any:
    keys: dict[str, Any] = {"items": Annotated[list[Any], operator.add], "total": Annotated[int, operator.add]}
    keys |= {"shared": int, **{f"own_{node.name}": int for node in plan.nodes}}
    schema: Any = TypedDict("schema", keys)  # type: ignore[misc]  # the keys are drawn
    builder = kit.StateGraph(schema)
    for node in plan.nodes:
        body = _inner(plan, kit) if node.kind == "graph" else kit.node(_body(node, kit))
        builder.add_node(node.name, body, **_policies(node, kit))
        _route(builder, node, plan, kit)
    if any(node.kind == "sends" for node in plan.nodes):
        builder.add_node("worker", kit.node(_work))
    for starts, end in plan.edges:
        names = [start or kit.START for start in starts]
        builder.add_edge(names if len(names) > 1 else names[0], end)
    options = {"interrupt_before": [plan.stops_before]} if plan.stops_before else {}
    return builder.compile(checkpointer=kit.InMemorySaver() if plan.saved else None, **options)


def _body(node: Node, kit: Kit) -> Any:
    def body(state: Any, writer: StreamWriter) -> Any:
        dice = _dice(node.name, sorted(state.items()))
        for at in range(node.says):
            writer({"by": _task(kit), "at": at, "dice": dice % 100})
        if node.kind == "fails":
            _fail(node, dice, kit)
        for at in range(node.questions if node.kind == "asks" else 0):
            dice = _dice(dice, kit.interrupt(f"{node.name} asks {dice % 100} {at}"))
        update = {} if node.kind == "silent" else _update(node, dice)
        if node.kind == "commands":
            return kit.Command(update=update, goto=_chosen(node, dice, kit))
        return update

    return body


def _task(kit: Kit) -> str:
    """The running task, as namespaces name it: its node may have several in one step."""
    return str(kit.get_config()["configurable"]["checkpoint_ns"]).rpartition("|")[2]


def _fail(node: Node, dice: int, kit: Kit) -> None:
    """One time in two; then, where it is tried again, one time in two at the first attempt only."""
    call = f"{node.name} {dice}"
    kit.calls.append(call)
    if dice % 2 and (dice % 4 == 1 or not node.retried or kit.calls.count(call) % 2):
        raise ValueError(f"{node.name} fails on {dice % 100}")


def _policies(node: Node, kit: Kit) -> dict[str, Any]:
    def handle(state: Any) -> Any:
        update = {"items": [f"{node.name} handled"]}
        goto = _chosen(node, _dice("handle", sorted(state.items())), kit) if node.targets else ()
        return kit.Command(update=update, goto=goto) if node.wide else update

    options: dict[str, Any] = {"defer": True} if node.defer else {}
    if node.retried:
        options["retry_policy"] = kit.RetryPolicy(
            initial_interval=0.0, jitter=False, max_attempts=2, retry_on=ValueError
        )
    if node.handled:
        options["error_handler"] = kit.node(handle)
    return options


def _update(node: Node, dice: int) -> dict[str, Any]:
    values = {"items": [f"{node.name}:{dice % 100}"], "total": dice % 7, "shared": dice % 5, "own": dice % 3}
    return {f"own_{node.name}" if key == "own" else key: values[key] for key in node.writes}


def _chosen(node: Node, dice: int, kit: Kit) -> Any:
    places = [kit.END if target == "END" else target for target in node.targets]
    return places if node.wide else places[dice % len(places)]


def _route(builder: Any, node: Node, plan: Plan, kit: Kit) -> None:
    def branch(state: Any) -> Any:
        return _chosen(node, _dice("branch", sorted(state.items())), kit)

    def sends(state: Any) -> Any:
        dice = _dice("sends", sorted(state.items()))
        return [_send(plan.sent_to[at % len(plan.sent_to)], at, dice) for at in range(dice % 4)]

    def _send(target: str, at: int, dice: int) -> Any:
        if target == "worker":
            return kit.Send("worker", {"from": node.name, "at": at, "dice": dice % 10})
        return kit.Send(target, {"items": [f"sent by {node.name}: {dice % 10}"]})

    if node.targets and node.kind != "commands":
        builder.add_conditional_edges(node.name, branch)
    if node.kind == "sends":
        builder.add_conditional_edges(node.name, sends)


def _work(state: Any, writer: StreamWriter) -> Any:
    name = f"{state['from']}.{state['at']}"
    writer({"by": name})
    return {"items": [f"{name}:{state['dice']}"], "total": state["at"]}


class Inner(TypedDict):
    items: Annotated[list[Any], operator.add]


def _inner(plan: Plan, kit: Kit) -> Any:
    """Two nodes, side by side or one after the other. What went in comes out again, so the list doubles."""

    def first(state: Inner, writer: StreamWriter) -> Any:
        writer({"by": "first", "dice": _dice(state["items"]) % 100})
        return {"items": [f"first:{len(state['items'])}"]}

    def second(state: Inner) -> Any:
        answer = kit.interrupt(f"second asks {_dice(state['items']) % 100}") if plan.inner_asks else None
        return {"items": [f"second:{len(state['items'])}:{answer}"]}

    nodes: dict[str, Any] = {"first": first, "second": second}
    after = kit.START if plan.inner_is_wide else "first"
    return kit.graph(Inner, nodes, (kit.START, "first"), (after, "second")).compile()
