"""State keys that the engine fills in for each node and nobody writes.

class State(TypedDict):
    is_last_step: IsLastStep
    remaining_steps: RemainingSteps
"""

from __future__ import annotations

from typing import Annotated


class ManagedValue:
    """A value computed from the step and the run's recursion limit when a node reads it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name

    def read(self, remaining: int) -> bool | int:
        """`remaining` is how many steps may run after the current one.

        "Last" begins one step early, so that a node can still send the run to a node that winds it up.
        """
        return remaining <= 1 if self is IS_LAST_STEP else remaining


IS_LAST_STEP = ManagedValue("IsLastStep")
REMAINING_STEPS = ManagedValue("RemainingSteps")

IsLastStep = Annotated[bool, IS_LAST_STEP]
RemainingSteps = Annotated[int, REMAINING_STEPS]
