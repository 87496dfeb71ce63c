"""Which of a tool's parameters we fill in, found once per tool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args, get_origin

from langchain_core.tools import InjectedToolArg
from typing_extensions import get_type_hints

from headrace.errors import HeadraceError
from headrace.graph.schema import value_of
from headrace.prebuilt.tool_runtime import InjectedState, InjectedStore, ToolRuntime

if TYPE_CHECKING:
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
    optional: frozenset[str]
    """Those that the tool can do without."""

    @property
    def names(self) -> frozenset[str]:
        return frozenset((*self.states, *self.stores, *self.runtimes))

    def filled(self, tool: BaseTool, args: dict[str, Any], runtime: ToolRuntime) -> dict[str, Any]:
        """The arguments of a call with ours in place of whatever the model gave under these names.

        ToolInjectionError where the graph has nothing to give.
        """
        filled = {name: value for name, value in args.items() if name not in self.names}
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
            if runtime.store is None:
                raise ToolInjectionError(
                    f"tool {tool.name!r} wants a store as {name!r}, but the graph has none; compile it with store="
                )
            filled[name] = runtime.store
        for name in self.runtimes:
            filled[name] = runtime
        return filled


def injection_of(tool: BaseTool) -> Injection | None:
    """What a tool wants from us; None for most tools, which want nothing."""
    states: dict[str, str | None] = {}
    stores: list[str] = []
    runtimes: list[str] = []
    for name, annotation in annotations_of(tool).items():
        if is_runtime(annotation):
            runtimes.append(name)
        for mark in get_args(annotation)[1:]:
            if named(mark, InjectedState):
                states[name] = getattr(mark, "field", None)
            elif named(mark, InjectedStore):
                stores.append(name)
    if not (states or stores or runtimes):
        return None
    return Injection(states, tuple(stores), tuple(runtimes), optional_fields(tool))


def annotations_of(tool: BaseTool) -> dict[str, Any]:
    """The type hints of a tool's parameters: its function's, and those of its argument schema, which win."""
    found: dict[str, Any] = {}
    code = (getattr(tool, "func", None), getattr(tool, "coroutine", None))
    for one in (*(code if any(code) else (tool._run, tool._arun)), tool.args_schema):
        if one is None or isinstance(one, dict):
            continue
        try:
            found.update(get_type_hints(one, include_extras=True))
        except (NameError, TypeError):  # a name that only a type checker knows: nothing of ours hides there
            continue
    return found


def optional_fields(tool: BaseTool) -> frozenset[str]:
    """The parameters that have a default."""
    fields = getattr(tool.args_schema, "model_fields", {})
    return frozenset(name for name, field in fields.items() if not field.is_required())


def is_runtime(annotation: Any) -> bool:
    """Whether a parameter asks for the runtime: `ToolRuntime`, also with its type arguments."""
    return named(get_origin(annotation) or annotation, ToolRuntime)


def named(mark: Any, ours: type) -> bool:
    """Whether a mark is ours, or one of the same name for langchain-core tools: packages of tools bring such."""
    kind = mark if isinstance(mark, type) else type(mark)
    if issubclass(kind, ours):
        return True
    return kind.__name__ == ours.__name__ and (issubclass(kind, InjectedToolArg) or ours is ToolRuntime)
