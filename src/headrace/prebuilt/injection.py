"""Which of a tool's parameters are not the model's to give, and which of these we fill in; found once per tool."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from langchain_core.tools import InjectedToolArg, InjectedToolCallId
from langchain_core.tools.base import _DirectlyInjectedToolArg
from pydantic import AliasChoices
from typing_extensions import get_type_hints

from headrace.errors import HeadraceError, InvalidGraphError
from headrace.graph.schema import value_of
from headrace.prebuilt.tool_runtime import InjectedState, InjectedStore, ToolRuntime

if TYPE_CHECKING:
    from langchain_core.messages import ToolCall
    from langchain_core.tools import BaseTool


class ToolInjectionError(HeadraceError, ValueError):
    """A tool asks for something that the graph does not have: a state key, a store."""


@dataclass(frozen=True)
class Injection:
    """The parameters of a tool that the model does not give."""

    states: dict[str, str | None]
    """Parameters for the state: with the key that is asked for, or None for all of it."""
    stores: tuple[str, ...]
    runtimes: tuple[str, ...]
    ids: tuple[str, ...]
    """Parameters for the call's id, which langchain-core leaves to the model where the argument schema has no field."""
    optional: frozenset[str]
    """Those that the tool can do without."""
    hidden: frozenset[str]
    """All that the model does not see, with their aliases: also a plain `InjectedToolArg`, which a wrapper may give."""
    ours: frozenset[str]
    """Those of them that we give, with their aliases."""

    def without_hidden(self, call: ToolCall) -> ToolCall:
        """A call as the model may make it."""
        if self.hidden.isdisjoint(call["args"]):
            return call
        return {**call, "args": {name: value for name, value in call["args"].items() if name not in self.hidden}}

    def filled(self, tool: BaseTool, call: ToolCall, runtime: ToolRuntime) -> dict[str, Any]:
        """The arguments of a call with ours in place of whatever it has under these names.

        ToolInjectionError where the graph has nothing to give.
        """
        filled = {name: value for name, value in call["args"].items() if name not in self.ours}
        for name, key in self.states.items():
            if key is None:
                filled[name] = runtime.state
                continue
            found, value = value_of(runtime.state, key)
            if found:
                filled[name] = value
            elif name not in self.optional:
                raise ToolInjectionError(
                    f"tool {tool.name!r} wants the state's key {key!r} as {name!r}, but the state has no value for it; "
                    "give the parameter a default, or write the key before"
                )
        for name in self.stores:
            if runtime.store is not None:
                filled[name] = runtime.store
            elif name not in self.optional:
                raise ToolInjectionError(
                    f"tool {tool.name!r} wants a store as {name!r}, but the graph has none; compile it with store="
                )
        filled.update(dict.fromkeys(self.runtimes, runtime))
        filled.update(dict.fromkeys(self.ids, call["id"] or ""))
        return filled


def injection_of(tool: BaseTool) -> Injection | None:
    """What a tool wants from us; None for most tools, which want nothing."""
    states: dict[str, str | None] = {}
    stores: list[str] = []
    runtimes: list[str] = []
    ids: list[str] = []
    hidden: list[str] = []
    for name, annotation in annotations_of(tool).items():
        check(tool, name, annotation)
        marks = marks_of(annotation)
        if marks:
            hidden.append(name)
        for mark in marks:
            if named(mark, InjectedState):
                states[name] = getattr(mark, "field", None)
            elif named(mark, InjectedStore):
                stores.append(name)
            elif named(mark, InjectedToolCallId):
                ids.append(name)
            elif named(mark, ToolRuntime):
                runtimes.append(name)
    if not hidden:
        return None
    ours = [*states, *stores, *runtimes, *ids]
    check_aliases(tool, ours)
    return Injection(
        states, tuple(stores), tuple(runtimes), tuple(ids), optional_parameters(tool),
        with_aliases(tool, hidden), with_aliases(tool, ours),
    )  # fmt: skip


def annotations_of(tool: BaseTool) -> dict[str, Any]:
    """The type hints of a tool's parameters: its function's, and those of its argument schema, which win."""
    found: dict[str, Any] = {}
    for one in (*code_of(tool), tool.args_schema):
        if one is None or isinstance(one, dict):
            continue
        try:
            found.update(get_type_hints(one, include_extras=True))
        except (NameError, TypeError):  # a name that only a type checker knows: nothing of ours hides there
            continue
    return found


