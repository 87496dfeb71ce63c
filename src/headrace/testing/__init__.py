"""Fakes to test graphs with: no network, no key, the same every time."""

from headrace.errors import MissingExtraError

try:
    from headrace.testing.chat_model import Reply, ScriptedChatModel, ScriptExhaustedError
    from headrace.testing.recorded_chat_model import RecordedChatModel
    from headrace.testing.recording import InvalidRecordingError, RecordedError, UnrecordedCallError
except ModuleNotFoundError as error:
    if error.name != "langchain_core":
        raise
    raise MissingExtraError("scripted chat models", "langchain-core", "agents") from error

__all__ = [
    "InvalidRecordingError",
    "RecordedChatModel",
    "RecordedError",
    "Reply",
    "ScriptExhaustedError",
    "ScriptedChatModel",
    "UnrecordedCallError",
]
