"""Tools at work, on their way into the `tools` stream: each call's start, parts of its output, its end or error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.messages import ToolMessage
from pydantic import ValidationError

from headrace import ids
from headrace.messages.tokens import Tap

if TYPE_CHECKING:
    from uuid import UUID

    from headrace.engine.task import Task


class ToolTap(Tap):
    """Tells of each langchain-core tool that its task calls, whoever calls it: a `ToolNode` or a node by hand.

    The events of one call have its `tool_call_id`; a tool called without one gets the id of its callback run.
    """

    ignore_llm = ignore_chat_model = True
    ignore_agent = False
    """langchain-core's word for tools."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.calls: dict[UUID, str] = {}

    def on_tool_start(
        self,
        serialized: dict[str, Any],
        input_str: str,
        *,
        run_id: UUID,
        inputs: dict[str, Any] | None = None,
        **more: Any,
    ) -> None:
        id = more.get("tool_call_id") or str(run_id)
        self.calls[run_id] = id
        given = input_str if inputs is None else inputs
        event = {"event": "tool-started", "tool_call_id": id, "tool_name": serialized["name"], "input": given}
        self.task.emit("tools", event)

    def on_tool_end(self, output: Any, *, run_id: UUID, **_: Any) -> None:
        id = self.calls.pop(run_id)
        if isinstance(output, ToolMessage) and output.id is None:
            output.id = ids.unique()  # the one that it will have in the state
        self.task.emit("tools", {"event": "tool-finished", "tool_call_id": id, "output": output})

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        id = self.calls.pop(run_id)
        self.task.emit("tools", {"event": "tool-error", "tool_call_id": id, "message": said(error)})


def said(error: BaseException) -> str:
    """An error as a client may read it: not with the arguments that do not fit, as injected ones are among them."""
    if not isinstance(error, ValidationError):
        return str(error)
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found)
