"""The list of what is to be done, here and there.

Differences, on purpose: the prompts and answers are in our own words; a system message that is a text stays one; the
refusals of lists that come together carry the tool's name.
"""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.tools import tool

from tests.agents.middleware.listening import calling
from tests.drive import Drive

from .updates import HEADRACE, LANGCHAIN, Library, scripted, told

pytestmark = pytest.mark.main_only

TODOS = [{"content": "dig", "status": "in_progress"}, {"content": "fill", "status": "pending"}]


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def write(id: str, todos: Any = TODOS) -> Any:
    return ("write_todos", {"todos": todos}, id)


@pytest.mark.parametrize(
    "replies",
    [
        ["done"],
        [calling(write("1")), "done"],
        [calling(write("1"), ("add", {"a": 1, "b": 2}, "2")), "done"],
        [calling(write("1"), write("2")), "done"],
        [calling(write("1"), ("add", {"a": 1, "b": 2}, "2"), write("3")), calling(write("4")), "done"],
        [calling(write("1", [{"content": "dig", "status": "maybe"}])), "done"],
    ],
)
def test_nodes_write_the_same(drive: Drive, replies: Any) -> None:
    def build(library: Library) -> Any:
        return library.create_agent(scripted(*replies), [add], middleware=[library.TodoListMiddleware()])

    assert told(HEADRACE, build, drive) == told(LANGCHAIN, build, drive)


def test_the_arguments_of_the_tool_are_the_same() -> None:
    def arguments(library: Library) -> Any:
        [offered] = library.TodoListMiddleware().tools
        return offered.name, {
            name: {key: value for key, value in one.items() if key in ("type", "title")}
            for name, one in offered.tool_call_schema.model_json_schema()["properties"].items()
        }

    assert arguments(HEADRACE) == arguments(LANGCHAIN)
