"""States of a thread: read, edited, gone back to."""

from __future__ import annotations

from typing import Any

from ..program import Later, Session, Turn, Update, program
from ..roots import Kit
from .control import saying
from .returns import State

ZERO = Turn({"x": 0})


def _chain(kit: Kit, **options: Any) -> Any:
    return kit.chain(State, a=saying("a"), b=saying("b")).compile(kit.InMemorySaver(), **options)


def at(step: int) -> Later:
    """The config of the newest checkpoint of that step."""

    def later(session: Session) -> Any:
        return next(state.config for state in session.history() if state.metadata["step"] == step)

    return later


@program(ZERO, Update({"x": 5, "log": ["edited"]}), Turn(None), saved=True)
def edited_at_the_end(kit: Kit) -> Any:
    return _chain(kit)


@program(ZERO, Update({"x": 5}, "a"), Turn(None), saved=True)
def edited_as_a_node(kit: Kit) -> Any:
    return _chain(kit)


@program(ZERO, Update({"x": 5}), Turn(None), saved=True)
def edited_while_stopped(kit: Kit) -> Any:
    return _chain(kit, interrupt_before=["b"])


@program(Update({"x": 5}, "a"), Turn(None), saved=True)
def edited_before_the_first_run(kit: Kit) -> Any:
    return _chain(kit)


@program(Update({"x": 5}), saved=True)
def edited_before_the_first_run_as_nobody(kit: Kit) -> Any:
    return _chain(kit)


@program(ZERO, Update({"x": 5}, "nobody"), saved=True)
def edited_as_an_unknown_node(kit: Kit) -> Any:
    return _chain(kit)


@program(ZERO, Update(None, "__end__"), saved=True)
def edited_to_the_end(kit: Kit) -> Any:
    return _chain(kit, interrupt_before=["b"])


@program(ZERO, Turn(None, at(1)), saved=True)
def replayed_from_the_middle(kit: Kit) -> Any:
    return _chain(kit)


@program(ZERO, Turn({"x": 3}, at(1)), saved=True)
def forked_with_new_input(kit: Kit) -> Any:
    return _chain(kit)


@program(ZERO, Update({"x": 7}, config=at(1)), Turn(None), saved=True)
def forked_by_an_edit(kit: Kit) -> Any:
    return _chain(kit)


@program(Turn(None), saved=True)
def continued_before_the_first_run(kit: Kit) -> Any:
    return _chain(kit)


@program(ZERO, Turn(None), saved=True)
def continued_after_the_end(kit: Kit) -> Any:
    return _chain(kit)


@program(
    *(Turn({"x": at_}, options={"durability": kind}) for at_, kind in enumerate(("sync", "async", "exit"))),
    saved=True,
    differences=("parent with durability exit",),
)
def durabilities(kit: Kit) -> Any:
    return _chain(kit)


@program(Turn({"x": 0}, {"metadata": {"who": "me"}, "run_name": "named"}), saved=True)
def metadata_of_the_run(kit: Kit) -> Any:
    return _chain(kit)
