"""Questions about tool calls, as `HumanInTheLoopMiddleware` asks them: shown as calls, answered in words.

Of all calls of a turn (`{"action_requests": [...], "review_configs": [...]}`, answered by `{"decisions": [...]}`), or
of one (`{"type": "tool_approval", ...}`, answered by its decision).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headrace.cli.text import CALL, as_json, visible

FORMS = {"approve": "approve", "edit": "edit {JSON arguments}", "reject": "reject [why]", "respond": "respond TEXT"}
"""How each decision is typed."""


class Unclear(Exception):
    """What was typed is no decision on the call; it says why."""


@dataclass(frozen=True)
class Call:
    """A tool call that waits for a decision."""

    name: str
    args: Mapping[str, Any]
    description: str
    allowed: tuple[str, ...]
    error: str = ""
    """What was wrong with the last decision, if the question comes again."""

    def text(self, width: int) -> str:
        """What is asked: the call with all of its arguments, since they are what is approved, and the answers."""
        args = as_json(self.args)
        args = args if len(self.name) + len(args) < width else as_json(self.args, 2)
        told = self.description.partition(f"\n\nTool: {self.name}\n")[0]  # what the middleware adds is the call again
        wrong = f"✗ {self.error}" if self.error else ""
        return visible("\n".join(part for part in (wrong, told, f"{CALL} {self.name} {args}", self.forms) if part))

    @property
    def forms(self) -> str:
        return " | ".join(FORMS.get(kind, kind) for kind in self.allowed)


@dataclass(frozen=True)
class Review:
    """A question about calls."""

    calls: tuple[Call, ...]
    single: bool
    """Whether the answer is the decision itself, not a list of them."""

    def answer(self, decisions: Sequence[Any]) -> Any:
        return decisions[0] if self.single else {"decisions": list(decisions)}


def review_of(value: Any, schema: Any) -> Review | None:
    """The question as one about calls, if it is one. `schema`: the interrupt's schema of answers."""
    match value:
        case {"action_requests": [_, *_] as requests, "review_configs": [*configs]}:
            allowed = {c.get("action_name"): c.get("allowed_decisions") for c in configs if isinstance(c, Mapping)}
            calls = [_call(one, allowed.get(one.get("name")) if isinstance(one, Mapping) else None) for one in requests]
        case {"type": "tool_approval"}:
            calls = [_call(value, _kinds(schema))]
        case _:
            return None
    found = tuple(call for call in calls if call is not None)
    return Review(found, "type" in value) if len(found) == len(calls) else None


def _call(request: Any, allowed: Any) -> Call | None:
    match request:
        case {"name": str(name), "args": dict(args)} if isinstance(allowed, list) and allowed:
            description, error = (str(request.get(key) or "") for key in ("description", "error"))
            return Call(name, args, description, tuple(map(str, allowed)), error)
    return None


def _kinds(schema: Any) -> list[str]:
    """The decisions that a schema has: several told apart by their type, or one."""
    match schema:
        case {"discriminator": {"mapping": dict(kinds)}}:
            return list(kinds)
        case {"properties": {"type": {"const": str(kind)}}}:
            return [kind]
    return []


def decision(text: str, call: Call) -> dict[str, Any]:
    """What was typed for a call: a decision (it has a `type`), or any other JSON object, which is the whole answer.

    Unclear for what is neither. A decision in JSON is left for the graph to check.
    """
    text = text.strip()
    if text.startswith("{"):
        return _object(text, "the answer")
    word, _, rest = text.partition(" ")
    kind, rest = word.lower().rstrip(":,"), rest.strip()
    if kind not in call.allowed or kind not in FORMS:
        raise Unclear(f"{word!r} is no decision on {call.name!r}; answer with: {call.forms}")
    if kind == "approve" and rest:
        raise Unclear("'approve' stands alone: the call is made as it is")
    if kind == "edit":
        if not rest:
            raise Unclear(f"'edit' needs the call's new arguments, as in: edit {as_json(call.args)}")
        return {"type": kind, "edited_action": {"name": call.name, "args": _object(rest, "the arguments")}}
    if kind == "respond" and not rest:
        raise Unclear("'respond' needs the text that the model is to read as the tool's answer")
    return {"type": kind, "message": rest} if rest else {"type": kind}


def _object(text: str, what: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unclear(f"{what} cannot be read as JSON: {error}") from None
    if not isinstance(value, dict):
        raise Unclear(f"{what} must be a JSON object, got {text}")
    return value
