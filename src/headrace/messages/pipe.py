"""A graph among langchain-core's runnables: `prompt | graph`, `graph | parser`, and all that a Runnable can do."""

from __future__ import annotations

import inspect
from dataclasses import MISSING, fields, is_dataclass
from typing import TYPE_CHECKING, Any, cast

from langchain_core.runnables import Runnable, RunnableSequence
from langchain_core.runnables.base import coerce_to_runnable
from pydantic import BaseModel, ConfigDict, RootModel, create_model
from typing_extensions import get_type_hints, is_typeddict

from headrace.graph.jsonschema import typed_dict_keys
from headrace.graph.runnable import register

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from headrace.graph.runnable import RunnableMethods

register()


def sequence(first: Any, second: Any) -> Any:
    """A runnable that passes the output of `first` to `second`."""
    return RunnableSequence(coerce_to_runnable(first), coerce_to_runnable(second))


def events(graph: RunnableMethods, input: Any, config: Mapping[str, Any], **options: Any) -> AsyncIterator[Any]:
    """langchain-core's own implementation, over the graph's `astream`."""
    stream = cast("Any", Runnable.astream_events)
    return cast("AsyncIterator[Any]", stream(graph, input, config, **options))


def lent(graph: RunnableMethods, name: str) -> Any:
    """What a Runnable has under this name, as if the graph were one. AttributeError if it has nothing."""
    found = inspect.getattr_static(Runnable, name, None)
    if found is None:
        raise AttributeError(f"{type(graph).__name__!r} object has no attribute {name!r}")
    return found.__get__(graph, type(graph)) if hasattr(found, "__get__") else found


def model_of(schema: Any, name: str) -> type[BaseModel]:
    """A Pydantic model of a state's schema: keys that may be missing are None."""
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        return schema
    if is_typeddict(schema):
        defaults = {key: ... if one.required else None for key, one in typed_dict_keys(schema).items()}
    elif is_dataclass(schema):
        defaults = {field.name: ... if field.default is MISSING else field.default for field in fields(schema)}
    else:
        return RootModel[schema]
    hints = get_type_hints(schema)
    keys: dict[str, Any] = {key: (hints[key], default) for key, default in defaults.items()}
    return create_model(name, __config__=ConfigDict(arbitrary_types_allowed=True), **keys)
