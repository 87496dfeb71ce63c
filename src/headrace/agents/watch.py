"""What an agent listens for while its model speaks: fragments of tool calls, and the object that grows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.messages import AIMessage
from langchain_core.runnables.config import ensure_config
from pydantic_core import from_json

from headrace.agents.structured_output import ProviderStrategy, ToolStrategy
from headrace.config import current
from headrace.engine.task import Task
from headrace.messages.tokens import Streaming, Tap
from headrace.messages.tool_calls import ToolCallFragments, completed

if TYPE_CHECKING:
    from headrace.agents.structured_output import Effective

UNREAD: Any = object()


class Watch(Tap):
    """Gathers the fragments of each message that the model streams, if it streams."""

    def __init__(self) -> None:
        self.fragments: dict[str | None, ToolCallFragments] = {}

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, **_: Any) -> None:
        if chunk is not None and chunk.message.tool_call_chunks:
            message = chunk.message
            gathered = self.fragments.get(message.id)
            if gathered is None:
                gathered = self.fragments[message.id] = ToolCallFragments()
            gathered.add(message.tool_call_chunks)

    def completed(self, message: AIMessage) -> AIMessage:
        """The message with the calls that were really made in full."""
        gathered = self.fragments.get(message.id)
        return message if gathered is None else completed(message, gathered)


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
            value = from_json(text, allow_partial="trailing-strings")
        except ValueError:
            return
        if isinstance(value, dict) and value != self.told:
            self.told = value
            self.task.emit("structured", {"name": name, "value": value, "complete": False, "message_id": id})


def watch_for(strategy: Effective | None) -> Watch:
    """What listens to the next call of the model."""
    task = current.get()
    if strategy is not None and isinstance(task, Task) and "structured" in task.run.puts:
        return GrowingWatch(task, strategy)
    return Watch()


def listened(watch: Watch) -> Any:
    """The config of the running node with the watch among its callbacks."""
    config = ensure_config()
    callbacks = config.get("callbacks")
    if isinstance(callbacks, BaseCallbackManager):
        manager = callbacks.copy()
        manager.add_handler(watch)
        config["callbacks"] = manager
    else:
        config["callbacks"] = [*(callbacks or ()), watch]
    return config


def tell_whole(strategy: Effective | None, name: str, value: Any, id: str | None) -> None:
    """Tell of the finished object, in mode `structured`."""
    task = current.get()
    if strategy is not None and value is not None and task is not None:
        task.emit("structured", {"name": name, "value": value, "complete": True, "message_id": id})
