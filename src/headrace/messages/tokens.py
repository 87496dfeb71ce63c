"""Tokens of chat models on their way into the `messages` stream."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Protocol

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tracers._streaming import _StreamingCallbackHandler

from headrace.engine.task import RUNNING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from headrace.engine.task import Task

NOSTREAM = "nostream"
"""A model, a node, a graph or a run with this tag is not streamed."""


class Tap(BaseCallbackHandler):
    """A handler of ours in the config of a task: in no user's list, and nobody's child inherits it twice.

    langchain-core asks a handler for `ignore_*` at every token, so these are plain attributes.
    """

    run_inline = True
    """Called in the model's own thread or task, so that tokens keep their order and cost no hand-over."""
    raise_error = True
    ignore_llm = ignore_chat_model = False
    ignore_chain = ignore_agent = ignore_retriever = ignore_retry = ignore_custom_event = True


class Call:
    """A call of a model that is under way."""

    __slots__ = ("metadata", "told")

    def __init__(self, metadata: dict[str, Any]) -> None:
        self.metadata = metadata
        """One dict for all its chunks."""
        self.told = False
        """Whether it has streamed a chunk."""


class Streaming(Tap, _StreamingCallbackHandler[Any]):
    """A tap that makes langchain-core stream a model inside even when it is called with `invoke`."""

    def tap_output_aiter(self, run_id: UUID, output: Any) -> Any:
        return output

    def tap_output_iter(self, run_id: UUID, output: Any) -> Any:
        return output


class Watch(Protocol):
    """Code in a node that wants to see what its models stream."""

    def gather(self, message: Any, run_id: UUID) -> None:
        """Take a chunk of a model's call, as it comes."""

    def forget(self, run_id: UUID) -> None:
        """A call has failed."""


class TokenTap(Streaming):
    """Puts each chunk of each chat model that its task calls on the stream."""

    def __init__(self, task: Task, seen: set[str]) -> None:
        self.task = task
        self.seen = seen
        self.put = task.run.puts["messages"]
        self.ns, self.step = task.run.ns, task.step
        self.calls: dict[UUID, Call] = {}
        self.silent: set[UUID] = set()
        """Calls of models that are not to be streamed."""
        self.watch: Watch | None = None
        """Whoever else wants the chunks; one handler more would add a third to the cost of each."""

    def on_chat_model_start(
        self, serialized: Any, messages: Any, *, run_id: UUID, tags: Sequence[str] | None = None,
        metadata: dict[str, Any] | None = None, **_: Any,
    ) -> None:  # fmt: skip
        self.task.check()
        self.task.sign()
        own = [tag for tag in tags or () if not tag.startswith("seq:step")]
        if NOSTREAM in own:
            self.silent.add(run_id)
            return
        whole = dict(metadata or {})
        if own:
            whole["tags"] = own
        self.calls[run_id] = Call(whole)

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, run_id: UUID, **_: Any) -> None:
        call, task = self.calls.get(run_id), self.task
        if task.state is not RUNNING:
            return task.refuse("messages")
        task.sign()
        if chunk is None:
            return
        message = chunk.message
        if self.watch is not None:
            self.watch.gather(message, run_id)
        if call is None:
            return
        if not call.told:
            call.told = True
            if message.id is not None:
                self.seen.add(message.id)
        self.put((self.ns, self.step, "messages", (message, call.metadata)))

    def on_llm_end(self, response: Any, *, run_id: UUID, **_: Any) -> None:
        """The answer: what was not streamed in chunks comes in one piece, unless it was seen before.

        That of a silent model counts as seen, so that a node that returns it does not give it away.
        """
        call = self.calls.pop(run_id, None)
        if call is None and run_id not in self.silent:
            return
        self.silent.discard(run_id)
        for generation in response.generations[0] if response.generations else ():
            message = getattr(generation, "message", None)
            if message is None:
                continue
            if call is not None and not call.told and (message.id is None or message.id not in self.seen):
                self.task.emit("messages", (message, call.metadata))
            if message.id is not None:
                self.seen.add(message.id)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        self.calls.pop(run_id, None)
        self.silent.discard(run_id)
        if self.watch is not None:
            self.watch.forget(run_id)


class StopTap(Tap):
    """Ends the sync code of a stopped task at its next call of a model, or at the model's next token.

    Calls and tokens are signs of life, whether anybody listens or not.
    """

    def __init__(self, task: Task) -> None:
        self.task = task

    def on_chat_model_start(self, serialized: Any, messages: Any, **_: Any) -> None:
        self.task.check()
        self.task.sign()

    def on_llm_new_token(self, token: Any, **_: Any) -> None:
        self.task.check()
        self.task.sign()


class SignTap(Streaming, StopTap):
    """The same for a node with an idle timeout, which must not depend on whether tokens were asked for."""


class WithheldTap(StopTap):
    """Notices a model in a subgraph whose tokens were asked for but not its events, and says so once per process."""

    warned = False

    def on_chat_model_start(
        self, serialized: Any, messages: Any, *, tags: Sequence[str] | None = None, **_: Any
    ) -> None:
        super().on_chat_model_start(serialized, messages)
        if WithheldTap.warned or NOSTREAM in (tags or ()):
            return
        WithheldTap.warned = True
        warnings.warn(
            f"node {self.task.name!r} of a subgraph calls a chat model, but its tokens are not streamed: "
            "stream_mode='messages' tells of subgraphs only with subgraphs=True",
            UserWarning,
            stacklevel=2,
        )


def without_taps(callbacks: Any) -> Any:
    """The user's part of callbacks, a list or a manager: a config that a node passes on brings our taps along.

    None when nobody else is there.
    """
    if not callbacks:
        return None
    if isinstance(callbacks, (list, tuple)):
        return [handler for handler in callbacks if not isinstance(handler, Tap)] or None
    if any(isinstance(handler, Tap) for handler in callbacks.handlers):
        callbacks = callbacks.copy()
        callbacks.handlers = [handler for handler in callbacks.handlers if not isinstance(handler, Tap)]
        callbacks.inheritable_handlers = [
            handler for handler in callbacks.inheritable_handlers if not isinstance(handler, Tap)
        ]
    return callbacks if callbacks.handlers or callbacks.inheritable_handlers else None