def code_of(tool: BaseTool) -> list[Any]:
    """The functions that a tool calls: its own, or the methods of its class."""
    given = (getattr(tool, "func", None), getattr(tool, "coroutine", None))
    return [one for one in given if one is not None] or [tool._run, tool._arun]


def optional_parameters(tool: BaseTool) -> frozenset[str]:
    """The parameters that have a default: in the code, or in the argument schema, which wins."""
    found = {
        name: parameter.default is not parameter.empty
        for one in code_of(tool)
        for name, parameter in inspect.signature(one).parameters.items()
    }
    found.update({name: not field.is_required() for name, field in fields_of(tool).items()})
    return frozenset(name for name, optional in found.items() if optional)


def fields_of(tool: BaseTool) -> dict[str, Any]:
    """The fields of a tool's argument schema, if that is a Pydantic model."""
    return getattr(tool.args_schema, "model_fields", {})


def with_aliases(tool: BaseTool, names: Iterable[str]) -> frozenset[str]:
    """Parameters with all other names under which the argument schema takes them."""
    fields, found = fields_of(tool), set(names)
    for field in [fields[name] for name in found if name in fields]:
        found.update(aliases_of(field))
    return frozenset(found)


def aliases_of(field: Any) -> list[str]:
    """Where Pydantic looks for a field's value, apart from its name."""
    given = field.validation_alias
    several = given.choices if isinstance(given, AliasChoices) else [given]
    return [one if isinstance(one, str) else str(one.path[0]) for one in several if one is not None]


def check_aliases(tool: BaseTool, names: list[str]) -> None:
    """InvalidGraphError for a field that only its alias fills: callbacks would be shown what stands there."""
    config = getattr(tool.args_schema, "model_config", {})
    if config.get("populate_by_name") or config.get("validate_by_name"):
        return
    aliases = {name: aliases_of(field) for name, field in fields_of(tool).items() if name in names}
    for name, others in aliases.items():
        if others and name not in others:
            raise InvalidGraphError([
                f"field {name!r} of tool {tool.name!r} is injected by its name, but taken by its alias {others[0]!r}; "
                "leave out the alias, which no model sees, or set populate_by_name"
            ])  # fmt: skip


def marks_of(annotation: Any) -> list[Any]:
    """What tells that a parameter is not the model's: marks, or the class of the runtime, also with type arguments."""
    bare, *marks = get_args(annotation) if get_origin(annotation) is Annotated else (annotation,)
    bare = get_origin(bare) or bare
    return [*([bare] if is_direct(bare) else []), *(one for one in marks if is_mark(one))]


def is_direct(bare: Any) -> bool:
    """Whether a class needs no mark."""
    return named(bare, ToolRuntime) or (isinstance(bare, type) and issubclass(bare, _DirectlyInjectedToolArg))


def is_mark(mark: Any) -> bool:
    kind = mark if isinstance(mark, type) else type(mark)
    return issubclass(kind, InjectedToolArg)


def check(tool: BaseTool, name: str, annotation: Any) -> None:
    """InvalidGraphError for a mark where langchain-core does not look, so that the model would see the parameter."""
    if get_origin(annotation) in (Union, UnionType) and any(marks_of(part) for part in get_args(annotation)):
        raise InvalidGraphError([
            f"parameter {name!r} of tool {tool.name!r} is {annotation!r}: inside of a union, a mark does not hide it "
            "from the model; write ToolRuntime alone, which is always given, or Annotated[X | None, mark], and on "
            "Python 3.10, which makes a union of every parameter with the default None, leave that default out"
        ])  # fmt: skip


def named(mark: Any, ours: type) -> bool:
    """Whether a mark is ours, or one of the same name for langchain-core tools: packages of tools bring such."""
    kind = mark if isinstance(mark, type) else type(mark)
    if issubclass(kind, ours):
        return True
    return kind.__name__ == ours.__name__ and (issubclass(kind, InjectedToolArg) or ours is ToolRuntime)
