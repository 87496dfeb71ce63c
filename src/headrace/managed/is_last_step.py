"""The path under which users know the managed keys."""

from headrace.managed import IsLastStep, RemainingSteps

__all__ = ["IsLastStep", "RemainingSteps"]
