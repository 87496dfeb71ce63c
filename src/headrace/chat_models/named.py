"""`init_chat_model`: a model by its name, now or at run time."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal, overload

from langchain_core.language_models import BaseChatModel

from headrace.chat_models.choice import NAMING
from headrace.chat_models.configurable import ConfigurableModel
from headrace.chat_models.providers import made
from headrace.errors import InvalidModelError


@overload
def init_chat_model(
    model: str,
    *,
    model_provider: str | None = None,
    configurable_fields: tuple[()] | None = None,
    config_prefix: str | None = None,
    **kwargs: Any,
) -> BaseChatModel: ...


@overload
def init_chat_model(
    model: None = None,
    *,
    model_provider: str | None = None,
    configurable_fields: Literal["any"] | Sequence[str] | None = None,
    config_prefix: str | None = None,
    **kwargs: Any,
) -> ConfigurableModel: ...


@overload
def init_chat_model(
    model: str | None = None,
    *,
    model_provider: str | None = None,
    configurable_fields: Literal["any"] | Sequence[str],
    config_prefix: str | None = None,
    **kwargs: Any,
) -> ConfigurableModel: ...


def init_chat_model(
    model: str | None = None,
    *,
    model_provider: str | None = None,
    configurable_fields: Literal["any"] | Sequence[str] | None = None,
    config_prefix: str | None = None,
    **kwargs: Any,
) -> BaseChatModel | ConfigurableModel:
    """The chat model of this name, from the provider's own langchain package.

    `model` is `"provider:model"`, such as `"openai:gpt-4o-mini"`; or only the model's name, with `model_provider`
    beside it or where the name itself tells (gpt, o1, claude, gemini, mistral, grok, ...). A bare `gemini-...` is
    taken from `google_genai`, the Gemini API, where langchain takes it from Vertex AI: for that one write
    `google_vertexai:gemini-...`. `kwargs` go to the model's class: `temperature`, `api_key`, `base_url`, `tags`,
    `disable_streaming`, ...

    InvalidModelError (a ValueError) when nothing tells the provider; MissingProviderError (an ImportError) with the
    line to install it when its package is not there.

    With `configurable_fields` the answer is a `ConfigurableModel`: at each call these fields are read from the config,
    `config["configurable"]["temperature"]`, or `["writer_temperature"]` with `config_prefix="writer"`. What is given
    here are their defaults. Without a `model` here, `model` and `model_provider` are read so.

    Whoever writes the config chooses these fields. `"any"` stands for all of the model's class, among them `base_url`
    and `api_key`: a stranger's config can send prompts, tool results and your own key to a server of its choice. Where
    configs come from outside, list the fields. To let them choose a model but not the provider, which decides whose
    package runs and who is paid, give `model_provider` apart from the name and leave it off the list.
    """
    if model is not None and not model.strip():
        raise InvalidModelError(f"the name {model!r} of the chat model is empty; write 'provider:model'")
    fields = NAMING if configurable_fields is None and not model else configurable_fields
    if model and not fields:
        if config_prefix:
            warnings.warn(
                f"config_prefix={config_prefix!r} has no effect: no field is configurable; pass configurable_fields",
                UserWarning,
                stacklevel=2,
            )
        return made(model, model_provider, kwargs)
    if not model and fields != "any" and "model" not in (fields or ()):
        raise InvalidModelError("no model is given and the config may not name one; add 'model' to configurable_fields")
    named = {"model": model, "model_provider": model_provider}
    defaults = {**kwargs, **{key: value for key, value in named.items() if value}}
    return ConfigurableModel(defaults, fields or (), config_prefix or "")
