"""The bridge to langchain-core: a history of messages as state, and what models say while a graph runs.

Nothing below imports this package by name at the top of a file, so that `import headrace.graph` stays light.
"""

from headrace.messages.reducer import REMOVE_ALL_MESSAGES, add_messages
from headrace.messages.state import MessageGraph, MessagesState, push_message

__all__ = ["REMOVE_ALL_MESSAGES", "MessageGraph", "MessagesState", "add_messages", "push_message"]
