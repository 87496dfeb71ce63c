"""What an agent listens for while its model speaks: fragments of tool calls, and the object that grows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.runnables.config import ensure_config
from langchain_core.tracers._streaming import _StreamingCallbackHandler
from pydantic_core import from_json

from headrace.agents.structured_output import ProviderStrategy, ToolStrategy
from headrace.config import current
from headrace.engine.task import Task
from headrace.messages.around import handlers_around
from headrace.messages.tokens import NOSTREAM, Streaming, Tap, TokenTap
from headrace.messages.tool_calls import STRING, ToolCallFragments, completed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from headrace.agents.structured_output import Effective

UNREAD: Any = object()

NUMBER = re.compile(r"(?<=[\[,:\s])-?(\d[\d.eE+-]*)?\Z")
"""A number at the end of a JSON text, which may have more digits to come."""


class Heard:
    """What one call of a model has streamed."""

    __slots__ = ("fragments", "ids")

    def __init__(self) -> None:
        self.fragments = ToolCallFragments()
        self.ids: set[str | None] = set()
        """Of its chunks: a provider may give the first one an id, and langchain-core those that have none."""


class Watch(Tap):
    """Gathers the fragments of the tool calls that models stream, by call of the model."""

    ignore_chat_model = True
    """Of the start of a call: for a handler without a method for it langchain-core makes a text of the history."""

    def __init__(self) -> None:
        self.heard: dict[UUID, Heard] = {}

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, run_id: UUID, **_: Any) -> None:
        if chunk is not None:
            self.gather(chunk.message, run_id)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        self.forget(run_id)

    def gather(self, message: AIMessageChunk, run_id: UUID) -> None:
        """Take a chunk."""
        heard = self.heard.get(run_id)
        if heard is None:
            heard = self.heard[run_id] = Heard()
        heard.ids.add(message.id)
        if message.tool_call_chunks:
            heard.fragments.add(message.tool_call_chunks)

    def forget(self, run_id: UUID) -> None:
        """Of a call that has failed nothing is left."""
        self.heard.pop(run_id, None)

    def completed(self, message: AIMessage) -> AIMessage:
        """The message with the calls that were really made in full."""
        run_id = next((run_id for run_id in reversed(self.heard) if message.id in self.heard[run_id].ids), None)
        return message if run_id is None else completed(message, self.heard.pop(run_id).fragments)

    def tell_whole(self, name: str, value: Any, id: str | None) -> None:
        """Tell of the finished object."""


class GrowingWatch(Watch, Streaming):
    """Puts the object on the stream while it grows, in mode `structured`, unless the model is to be silent."""

    ignore_chat_model = False

    def __init__(self, task: Task, strategy: Effective) -> None:
        super().__init__()
        self.task = task
        self.strategy = strategy
        self.names = {spec.name for spec in strategy.schema_specs} if isinstance(strategy, ToolStrategy) else set()
        self.texts: dict[UUID, list[str]] = {}
        self.told: Any = UNREAD
        self.silent = False

    def on_chat_model_start(
        self, serialized: Any, messages: Any, *, tags: Sequence[str] | None = None, **_: Any
    ) -> None:
        self.silent = NOSTREAM in (tags or ())

    def gather(self, message: AIMessageChunk, run_id: UUID) -> None:
        super().gather(message, run_id)
        if isinstance(self.strategy, ProviderStrategy):
            text = self.texts.setdefault(run_id, [])
            text.append(message.text)
            self.tell(self.strategy.schema_spec.name, "".join(text), message.id)
        elif message.tool_call_chunks:
            for call in self.heard[run_id].fragments.partial():
                if call.name in self.names:
                    self.tell(call.name, call.args, message.id)

    def tell(self, name: str, text: str, id: str | None) -> None:
        """Tell of the object as far as it has come, if it has come further."""
        try:
            value = from_json(text if in_string(text) else NUMBER.sub("", text), allow_partial="trailing-strings")
        except ValueError:
            return
        if isinstance(value, dict) and value != self.told:
            self.told = value
            self.put(name, value, id, complete=False)

    def tell_whole(self, name: str, value: Any, id: str | None) -> None:
        self.put(name, value, id, complete=True)

    def put(self, name: str, value: Any, id: str | None, *, complete: bool) -> None:
        if not self.silent:
            self.task.emit("structured", {"name": name, "value": value, "complete": complete, "message_id": id})


def in_string(text: str) -> bool:
    """Whether a JSON text ends inside a string."""
    return STRING.sub("", text).count('"') % 2 == 1


def watching(model: Any, arguments: Mapping[str, Any], strategy: Effective | None) -> tuple[Watch, Any]:
    """What listens to the next call of the model, and the config for that; None: the running node's own will do.

    Where tokens are asked for, the task's tap passes them on. Where nothing has the model stream, nobody listens.
    """
    task, handlers = current.get(), handlers_around()
    if strategy is not None and isinstance(task, Task) and "structured" in task.run.puts:
        growing = GrowingWatch(task, strategy)
        return growing, listened(growing)
    tap = next((one for one in handlers if isinstance(one, TokenTap)), None)
    if tap is not None:
        watch = tap.watch = tap.watch or Watch()
        return cast("Watch", watch), None
    watch = Watch()
    return watch, listened(watch) if may_stream(model, arguments, handlers) else None


def may_stream(model: Any, arguments: Mapping[str, Any], handlers: Sequence[Any]) -> bool:
    """Whether a model that is called with `invoke` may be streamed: if a handler wants that, or the model itself.

    A model says so with its `streaming`, by the convention of the providers' packages.
    """
    if any(isinstance(handler, _StreamingCallbackHandler) for handler in handlers):
        return True
    plain = called_as(BaseChatModel, model) and not model.callbacks
    return not plain or bool(getattr(model, "streaming", False)) or bool(arguments.get("stream"))


def called_as(base: Any, model: Any) -> bool:
    """Whether a call of the model is what this class makes of it; a provider's own class may do more."""
    kind = type(model)
    return issubclass(kind, base) and all(getattr(kind, name) is getattr(base, name) for name in ("invoke", "ainvoke"))


def listened(watch: Watch) -> Any:
    """The config of the running node with the watch among its callbacks."""
    config = ensure_config()  # a copy, its callbacks as well
    callbacks = config.get("callbacks")
    if isinstance(callbacks, BaseCallbackManager):
        callbacks.add_handler(watch)
    else:
        config["callbacks"] = [*(callbacks or ()), watch]
    return config
