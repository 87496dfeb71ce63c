"""Commands as outputs of langchain-core's tools: returned as they are, not as text."""

from langchain_core.messages.tool import ToolOutputMixin

from headrace.types import Command


def adopt() -> None:
    """Have langchain-core take a Command for an output of a tool: it asks by class, which the engine cannot name."""
    if not issubclass(Command, ToolOutputMixin):
        Command.__bases__ = (*Command.__bases__, ToolOutputMixin)
