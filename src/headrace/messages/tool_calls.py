"""Tool calls out of the fragments in which providers stream them.

Only what was really said is called: arguments must be a closed JSON object. langchain-core completes an object that
breaks off, so that a lost fragment turns into a call with arguments missing, or with none at all.

Which call a fragment belongs to:

    index   id        belongs to
    ------  --------  ------------------------------------------------------------------------------------------
    given   any       the call last heard of at this index, a number or text; with another id it belongs to the call
                      with that id, or begins it, and where ids are not used, with another name as well
    none    known     the call with this id
    none    unknown   a call that it begins
    none    none      with a name a call that it begins, unless the last one has no name yet; else the last call
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeVar, cast

from langchain_core.messages import AIMessage, AIMessageChunk, InvalidToolCall, ToolCall, ToolCallChunk
from langchain_core.messages.tool import invalid_tool_call, tool_call
from langchain_core.messages.utils import message_chunk_to_message

C = TypeVar("C", ToolCall, InvalidToolCall)

STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)

REASONS = ("finish_reason", "finishReason", "stop_reason", "stopReason", "done_reason")
"""Where a provider's response metadata says why the message ends."""

CUT = re.compile(r"length|max_?(output_?|new_?)?tokens|token_?limit|context_window|content_filter", re.IGNORECASE)
"""Reasons that mean: it was not finished. Searched for, as chunks that repeat a reason add up to it twice."""


class PartialCall(NamedTuple):
    """A call as far as it has come, to be shown and not to be run."""

    name: str
    id: str | None
    args: str


class _Call:
    """A call that is arriving."""

    __slots__ = ("args", "id", "index", "name")

    def __init__(self) -> None:
        self.index: str | None = None
        self.id: str | None = None
        self.name = ""
        self.args: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self.args)

    def take(self, id: str | None, name: str, args: str) -> None:
        """Add a fragment. A name may be repeated in each, or come in pieces before the arguments begin."""
        self.id = self.id or id
        if name and name != self.name and not (self.name and self.args):
            self.name += name
        if args:
            self.args.append(args)

    def goes_on(self, name: str, args: str) -> bool:
        """Whether a fragment without an id, at the call's index, is a part of it."""
        if not name or not self.name:
            return True
        if name != self.name:
            return not self.args
        again = self.id is None and args.lstrip().startswith("{")
        return not (again and _is_closed(self.text))


class ToolCallFragments:
    """Gathers the fragments of one message's tool calls."""

    __slots__ = ("_at", "_calls", "_known", "_last")

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._at: dict[str, _Call] = {}
        """The call that had the last fragment at each index."""
        self._known: dict[str, _Call] = {}
        """The latest call with each id."""
        self._last: _Call | None = None
        """The call that had the last fragment."""

    def add(self, fragments: Iterable[ToolCallChunk]) -> None:
        """Take the `tool_call_chunks` of the message's next chunk."""
        for fragment in fragments:
            id, name, args = fragment.get("id") or None, fragment.get("name") or "", fragment.get("args") or ""
            if id or name or args:
                index = fragment.get("index")
                key = None if index is None else str(index)
                call = self._last = self._find(key, id, name, args) or self._begin()
                call.take(id, name, args)
                if id is not None:
                    self._known[id] = call
                if key is not None:
                    call.index = key
                    self._at[key] = call

    def calls(self, *, cut: bool = False) -> tuple[list[ToolCall], list[InvalidToolCall]]:
        """The calls to be run, and those that cannot be, with the reason in `error`; each in the order they began.

        `cut` when the message is known to have been ended early: then a last call without arguments has lost them.
        """
        valid, invalid = [], []
        for call in self._calls:
            try:
                valid.append(tool_call(name=call.name, args=self._args(call, cut), id=call.id))
            except ValueError as error:
                invalid.append(invalid_tool_call(name=call.name, args=call.text, id=call.id, error=str(error)))
        return valid, invalid

    def partial(self) -> list[PartialCall]:
        """What has come so far, for display only."""
        return [PartialCall(call.name, call.id, call.text) for call in self._calls]

    def _find(self, index: str | None, id: str | None, name: str, args: str) -> _Call | None:
        """The call that a fragment belongs to; None when it begins one."""
        if index is None:
            return self._find_without_index(id, name)
        call = self._at.get(index)
        if id is None:
            if call is None:
                stray = not name and self._last is not None and self._last.index is None
                return self._last if stray else None
            return call if call.goes_on(name, args) else None
        if call is not None and call.id in (None, id):
            return call
        known = self._known.get(id)
        return known if known is not None and known.index in (None, index) else None

    def _find_without_index(self, id: str | None, name: str) -> _Call | None:
        if id is not None:
            return self._known.get(id)
        last = self._last
        return last if last is None or not name or not last.name else None

    def _begin(self) -> _Call:
        call = _Call()
        self._calls.append(call)
        return call

    def _args(self, call: _Call, cut: bool) -> dict[str, Any]:
        """The arguments of a call that may be run; ValueError with the reason why it may not."""
        text = call.text
        if not call.name:
            raise ValueError("the call has no name: none of its fragments brought one")
        if text.strip():
            return _object(text)
        if cut and call in (self._last, self._calls[-1]):
            raise ValueError("the message was cut off before the arguments came")
        if not all(other.name for other in self._calls):
            raise ValueError("no arguments came for this call, but some came that belong to no call")
        return {}


