"""Who listens, by langchain-core's callbacks, to the code that runs now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.runnables.config import RunnableConfig, var_child_runnable_config

UNHEARD: RunnableConfig = {"callbacks": []}
"""The config of a call that nobody listens to: without the manager around, which langchain-core would copy for it."""


def handlers_around() -> Sequence[Any]:
    """The callback handlers around the code that runs now."""
    config = var_child_runnable_config.get()
    callbacks = None if config is None else config.get("callbacks")
    return callbacks.handlers if isinstance(callbacks, BaseCallbackManager) else callbacks or ()
