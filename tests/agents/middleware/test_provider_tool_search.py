"""Tools that the provider's model searches for."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.tools import StructuredTool

from headrace.agents import create_agent
from headrace.agents.middleware.provider_tool_search import ProviderToolSearchMiddleware
from headrace.testing import ScriptedChatModel
from tests.agents.middleware.listening import calling
from tests.drive import Drive


class Provided(ScriptedChatModel):
    """A model of a provider."""

    provider: str

    def _get_ls_params(self, stop: Any = None, **_: Any) -> Any:
        return {"ls_provider": self.provider, "ls_model_type": "chat"}


def named(name: str, **extras: Any) -> StructuredTool:
    return StructuredTool.from_function(lambda: name, name=name, description=f"Does {name}.", extras=extras or None)


def offered(drive: Drive, searchable: Any, tools: Any, provider: str = "openai") -> list[Any]:
    """The model's tools: the name of one; with a star if it is searched for; the provider's own as they are."""
    model = Provided(replies=["done"], provider=provider)
    agent = create_agent(model, tools, middleware=[ProviderToolSearchMiddleware(searchable_tools=searchable)])
    drive.invoke(agent, {"messages": "hi"})
    return [one if isinstance(one, dict) else f"{one.name}{'*' * bool(one.extras)}" for one in model.tools]


SEARCH = {
    "openai": {"type": "tool_search"},
    "anthropic": {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"},
}


@pytest.mark.parametrize("provider", SEARCH)
def test_tools_are_marked_and_the_providers_search_is_there(drive: Drive, provider: str) -> None:
    tools = [named("dig"), named("fill"), named("plant", defer_loading=True)]
    assert offered(drive, ["dig"], tools, provider) == ["dig*", "fill", "plant*", SEARCH[provider]]
    assert offered(drive, [tools[1]], tools, provider) == ["dig", "fill*", "plant*", SEARCH[provider]]
    assert offered(drive, None, tools, provider) == ["dig", "fill", "plant*", SEARCH[provider]]
    assert tools[0].extras is None


def test_a_search_that_is_there_is_not_added_again(drive: Drive) -> None:
    assert offered(drive, ["dig"], [named("dig"), {"type": "tool_search"}]) == ["dig*", {"type": "tool_search"}]


def test_without_such_tools_the_request_stays_as_it_is(drive: Drive) -> None:
    assert offered(drive, None, [named("dig"), {"type": "web_search"}], "any") == ["dig", {"type": "web_search"}]


def test_a_tool_that_was_found_is_called_as_ever(drive: Drive) -> None:
    model = Provided(replies=[calling(("dig", {}, "1")), "done"], provider="openai")
    agent = create_agent(model, [named("dig")], middleware=[ProviderToolSearchMiddleware(searchable_tools=["dig"])])
    assert drive.invoke(agent, {"messages": "hi"})["messages"][2].text == "dig"


def test_another_provider_is_refused(drive: Drive) -> None:
    with pytest.raises(ValueError, match="the agent's model is of 'someone'"):
        offered(drive, ["dig"], [named("dig")], "someone")


def test_a_tool_that_there_is_not_is_named(drive: Drive) -> None:
    with pytest.raises(ValueError, match="'shovel'"):
        offered(drive, ["shovel"], [named("dig")])


def test_what_is_no_tool_is_refused() -> None:
    with pytest.raises(ValueError, match="got 3"):
        ProviderToolSearchMiddleware(searchable_tools=[3])  # type: ignore[list-item] # that is the mistake
