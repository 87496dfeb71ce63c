"""Fakes to test graphs with: no network, no key, the same every time."""

from headrace.testing.chat_model import Reply, ScriptedChatModel, ScriptExhaustedError

__all__ = ["Reply", "ScriptExhaustedError", "ScriptedChatModel"]
