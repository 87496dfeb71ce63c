"""Other models for when the agent's own fails."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.tools import tool
from pydantic import BaseModel

from headrace.agents import create_agent
from headrace.agents.middleware.model_fallback import ModelFallbackMiddleware
from headrace.agents.structured_output import ToolStrategy
from headrace.errors import InvalidModelError
from headrace.testing import ScriptedChatModel
from tests.agents.middleware.tool_calls import HI, calling
from tests.drive import Drive


def saying(*replies: Any) -> ScriptedChatModel:
    return ScriptedChatModel(replies=list(replies))


def test_the_next_model_answers_for_one_that_fails(drive: Drive) -> None:
    last = saying("never")
    fallback = ModelFallbackMiddleware[Any, Any, Any](saying(KeyError("b")), saying("from c"), last)
    agent = create_agent(saying(ValueError("a")), middleware=[fallback])
    assert drive.invoke(agent, HI)["messages"][-1].text == "from c"
    assert last.calls == []


def test_a_model_that_answers_is_not_replaced(drive: Drive) -> None:
    other = saying("never")
    agent = create_agent(saying("yes"), middleware=[ModelFallbackMiddleware(other)])
    assert (drive.invoke(agent, HI)["messages"][-1].text, other.calls) == ("yes", [])


def test_when_all_fail_the_last_error_is_raised(drive: Drive) -> None:
    agent = create_agent(saying(ValueError("a")), middleware=[ModelFallbackMiddleware(saying(KeyError("b")))])
    with pytest.raises(KeyError, match="b"):
        drive.invoke(agent, HI)


def test_each_call_begins_with_the_agents_own_model(drive: Drive) -> None:
    @tool
    def look(at: str) -> str:
        """Look at something."""
        return at

    own, other = saying(ValueError("a"), "own"), saying(calling(("look", {"at": "x"})))
    state = drive.invoke(create_agent(own, [look], middleware=[ModelFallbackMiddleware(other)]), HI)
    assert (state["messages"][-1].text, len(own.calls), len(other.calls)) == ("own", 2, 1)


def test_the_other_model_has_the_same_tools_and_schema(drive: Drive) -> None:
    class Sum(BaseModel):
        total: int

    @tool
    def look(at: str) -> str:
        """Look at something."""
        return at

    own, other = saying(ValueError("a")), saying(calling(("Sum", {"total": 3})))
    agent = create_agent(
        own,
        [look],
        middleware=[ModelFallbackMiddleware(other)],
        response_format=ToolStrategy(Sum),
        system_prompt="Be kind",
    )
    assert drive.invoke(agent, HI)["structured_response"] == Sum(total=3)
    assert own.options == other.options
    assert own.calls == other.calls


@pytest.mark.parametrize("model", [3, ScriptedChatModel])
def test_what_is_no_model_is_refused(model: Any) -> None:
    with pytest.raises(ValueError, match="ModelFallbackMiddleware needs a chat model or the name of one"):
        ModelFallbackMiddleware(saying("yes"), model)


def test_a_name_is_looked_up_when_the_middleware_is_made() -> None:
    with pytest.raises(InvalidModelError, match="the name 'nobody:model'"):
        ModelFallbackMiddleware("nobody:model")
