"""From a state's class to its channels: TypedDict, dataclass, Pydantic model, or any annotated type as a whole."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeAlias, cast, get_args, get_origin

from typing_extensions import NotRequired, ReadOnly, Required, get_type_hints, is_typeddict

from headrace.channels import BaseChannel, BinaryOperatorAggregate, LastValue
from headrace.errors import InvalidGraphError
from headrace.managed import ManagedValue
from headrace.names import ROOT

Kind: TypeAlias = BaseChannel[Any, Any] | ManagedValue

WRAPPERS = (Annotated, Required, NotRequired, ReadOnly)


def is_mapping(schema: Any) -> bool:
    """Whether the state has keys; else it is one value, stored under `__root__`."""
    return inspect.isclass(schema) and bool(
        is_typeddict(schema) or dataclasses.is_dataclass(schema) or is_pydantic(schema) or hints(schema)
    )


def is_pydantic(schema: Any) -> bool:
    """Whether it is a Pydantic model, without importing Pydantic."""
    return inspect.isclass(schema) and hasattr(schema, "model_fields") and hasattr(schema, "model_validate")


def hints(schema: type) -> dict[str, Any]:
    """The annotations, evaluated; NameError explained, since only the author can mend it."""
    try:
        return get_type_hints(schema, include_extras=True)
    except NameError as error:
        raise NameError(
            f"cannot evaluate the annotations of {schema.__qualname__}: {error}. Define the names it uses at module "
            "level, outside `if TYPE_CHECKING`, or do without `from __future__ import annotations` there"
        ) from error
    except TypeError:  # no annotations at all
        return {}


def keys_of(schema: Any) -> dict[str, Kind]:
    """The channel, or the managed value, of each key."""
    if isinstance(schema, dict):
        raise TypeError(f"a state schema is a class, got {schema!r}; write class State(TypedDict): ...")
    if not is_mapping(schema):
        return {ROOT: kind_of(schema)}
    return {name: kind_in(schema, name, hint) for name, hint in hints(schema).items() if not is_class_variable(hint)}


def kind_in(schema: Any, name: str, hint: Any) -> Kind:
    """What the annotation of one key makes of it; InvalidGraphError names a key whose reducer cannot be one."""
    try:
        return kind_of(hint)
    except ValueError as error:
        raise InvalidGraphError([f"key {name!r} of {schema.__name__}: {error}"]) from error


def is_class_variable(hint: Any) -> bool:
    return "ClassVar" in str(get_origin(hint) or hint)


def kind_of(hint: Any) -> Kind:
    """What an annotation makes of a key: its last useful metadata decides; a plain type is a last value."""
    bare, extras = unwrapped(hint)
    for extra in reversed(extras):
        if isinstance(extra, ManagedValue):
            return extra
        if isinstance(extra, BaseChannel):
            return bound(extra, bare)
        if inspect.isclass(extra) and issubclass(extra, BaseChannel):
            return cast("Kind", extra(bare))
    if extras and is_reducer(extras[-1]):
        return BinaryOperatorAggregate(bare, extras[-1])
    return LastValue(bare)


def bound(channel: BaseChannel[Any, Any], typ: Any) -> BaseChannel[Any, Any]:
    """A channel of its own for each key that the same annotation is used for."""
    copy = channel.copy()
    if copy.typ is Any:
        copy.typ = typ
    return copy


def unwrapped(hint: Any) -> tuple[Any, list[Any]]:
    """The type inside Required, NotRequired, ReadOnly and Annotated, and the metadata of the latter."""
    extras: list[Any] = []
    while True:
        origin = get_origin(hint)
        if origin is Annotated:
            extras = [*hint.__metadata__, *extras]
            hint = hint.__origin__
        elif origin in WRAPPERS:
            hint = get_args(hint)[0]
        else:
            return hint, extras


def is_reducer(extra: Any) -> bool:
    """Whether it can be called with the value so far and a write; ValueError if it is a function that cannot."""
    if not callable(extra) or inspect.isclass(extra):
        return False
    try:
        signature = inspect.signature(extra)
    except ValueError:  # a builtin that does not tell, such as operator.add on some versions
        return True
    try:
        signature.bind(None, None)
    except TypeError:
        name = getattr(extra, "__name__", extra)
        raise ValueError(
            f"a reducer is called with the value so far and a write, but {name}{signature} does not take two arguments"
        ) from None
    return True


def converter(schema: Any) -> Callable[[Any], Any] | None:
    """Makes the object that a node sees out of a dict of values; None where the dict itself will do."""
    if is_pydantic(schema) or (inspect.isclass(schema) and dataclasses.is_dataclass(schema)):
        return lambda values: schema(**values) if isinstance(values, Mapping) else values
    return None


def fields_of(value: Any) -> dict[str, Any] | None:
    """The update that an object stands for: its fields that were set, or are not None. None: it has no fields."""
    if hasattr(value, "model_fields_set") and hasattr(type(value), "model_fields"):
        chosen = value.model_fields_set
        return {
            name: getattr(value, name)
            for name in type(value).model_fields
            if name in chosen or getattr(value, name) is not None
        }
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: getattr(value, field.name)
            for field in dataclasses.fields(value)
            if getattr(value, field.name) is not None or field.default is not None
        }
    return None


def input_schema_of(function: Any) -> Any:
    """The class that a node's first parameter is annotated with, if it is one with keys."""
    if not (inspect.isfunction(function) or inspect.ismethod(function)):
        function = getattr(function, "__call__", None)  # noqa: B004 - its signature is wanted, not whether there is one
        if not inspect.ismethod(function):
            return None
    try:
        annotations = get_type_hints(function)
        parameters = inspect.signature(function).parameters
    except (NameError, TypeError, ValueError):
        return None
    first = next(iter(parameters), None)
    hint = annotations.get(first) if first is not None else None
    return hint if inspect.isclass(hint) and is_mapping(hint) else None


def value_of(state: Any, key: str) -> tuple[bool, Any]:
    """Whether a state, as a dict or an object, has a value under this key, and the value."""
    if isinstance(state, Mapping):
        return key in state, state.get(key)
    return hasattr(state, key), getattr(state, key, None)
