"""Questions about tool calls, and decisions typed in words."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.cli.review import Call, Unclear, decision, review_of

EVERY = ["approve", "edit", "reject", "respond"]
CALL = Call("send", {"to": "Ada"}, "", tuple(EVERY))
REQUEST = {"name": "send", "args": {"to": "Ada"}, "description": "Wait.\n\nTool: send\nArguments: {}"}
CONFIG = {"action_name": "send", "allowed_decisions": EVERY}


@pytest.mark.parametrize(("text", "value"), [
    ("approve", {"type": "approve"}),
    (" Approve \n", {"type": "approve"}),
    ("reject", {"type": "reject"}),
    ("reject because of  Ada", {"type": "reject", "message": "because of  Ada"}),
    ("reject: too late", {"type": "reject", "message": "too late"}),
    ('edit {"to": "Bob"}', {"type": "edit", "edited_action": {"name": "send", "args": {"to": "Bob"}}}),
    ("respond it is sent", {"type": "respond", "message": "it is sent"}),
    ('{"type": "other"}', {"type": "other"}),
    ('{"decisions": []}', {"decisions": []}),
])  # fmt: skip
def test_words_and_json_are_decisions(text: str, value: Any) -> None:
    assert decision(text, CALL) == value


@pytest.mark.parametrize(("text", "message"), [
    ("yes", r"'yes' is no decision on 'send'; answer with: approve \| edit"),
    ("approve but not today", "'approve' stands alone"),
    ("edit", """as in: edit {"to": "Ada"}"""),
    ("edit to Bob", "the arguments cannot be read as JSON"),
    ("edit [1]", "the arguments must be a JSON object"),
    ("respond", "needs the text"),
    ("{", "the answer cannot be read as JSON"),
])  # fmt: skip
def test_what_is_no_decision_is_told(text: str, message: str) -> None:
    with pytest.raises(Unclear, match=message):
        decision(text, CALL)


def test_only_what_is_allowed_can_be_typed() -> None:
    with pytest.raises(Unclear, match="answer with: reject"):
        decision("approve", Call("send", {}, "", ("reject",)))


def test_a_call_is_shown_with_its_description_and_all_arguments() -> None:
    review = review_of({"action_requests": [REQUEST], "review_configs": [CONFIG]}, None)
    assert review is not None
    assert review.calls[0].text(80).splitlines() == [
        "Wait.", '→ send {"to": "Ada"}', "approve | edit {JSON arguments} | reject [why] | respond TEXT",
    ]  # fmt: skip
    assert review.answer([1]) == {"decisions": [1]}
    long = Call("send", {"to": ["Ada\x1b[2J"] * 50}, "", ("approve",)).text(80)
    assert long.count("Ada\\u001b[2J") == 50


@pytest.mark.parametrize("value", [
    "approve?",
    {"question": "approve?"},
    {"action_requests": [], "review_configs": []},
    {"action_requests": [REQUEST], "review_configs": []},
    {"action_requests": [REQUEST, "other"], "review_configs": [CONFIG]},
    {"action_requests": [REQUEST | {"args": "?"}], "review_configs": [CONFIG]},
    {"type": "tool_approval", "name": "send", "args": {}},
])  # fmt: skip
def test_other_questions_are_no_reviews(value: Any) -> None:
    assert review_of(value, None) is None


def test_one_call_is_answered_by_its_decision() -> None:
    value = {"type": "tool_approval", **REQUEST}
    review = review_of(value, {"properties": {"type": {"const": "approve"}}})
    assert review is not None
    assert review.calls[0].allowed == ("approve",)
    assert review.answer([1]) == 1
