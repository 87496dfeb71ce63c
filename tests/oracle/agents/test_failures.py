"""Models and tools that fail: retries, fallbacks, and what a model is told."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.tools import tool

from ..program import Driver
from ..render import TEXT
from ..roots import Kit
from .compare import DRIVERS, WORDS_OF_ERRORS, ask, calling, masked, same, scripted
from .parts import fail

pytestmark = pytest.mark.main_only

SORRY = masked(
    rf"AIMessage\(content={TEXT}(?=, type='ai', id='#)",
    "AIMessage(content=<words>",
    "What the agent says in place of its model: each library has its own words. Messages of a model have other ids.",
)
DIFFERENCES = [WORDS_OF_ERRORS, SORRY]
"""What the libraries do alike is compared; on purpose they differ in what is not played here:

- An error of a tool that middleware leaves alone fails the run there; here the model is told of it, as always.
- A coroutine function alone (`aon_error`) serves sync runs too here; there they fail.
- A function for errors that is a coroutine function, and settings that cannot be, are refused here.
"""

LATE = ConnectionError("too late")
FAST = {"initial_delay": 0, "jitter": False}


def made(kit: Kit, module: str, name: str, *args: Any, **settings: Any) -> Any:
    home = importlib.import_module(f"{kit.agents.__name__}.middleware.{module}")
    return getattr(home, name)(*args, **settings)


def retried(*replies: Any, **settings: Any) -> Callable[[Kit], Any]:
    def build(kit: Kit) -> Any:
        middleware = made(kit, "model_retry", "ModelRetryMiddleware", **{**FAST, **settings})
        return kit.agents.create_agent(scripted(*replies), middleware=[middleware])

    return build


def described(error: Exception) -> str:
    return f"sorry, {error}"


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("on_failure", ["continue", "error", described], ids=["continue", "error", "function"])
@pytest.mark.parametrize("retry_on", [OSError, (KeyError,), None], ids=["matches", "does not", "default"])
@pytest.mark.parametrize("fails", [1, 3])
def test_a_model_is_called_again(driver: Driver, on_failure: Any, retry_on: Any, fails: int) -> None:
    settings = {} if retry_on is None else {"retry_on": retry_on if isinstance(retry_on, tuple) else (retry_on,)}
    built = retried(*[LATE] * fails, "yes", on_failure=on_failure, **settings)
    same(built, ask("hi"), driver=driver, differences=DIFFERENCES)


def shop(fails: int, **settings: Any) -> Callable[[Kit], Any]:
    """An agent with a tool that fails so many times."""

    def build(kit: Kit) -> Any:
        left = [LATE] * fails

        @tool
        def buy(what: str) -> str:
            """Buy something."""
            if left:
                raise left.pop()
            return f"one {what}"

        middleware = made(kit, "tool_retry", "ToolRetryMiddleware", **{**FAST, **settings})
        model = scripted(calling(("buy", {"what": "tea"})), "done")
        return kit.agents.create_agent(model, [buy], middleware=[middleware])

    return build


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("on_failure", ["continue", "error", described], ids=["continue", "error", "function"])
@pytest.mark.parametrize("fails", [2, 3])
@pytest.mark.parametrize("tools", [None, ["buy"]], ids=["all", "named"])
def test_a_tool_is_called_again(driver: Driver, on_failure: Any, fails: int, tools: Any) -> None:
    built = shop(fails, on_failure=on_failure, tools=tools)
    same(built, ask("tea"), driver=driver, differences=DIFFERENCES)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("content", ["sorry", [{"type": "text", "text": "sorry"}]], ids=["text", "parts"])
@pytest.mark.parametrize("tools", [None, ["fail"], [fail]], ids=["all", "named", "given"])
def test_a_function_says_what_the_model_is_told(driver: Driver, content: Any, tools: Any) -> None:
    def build(kit: Kit) -> Any:
        middleware = made(kit, "tool_error", "ToolErrorMiddleware", lambda error, request: content, tools=tools)
        return kit.agents.create_agent(
            scripted(calling(("fail", {"at": "x"})), "done"), [fail], middleware=[middleware]
        )  # fmt: skip

    same(build, ask("hi"), driver=driver)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_coroutine_function_says_it_in_async_runs(driver: Driver) -> None:
    async def later(error: Exception, request: Any) -> str:
        return "later"

    def build(kit: Kit) -> Any:
        middleware = made(kit, "tool_error", "ToolErrorMiddleware", lambda error, request: "now", aon_error=later)
        model = scripted(calling(("fail", {"at": "x"})), "done")
        return kit.agents.create_agent(model, [fail], middleware=[middleware])

    same(build, ask("hi"), driver=driver)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    "replies", [["a"], [LATE, "b"], [LATE, KeyError("b"), "c"], [LATE, LATE, KeyError("c")]], ids=len
)
def test_other_models_answer(driver: Driver, replies: list[Any]) -> None:
    def build(kit: Kit) -> Any:
        first, *others = [scripted(reply) for reply in [*replies, *["never"] * (3 - len(replies))]]
        middleware = made(kit, "model_fallback", "ModelFallbackMiddleware", *others)
        return kit.agents.create_agent(first, middleware=[middleware])

    same(build, ask("hi"), driver=driver, modes=("updates", "messages"))
