"""Merging messages into a history: `add_messages`, the reducer of a `messages` key.

Appending to a long history must not look at the old messages. So the reducer returns a `Messages`, a list that
carries an index `id -> position`, and successive lists of one history share that index as long as messages are only
appended. The rules that make the sharing safe:

- Every id of a list that holds the index has its entry, and an entry is never changed or taken out.
- An entry may be foreign: written for another list that grew from the same one. So it counts only if this list
  has that message at that position. A foreign entry that is in the way makes this list build an index of its own;
  one that says what we were about to write is simply used (the same update merged twice, as for a router's view).
- Editing a `Messages` in place drops its index; the next merge builds it again.

Left out on purpose: a message whose `id` is assigned after it went into a history is not found under its new id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, SupportsIndex, TypeAlias, cast, overload

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, BaseMessageChunk, RemoveMessage, ToolMessage
from langchain_core.messages.utils import (
    MessageLikeRepresentation,
    convert_to_messages,
    convert_to_openai_messages,
    message_chunk_to_message,
)

from headrace import ids

REMOVE_ALL_MESSAGES = "__remove_all__"
"""As the id of a `RemoveMessage`: forget everything before it, the earlier part of the same update included."""

MessagesUpdate: TypeAlias = "Sequence[MessageLikeRepresentation] | MessageLikeRepresentation"
"""What may be merged: one message or a list of them, each as a message, chunk, dict, (role, text) pair or string."""

Format: TypeAlias = Literal["langchain-openai"]


class Messages(list[BaseMessage]):
    """A history with its index: messages only, no chunks, each with an id.

    Copies, slices, pickles and deep copies of it are plain lists. `copy()` and `[:]` are the fast ways to a plain
    list; `list(messages)` takes three times as long, because CPython iterates over a subclass.
    """

    __slots__ = ("_format", "_positions")
    _positions: dict[str, int] | None
    _format: Format | None

    def __init__(
        self,
        messages: Iterable[BaseMessage] = (),
        positions: dict[str, int] | None = None,
        format: Format | None = None,
    ) -> None:
        super().__init__(messages)
        self._positions = positions
        self._format = format

    def has_id(self, id: str) -> bool:
        """Whether there is a message with this id; looked up, not walked for, while the index stands."""
        if self._positions is None:
            return any(message.id == id for message in self)
        at = self._positions.get(id)
        return at is not None and at < len(self) and self[at].id == id

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[type[list[BaseMessage]], tuple[list[BaseMessage]]]:
        return list, (self[:],)

    def append(self, message: BaseMessage, /) -> None:
        self._positions = None
        super().append(message)

    def extend(self, messages: Iterable[BaseMessage], /) -> None:
        self._positions = None
        super().extend(messages)

    def insert(self, at: SupportsIndex, message: BaseMessage, /) -> None:
        self._positions = None
        super().insert(at, message)

    def pop(self, at: SupportsIndex = -1, /) -> BaseMessage:
        self._positions = None
        return super().pop(at)

    def remove(self, message: BaseMessage, /) -> None:
        self._positions = None
        super().remove(message)

    def clear(self) -> None:
        self._positions = None
        super().clear()

    def reverse(self) -> None:
        self._positions = None
        super().reverse()

    def sort(self, *, key: Callable[[BaseMessage], Any] | None = None, reverse: bool = False) -> None:
        self._positions = None
        super().sort(key=cast("Callable[[BaseMessage], Any]", key), reverse=reverse)

    def __setitem__(self, at: Any, value: Any) -> None:
        self._positions = None
        super().__setitem__(at, value)

    def __delitem__(self, at: SupportsIndex | slice) -> None:
        self._positions = None
        super().__delitem__(at)

    def __iadd__(self, messages: Iterable[BaseMessage], /) -> Messages:  # type: ignore[override,misc]  # as `list` has it
        self._positions = None
        super().__iadd__(messages)
        return self

    def __imul__(self, times: SupportsIndex) -> Messages:
        self._positions = None
        super().__imul__(times)
        return self


@dataclass(frozen=True)
class MessagesReducer:
    """`add_messages` with its options set: `Annotated[list, add_messages(format="langchain-openai")]`."""

    format: Format | None = None

    def __post_init__(self) -> None:
        _check_format(self.format)

    def __call__(self, left: MessagesUpdate, right: MessagesUpdate) -> list[AnyMessage]:
        return add_messages(left, right, format=self.format)

    def prepare(self, update: Any) -> Any:
        """See `prepare`."""
        return prepare(update)


@overload
def add_messages(left: MessagesUpdate, right: MessagesUpdate, *, format: Format | None = None) -> list[AnyMessage]: ...
@overload
def add_messages(*, format: Format | None = None) -> MessagesReducer: ...
def add_messages(
    left: MessagesUpdate | None = None, right: MessagesUpdate | None = None, *, format: Format | None = None
) -> list[AnyMessage] | MessagesReducer:
    """The history `left` with the messages of `right` merged in, as a new list.

    A message with the id of one in the history takes its place, any other is appended; one without an id is appended
    as a copy that has a new one. `RemoveMessage(id=...)` takes a message out; the id `REMOVE_ALL_MESSAGES` takes out
    all, and what follows it begins a new history. Chunks become whole messages; dicts, `(role, text)` pairs and
    strings become messages. Neither list and none of the messages is changed.

    `format="langchain-openai"` gives contents the blocks of OpenAI's chat API (images, files, tool calls), whatever
    provider they came from; ids and everything but content and tool calls stay. A message that OpenAI would write as
    several, such as one with two tool results, becomes several. Without `left` and `right` the result is a reducer
    with these options.

    ValueError: an id to remove is not in the history, or only one of `left` and `right` is given.

    >>> [message.content for message in add_messages([("user", "hi")], AIMessage("hello"))]
    ['hi', 'hello']
    """
    if left is None and right is None:
        return MessagesReducer(format)
    if left is None or right is None:
        missing = "left" if left is None else "right"
        raise ValueError(f"add_messages() merges two histories, and {missing!r} is None; give a list, or neither")
    _check_format(format)
    update = whole(right, format)
    start = _after_last_clear(update)
    history = Messages([], {}, format) if start else _indexed(left, format)
    return cast("list[AnyMessage]", _merge(history, update[start:]))


def prepare(update: Any) -> Any:
    """What a node returned for a key of messages, with an id for every message that has none.

    Called once, before the update is shown or merged, so that all who see it see the same ids. The node's own
    messages are not changed: those without an id are replaced by copies. What is no message (dicts, pairs, strings)
    stays as it is. The same object comes back when there is nothing to do.
    """
    if not isinstance(update, list):
        return _identified(update) if _lacks_id(update) else update
    if not any(map(_lacks_id, update)):
        return update
    # One copy per object, however often it comes: the same object is the same message.
    copies = {id(item): _identified(item) for item in update if _lacks_id(item)}
    return [copies.get(id(item), item) for item in update]


# By setattr because a type checker sees only a function; the engine looks the attribute up on any reducer.
setattr(add_messages, "prepare", prepare)  # noqa: B010


def whole(update: MessagesUpdate, format: Format | None = None) -> list[BaseMessage]:
    """The messages that the update stands for: no chunks, each with an id."""
    items = prepare(update if isinstance(update, list) else [update])
    messages: list[BaseMessage] = [
        item if _is_message(type(item)) and not _is_chunk(type(item)) else _whole(item) for item in items
    ]
    if format is not None:
        messages = [part for message in messages for part in _openai_messages(message)]
    return messages


def _merge(history: Messages, update: list[BaseMessage]) -> Messages:
    positions = cast("dict[str, int]", history._positions)
    merged = history.copy()
    removed: set[str] = set()
    for message in update:
        id = cast("str", message.id)
        at = positions.get(id)
        if at is not None and _holds(merged, at, id):
            if isinstance(message, RemoveMessage):
                removed.add(id)
            else:
                removed.discard(id)
                merged[at] = message
        elif isinstance(message, RemoveMessage):
            raise ValueError(f"cannot remove message {id!r}: the history has no message with this id")
        else:
            # One operation, because another thread may be writing the same id.
            if positions.setdefault(id, len(merged)) != len(merged):
                positions = {**_positions(merged), id: len(merged)}  # a foreign entry is in the way
            merged.append(message)
    if removed:
        return Messages([message for message in merged if message.id not in removed], None, history._format)
    return Messages(merged, positions, history._format)


def _indexed(left: MessagesUpdate, format: Format | None) -> Messages:
    if isinstance(left, Messages) and left._positions is not None and left._format == format:
        return left
    messages = whole(left, format)
    return Messages(messages, _positions(messages), format)


def _positions(messages: list[BaseMessage]) -> dict[str, int]:
    return {cast("str", message.id): at for at, message in enumerate(messages)}


def _holds(messages: list[BaseMessage], at: int, id: str) -> bool:
    return at < len(messages) and messages[at].id == id


def _after_last_clear(update: list[BaseMessage]) -> int:
    for at in range(len(update) - 1, -1, -1):
        if update[at].id == REMOVE_ALL_MESSAGES and isinstance(update[at], RemoveMessage):
            return at + 1
    return 0


# Cached, as pydantic makes `isinstance` slow. Cast, as a type checker takes a class's `__hash__` for its instances'.
_is_message = cast("Callable[[type], bool]", lru_cache(256)(lambda kind: issubclass(kind, BaseMessage)))
_is_chunk = cast("Callable[[type], bool]", lru_cache(256)(lambda kind: issubclass(kind, BaseMessageChunk)))


def _lacks_id(item: Any) -> bool:
    return _is_message(type(item)) and item.id is None


def _identified(message: BaseMessage) -> BaseMessage:
    return message.model_copy(update={"id": ids.unique()})


def _whole(item: Any) -> BaseMessage:
    message = message_chunk_to_message(item) if _is_message(type(item)) else convert_to_messages([item])[0]
    return _identified(message) if message.id is None else message


def _check_format(format: str | None) -> None:
    if format not in (None, "langchain-openai"):
        raise ValueError(f"add_messages() knows no format {format!r}; give 'langchain-openai' or None")


def _openai_messages(message: BaseMessage) -> list[BaseMessage]:
    if isinstance(message.content, str):
        return [message]
    first, *rest = convert_to_openai_messages([message])
    changes: dict[str, Any] = {"content": first["content"]}
    if isinstance(message, AIMessage):
        changes["tool_calls"] = cast("AIMessage", convert_to_messages([first])[0]).tool_calls
    if first["role"] == "tool" and not isinstance(message, ToolMessage):
        head = convert_to_messages([first])[0].model_copy(update={"id": message.id})
    else:
        head = message.model_copy(update=changes)
    # Ids made from the message's own, so that the same message, merged again, takes the place of all its parts.
    tail = [
        part.model_copy(update={"id": f"{message.id}:{number}"})
        for number, part in enumerate(convert_to_messages(rest), 1)
    ]
    return [head, *tail]
