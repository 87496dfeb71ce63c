"""How an agent's nodes are joined: hooks, model, tools, and where the run goes after each.

START -> before_agent... -> before_model... -> model -> after_model... -> tools -> (again) or after_agent... -> END

Every name of a node comes from whoever builds the agent; so both kinds of agents are built here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from headrace.graph import END, START, StateGraph
from headrace.graph.schema import value_of
from headrace.prebuilt.tool_node import ToolNode, pending_calls
from headrace.types import Send, TracePolicy


class Hook(NamedTuple):
    """A node before or after the model, with the places that it may jump to."""

    node: str
    action: Any
    jumps: tuple[str, ...] = ()
    trace: TracePolicy | None = None


@dataclass
class Shape:
    """The nodes of an agent by name."""

    model: str
    tools: ToolNode | None
    before_agent: Sequence[Hook] = ()
    before_model: Sequence[Hook] = ()
    after_model: Sequence[Hook] = ()
    """In the order in which they run."""
    after_agent: Sequence[Hook] = ()
    fan_out: bool = True
    """One task per tool call; else one for all."""
    retries: bool = False
    """Whether the model may be called again because its answer was refused."""
    direct: frozenset[str] = field(init=False)
    """Tools whose answer ends the run."""

    def __post_init__(self) -> None:
        tools = {} if self.tools is None else self.tools.tools_by_name
        self.direct = frozenset(name for name, tool in tools.items() if tool.return_direct)

    @property
    def entry(self) -> str:
        """Where a turn begins."""
        return self.before_model[0].node if self.before_model else self.model

    @property
    def exit(self) -> str:
        """Where the run goes when the agent has its answer."""
        return self.after_agent[0].node if self.after_agent else END

    @property
    def tools_name(self) -> str:
        return "tools" if self.tools is None else str(self.tools.name)

    # where the run goes

    def after_turn(self, state: Any) -> Any:
        """After the model and its hooks: to the tools that wait, again to the model, or out."""
        calls = self.calls(state)
        if calls:
            return calls
        messages: list[BaseMessage] = value_of(state, "messages")[1] or []
        if value_of(state, "structured_response")[1] is not None:
            return self.exit
        again = messages and isinstance(messages[-1], ToolMessage) and (self.tools is not None or self.retries)
        return self.entry if again else self.exit

    def calls(self, state: Any) -> Any:
        """To the tools that wait, if there are any."""
        calls = pending_calls(value_of(state, "messages")[1] or []) if self.tools is not None else []
        return [Send(self.tools_name, [call]) for call in calls] if self.fan_out else calls and self.tools_name

    def after_tools(self, state: Any) -> Any:
        """After a tool: out, if its answer is the agent's; else to the model."""
        if value_of(state, "structured_response")[1] is not None:
            return self.exit
        messages: list[BaseMessage] = value_of(state, "messages")[1] or []
        calls = next((one.tool_calls for one in reversed(messages) if isinstance(one, AIMessage)), [])
        if self.direct and calls and all(call["name"] in self.direct for call in calls):
            alone = messages[-1] if len(calls) == 1 else None
            return self.entry if isinstance(alone, ToolMessage) and alone.status == "error" else self.exit
        return self.entry

    def jumping(self, otherwise: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """A routing function for a hook that may jump. A jump to the tools is none where no call waits for them."""

        def route(state: Any) -> Any:
            jump = value_of(state, "jump_to")[1]
            if jump == "end":
                return self.exit
            if jump == "model":
                return self.entry
            return (self.calls(state) if jump == "tools" else None) or otherwise(state)

        return route

    # joining

    def join(self, graph: StateGraph[Any, Any, Any, Any]) -> None:
        """Add tools, hooks and edges to a graph that has the model."""
        if self.tools is not None:
            graph.add_node(self.tools_name, self.tools)
        for hook in (*self.before_agent, *self.before_model, *self.after_model, *self.after_agent):
            graph.add_node(hook.node, hook.action, trace_policy=hook.trace)
        graph.add_edge(START, self.before_agent[0].node if self.before_agent else self.entry)
        self.chain(graph, self.before_agent, self.entry)
        self.chain(graph, self.before_model, self.model)
        self.turn(graph)
        self.chain(graph, self.after_agent, END)
        if self.tools is not None:
            if self.direct or self.retries:
                graph.add_conditional_edges(self.tools_name, self.after_tools, unique([self.entry, self.exit]))
            else:
                graph.add_edge(self.tools_name, self.entry)

    def chain(self, graph: StateGraph[Any, Any, Any, Any], hooks: Sequence[Hook], end: str) -> None:
        """Lead from hook to hook, and from the last one on."""
        following = [*(hook.node for hook in hooks), end]
        for place, hook in enumerate(hooks, 1):
            self.lead(graph, hook, following[place])

    def lead(self, graph: StateGraph[Any, Any, Any, Any], hook: Hook, following: str) -> None:
        if hook.jumps:
            graph.add_conditional_edges(
                hook.node, self.jumping(lambda state: following), unique([following, *self.places(hook)])
            )
        else:
            graph.add_edge(hook.node, following)

    def turn(self, graph: StateGraph[Any, Any, Any, Any]) -> None:
        """Lead from the model through its hooks to where the turn ends."""
        hooks = self.after_model
        if hooks:
            graph.add_edge(self.model, hooks[0].node)
        for hook, following in pairwise(hooks):
            self.lead(graph, hook, following.node)
        last = hooks[-1] if hooks else None
        ends = [self.exit]
        if self.tools is not None:
            ends.append(self.tools_name)
        if self.tools is not None or self.retries:
            ends.append(self.entry)
        route = self.after_turn if last is None or not last.jumps else self.jumping(self.after_turn)
        extra = [] if last is None else self.places(last)
        graph.add_conditional_edges(self.model if last is None else last.node, route, unique([*ends, *extra]))

    def places(self, hook: Hook) -> list[str]:
        """The nodes that a hook may jump to."""
        known = {"end": [self.exit], "model": [self.entry], "tools": [self.tools_name] if self.tools else []}
        return [place for jump in hook.jumps for place in known[jump]]


def unique(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(names))
