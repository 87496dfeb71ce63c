"""Handlers for `callbacks` in the config that are told when a graph pauses and goes on."""

from headrace.messages.lifecycle import (
    GraphCallbackHandler,
    GraphInterruptEvent,
    GraphLifecycleStatus,
    GraphResumeEvent,
)

__all__ = ["GraphCallbackHandler", "GraphInterruptEvent", "GraphLifecycleStatus", "GraphResumeEvent"]
