"""Asking a person before tools are called: the questions, and what each decision leads to."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest

from ..differences import Difference
from ..program import Driver, Session, Turn
from ..render import TEXT
from ..roots import Kit
from .compare import DRIVERS, WORDS_OF_ERRORS, answer, ask, calling, masked, same, scripted
from .differences import STORED
from .parts import ONE, OTHER, add, direct

pytestmark = pytest.mark.main_only

LOOK = ("direct", {"at": "x"})

WORDS_OF_QUESTIONS = masked(
    rf"'description': {TEXT}",
    "'description': <words>",
    "What a person is told of a call, and what a decision is: each library has its own words.",
)
NOTICE = masked(
    r"content=(['\"])Edited(?:[^'\"\\]|\\.|(?!\1)['\"])*\1",
    "content=<notice>",
    "How the notice goes on, with the edited call, is each library's own.",
)
DIFFERENCES: list[str | Difference] = [WORDS_OF_QUESTIONS, WORDS_OF_ERRORS, NOTICE, STORED]
"""What the libraries do alike is compared; on purpose they differ, beyond words, in what is not played here:

- An answer that does not fit is kept with the question there, which then fails for ever; here it is an
  `InvalidAnswerError`, and the question can be answered again.
- `args_schema` is shown with the question here (`review_configs`, or the schema of the answer); there it is not.
- A call that another middleware answered is not asked about; there it is, and gets a second answer.
- An edit to a tool that there is not, or with arguments that do not fit, is an `InvalidAnswerError` as well; there the
  model is told of it, or the run fails where it cannot go on.
- The name of a tool that the agent does not have says nothing there; here it is a mistake.
- Without a checkpointer there is a warning here.
- Edits are forgotten when ids of calls come again; there an old edit is made in place of a new call.
"""

APPROVE = {"type": "approve"}
REJECT = {"type": "reject"}
WHY = {"type": "reject", "message": "too dear"}
RESPOND = {"type": "respond", "message": "three"}
EDIT = {"type": "edit", "edited_action": {"name": "add", "args": {"a": 7, "b": 7}}}


KINDS = ["approve", "reject", "reject and say why", "respond", "edit"]


def hitl(kit: Kit) -> Any:
    return importlib.import_module(f"{kit.agents.__name__}.middleware.human_in_the_loop").HumanInTheLoopMiddleware


def is_large(request: Any) -> bool:
    return bool(request.tool_call["args"]["a"] > 1)


def office(*calls: Any, on: Any = None, **settings: Any) -> Callable[[Kit], Any]:
    """An agent that calls these tools, and then answers."""

    def build(kit: Kit) -> Any:
        middleware = hitl(kit)({"add": True} if on is None else on, **{"edit_notice": None, **settings})
        return kit.agents.create_agent(
            scripted(calling(*calls), "done"), [add, direct], middleware=[middleware], checkpointer=kit.InMemorySaver()
        )

    return build


def each(*decisions: Any) -> Turn:
    """Answers to all questions, by their ids."""

    def resume(session: Session) -> Any:
        questions = sorted(session.state().interrupts, key=lambda one: one.value["tool_call_id"])
        return session.kit.Command(resume={one.id: given for one, given in zip(questions, decisions, strict=False)})

    return Turn(resume)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("decision", [APPROVE, REJECT, WHY, RESPOND, EDIT], ids=KINDS)
def test_one_call(driver: Driver, decision: Any) -> None:
    turns = ask("1 + 2"), answer({"decisions": [decision]})
    same(office(ONE), *turns, driver=driver, differences=DIFFERENCES, saved=True)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("modes", ["values", "messages", ("updates", "messages")])
def test_other_modes(driver: Driver, modes: Any) -> None:
    turns = ask("1 + 2"), answer({"decisions": [APPROVE, WHY]})
    same(office(ONE, OTHER), *turns, driver=driver, modes=modes, differences=DIFFERENCES, saved=True)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    "decisions",
    [(APPROVE, APPROVE), (APPROVE, WHY), (REJECT, APPROVE), (REJECT, WHY), (RESPOND, EDIT), (EDIT, REJECT)],
    ids=lambda several: "-".join(one["type"] for one in several),
)
def test_mixed_decisions(driver: Driver, decisions: Any) -> None:
    turns = ask("sums"), answer({"decisions": list(decisions)})
    same(office(ONE, LOOK, OTHER), *turns, driver=driver, differences=DIFFERENCES, saved=True)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_notice_of_an_edit(driver: Driver) -> None:
    turns = ask("1 + 2"), answer({"decisions": [EDIT]})
    same(office(ONE, edit_notice="Edited"), *turns, driver=driver, differences=DIFFERENCES, saved=True)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    "on",
    [
        {"add": False},
        {},
        {"add": {"allowed_decisions": ["approve", "reject"], "description": "really?"}},
        {"add": {"allowed_decisions": ["approve"], "description": lambda call, state, runtime: call["name"]}},
        {"add": {"allowed_decisions": ["approve"], "description": "sum?", "when": is_large}},
    ],
    ids=["off", "none", "text", "function", "when"],
)
@pytest.mark.parametrize("mode", ["batched", "per_call"])
def test_configurations(driver: Driver, on: Any, mode: str) -> None:
    differences = [WORDS_OF_ERRORS] if mode == "batched" else DIFFERENCES
    same(
        office(OTHER, LOOK, on=on, interrupt_mode=mode), ask("sum"),
        answer({"decisions": [APPROVE]} if mode == "batched" else APPROVE),
        driver=driver, differences=differences, saved=True, halts=True,
    )  # fmt: skip


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("decision", [APPROVE, REJECT, WHY, RESPOND, EDIT], ids=KINDS)
def test_one_call_by_itself(driver: Driver, decision: Any) -> None:
    built = office(ONE, interrupt_mode="per_call")
    same(built, ask("1 + 2"), answer(decision), driver=driver, differences=DIFFERENCES, saved=True)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    "turns", [[each(APPROVE, RESPOND)], [each(RESPOND), each(APPROVE)], [each(EDIT), each(RESPOND)]]
)
def test_calls_by_themselves(driver: Driver, turns: Any) -> None:
    """No rejections: parallel answers are put in order by their texts, which must be the same ones."""
    built = office(ONE, LOOK, OTHER, interrupt_mode="per_call")
    same(built, ask("sums"), *turns, driver=driver, differences=DIFFERENCES, saved=True)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("allowed", [["edit"], ["approve"], ["respond", "reject"], ["reject", "edit", "approve"]])
def test_what_an_answer_must_look_like(driver: Driver, allowed: list[str]) -> None:
    built = office(ONE, on={"add": {"allowed_decisions": allowed}}, interrupt_mode="per_call")
    same(built, ask("1 + 2"), driver=driver, differences=DIFFERENCES, saved=True)
