"""Small things to build agents and nodes for tools of."""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, ToolCall

from headrace.graph import START, MessagesState, StateGraph
from headrace.prebuilt import ToolNode


def call(name: str, args: dict[str, Any] | None = None, id: str | None = "1") -> ToolCall:
    """A call as a model makes it."""
    return ToolCall(name=name, args=args or {}, id=id, type="tool_call")


def asking(*calls: ToolCall) -> AIMessage:
    """The message of a model that makes these calls."""
    return AIMessage("", tool_calls=[*calls])


def asks(name: str, args: dict[str, Any] | None = None, id: str | None = "1") -> dict[str, Any]:
    """The input of a graph whose model has made one call."""
    return {"messages": [asking(call(name, args, id))]}


def graph_of(node: Any, schema: Any = MessagesState, **options: Any) -> Any:
    """A graph of one node, `tools`, with what `compile` takes."""
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(schema)
    builder.add_node("tools", node)
    builder.add_edge(START, "tools")
    return builder.compile(**options)


def tools_graph(*tools: Any, **options: Any) -> Any:
    """A graph of one `ToolNode`, with what that takes."""
    return graph_of(ToolNode([*tools], **options))


def answer_of(state: Any) -> Any:
    """The last message of a graph's answer."""
    return state["messages"][-1]


class ToolLog(BaseCallbackHandler):
    """What callbacks are told of tools."""

    def __init__(self) -> None:
        self.inputs: list[tuple[str, Any]] = []
        self.outputs: list[Any] = []
        self.errors: list[str] = []
        self.tags: list[list[str]] = []

    def on_tool_start(self, serialized: Any, input_str: str, **more: Any) -> None:
        self.inputs.append((input_str, more["inputs"]))
        self.tags.append(more["tags"])

    def on_tool_end(self, output: Any, **more: Any) -> None:
        self.outputs.append(output)

    def on_tool_error(self, error: BaseException, **more: Any) -> None:
        self.errors.append(str(error))
