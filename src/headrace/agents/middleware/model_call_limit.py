"""A limit on how often the model is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from langchain_core.messages import AIMessage
from typing_extensions import NotRequired

from headrace.agents.middleware.base import AgentMiddleware, ContextT, ResponseT, hook_config
from headrace.agents.middleware.call_limits import check_limits, exceeded
from headrace.agents.state import AgentState, PrivateStateAttr
from headrace.channels import UntrackedValue
from headrace.errors import HeadraceError

if TYPE_CHECKING:
    from headrace.runtime import Runtime


class ModelCallLimitState(AgentState[ResponseT]):
    """What is counted."""

    thread_model_call_count: NotRequired[Annotated[int, PrivateStateAttr]]
    run_model_call_count: NotRequired[Annotated[int, UntrackedValue, PrivateStateAttr]]


class ModelCallLimitExceededError(HeadraceError):
    """The model was called as often as it may be, in the thread or in the run."""

    def __init__(self, thread_count: int, run_count: int, thread_limit: int | None, run_limit: int | None) -> None:
        self.thread_count, self.run_count = thread_count, run_count
        self.thread_limit, self.run_limit = thread_limit, run_limit
        super().__init__(
            "the agent has called its model as often as it may: "
            f"{exceeded(thread_count, run_count, thread_limit, run_limit)}"
        )


class ModelCallLimitMiddleware(AgentMiddleware[ModelCallLimitState[ResponseT], ContextT, ResponseT]):
    """Ends a run before a call of the model that would be one too many.

    `thread_limit`: calls in all runs of a thread. `run_limit`: calls in one run; one that goes on after an interrupt
    counts anew. At the limit, `exit_behavior` "end" ends the run with a message that says so, "error" raises
    `ModelCallLimitExceededError`. ValueError without a limit.
    """

    state_schema = ModelCallLimitState

    def __init__(
        self,
        *,
        thread_limit: int | None = None,
        run_limit: int | None = None,
        exit_behavior: Literal["end", "error"] = "end",
    ) -> None:
        check_limits(thread_limit, run_limit)
        if exit_behavior not in ("end", "error"):
            raise ValueError(f"exit_behavior is 'end' or 'error', got {exit_behavior!r}")
        self.thread_limit, self.run_limit = thread_limit, run_limit
        self.exit_behavior = exit_behavior

    @hook_config(can_jump_to=["end"])
    def before_model(self, state: ModelCallLimitState[ResponseT], runtime: Runtime[ContextT]) -> Any:
        thread, run = counts(state)
        reached = exceeded(thread, run, self.thread_limit, self.run_limit)
        if not reached:
            return None
        if self.exit_behavior == "error":
            raise ModelCallLimitExceededError(thread, run, self.thread_limit, self.run_limit)
        return {"jump_to": "end", "messages": [AIMessage(f"I stop here: {reached}.")]}

    @hook_config(can_jump_to=["end"])
    async def abefore_model(self, state: ModelCallLimitState[ResponseT], runtime: Runtime[ContextT]) -> Any:
        return self.before_model(state, runtime)

    def after_model(self, state: ModelCallLimitState[ResponseT], runtime: Runtime[ContextT]) -> Any:
        thread, run = counts(state)
        return {"thread_model_call_count": thread + 1, "run_model_call_count": run + 1}

    async def aafter_model(self, state: ModelCallLimitState[ResponseT], runtime: Runtime[ContextT]) -> Any:
        return self.after_model(state, runtime)


def counts(state: Any) -> tuple[int, int]:
    """The calls so far, in the thread and in the run."""
    return state.get("thread_model_call_count", 0), state.get("run_model_call_count", 0)
