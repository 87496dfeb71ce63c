"""Tools that the provider's model searches for, here and there.

Differences, on purpose: the provider's search is not added a second time when the agent's tools have it, and the name
of a tool that the agent does not have is refused when the agent is made.
"""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.tools import StructuredTool

from headrace.testing import ScriptedChatModel
from tests.drive import Drive

from .updates import HEADRACE, LANGCHAIN, Library, told

pytestmark = pytest.mark.main_only


class Provided(ScriptedChatModel):
    """A model of a provider."""

    provider: str

    def _get_ls_params(self, stop: Any = None, **_: Any) -> Any:
        return {"ls_provider": self.provider, "ls_model_type": "chat"}


def named(name: str, **extras: Any) -> StructuredTool:
    return StructuredTool.from_function(lambda: name, name=name, description=f"Does {name}.", extras=extras or None)


TOOLS = [named("dig"), named("fill", defer_loading=True), {"type": "web_search"}]


@pytest.mark.parametrize("provider", ["openai", "anthropic", "someone"])
@pytest.mark.parametrize(
    ("tools", "searchable"),
    [*((tools, names) for tools in (TOOLS, TOOLS[:1]) for names in (None, [], ["dig"])), (TOOLS, [TOOLS[0], "fill"])],
)
def test_the_provider_gets_the_same_tools(drive: Drive, provider: str, searchable: Any, tools: Any) -> None:
    def offered(library: Library) -> Any:
        models: list[Any] = []

        def build(library: Library) -> Any:
            models[:] = [Provided(replies=["done"], provider=provider)]
            middleware = library.ProviderToolSearchMiddleware(searchable_tools=searchable)
            return library.create_agent(models[0], tools, middleware=[middleware])

        updates = told(library, build, drive)
        return updates, [one if isinstance(one, dict) else (one.name, one.extras) for one in models[0].tools]

    assert offered(HEADRACE) == offered(LANGCHAIN)
