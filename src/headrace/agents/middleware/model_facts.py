"""What a middleware is told of models, and what it asks of one before it calls it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from langchain_core.messages import BaseMessage

from headrace.chat_models import init_chat_model

TokenCounter: TypeAlias = Callable[[Sequence[BaseMessage]], int]
"""How long messages are, as a model reads them."""


def model_of(model: Any, who: str) -> Any:
    """The chat model that is meant: itself, or the one of this name. ValueError for what cannot be called."""
    found = init_chat_model(model) if isinstance(model, str) else model
    if isinstance(found, type) or not hasattr(found, "invoke"):
        raise ValueError(f"{who} needs a chat model or the name of one ('provider:model'), got {model!r}")
    return found


def provider_of(model: Any) -> str | None:
    """Who runs a model, in langchain-core's words for traces ("openai", "anthropic"); None if it does not say."""
    params = getattr(model, "_get_ls_params", None)
    found = params().get("ls_provider") if callable(params) else None
    return str(found) if found else None


def max_input_tokens(model: Any) -> int | None:
    """How many tokens a model reads at most, from its profile; None if it has none."""
    profile = getattr(model, "profile", None)
    found = profile.get("max_input_tokens") if isinstance(profile, dict) else None
    return found if isinstance(found, int) else None
