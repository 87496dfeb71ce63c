"""Answers as objects: how a model is asked for one, how its answer is read, what happens when it does not fit."""

from __future__ import annotations

import types
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, is_dataclass
from functools import cached_property
from typing import Any, Generic, Literal, TypeAlias, Union, get_args, get_origin

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool, StructuredTool
from pydantic import BaseModel, TypeAdapter, ValidationError
from typing_extensions import TypeVar, is_typeddict

from headrace.errors import HeadraceError, InvalidGraphError
from headrace.prebuilt.tool_errors import HandleToolErrors, text_for

SchemaT = TypeVar("SchemaT", default=Any)
SchemaKind: TypeAlias = Literal["pydantic", "dataclass", "typeddict", "json_schema"]

MAX_RETRIES = 3
"""Times that a model is shown what is wrong with its object, before the run fails."""


WRONG_OBJECT = "Error: {error}\nGive the object again, corrected."


class StructuredOutputError(HeadraceError):
    """The model's answer is not the object that was asked for."""

    ai_message: AIMessage


class MultipleStructuredOutputsError(StructuredOutputError):
    """The model gave several objects where one was asked for."""

    def __init__(self, tool_names: list[str], ai_message: AIMessage) -> None:
        self.tool_names, self.ai_message = tool_names, ai_message
        super().__init__(f"the model gave {len(tool_names)} objects ({', '.join(tool_names)}), but one is wanted")


class StructuredOutputValidationError(StructuredOutputError):
    """The model's object does not fit its schema; `source` says why."""

    def __init__(self, tool_name: str, source: Exception, ai_message: AIMessage) -> None:
        self.tool_name, self.source, self.ai_message = tool_name, source, ai_message
        super().__init__(f"the object for {tool_name!r} does not fit: {reasons(source)}")


def reasons(error: Exception) -> str:
    """What is wrong, briefly."""
    if not isinstance(error, ValidationError):
        return str(error)
    return "; ".join(
        f"{'.'.join(map(str, one['loc'])) or 'it'}: {one['msg']}" for one in error.errors(include_url=False)
    )


@dataclass(frozen=True)
class SchemaSpec:
    """One kind of object that may be the answer."""

    schema: Any
    name: str
    description: str
    kind: SchemaKind

    @classmethod
    def of(cls, schema: Any) -> SchemaSpec:
        """InvalidGraphError for what is no schema, and for a JSON schema without a name."""
        if isinstance(schema, dict):
            name = schema.get("title") or schema.get("name")
            if not name:
                raise InvalidGraphError([f"a JSON schema for structured output needs a 'title', got {schema!r}"])
            return cls(schema, str(name), str(schema.get("description", "")), "json_schema")
        kind: SchemaKind
        if isinstance(schema, type) and issubclass(schema, BaseModel):
            kind = "pydantic"
        elif is_typeddict(schema):
            kind = "typeddict"
        elif isinstance(schema, type) and is_dataclass(schema):
            kind = "dataclass"
        else:
            raise InvalidGraphError([
                f"response_format takes a Pydantic model, dataclass, TypedDict, JSON schema or a union of them, "
                f"got {schema!r}"
            ])  # fmt: skip
        return cls(schema, schema.__name__, doc_of(schema), kind)

    @cached_property
    def json_schema(self) -> dict[str, Any]:
        """The schema as a provider takes it."""
        return dict(self.schema) if self.kind == "json_schema" else TypeAdapter(self.schema).json_schema()

    @cached_property
    def adapter(self) -> TypeAdapter[Any] | None:
        return None if self.kind == "json_schema" else TypeAdapter(self.schema)

    def parse(self, data: Any) -> Any:
        """The object. ValidationError where it does not fit; what comes by a JSON schema is not checked against it."""
        return data if self.adapter is None else self.adapter.validate_python(data)

    def as_tool(self) -> BaseTool:
        """A tool whose arguments are the object, for models to call; it is never run."""
        args = self.schema if self.kind == "pydantic" else self.json_schema
        return StructuredTool(name=self.name, description=self.description, args_schema=args, func=None)


def doc_of(schema: type) -> str:
    """A class's own docstring; what dataclasses and base classes bring of themselves says nothing."""
    doc = schema.__dict__.get("__doc__") or ""
    return "" if is_dataclass(schema) and doc.startswith(f"{schema.__name__}(") else doc.strip()


def specs_of(schema: Any) -> list[SchemaSpec]:
    """The kinds of objects of a schema: the members of a union, the variants of a `oneOf`, or itself."""
    if get_origin(schema) in (Union, types.UnionType):
        return [spec for member in get_args(schema) for spec in specs_of(member)]
    if isinstance(schema, dict) and "oneOf" in schema:
        return [SchemaSpec.of(variant) for variant in schema["oneOf"]]
    return [SchemaSpec.of(schema)]


def distinct(specs: list[SchemaSpec]) -> list[SchemaSpec]:
    """The kinds of objects, if their names tell them apart."""
    names = [spec.name for spec in specs]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InvalidGraphError([f"two schemas are called {twice[0]!r}; a model tells them apart by their names"])
    return specs


@dataclass(init=False)
class ToolStrategy(Generic[SchemaT]):
    """The model calls a tool whose arguments are the object; works with every model that calls tools.

    `tool_message_content`: what answers that call in the history. `handle_errors`: what becomes of an object that
    does not fit, as for tools (`HandleToolErrors`): by default the model is shown what is wrong and tries again, at
    most `max_retries` times in a row; an error that is not handled ends the run.
    """

    schema: Any
    schema_specs: list[SchemaSpec]
    tool_message_content: str | None
    handle_errors: HandleToolErrors
    max_retries: int

    def __init__(
        self,
        schema: Any,
        *,
        tool_message_content: str | None = None,
        handle_errors: HandleToolErrors = True,
        max_retries: int = MAX_RETRIES,
    ) -> None:
        self.schema = schema
        self.schema_specs = distinct(specs_of(schema))
        self.tool_message_content = tool_message_content
        self.handle_errors = handle_errors
        self.max_retries = max_retries


