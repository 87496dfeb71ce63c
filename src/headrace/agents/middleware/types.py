"""What middleware is written with: a door to the names of the parts."""

from headrace.agents.middleware.base import AgentMiddleware, hook_config
from headrace.agents.request import ExtendedModelResponse, ModelCallResult, ModelRequest, ModelResponse
from headrace.agents.state import (
    AgentState,
    InputAgentState,
    JumpTo,
    OmitFromInput,
    OmitFromOutput,
    OmitFromSchema,
    OutputAgentState,
    PrivateStateAttr,
)
from headrace.prebuilt.tool_call import ToolCallRequest
from headrace.runtime import Runtime
from headrace.types import TracePolicy

__all__ = [
    "AgentMiddleware", "AgentState", "ExtendedModelResponse", "InputAgentState", "JumpTo", "ModelCallResult",
    "ModelRequest", "ModelResponse", "OmitFromInput", "OmitFromOutput", "OmitFromSchema", "OutputAgentState",
    "PrivateStateAttr", "Runtime", "ToolCallRequest", "TracePolicy", "hook_config",
]  # fmt: skip
