"""Who listens, by langchain-core's callbacks, to the code that runs now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.runnables.config import RunnableConfig, var_child_runnable_config

from headrace.messages.lazy import LazyConfig


def handlers_around() -> Sequence[Any]:
    """The callback handlers around the code that runs now."""
    config = var_child_runnable_config.get()
    callbacks = None if config is None else config.get("callbacks")
    return callbacks.handlers if isinstance(callbacks, BaseCallbackManager) else callbacks or ()


@contextmanager
def unheard(callee: Any) -> Iterator[bool]:
    """Around a call of a model or tool: where nobody listens, it finds a config without callbacks. Yields whether."""
    ambient: Any = var_child_runnable_config.get()
    task = ambient.task if type(ambient) is LazyConfig and not getattr(callee, "callbacks", None) else None
    guest: Any = None if task is None else task.run.guest
    quiet = None if guest is None else guest.quiet(task)
    if quiet is None:
        yield False
        return
    mark = var_child_runnable_config.set(cast("RunnableConfig", quiet))
    try:
        yield True
    finally:
        var_child_runnable_config.reset(mark)
