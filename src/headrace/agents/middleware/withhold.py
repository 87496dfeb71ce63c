"""Keeping things off the `messages` stream: a model's answer until it was looked through, notes between nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables.config import ensure_config, var_child_runnable_config

from headrace import ids
from headrace.config import current
from headrace.engine.task import Task
from headrace.messages import push_message
from headrace.messages.tokens import NOSTREAM

M = TypeVar("M", bound=BaseMessage)


@contextmanager
def silence() -> Iterator[bool]:
    """Models that are called in here do not stream, and nobody is shown their messages; callbacks see both.

    Yields whether it was silent before: then whoever made it so decides what is told.
    """
    config = ensure_config()
    tags = config.get("tags") or []
    mark = var_child_runnable_config.set({**config, "tags": [*tags, NOSTREAM]})
    try:
        yield NOSTREAM in tags
    finally:
        var_child_runnable_config.reset(mark)


def tell(messages: Sequence[BaseMessage]) -> None:
    """Stream what models said in silence, whole. One without an id was seen by nobody and comes with its node."""
    for message in messages:
        if isinstance(message, AIMessage) and message.id is not None:
            push_message(message, state_key=None)


def withheld(message: M) -> M:
    """The message, with an id, which the running node may now return without its being streamed as `messages`."""
    own = message if message.id is not None else message.model_copy(update={"id": ids.unique()})
    task = current.get()
    if isinstance(task, Task) and task.run.guest is not None:
        task.run.guest.emitted("messages", (own, None))
    return own
