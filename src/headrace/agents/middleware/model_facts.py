"""What a middleware is told of models and tools, and what it asks of a model before it calls it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from langchain_core.tools import BaseTool

from headrace.chat_models import init_chat_model


def chosen(model: Any, who: str) -> Any:
    """The model that is meant, by name or as it is. ValueError for what cannot be called."""
    found = init_chat_model(model) if isinstance(model, str) else model
    if not hasattr(found, "invoke"):
        raise ValueError(f"{who} needs a chat model or the name of one ('provider:model'), got {model!r}")
    return found


def names_of(tools: Iterable[Any], what: str) -> set[str]:
    """The names of tools, each given by its name or as it is. ValueError for what is neither."""
    names = [one.name if isinstance(one, BaseTool) else one for one in tools]
    bad = [name for name in names if not isinstance(name, str)]
    if bad:
        raise ValueError(f"{what} are tools or their names, got {bad[0]!r}")
    return set(names)


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
