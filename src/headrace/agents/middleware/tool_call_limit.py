"""A limit on how often tools are called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from langchain_core.messages import AIMessage, BaseMessage, ToolCall
from typing_extensions import NotRequired

from headrace.agents.middleware.base import AgentMiddleware, ContextT, ResponseT, hook_config
from headrace.agents.middleware.call_limits import check_limits
from headrace.agents.state import AgentState, PrivateStateAttr
from headrace.channels import UntrackedValue
from headrace.errors import HeadraceError
from headrace.prebuilt.tool_call import refusal
from headrace.prebuilt.tool_node import pending_calls

if TYPE_CHECKING:
    from headrace.runtime import Runtime

ExitBehavior: TypeAlias = Literal["continue", "error", "end"]

EVERY_TOOL = "__all__"
"""The key under which calls are counted when all tools are meant."""


class ToolCallLimitState(AgentState[ResponseT]):
    """What is counted, by tool."""

    thread_tool_call_count: NotRequired[Annotated[dict[str, int], PrivateStateAttr]]
    """Calls that were let through."""
    run_tool_call_count: NotRequired[Annotated[dict[str, int], UntrackedValue, PrivateStateAttr]]
    """Calls that the model asked for."""


class ToolCallLimitExceededError(HeadraceError):
    """The model asked for more calls of tools than it may, in the thread or in the run; they were not made."""

    def __init__(
        self,
        thread_count: int,
        run_count: int,
        thread_limit: int | None,
        run_limit: int | None,
        tool_name: str | None = None,
    ) -> None:
        self.thread_count, self.run_count = thread_count, run_count
        self.thread_limit, self.run_limit = thread_limit, run_limit
        self.tool_name = tool_name
        counts = [
            f"{count} in this {name}, where {limit} may be made"
            for name, count, limit in (("thread", thread_count, thread_limit), ("run", run_count, run_limit))
            if limit is not None and count > limit
        ]
        super().__init__(f"the model asked for too many calls of {subject(tool_name)}: {' and '.join(counts)}")


class ToolCallLimitMiddleware(AgentMiddleware[ToolCallLimitState[ResponseT], ContextT, ResponseT]):
    """Keeps the model from calling tools, or the tool `tool_name`, more often than it may.

    `thread_limit`: calls in all runs of a thread. `run_limit`: calls in one run; one that goes on after an interrupt
    counts anew. What becomes of calls beyond, `exit_behavior`: "continue" answers them with an error and lets the
    model go on, with the calls that it may make beside them; "end" ends the run with a message that says so, and no
    call of that turn is made; "error" raises `ToolCallLimitExceededError`. Every call has an answer in the history
    when the model is called next. An agent may have several, for tools of different names. ValueError without a
    limit, and for a `run_limit` above the `thread_limit`.
    """

    state_schema = ToolCallLimitState

    def __init__(
        self,
        *,
        tool_name: str | None = None,
        thread_limit: int | None = None,
        run_limit: int | None = None,
        exit_behavior: ExitBehavior = "continue",
    ) -> None:
        check_limits(thread_limit, run_limit)
        if thread_limit is not None and run_limit is not None and run_limit > thread_limit:
            raise ValueError(f"run_limit {run_limit} is above thread_limit {thread_limit}, so it can never be reached")
        if exit_behavior not in ("continue", "error", "end"):
            raise ValueError(f"exit_behavior is 'continue', 'error' or 'end', got {exit_behavior!r}")
        self.tool_name = tool_name
        self.thread_limit, self.run_limit = thread_limit, run_limit
        self.exit_behavior = exit_behavior

    @property
    def name(self) -> str:
        """With the tool's name, so that there can be one for each."""
        kind = type(self).__name__
        return kind if self.tool_name is None else f"{kind}[{self.tool_name}]"

    @property
    def named_tools(self) -> frozenset[str]:
        return frozenset() if self.tool_name is None else frozenset({self.tool_name})

    @hook_config(can_jump_to=["end"])
    def after_model(self, state: ToolCallLimitState[ResponseT], runtime: Runtime[ContextT]) -> Any:
        calls = pending_calls(state["messages"])
        counted = [call for call in calls if self.tool_name in (None, call["name"])]
        if not counted:
            return None
        thread, run = self.counts(state)
        room = self.room(thread, run, len(counted))
        refused = counted[room:]
        if not refused:
            return self.counting(state, thread + len(counted), run + len(counted))
        if self.exit_behavior == "error":
            asked = (thread + len(counted), run + len(counted))
            raise ToolCallLimitExceededError(*asked, self.thread_limit, self.run_limit, self.tool_name)
        answers = [self.refusal(call) for call in refused]
        if self.exit_behavior == "continue":
            return {**self.counting(state, thread + room, run + len(counted)), "messages": answers}
        others = not_made([call for call in calls if call not in refused])
        last = AIMessage(f"I stop here: no more {self.what} are allowed.")
        counts = self.counting(state, thread, run + len(counted))
        return {**counts, "jump_to": "end", "messages": [*answers, *others, last]}

    @hook_config(can_jump_to=["end"])
    async def aafter_model(self, state: ToolCallLimitState[ResponseT], runtime: Runtime[ContextT]) -> Any:
        return self.after_model(state, runtime)

    @property
    def what(self) -> str:
        """What is counted, in words."""
        return f"calls of {subject(self.tool_name)}"

    @property
    def key(self) -> str:
        return self.tool_name or EVERY_TOOL

    def counts(self, state: Any) -> tuple[int, int]:
        """The calls so far, in the thread and in the run."""
        thread, run = state.get("thread_tool_call_count") or {}, state.get("run_tool_call_count") or {}
        return thread.get(self.key, 0), run.get(self.key, 0)

    def counting(self, state: Any, thread: int, run: int) -> dict[str, Any]:
        """The update of the counts, those of other tools kept."""
        return {
            "thread_tool_call_count": {**(state.get("thread_tool_call_count") or {}), self.key: thread},
            "run_tool_call_count": {**(state.get("run_tool_call_count") or {}), self.key: run},
        }

    def room(self, thread: int, run: int, wanted: int) -> int:
        """How many of the calls may be made."""
        limits = ((self.thread_limit, thread), (self.run_limit, run))
        return max(0, min(wanted, *(limit - count for limit, count in limits if limit is not None)))

    def refusal(self, call: ToolCall) -> BaseMessage:
        """The answer to a call beyond the limit."""
        return refusal(call, f"Error: this call was not made, no more {self.what} are allowed. Go on without.")


def subject(tool_name: str | None) -> str:
    return "tools" if tool_name is None else repr(tool_name)


def not_made(calls: Sequence[ToolCall]) -> list[BaseMessage]:
    """The answers to calls that fall with the others."""
    text = "Error: this call was not made, the run ended at a limit on calls of tools."
    return [refusal(call, text) for call in calls]
