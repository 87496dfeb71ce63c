"""Limits on calls of the model and of tools: what is counted, and how a run ends."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest

from ..program import Driver
from ..render import TEXT
from ..roots import Kit
from .compare import DRIVERS, WORDS_OF_ERRORS, ask, calling, masked, same, scripted
from .parts import ONE, OTHER, add, direct

pytestmark = pytest.mark.main_only

LOOK = ("direct", {"at": "x"})

LAST_WORDS = masked(
    rf"AIMessage\(content={TEXT}(?=, type='ai', id='#)",
    "AIMessage(content=<words>",
    "What a run says when it ends at a limit: each library has its own words. Messages of a model have other ids.",
)
ERROR = masked(
    r"(error=|raised )(['\"]?(?:Model|Tool)CallLimitExceededError).*?(?=, interrupts=|$)",
    r"\1\2",
    "What an error says: each library has its own words.",
)
JUMP = masked(
    r"(?<=\{)'jump_to': 'end', |, 'jump_to': 'end'", "", "Where the key of the last jump stands among the state's keys."
)
DIFFERENCES = [WORDS_OF_ERRORS, LAST_WORDS, ERROR, JUMP]
"""What the libraries do alike is compared; on purpose they differ in what is not played here:

- A call beyond two limits is answered and counted once here; there it gets two answers.
- A limit below 0 is refused here.
- An answer as an object is no call of a tool here.
"""


def made(kit: Kit, kind: str, **settings: Any) -> Any:
    module = importlib.import_module(f"{kit.agents.__name__}.middleware.{kind}_call_limit")
    return getattr(module, f"{kind.capitalize()}CallLimitMiddleware")(**settings)


def limited(kind: str, *replies: Any, **settings: Any) -> Callable[[Kit], Any]:
    def build(kit: Kit) -> Any:
        return kit.agents.create_agent(
            scripted(*replies), [add, direct], middleware=[made(kit, kind, **settings)],
            checkpointer=kit.InMemorySaver(),
        )  # fmt: skip

    return build


def lines(*turns: Any) -> list[Any]:
    """Two turns of calls and answers."""
    return [calling(ONE), "one", calling(OTHER, first=2), "two", *turns]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("exit", ["end", "error"])
@pytest.mark.parametrize(
    "limits", [{"run_limit": 0}, {"run_limit": 1}, {"run_limit": 2}, {"thread_limit": 1}, {"thread_limit": 3}], ids=str
)
def test_calls_of_the_model(driver: Driver, limits: Any, exit: str) -> None:
    built = limited("model", *lines(), **limits, exit_behavior=exit)
    same(built, ask("sum"), ask("again"), driver=driver, differences=DIFFERENCES, saved=True, halts=True)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("exit", ["continue", "end", "error"])
@pytest.mark.parametrize(
    "limits", [{"run_limit": 0}, {"run_limit": 1}, {"thread_limit": 1}, {"run_limit": 1, "thread_limit": 2}], ids=str
)
@pytest.mark.parametrize("tool_name", [None, "add"])
def test_calls_of_tools(driver: Driver, limits: Any, exit: str, tool_name: str | None) -> None:
    built = limited("tool", *lines(), **limits, exit_behavior=exit, tool_name=tool_name)
    same(built, ask("sum"), ask("again"), driver=driver, differences=DIFFERENCES, saved=True, halts=True)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("exit", ["continue", "end", "error"])
@pytest.mark.parametrize("tool_name", [None, "add"])
def test_calls_of_one_answer(driver: Driver, exit: str, tool_name: str | None) -> None:
    replies = calling(ONE, LOOK, OTHER), "done"
    built = limited("tool", *replies, run_limit=1, exit_behavior=exit, tool_name=tool_name)
    same(built, ask("sums"), driver=driver, differences=DIFFERENCES, saved=True)


@pytest.mark.parametrize("driver", DRIVERS)
def test_several_limits(driver: Driver) -> None:
    def build(kit: Kit) -> Any:
        middleware = [
            made(kit, "tool", tool_name="add", run_limit=2), made(kit, "tool", run_limit=5),
            made(kit, "model", run_limit=2),
        ]  # fmt: skip
        model = scripted(calling(ONE), calling(OTHER, first=2), "done")
        return kit.agents.create_agent(model, [add], middleware=middleware[::-1], checkpointer=kit.InMemorySaver())

    same(build, ask("sums"), driver=driver, differences=DIFFERENCES, saved=True)
