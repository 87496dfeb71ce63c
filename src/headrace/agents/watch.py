"""What an agent listens for while its model speaks: fragments of tool calls, and the object that grows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.runnables.config import ensure_config
from pydantic_core import from_json

from headrace.agents.structured_output import ProviderStrategy, ToolStrategy
from headrace.config import current
from headrace.engine.task import Task
from headrace.messages.tokens import Streaming, Tap, TokenTap
from headrace.messages.tool_calls import ToolCallFragments, completed

if TYPE_CHECKING:
    from uuid import UUID

    from headrace.agents.structured_output import Effective

UNREAD: Any = object()

NUMBER = re.compile(r"(?<=[\[,:\s])-?(\d[\d.eE+-]*)?\Z")
"""A number at the end of a JSON text, which may have more digits to come."""


class Watch(Tap):
    """Gathers the fragments of each message that the model streams, if it streams."""

    ignore_chat_model = True
    """Of the start of a call: for a handler without a method for it langchain-core makes a text of the history."""

    def __init__(self) -> None:
        self.fragments: dict[str | None, ToolCallFragments] = {}

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, run_id: UUID, **_: Any) -> None:
        if chunk is not None and chunk.message.tool_call_chunks:
            self.gather(chunk.message)

    def gather(self, message: AIMessageChunk) -> None:
        """Take a chunk's fragments."""
        gathered = self.fragments.get(message.id)
        if gathered is None:
            gathered = self.fragments[message.id] = ToolCallFragments()
        gathered.add(message.tool_call_chunks)

    def completed(self, message: AIMessage) -> AIMessage:
        """The message with the calls that were really made in full."""
        gathered = self.fragments.get(message.id)
        return message if gathered is None else completed(message, gathered)


class TokenWatch(Watch, Streaming):
    """A watch in the place of the task's own tap, which it tells: each handler more adds a third to a token's cost."""

    ignore_chat_model = False

    def __init__(self, tap: TokenTap) -> None:
        super().__init__()
        self.tap = tap

    def on_chat_model_start(self, serialized: Any, messages: Any, **more: Any) -> None:
        self.tap.on_chat_model_start(serialized, messages, **more)

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, run_id: UUID, **_: Any) -> None:
        if chunk is not None and chunk.message.tool_call_chunks:
            self.gather(chunk.message)
        self.tap.on_llm_new_token(token, chunk=chunk, run_id=run_id)

    def on_llm_end(self, response: Any, **more: Any) -> None:
        self.tap.on_llm_end(response, **more)

    def on_llm_error(self, error: BaseException, **more: Any) -> None:
        self.tap.on_llm_error(error, **more)


class GrowingWatch(Watch, Streaming):
    """Puts the object on the stream while it grows, in mode `structured`."""

    def __init__(self, task: Task, strategy: Effective) -> None:
        super().__init__()
        self.task = task
        self.strategy = strategy
        self.names = {spec.name for spec in strategy.schema_specs} if isinstance(strategy, ToolStrategy) else set()
        self.texts: dict[str | None, list[str]] = {}
        self.told: Any = UNREAD

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, **more: Any) -> None:
        super().on_llm_new_token(token, chunk=chunk, **more)
        if chunk is None:
            return
        message = chunk.message
        if isinstance(self.strategy, ProviderStrategy):
            text = self.texts.setdefault(message.id, [])
            text.append(message.text)
            self.tell(self.strategy.schema_spec.name, "".join(text), message.id)
        elif message.tool_call_chunks:
            for call in self.fragments[message.id].partial():
                if call.name in self.names:
                    self.tell(call.name, call.args, message.id)

    def tell(self, name: str, text: str, id: str | None) -> None:
        """Tell of the object as far as it has come, if it has come further."""
        try:
            value = from_json(NUMBER.sub("", text), allow_partial="trailing-strings")
        except ValueError:
            return
        if isinstance(value, dict) and value != self.told:
            self.told = value
            self.task.emit("structured", {"name": name, "value": value, "complete": False, "message_id": id})


def watching(strategy: Effective | None) -> tuple[Watch, Any]:
    """What listens to the next call of the model, and the config for that: the running node's, with it."""
    config = ensure_config()  # a copy, its callbacks as well
    callbacks = config.get("callbacks")
    if not isinstance(callbacks, BaseCallbackManager):
        watch = watch_for(strategy, None)
        config["callbacks"] = [*(callbacks or ()), watch]
        return watch, config
    tap = next((one for one in callbacks.handlers if isinstance(one, TokenTap)), None)
    watch = watch_for(strategy, tap)
    if isinstance(watch, TokenWatch):
        callbacks.remove_handler(watch.tap)
    callbacks.add_handler(watch)
    return watch, config


def watch_for(strategy: Effective | None, tap: TokenTap | None) -> Watch:
    """The watch that what is asked for calls for; `tap`: the running task's, if tokens are."""
    task = current.get()
    if strategy is not None and isinstance(task, Task) and "structured" in task.run.puts:
        return GrowingWatch(task, strategy)
    return Watch() if tap is None else TokenWatch(tap)


def tell_whole(strategy: Effective | None, name: str, value: Any, id: str | None) -> None:
    """Tell of the finished object, in mode `structured`."""
    task = current.get()
    if strategy is not None and value is not None and task is not None:
        task.emit("structured", {"name": name, "value": value, "complete": True, "message_id": id})
