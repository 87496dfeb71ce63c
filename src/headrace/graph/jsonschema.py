"""JSON schemas of a graph's input, output, context and config.

Pydantic makes them, and is loaded when the first one is asked for. What a schema cannot say (a key whose type has no
JSON form, a default that is not JSON) is left open instead of failing: a form that shows the other keys is worth more
than none. Reducers and other foreign metadata of `Annotated` say nothing here; Pydantic's own does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, Literal, TypeAlias, cast, get_args, get_origin

from typing_extensions import NotRequired, ReadOnly, Required, TypedDict, get_type_hints, is_typeddict

from headrace.errors import MissingExtraError

Mode: TypeAlias = Literal["validation", "serialization"]
"""What a graph accepts, or what it gives; they differ in keys with a default, which are always given."""

JsonSchema: TypeAlias = dict[str, Any]

PURE_FACTORIES: frozenset[object] = frozenset({list, dict, str, int, float, bool})
"""Factories whose value is the same at every call and has a JSON form, so that the schema can show it."""


@dataclasses.dataclass(frozen=True)
class _Key:
    """A key of a TypedDict or a field of a dataclass."""

    hint: Any
    required: bool
    default: JsonSchema = dataclasses.field(default_factory=dict)
    """`{"default": value}`, or nothing."""


def json_schema(
    schema: Any, *, name: str, mode: Mode = "validation", only: Collection[str] | None = None
) -> JsonSchema:
    """The JSON schema of a TypedDict, dataclass, Pydantic model, or any other type.

    `name` is the title of those that bring none: dataclasses and plain types. `only` are the keys to be shown (a
    Pydantic field's name, not its alias); None for all. Raises `MissingExtraError` without Pydantic.
    """
    _require_pydantic()
    if is_typeddict(schema):
        return _of_keys(schema.__name__, schema.__doc__, _shown(typed_dict_keys(schema), only), mode)
    if hasattr(schema, "__pydantic_fields__"):
        return _narrowed(_generated(schema, mode), schema.__pydantic_fields__, mode, only)
    if isinstance(schema, type) and dataclasses.is_dataclass(schema):
        return _of_keys(name, None, _shown(_dataclass_keys(schema, mode), only), mode)
    return {"title": name, **_of_plain(schema, mode)}


def config_json_schema(context: Any | None, *, name: str) -> JsonSchema:
    """The schema of a run's config: the context's schema, when the graph has one, stands under `configurable`."""
    config: JsonSchema = {"properties": {}, "title": name, "type": "object"}
    if context is None:
        return config
    key = getattr(context, "__name__", name)
    inner = json_schema(context, name=key)
    config["$defs"] = {**inner.pop("$defs", {}), key: inner}
    config["properties"] = {"configurable": {"$ref": f"#/$defs/{key}", "default": None}}
    return config


def _require_pydantic() -> None:
    try:
        import pydantic  # noqa: F401, PLC0415 - only these functions need it
    except ImportError as error:
        raise MissingExtraError("JSON schemas", "pydantic", "agents") from error


def _shown(keys: Mapping[str, _Key], only: Collection[str] | None) -> dict[str, _Key]:
    return {name: key for name, key in keys.items() if only is None or name in only}


def typed_dict_keys(schema: Any) -> dict[str, _Key]:
    """The keys of a TypedDict, with their bare types."""
    hints = get_type_hints(schema, include_extras=True)
    return {name: _Key(_bare(hint), _is_required(schema, name, hint)) for name, hint in hints.items()}


def _is_required(schema: Any, name: str, hint: Any) -> bool:
    """As the hint says; the class itself does not see `NotRequired` in annotations that are strings."""
    marks = {get_origin(part) for part in _wrappers(hint)}
    if Required in marks or NotRequired in marks:
        return Required in marks
    return name in schema.__required_keys__


def _wrappers(hint: Any) -> Iterator[Any]:
    """The hint and what stands in it, as long as it only qualifies a key."""
    while get_origin(hint) in (Annotated, Required, NotRequired, ReadOnly):
        yield hint
        hint = get_args(hint)[0]


def _bare(hint: Any) -> Any:
    """The hint without its qualifiers, with its metadata."""
    metadata: list[Any] = []
    for wrapper in _wrappers(hint):
        hint = get_args(wrapper)[0]
        if get_origin(wrapper) is Annotated:
            metadata[:0] = get_args(wrapper)[1:]
    parts = (hint, *metadata)
    return cast(Any, Annotated)[parts] if metadata else hint


def _dataclass_keys(schema: type, mode: Mode) -> dict[str, _Key]:
    hints = get_type_hints(schema, include_extras=True)
    keys = {}
    for field in dataclasses.fields(cast(Any, schema)):
        default, factory = field.default, field.default_factory
        if factory in PURE_FACTORIES:
            default = factory()  # type: ignore[operator]  # MISSING is not among them
        optional = default is not dataclasses.MISSING or factory is not dataclasses.MISSING
        keys[field.name] = _Key(hints[field.name], mode == "serialization" or not optional, _default(default))
    return keys


def _of_keys(title: str, description: str | None, keys: Mapping[str, _Key], mode: Mode) -> JsonSchema:
    """By way of a TypedDict made for the purpose: Pydantic takes no settings for one that is not its own, refuses
    the standard library's on Pythons before 3.12, and a model could not have a key of every name."""
    fields = {name: (Required if key.required else NotRequired)[_readable(key.hint)] for name, key in keys.items()}
    made = _generated(_typed_dict(title, fields, description), mode)
    for name, key in keys.items():
        made["properties"][name].update(key.default)
    return made


def _typed_dict(title: str, fields: Mapping[str, Any], description: str | None = None) -> Any:
    from pydantic import ConfigDict  # noqa: PLC0415

    make: Any = TypedDict  # for type checkers it takes literals only
    made = make(title, dict(fields))
    made.__doc__ = description
    made.__pydantic_config__ = ConfigDict(arbitrary_types_allowed=True)
    return made


def _readable(hint: Any) -> Any:
    """The hint, or `Any` when Pydantic cannot make anything of it."""
    from pydantic import PydanticUndefinedAnnotation, PydanticUserError, TypeAdapter  # noqa: PLC0415

    try:
        TypeAdapter(_typed_dict("Probe", {"key": hint}))
    except (PydanticUserError, PydanticUndefinedAnnotation):
        return Any
    return hint


def _default(value: object) -> JsonSchema:
    from pydantic_core import PydanticSerializationError, to_jsonable_python  # noqa: PLC0415

    if value is dataclasses.MISSING:
        return {}
    try:
        return {"default": to_jsonable_python(value)}
    except PydanticSerializationError:
        return {}


def _of_plain(schema: Any, mode: Mode) -> JsonSchema:
    key = "value"
    made = _of_keys("Plain", None, {key: _Key(schema, required=True)}, mode)
    inner = made["properties"][key]
    inner.pop("title", None)
    return {**inner, **({"$defs": made["$defs"]} if "$defs" in made else {})}


def _narrowed(made: JsonSchema, fields: Mapping[str, Any], mode: Mode, only: Collection[str] | None) -> JsonSchema:
    """The schema of a Pydantic type without the fields that are not asked for."""
    if only is None or "properties" not in made:
        return made
    hidden = {_outer_name(name, field, mode) for name, field in fields.items() if name not in only}
    made["properties"] = {name: value for name, value in made["properties"].items() if name not in hidden}
    made["required"] = [name for name in made.get("required", []) if name not in hidden]
    if not made["required"]:
        del made["required"]
    return _without_unused(made)


def _outer_name(name: str, field: Any, mode: Mode) -> str:
    alias = field.validation_alias if mode == "validation" else field.serialization_alias
    return alias if isinstance(alias, str) else field.alias or name


def _without_unused(made: JsonSchema) -> JsonSchema:
    definitions = made.pop("$defs", {})
    used: dict[str, Any] = {}
    waiting = list(_references(made))
    for name in waiting:
        if name in definitions and name not in used:
            used[name] = definitions[name]
            waiting += _references(definitions[name])
    return {**({"$defs": used} if used else {}), **made}


def _references(part: object) -> Iterator[str]:
    if isinstance(part, Mapping):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"].rpartition("/")[2]
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def _generated(schema: Any, mode: Mode) -> JsonSchema:
    from pydantic import TypeAdapter  # noqa: PLC0415
    from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind  # noqa: PLC0415

    class Lenient(GenerateJsonSchema):
        """Leaves open what has no JSON form."""

        ignored_warning_kinds: set[JsonSchemaWarningKind] = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012

        def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchema:
            return {}

    return TypeAdapter(schema).json_schema(mode=mode, schema_generator=Lenient)
