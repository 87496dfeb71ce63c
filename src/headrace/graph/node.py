"""A node, a conditional edge and a whole graph as their author described them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_origin

from typing_extensions import get_type_hints

from headrace.types import CachePolicy, Command, RetryPolicy, TimeoutPolicy


@dataclass
class NodeSpec:
    """What `add_node` was told."""

    name: str
    data: Any
    """The function, callable object, runnable or compiled graph."""
    defer: bool = False
    metadata: dict[str, Any] | None = None
    input_schema: Any = None
    retry: tuple[RetryPolicy, ...] = ()
    cache: CachePolicy | None = None
    handler: str | None = None
    """The name of the node that handles its errors."""
    handles_errors: bool = False
    destinations: Mapping[str, str | None] = field(default_factory=dict)
    timeout: TimeoutPolicy | None = None
    trace: Any = None

    @property
    def subgraph(self) -> Any:
        """The compiled graph that this node is."""
        return self.data if hasattr(self.data, "program") else None

    @property
    def inner(self) -> Any:
        """The compiled graph that this node is, or that its function names."""
        return self.subgraph or named_graph(self.data)


def named_graph(function: Any) -> Any:
    """The first compiled graph among the globals and enclosing variables that a function uses."""
    while isinstance(function, functools.partial):
        function = function.func
    try:
        names = inspect.getclosurevars(inspect.unwrap(function))
    except TypeError:  # no Python function
        return None
    return next((one for one in (*names.nonlocals.values(), *names.globals.values()) if hasattr(one, "program")), None)


@dataclass
class BranchSpec:
    """What `add_conditional_edges` was told."""

    source: str
    name: str
    path: Any
    ends: Mapping[Any, str] | None
    """Target by answer; None: the answers are targets, whichever there are."""
    reads: Any = None
    """The schema that the routing function asks for."""


def name_of(action: Any) -> str:
    """The name of a function, also inside a partial, of a runnable or of a callable object's class."""
    while isinstance(action, functools.partial):
        action = action.func
    if hasattr(action, "get_name"):
        return str(action.get_name())
    return str(getattr(action, "__name__", type(action).__name__))


def possible_ends(path: Any, path_map: Mapping[Any, str] | list[str] | None) -> Mapping[Any, str] | None:
    """The targets of a routing function by its answer: as given, or as its return type says with a Literal."""
    if path_map is not None:
        return dict(path_map) if isinstance(path_map, Mapping) else {name: name for name in path_map}
    function: Callable[..., Any] | None = path if hasattr(path, "__annotations__") else getattr(path, "__call__", None)  # noqa: B004
    try:
        answer = get_type_hints(function).get("return") if function is not None else None
    except (NameError, TypeError):
        return None
    if get_origin(answer) is Literal:
        return {name: name for name in get_args(answer)}
    return None


def goals_of(action: Any) -> tuple[str, ...]:
    """Where a node's command may lead, as its return type says: `-> Command[Literal["a", "b"]]`."""
    function: Any = action if hasattr(action, "__annotations__") else getattr(action, "__call__", None)  # noqa: B004
    try:
        answer = get_type_hints(function).get("return")
    except (NameError, TypeError):
        return ()
    parts = [answer, *get_args(answer)]
    commands = [part for part in parts if get_origin(part) is Command]
    return tuple(goal for command in commands for part in get_args(command) for goal in get_args(part))


def as_tuple(policies: RetryPolicy | Any) -> tuple[RetryPolicy, ...]:
    """One policy, several or none, as a tuple. A RetryPolicy is itself a tuple."""
    if policies is None:
        return ()
    found = (policies,) if isinstance(policies, RetryPolicy) or not isinstance(policies, Iterable) else tuple(policies)
    for policy in found:
        if not isinstance(policy, RetryPolicy):
            raise TypeError(f"retry_policy must be a RetryPolicy or several, got {policy!r}")
        if policy.max_attempts < 1:
            raise ValueError(f"max_attempts counts the first attempt as well, so it is at least 1: {policy!r}")
    return found
