"""Agents: a model, its tools, and middleware around them."""

from headrace.agents.create import create_agent
from headrace.agents.state import AgentState

__all__ = ["AgentState", "create_agent"]