def completed(message: AIMessage, fragments: ToolCallFragments) -> AIMessage:
    """The message with the calls that its fragments really add up to; the same object if nothing differs.

    Everything but the calls stays as it is, the content's blocks for tool calls too. A message whose calls did not
    come in fragments keeps them. The result is no chunk: a chunk would complete the arguments anew when it is loaded.
    """
    valid, invalid = fragments.calls(cut=was_cut(message))
    if not valid and not invalid:
        return message
    calls, failed = _matched(valid, message.tool_calls), _matched(invalid, message.invalid_tool_calls)
    if _are(calls, message.tool_calls) and _are(failed, message.invalid_tool_calls):
        return message
    if isinstance(message, AIMessageChunk):
        message = cast("AIMessage", message_chunk_to_message(message))
    return message.model_copy(update={"tool_calls": calls, "invalid_tool_calls": failed})


def was_cut(message: AIMessage) -> bool:
    """Whether the provider says that it ended the message early, for its length or its content."""
    told = message.response_metadata
    return told.get("status") == "incomplete" or any(CUT.search(str(told.get(key) or "")) for key in REASONS)


def _matched(ours: list[C], theirs: list[C]) -> list[C]:
    """Our calls, each as the message has it where that is the same."""
    left = list(theirs)
    found = []
    for call in ours:
        same = next((other for other in left if _same(call, other)), None)
        if same is not None:
            left.remove(same)
        found.append(call if same is None else same)
    return found


def _same(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Whether a call of the message is ours. Its id may be one that the model's class made up where none was sent."""
    if ours["name"] != theirs["name"] or ours["args"] != theirs["args"]:
        return False
    if "error" in ours and not theirs.get("error"):
        return False
    return not ours["id"] or ours["id"] == theirs["id"]


def _are(ours: list[C], theirs: list[C]) -> bool:
    return len(ours) == len(theirs) and all(one is other for one, other in zip(ours, theirs, strict=True))


def _object(text: str) -> dict[str, Any]:
    """A closed JSON object; ValueError that says what was found instead. Line ends in strings are let pass."""
    try:
        value = json.loads(text, strict=False)
    except RecursionError:
        raise ValueError("the arguments are nested too deeply") from None
    except ValueError as error:
        raise ValueError(_reason(text, error)) from None
    if not isinstance(value, dict):
        raise ValueError(f"the arguments must be a JSON object, got {_shown(text)}")
    return value


def _reason(text: str, error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError) and error.msg == "Extra data":
        return f"the arguments go on after their end, at character {error.pos}: {_shown(text[error.pos :])}"
    if _is_open(text):
        return f"the arguments end in the middle, after {len(text)} characters: {_shown(text)}"
    return f"the arguments are no JSON ({error}): {_shown(text)}"


def _is_open(text: str) -> bool:
    """Whether a string, an object or a list in it has no end."""
    bare = STRING.sub("", text)
    return '"' in bare or sum(map(bare.count, "{[")) > sum(map(bare.count, "}]"))


def _is_closed(text: str) -> bool:
    try:
        _object(text)
    except ValueError:
        return False
    return True


def _shown(text: str) -> str:
    """The end of a text, which is where it broke off."""
    return repr(text if len(text) <= 60 else f"…{text[-60:]}")