@dataclass(init=False)
class ProviderStrategy(Generic[SchemaT]):
    """The provider sees to it that the text of the answer is the object: for models that can do that.

    `strict`: ask the provider to keep to the schema exactly; None leaves that to it. An answer that does not fit
    ends the run with `StructuredOutputValidationError`.
    """

    schema: Any
    schema_spec: SchemaSpec
    strict: bool | None

    def __init__(self, schema: Any, *, strict: bool | None = None) -> None:
        specs = specs_of(schema)
        if len(specs) > 1:
            raise InvalidGraphError(["a provider takes one schema; for a union use ToolStrategy"])
        self.schema = schema
        self.schema_spec = specs[0]
        self.strict = strict

    def to_model_kwargs(self) -> dict[str, Any]:
        """The arguments for the model's call."""
        schema: dict[str, Any] = {"name": self.schema_spec.name, "schema": self.schema_spec.json_schema}
        if self.strict is not None:
            schema["strict"] = self.strict
        return {"response_format": {"type": "json_schema", "json_schema": schema}}


@dataclass
class AutoStrategy(Generic[SchemaT]):
    """`ProviderStrategy` for models that say they can do it (their `profile`), else `ToolStrategy`."""

    schema: Any


ResponseFormat: TypeAlias = ToolStrategy[SchemaT] | ProviderStrategy[SchemaT] | AutoStrategy[SchemaT]
Effective: TypeAlias = ToolStrategy[Any] | ProviderStrategy[Any]


def as_strategy(format: Any) -> ResponseFormat[Any] | None:
    """What the author gave as `response_format`: a strategy, or a schema."""
    if format is None or isinstance(format, (ToolStrategy, ProviderStrategy, AutoStrategy)):
        return format
    specs_of(format)
    return AutoStrategy(format)


def effective(format: ResponseFormat[Any] | None, model: Any) -> Effective | None:
    """The strategy for one model."""
    if not isinstance(format, AutoStrategy):
        return format
    profile = getattr(model, "profile", None) or {}
    if profile.get("structured_output") and len(specs_of(format.schema)) == 1:
        return ProviderStrategy(format.schema)
    return ToolStrategy(format.schema)


@dataclass(frozen=True)
class Reading:
    """What a model's message says: the object, or the answers that tell the model what is wrong with it."""

    value: Any = None
    answers: tuple[ToolMessage, ...] = ()


def read(strategy: Effective | None, message: AIMessage, history: Sequence[BaseMessage]) -> Reading:
    """Look for the object in a message. StructuredOutputError for one that does not fit, if that is not handled."""
    if strategy is None:
        return Reading()
    if isinstance(strategy, ProviderStrategy):
        return Reading() if message.tool_calls else Reading(read_text(strategy.schema_spec, message))
    specs = {spec.name: spec for spec in strategy.schema_specs}
    calls: list[Any] = [call for call in (*message.tool_calls, *message.invalid_tool_calls) if call["name"] in specs]
    if not calls:
        return Reading()
    try:
        value = read_call(specs, calls, message)
    except StructuredOutputError as error:
        text = handled(strategy, error, history)
        return Reading(None, tuple(answer(call, text, "error") for call in calls))
    text = strategy.tool_message_content or f"Structured response: {value}"
    return Reading(value, (answer(calls[0], text, "success"),))


def read_call(specs: dict[str, SchemaSpec], calls: list[Any], message: AIMessage) -> Any:
    """The object in the call of an output tool."""
    if len(calls) > 1:
        raise MultipleStructuredOutputsError([call["name"] for call in calls], message)
    call = calls[0]
    if isinstance(call["args"], str) or call["args"] is None:
        problem = ValueError(call.get("error") or "its JSON is not complete")
        raise StructuredOutputValidationError(call["name"], problem, message)
    try:
        return specs[call["name"]].parse(call["args"])
    except (ValidationError, ValueError, TypeError) as error:
        raise StructuredOutputValidationError(call["name"], error, message) from error


def read_text(spec: SchemaSpec, message: AIMessage) -> Any:
    """The object in the text of a message."""
    try:
        data = TypeAdapter(Any).validate_json(message.text)
        return spec.parse(data)
    except (ValidationError, ValueError, TypeError) as error:
        raise StructuredOutputValidationError(spec.name, error, message) from error


def handled(strategy: ToolStrategy[Any], error: StructuredOutputError, history: Sequence[BaseMessage]) -> str:
    """What the model is told of the error; raises it if it is the caller's, or came too often."""
    names = {spec.name for spec in strategy.schema_specs}
    source = getattr(error, "source", error)
    handle = strategy.handle_errors
    if isinstance(handle, (type, tuple)) and isinstance(source, handle):
        handle = True
    text = WRONG_OBJECT.format(error=error) if handle is True else text_for(handle, error)
    if text is None or failures(history, names) >= strategy.max_retries:
        raise error
    return text


def failures(history: Sequence[BaseMessage], names: Iterable[str]) -> int:
    """How often the model has failed since it was last asked something."""
    count, known = 0, set(names)
    for message in reversed(history):
        if isinstance(message, HumanMessage):
            break
        if isinstance(message, ToolMessage) and message.name in known and message.status == "error":
            count += 1
    return count


def answer(call: Any, text: str, status: Literal["success", "error"]) -> ToolMessage:
    """What answers the call of an output tool."""
    return ToolMessage(text, name=call["name"], tool_call_id=call["id"] or "", status=status)
