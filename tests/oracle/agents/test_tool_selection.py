"""Tools chosen by a model beforehand, here and there.

Differences, on purpose:

- The selecting call is in the `messages` stream there; here it is not.
- A tool that there is not, in the model's answer, ends the run there at once; here it counts as an answer that cannot
  be used, which is asked for again and then is `on_parsing_failure`'s.
- A history without a word of a user is an AssertionError there; here nothing is selected.
- Tools that are always included come last there; here tools keep the agent's order, which a provider can cache.
- Bad settings are refused when the middleware is made, and names of tools that the agent does not have when it is.
"""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.tools import StructuredTool

from tests.agents.middleware.listening import calling
from tests.drive import Drive

from .updates import HEADRACE, LANGCHAIN, Library, scripted, told

pytestmark = pytest.mark.main_only

TOOLS = [
    StructuredTool.from_function(lambda name=name: name, name=name, description=f"Does {name}.")
    for name in ("dig", "fill", "plant", "water")
]


def chosen(*names: str) -> Any:
    return calling(("ToolSelectionResponse", {"tools": [*names]}, "s"))


PROGRAMS: list[tuple[Any, Any]] = [
    ([chosen("plant", "dig")], {}),
    ([chosen("dig", "dig", "fill", "plant")], {"max_tools": 2}),
    ([chosen("plant", "dig")], {"max_tools": 1, "always_include": ["water"]}),
    ([chosen()], {}),
    (["hm", chosen("dig")], {}),
    (["hm", "hm"], {}),
    (["hm"], {"max_retries": 0}),
    (["hm"], {"max_retries": 0, "on_parsing_failure": "none"}),
    (["hm"], {"max_retries": 0, "on_parsing_failure": "all", "max_tools": 1, "always_include": ["water"]}),
    (["hm"], {"max_retries": 0, "on_parsing_failure": ["fill"], "always_include": ["water"]}),
    (["hm"], {"max_retries": 0, "on_parsing_failure": lambda answer: ["fill"] if answer is None else []}),
    ([], {"always_include": ["dig", "fill", "plant", "water"]}),
    ([ConnectionError("gone")], {}),
]


@pytest.mark.parametrize(("answers", "settings"), PROGRAMS)
def test_the_model_is_shown_the_same_tools(drive: Drive, answers: Any, settings: Any) -> None:
    def told_and_shown(library: Library) -> Any:
        models: list[Any] = []

        def build(library: Library) -> Any:
            selecting, model = scripted(*(answers or ["unused"])), scripted("done")
            models[:] = [selecting, model]
            middleware = library.LLMToolSelectorMiddleware(model=selecting, **settings)
            return library.create_agent(model, TOOLS, middleware=[middleware])

        updates = told(library, build, drive)
        selecting, model = models
        shown = [{one["function"]["name"] for one in each.get("tools", ())} for each in model.options]
        asked = [[message.text for message in call if message.type == "human"] for call in selecting.calls]
        return updates, shown, asked

    assert told_and_shown(HEADRACE) == told_and_shown(LANGCHAIN)
