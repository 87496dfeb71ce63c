"""Tools whose answers a model makes up, here and there.

Differences, on purpose:

- The call is in the `messages` stream there; here it is not.
- A tool that there is not is emulated there, if all are; here it is refused, as without an emulator.
- The name of a tool that the agent does not have says nothing there; here it is a mistake.
- Without a model one of a certain provider is taken there; here one must be given.
- When the emulating model fails, so does the run there; here the agent's model is told, as of any tool that fails.
"""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.tools import tool

from tests.agents.middleware.listening import calling
from tests.drive import Drive

from .updates import HEADRACE, LANGCHAIN, Library, scripted, told

pytestmark = pytest.mark.main_only


@tool
def weather(at: str) -> str:
    """Tell the weather."""
    return "really sunny"


@tool
def news(at: str) -> str:
    """Tell the news."""
    return "really none"


@pytest.mark.parametrize("emulated", [None, [], ["weather"], [news], ["weather", news]])
@pytest.mark.parametrize("arguments", [{"at": "Bergen"}, {"at": 3}, {}])
def test_nodes_write_the_same(drive: Drive, emulated: Any, arguments: Any) -> None:
    def results(library: Library) -> Any:
        emulating: list[Any] = []

        def build(library: Library) -> Any:
            emulating[:] = [scripted("made up", "made up")]
            model = scripted(calling(("weather", arguments, "1"), ("news", {"at": "Oslo"}, "2")), "done")
            middleware = library.LLMToolEmulator(tools=emulated, model=emulating[0])
            return library.create_agent(model, [weather, news], middleware=[middleware])

        return told(library, build, drive), len(emulating[0].calls)

    assert results(HEADRACE) == results(LANGCHAIN)
