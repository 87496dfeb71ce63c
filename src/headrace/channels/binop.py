"""A reducer: the value so far and each write, folded with a function."""

from __future__ import annotations

import collections.abc
from collections.abc import Callable, Sequence
from typing import Any, get_origin

from headrace.channels.base import MUTABLE, BaseChannel, overwritten, own
from headrace.types import MISSING, Overwrite

BUILDABLE: dict[Any, type] = {
    collections.abc.Sequence: list,
    collections.abc.MutableSequence: list,
    collections.abc.Set: set,
    collections.abc.MutableSet: set,
    collections.abc.Mapping: dict,
    collections.abc.MutableMapping: dict,
}
"""What an empty value of an abstract type is made of."""


class BinaryOperatorAggregate(BaseChannel[Any, Any]):
    """Folds each write into the value with `operator(value, write)`; starts as an empty `typ` where there is one."""

    __slots__ = ("empty", "operator")

    def __init__(self, typ: Any, operator: Callable[[Any, Any], Any]) -> None:
        super().__init__(typ)
        self.operator = operator
        kind = get_origin(typ) or typ
        self.empty = BUILDABLE.get(kind, kind)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BinaryOperatorAggregate) and self.operator == other.operator

    __hash__ = BaseChannel.__hash__

    @property
    def prepare(self) -> Callable[[Any], Any] | None:
        return getattr(self.operator, "prepare", None)

    def initial(self) -> Any:
        try:
            return self.empty()
        except Exception:  # a Union, a Protocol, a class with arguments: no empty value, the first write is the start
            return MISSING

    def fold(self, value: Any, writes: Sequence[Any]) -> Any:
        for write in writes:
            if type(write) is Overwrite or type(write) is dict:
                whole = overwritten(self, writes)
                if whole is not MISSING:
                    return own(whole)
                break
        operator = self.operator
        for write in writes:
            new = write if value is MISSING else operator(value, write)
            value = new.copy() if new is write and type(new) in MUTABLE else new
        return value
