"""The programs that are compared, by subject."""

from ..program import PROGRAMS
from . import asides, control, interrupts, policies, returns, spec, state, subgraphs, tokens

ALL = list(PROGRAMS.values())

__all__ = ["ALL", "asides", "control", "interrupts", "policies", "returns", "spec", "state", "subgraphs", "tokens"]
