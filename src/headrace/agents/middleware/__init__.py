"""Middleware for agents."""

from headrace.agents.middleware.base import AgentMiddleware, hook_config
from headrace.agents.middleware.decorators import (
    after_agent,
    after_model,
    before_agent,
    before_model,
    dynamic_prompt,
    wrap_model_call,
    wrap_tool_call,
)
from headrace.agents.request import ExtendedModelResponse, ModelCallResult, ModelRequest, ModelResponse
from headrace.agents.state import AgentState, InputAgentState, OutputAgentState
from headrace.prebuilt.tool_call import ToolCallRequest

__all__ = [
    "AgentMiddleware", "AgentState", "ExtendedModelResponse", "InputAgentState", "ModelCallResult", "ModelRequest",
    "ModelResponse", "OutputAgentState", "ToolCallRequest", "after_agent", "after_model", "before_agent",
    "before_model", "dynamic_prompt", "hook_config", "wrap_model_call", "wrap_tool_call",
]  # fmt: skip
