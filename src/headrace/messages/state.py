"""A state of messages, and messages sent by hand."""

import warnings
from typing import Annotated, Any, cast

from langchain_core.messages import AnyMessage, BaseMessage
from langchain_core.messages.utils import MessageLikeRepresentation, convert_to_messages
from typing_extensions import TypedDict

from headrace.config import running_task
from headrace.graph.state import StateGraph
from headrace.messages.reducer import add_messages


class MessagesState(TypedDict):
    """A state with one key, a history of messages; subclass it to add keys."""

    messages: Annotated[list[AnyMessage], add_messages]


def push_message(message: MessageLikeRepresentation, *, state_key: str | None = "messages") -> AnyMessage:
    """Send a message on the `messages` stream at once, and write it to the state when the node ends.

    It is one more write of the node, before that of its return value, so the key needs a reducer such as
    `add_messages`. With `state_key=None` the message is only streamed: so send chunks, which replace
    each other in the state, and return the whole message under the same id, which is then not streamed again.

    Returns the message as it was sent. ValueError: it has no id, by which stream and state know it for the same.
    RuntimeError outside a run.
    """
    task = running_task("push_message()")
    sent: Any = message if isinstance(message, BaseMessage) else convert_to_messages([message])[0]
    if not sent.id:
        raise ValueError("push_message() needs a message with an id, the same in stream and state; set `id=`")
    task.emit("messages", (sent, task.metadata))
    if state_key is not None:
        task.extra_write(state_key, sent)
    return sent  # type: ignore[no-any-return]  # AnyMessage is a union of all message classes


class MessageGraph(StateGraph):
    """Deprecated: a graph whose whole state is one list of messages. Use `StateGraph(MessagesState)`."""

    def __init__(self) -> None:
        warnings.warn(
            "MessageGraph is deprecated; use StateGraph(MessagesState), whose history is the key 'messages'",
            DeprecationWarning,
            stacklevel=2,
        )
        super().__init__(cast("type[Any]", Annotated[list[AnyMessage], add_messages]))  # the state is the list itself
