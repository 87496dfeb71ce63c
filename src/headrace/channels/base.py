"""What a channel is: a rule that folds the writes of one super-step into a value.

A channel holds nothing. It is a pure description, kept in the program; the values live in the run. So `apply` is
a pure function, a refused step leaves no trace, and a run can be copied by copying a dict.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, Generic

from typing_extensions import Self, TypeVar

from headrace.errors import InvalidUpdateError
from headrace.types import MISSING, Overwrite

Value = TypeVar("Value", default=Any)
Update = TypeVar("Update", default=Any)

MUTABLE = frozenset({list, dict, set, bytearray})
"""Containers that a node may change in place; they are copied whenever they cross the engine's border."""


class BaseChannel(Generic[Value, Update]):
    """One key of the state, or one signal between nodes."""

    __slots__ = ("key", "typ")

    transient = False
    """The value lives for one step: a step without writes folds nothing into it."""
    tracked = True
    """The value is stored in checkpoints."""
    after_finish = False
    """Readers see the value only when nothing else is left to run."""
    consumed = False
    """A reader that was woken takes the value away."""
    guard = False
    """Two writes in one super-step are an error."""

    def __init__(self, typ: Any = Any, key: str = "") -> None:
        self.typ = typ
        self.key = key

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and all(
            getattr(self, name) == getattr(other, name)
            for kind in type(self).__mro__
            for name in getattr(kind, "__slots__", ())
            if name != "key"
        )

    def __hash__(self) -> int:
        return hash((type(self), self.key))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.key!r})"

    def copy(self) -> Self:
        """The same rule, to be bound to another key."""
        return copy(self)

    def initial(self) -> Value | Any:
        """The value before any write; MISSING for none."""
        return MISSING

    def fold(self, value: Value | Any, writes: Sequence[Update]) -> Value | Any:
        """The value after a step's writes, which come in task order. InvalidUpdateError if they do not fit together."""
        raise NotImplementedError

    def read(self, value: Value | Any) -> Any:
        """What a reader sees of the stored value; MISSING: nothing yet."""
        return value

    @property
    def prepare(self) -> Callable[[Update], Update] | None:
        """Makes of a node's write what everybody is shown, events and reducer alike: with ids filled in, say."""
        return None


def single(channel: BaseChannel[Any, Any], writes: Sequence[Any]) -> Any:
    """The only write of a step; InvalidUpdateError when there are several."""
    if len(writes) != 1:
        raise InvalidUpdateError(
            f"channel {channel.key!r} holds one value per super-step, but it was written {len(writes)} times; "
            f"give it a reducer: Annotated[{getattr(channel.typ, '__name__', channel.typ)}, fn]"
        )
    return writes[0]


def own(value: Any) -> Any:
    """The value itself, or a shallow copy if it is a plain container that somebody else could change."""
    return value.copy() if type(value) in MUTABLE else value


def overwritten(channel: BaseChannel[Any, Any], writes: Sequence[Any]) -> Any:
    """The value of the one `Overwrite` among the writes; MISSING when there is none."""
    values = [
        write.value if isinstance(write, Overwrite) else write["__overwrite__"]
        for write in writes
        if isinstance(write, Overwrite) or (type(write) is dict and len(write) == 1 and "__overwrite__" in write)
    ]
    if len(values) > 1:
        raise InvalidUpdateError(f"channel {channel.key!r} was overwritten {len(values)} times in one super-step")
    return values[0] if values else MISSING
