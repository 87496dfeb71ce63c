"""Playing one scripted agent on both libraries, and comparing all that its streams tell.

    def build(kit: Kit) -> Any:
        model = scripted(calling(("add", {"a": 1, "b": 2})), "3")
        return kit.agents.create_agent(model, [add], middleware=[kit.middleware.ToolRetryMiddleware()])


    @pytest.mark.parametrize("driver", DRIVERS)
    def test_a_tool_is_tried_again(driver: Driver) -> None:
        same(build, ask("1 + 2"), driver=driver, differences=[WORDS_OF_ERRORS])

`build` makes a new model each time, since a script is played once. Everything else of either library comes by the
kit: `kit.agents`, `kit.middleware`, `kit.structured_output`, and the names of `roots.HOMES`. Further turns are asked
on the same thread (`saved=True`): `ask("and now?")`, `answer({"decisions": [...]})`.

What is free and what is not is said in `canonical`: ids by their order, times masked, a step's parallel tasks as a
set of sequences.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.messages import AIMessage

from headrace.testing import Reply, ScriptedChatModel

from ..compare import same_stream
from ..differences import Difference
from ..program import MODES, Asking, Driver, Program, Turn, Update
from ..render import TEXT
from ..roots import Kit
from .differences import DIFFERENCES, LABEL, STORED

DRIVERS: tuple[Driver, ...] = ("sync", "async")
AGENT_MODES = (*MODES, "tools")


def masked(pattern: str, new: str, reason: str) -> Difference:
    """Takes something out of what both libraries tell."""
    return Difference(reason, lambda lines: [re.sub(pattern, new, line) for line in lines], both=True)


def words(status: str, what: str) -> Difference:
    """Takes the texts of tool messages of this status out."""
    message = rf"(?<=ToolMessage\(content=){TEXT}(?=[^()]*status='{status}')"
    event = rf"(?<='event': 'tool-error')(.*'message': ){TEXT}"
    return Difference(
        f"{what}: each library has its own words.",
        lambda lines: [re.sub(event, r"\1<words>", re.sub(message, "<words>", line)) for line in lines],
        both=True,
    )


WORDS_OF_ERRORS = words("error", "what a model is told of an error")
WORDS_OF_ANSWERS = words("success", "what the library answers a call with")


def same(
    build: Callable[[Kit], Any],
    *turns: Turn | Update,
    driver: Driver,
    modes: str | tuple[str, ...] = "updates",
    differences: Sequence[str | Difference] = (),
    **facts: Any,
) -> None:
    """Fail, with both streams side by side, when headrace does not tell what langchain tells.

    `modes`: one mode, or several. `facts`: further fields of `Program`, such as `saved=True` for a thread (`build`
    then compiles with `checkpointer=kit.InMemorySaver()`, and states are compared after each turn).
    """
    program = scripted_program(build, *turns, differences=differences, **facts)
    same_stream(program, Asking(modes, driver, program.subgraphs))


def scripted_program(
    build: Callable[[Kit], Any], *turns: Turn | Update, differences: Sequence[str | Difference] = (), **facts: Any
) -> Program:
    """An agent with the turns to play on it. Tools of one answer are parallel, as they nearly always are."""
    standing = [STORED] if facts.get("saved") else []
    named = (DIFFERENCES.get(one, one) if isinstance(one, str) else one for one in (LABEL, *standing, *differences))
    given = {"parallel": True, "modes": AGENT_MODES, **facts}
    return Program(build.__name__, build, turns, differences=tuple(named), **given)


AGENTS: dict[str, Program] = {}


def agent(*turns: Turn | Update, **facts: Any) -> Callable[[Callable[[Kit], Any]], Callable[[Kit], Any]]:
    """Register a function that builds an agent, with the turns to play on it, for `test_core`."""

    def register(build: Callable[[Kit], Any]) -> Callable[[Kit], Any]:
        assert build.__name__ not in AGENTS, build.__name__
        AGENTS[build.__name__] = scripted_program(build, *turns, **facts)
        return build

    return register


def ask(text: str, **options: Any) -> Turn:
    """A turn of the user's; `options` are for `stream`."""
    return Turn({"messages": [{"role": "user", "content": text}]}, options=options)


def answer(value: Any) -> Turn:
    """A turn that answers what the last one asked; a function makes the answer of the session."""
    return Turn(lambda session: session.kit.Command(resume=value(session) if callable(value) else value))


def scripted(*replies: Reply, **settings: Any) -> ScriptedChatModel:
    """A model that gives these replies, and fails if it is asked for more."""
    return ScriptedChatModel(replies=list(replies), when_exhausted="raise", **settings)


def calling(*calls: tuple[str, dict[str, Any]], text: str = "", first: int = 1) -> AIMessage:
    """A model's message that calls tools; the calls have the ids c1, c2 and so on, from `first`."""
    return AIMessage(
        text,
        tool_calls=[
            {"name": name, "args": args, "id": f"c{number}"} for number, (name, args) in enumerate(calls, first)
        ],
    )


__all__ = [
    "AGENTS", "AGENT_MODES", "DRIVERS", "TEXT", "WORDS_OF_ANSWERS", "WORDS_OF_ERRORS", "Difference", "Driver", "Kit",
    "Turn", "Update", "agent", "answer", "ask", "calling", "masked", "same", "scripted", "scripted_program", "words",
]  # fmt: skip
