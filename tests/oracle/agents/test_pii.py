"""Personal data: what is found and what nodes write, here and there.

Differences, on purpose:

- Their nodes write the whole history when one message changes; ours the changed messages. The state is the same.
- `apply_to_output`: there the model's node writes what the model said, and a node after it puts it right, when tokens,
  updates and a checkpoint have had it; here the model's node writes the clean message, and there is no node after it.
- Hooks that have nothing to do are nodes there; here they are not.
- Card numbers of 13 to 19 digits, IPv6 addresses and hardware addresses in groups of four are found only here, and
  the punctuation after a URL is part of it only there.
- Where matches of a user's detector overlap, something of them stays there; here they become one.
"""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool

from tests.agents.middleware.listening import calling
from tests.drive import Drive

from .updates import HEADRACE, LANGCHAIN, Library, Update, outline, scripted, told

pytestmark = pytest.mark.main_only

TEXTS = [
    "ann@x.org, b.c+d@mail.example.com. and no@where",
    "4111 1111 1111 1111 4111-1111-1111-1111 4111111111111111 4111111111111112",
    "1.2.3.4 and 256.1.1.1 at 10.0.0.1:80",
    "00:1A:2b:3c:4D:5e 00-1A-2b-3c-4D-5e",
    "https://a.b/c?d=e www.foo.com/bar foo.com/x plain.com ftp://a.b http://localhost:8080/a",
    "sk-abcdefgh, sk-a, nothing",
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("strategy", ["redact", "mask", "hash"])
@pytest.mark.parametrize("pii_type", ["email", "credit_card", "ip", "mac_address", "url", "key"])
def test_the_same_is_found_and_put_in_its_place(pii_type: str, strategy: str, text: str) -> None:
    detector = r"sk-\w+" if pii_type == "key" else None

    def applied(library: Library) -> Any:
        replaced, matches = library.RedactionRule(pii_type, strategy, detector).resolve().apply(text)
        return replaced, sorted(matches, key=lambda match: int(match["start"]))

    assert applied(HEADRACE) == applied(LANGCHAIN)


@tool
def address(of: str) -> str:
    """Look an address up."""
    return f"{of}@x.org"


HISTORY = [
    HumanMessage("old a@x.org", id="1"),
    AIMessage("said b@x.org", id="2"),
    HumanMessage("i am c@x.org", id="3"),
]


def without_repetition(updates: list[Update]) -> list[Update]:
    """Their updates with the changed messages alone, and with nodes only where there is something to do."""
    result: list[Update] = []
    known = [outline(message) for message in HISTORY]
    for node, update in updates:
        if node == "PIIMiddleware[email].after_model":
            if update is not None:
                result[-1] = ("model", {"messages": update["messages"][-1:]})
                known += update["messages"]
            continue
        if node == "PIIMiddleware[email].before_model" and update is not None:
            update = {"messages": [one for one in update["messages"] if one not in known or one.startswith("tool")]}
        result.append((node, update))
        known += update["messages"] if isinstance(update, dict) else []
    return result


@pytest.mark.parametrize("output", [False, True])
@pytest.mark.parametrize("results", [False, True])
@pytest.mark.parametrize("strategy", ["redact", "block"])
def test_nodes_write_the_same(drive: Drive, output: bool, results: bool, strategy: str) -> None:
    def build(library: Library) -> Any:
        model = scripted(*[calling(("address", {"of": "d"}, "1"), text="for e@x.org"), "sent to f@x.org"] * 2)
        guard = library.PIIMiddleware(
            "email", strategy=strategy, apply_to_output=output, apply_to_tool_results=results,
            apply_to_input=strategy != "block",
        )  # fmt: skip
        return library.create_agent(model, [address], middleware=[guard])

    expected, found = without_repetition(told(LANGCHAIN, build, drive, HISTORY)), told(HEADRACE, build, drive, HISTORY)
    if strategy == "block":
        # What the model said is in the state there when the guard refuses it.
        bare = "PIIMiddleware[email].before_model"
        expected = [one for one in expected if one[0] != bare]
        found = [one for one in found if one[0] != bare]
        if output:
            expected = [one for one in expected if one[0] != "model"]
    assert found == expected


def test_several_guards_make_the_same_of_an_answer(drive: Drive) -> None:
    def build(library: Library) -> Any:
        guards = [library.PIIMiddleware(kind, strategy="mask", apply_to_output=True) for kind in ("email", "ip")]
        return library.create_agent(scripted("a@x.org 1.2.3.4"), middleware=guards)

    last = [drive.invoke(build(one), {"messages": "hi"})["messages"][-1].text for one in (LANGCHAIN, HEADRACE)]
    assert last[0] == last[1] == "a@****.org *.*.*.4"
