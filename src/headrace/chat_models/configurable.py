"""A chat model whose settings come at run time, from the config of the call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.runnables import Runnable, RunnableConfig, ensure_config
from langchain_core.runnables.config import merge_configs

from headrace.chat_models.choice import Choice
from headrace.chat_models.recent import Recent, key_of


class ConfigurableModel(Runnable[LanguageModelInput, Any]):
    """Stands for the chat model that the config of each call chooses; made by `init_chat_model`.

    What a chat model can do it can: `invoke`, `stream`, `batch` and their async forms, `bind_tools`,
    `with_structured_output`, `with_config`, `prompt | model`. What is bound is bound to each model that is chosen. The
    config of a graph's run reaches it without being passed on, and wins over `with_config`.

    A model is made at the first call that chooses its settings, by `ainvoke` and `astream` in a thread, and kept: the
    64 used last. Every other attribute is that of the model that the defaults choose.
    """

    def __init__(self, defaults: Mapping[str, Any], fields: Literal["any"] | Sequence[str], prefix: str) -> None:
        known = fields if fields == "any" else frozenset([fields] if isinstance(fields, str) else fields)
        self._choice = Choice(dict(defaults), known, prefix and prefix.removesuffix("_") + "_")
        self._operations: tuple[_Operation, ...] = ()
        self._config: RunnableConfig = {}
        self._plain = self._bound = Recent()

    def __repr__(self) -> str:
        choice = self._choice
        fields = choice.fields if choice.fields == "any" else sorted(choice.fields)
        return f"ConfigurableModel({choice.defaults.get('model')!r}, fields={fields!r}, prefix={choice.prefix!r})"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        chosen = self._choice.of(self._config.get("configurable", {}))
        if "model" not in self._choice.settings(chosen):
            raise AttributeError(f"{name!r} is an attribute of a model, and this one is not chosen before it is called")
        return getattr(self._model(chosen), name)

    # --- calls

    def invoke(self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        return self._model(self._chosen(config)).invoke(input, self._with(config), **kwargs)

    async def ainvoke(self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        return await (await self._amodel(self._chosen(config))).ainvoke(input, self._with(config), **kwargs)

    def stream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any | None
    ) -> Iterator[Any]:
        chunks: Iterator[Any] = self._model(self._chosen(config)).stream(input, self._with(config), **kwargs)
        return chunks

    async def astream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any | None
    ) -> AsyncIterator[Any]:
        model = await self._amodel(self._chosen(config))
        async with aclosing(cast("Any", model.astream(input, self._with(config), **kwargs))) as chunks:
            async for chunk in chunks:
                yield chunk

    def stream_events(self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        return self._model(self._chosen(config)).stream_events(input, self._with(config), **kwargs)

    def astream_events(self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        return self._model(self._chosen(config)).astream_events(input, self._with(config), **kwargs)

    # --- what is bound

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> ConfigurableModel:
        """This model with tools, whichever it will be."""
        return self._then("bind_tools", tools, **kwargs)

    def with_structured_output(self, schema: Any, **kwargs: Any) -> ConfigurableModel:
        """This model with answers of this form, whichever it will be."""
        return self._then("with_structured_output", schema, **kwargs)

    def with_config(self, config: RunnableConfig | None = None, **kwargs: Any) -> ConfigurableModel:
        """This model with parts of a config; configurable fields in it are new defaults."""
        other = self._copy()
        other._config = merge_configs(self._config, config, cast("RunnableConfig", kwargs))
        return other

    def _then(self, method: str, *args: Any, **kwargs: Any) -> ConfigurableModel:
        other = self._copy()
        other._operations = (*self._operations, _Operation(method, args, kwargs))
        other._bound = Recent()
        return other

    def _copy(self) -> ConfigurableModel:
        """One that shares the models."""
        other = object.__new__(type(self))
        vars(other).update(vars(self))
        return other

    # --- the model chosen

    def _chosen(self, config: RunnableConfig | None) -> dict[str, Any]:
        given = ensure_config(config).get("configurable", {})
        return self._choice.of({**self._config.get("configurable", {}), **given})

    def _with(self, config: RunnableConfig | None) -> RunnableConfig | None:
        """The config of a call with the parts of `with_config`; the fields have done their work."""
        own = cast("RunnableConfig", {key: value for key, value in self._config.items() if key != "configurable"})
        return merge_configs(own, config) if own else config

    def _model(self, chosen: dict[str, Any]) -> Any:
        key = key_of(chosen)
        found = self._bound.get(key)
        return self._made(chosen, key) if found is None else found

    async def _amodel(self, chosen: dict[str, Any]) -> Any:
        key = key_of(chosen)
        found = self._bound.get(key)
        return await asyncio.to_thread(self._made, chosen, key) if found is None else found

    def _made(self, chosen: dict[str, Any], key: Hashable) -> Any:
        model: Any = self._plain.get(key)
        if model is None:
            model = self._choice.model(chosen)
            self._plain.put(key, model)
        for operation in self._operations:
            model = operation.on(model)
        self._bound.put(key, model)
        return model


@dataclass(frozen=True)
class _Operation:
    """A method to call on each model that is chosen."""

    method: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def on(self, model: Any) -> Any:
        return getattr(model, self.method)(*self.args, **self.kwargs)
