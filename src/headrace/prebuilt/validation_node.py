"""A node that checks tool calls against schemas without making them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from langchain_core.messages import ToolCall, ToolMessage
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool, create_schema_from_function
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import BaseModel, ValidationError

from headrace.errors import InvalidGraphError, InvalidInputError
from headrace.graph.schema import value_of
from headrace.prebuilt.tool_node import pending_calls


class ValidationNode(Runnable[Any, Any]):
    """Answers each tool call of the last message with its arguments as JSON, or with what is wrong with them.

    For extraction: the model calls "tools" that are schemas, and is shown its mistakes until they fit. `schemas`:
    Pydantic models, tools, or functions whose parameters are the schema. `format_error(error, call, schema)` writes
    the text of a mistake; such an answer has `is_error` in `additional_kwargs`.
    """

    def __init__(
        self,
        schemas: Sequence[BaseTool | type[BaseModel] | Callable[..., Any]],
        *,
        format_error: Callable[[BaseException, ToolCall, type[BaseModel]], str] | None = None,
        name: str = "validation",
        tags: list[str] | None = None,
    ) -> None:
        self.name = name
        self.config: dict[str, Any] = {"tags": tags} if tags else {}
        self.format_error = format_error or explained
        self.schemas_by_name = dict(named(schema) for schema in schemas)

    def invoke(self, input: Any, config: Any = None, **_: Any) -> Any:
        """The answers: under `messages`, or as a list where the input is one. InvalidInputError without messages."""
        if isinstance(input, list):
            return [self.answer(call) for call in pending_calls(input)]
        found, messages = value_of(input, "messages")
        if not found:
            raise InvalidInputError("the input has no 'messages' to look for tool calls in")
        return {"messages": [self.answer(call) for call in pending_calls(messages)]}

    def answer(self, call: ToolCall) -> ToolMessage:
        """What answers one call."""
        schema = self.schemas_by_name.get(call["name"])
        if schema is None:
            known = ", ".join(self.schemas_by_name)
            return self.refused(call, f"There is no schema {call['name']!r}; the schemas are: {known}.")
        try:
            found = schema.model_validate(call["args"])
        except ValidationError as error:
            return self.refused(call, self.format_error(error, call, schema))
        return ToolMessage(found.model_dump_json(), name=call["name"], tool_call_id=call["id"] or "")

    def refused(self, call: ToolCall, text: str) -> ToolMessage:
        return ToolMessage(
            text, name=call["name"], tool_call_id=call["id"] or "", status="error", additional_kwargs={"is_error": True}
        )


def named(schema: Any) -> tuple[str, type[BaseModel]]:
    """A schema with the name by which a model calls it; InvalidGraphError for what is none."""
    if isinstance(schema, BaseTool):
        if not (isinstance(schema.args_schema, type) and is_basemodel_subclass(schema.args_schema)):
            raise InvalidGraphError([f"tool {schema.name!r} has no Pydantic model as args_schema to check calls with"])
        return schema.name, cast("type[BaseModel]", schema.args_schema)
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        return schema.__name__, schema
    if callable(schema):
        return schema.__name__, cast("type[BaseModel]", create_schema_from_function(schema.__name__, schema))
    raise InvalidGraphError([f"a schema is a Pydantic model, a tool or a function, got {schema!r}"])


def explained(error: BaseException, call: ToolCall, schema: type[BaseModel]) -> str:
    """What is wrong with a call, for the model to read."""
    return f"{error}\n\nMake the call again with all mistakes corrected."
