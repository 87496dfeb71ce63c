"""The two import roots, and where each public name lives under them.

A program never imports a graph library itself: it takes a `Kit`, which stands for one root and
one kind of node (plain functions or coroutines), and asks it for every name.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

HOMES = {
    "StateGraph": "graph",
    "START": "graph",
    "END": "graph",
    "MessagesState": "graph",
    "add_messages": "graph",
    "push_message": "graph.message",
    "REMOVE_ALL_MESSAGES": "graph.message",
    "InMemorySaver": "checkpoint.memory",
    "InMemoryCache": "cache.memory",
    "get_config": "config",
    "get_stream_writer": "config",
    "get_runtime": "runtime",
    "Runtime": "runtime",
    "IsLastStep": "managed",
    "RemainingSteps": "managed",
    "NodeError": "errors",
    "CachePolicy": "types",
    "Command": "types",
    "Interrupt": "types",
    "Overwrite": "types",
    "RetryPolicy": "types",
    "Send": "types",
    "StreamWriter": "types",
    "TimeoutPolicy": "types",
    "interrupt": "types",
    "create_react_agent": "prebuilt",
    "InjectedState": "prebuilt",
    "InjectedStore": "prebuilt",
    "ToolNode": "prebuilt",
    "ToolRuntime": "prebuilt",
}

AGENTS = {"langgraph": "langchain"}
"""The package that has the agents of a root, where it is another one."""


@dataclass(frozen=True)
class Root:
    """One import root. Its attributes are the public names that the programs use."""

    name: str

    def __getattr__(self, name: str) -> Any:
        if name not in HOMES:
            raise AttributeError(name)
        return getattr(importlib.import_module(f"{self.name}.{HOMES[name]}"), name)

    @property
    def agents(self) -> Any:
        """The module with `create_agent`."""
        return importlib.import_module(f"{AGENTS.get(self.name, self.name)}.agents")

    @property
    def middleware(self) -> Any:
        """The module with everything for and of middleware."""
        return importlib.import_module(f"{self.agents.__name__}.middleware")

    @property
    def structured_output(self) -> Any:
        """The module with the strategies for answers as objects."""
        return importlib.import_module(f"{self.agents.__name__}.structured_output")


REFERENCE = Root("langgraph")
SUBJECT = Root(os.environ.get("ORACLE_SUBJECT", "headrace"))
"""What is compared with the reference; `ORACLE_SUBJECT=langgraph` shows that the comparison itself is stable."""


@dataclass
class Kit:
    """What a program is built with: a root, the kind of its nodes, and a notebook of the calls made."""

    root: Root
    coroutines: bool = False
    calls: list[str] = field(default_factory=list)
    """Filled by the programs that look at when a node runs, not only at what it says."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.root, name)

    def node(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function` as it is, or as a coroutine function with the same signature."""
        if not self.coroutines:
            return function

        @functools.wraps(function)
        async def run(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return run

    def graph(self, schema: Any, nodes: dict[str, Callable[..., Any]], *edges: tuple[Any, str], **options: Any) -> Any:
        """A builder with `nodes` and `edges`; a tuple or list as start is a join."""
        builder = self.StateGraph(schema, **options)
        for name, function in nodes.items():
            builder.add_node(name, self.node(function))
        for start, end in edges:
            builder.add_edge(list(start) if isinstance(start, tuple) else start, end)
        return builder

    def chain(self, schema: Any, **nodes: Callable[..., Any]) -> Any:
        """A builder with `nodes` one after the other, from START to END."""
        names = [self.START, *nodes, self.END]
        return self.graph(schema, nodes, *itertools.pairwise(names))
