"""The agents that are compared, by subject."""

from ..compare import AGENTS
from . import hooks, objects, plain, react

ALL = list(AGENTS.values())

__all__ = ["ALL", "hooks", "objects", "plain", "react"]
