"""Which settings of a chat model a config may choose, and what it chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from headrace.chat_models.providers import class_of, made, provider_and_model
from headrace.errors import InvalidConfigError

NAMING = ("model", "model_provider")
"""The fields that say which model is meant."""


@dataclass(frozen=True)
class Choice:
    """What a config may choose, and what holds where it does not."""

    defaults: dict[str, Any]
    fields: Literal["any"] | frozenset[str]
    prefix: str

    def of(self, configurable: Mapping[str, Any]) -> dict[str, Any]:
        """What a config chooses, by the names of the fields. Others' keys in it, such as `thread_id`, are let be."""
        cut = len(self.prefix)
        given = {
            key[cut:]: value
            for key, value in configurable.items()
            if key.startswith(self.prefix) and (value is not None or key[cut:] not in NAMING)
        }
        if self.fields != "any":
            return {key: value for key, value in given.items() if key in self.fields}
        if self.prefix:
            return given
        known = self._fields_of_class(given)
        return {key: value for key, value in given.items() if key in known}

    def _fields_of_class(self, chosen: dict[str, Any]) -> set[str]:
        settings = self.settings(chosen)
        names = set(NAMING)
        if "model" in settings:
            provider, _ = provider_and_model(settings["model"], settings.get("model_provider"))
            for name, info in class_of(provider).model_fields.items():
                names |= {name, info.alias or name}
        return names

    def settings(self, chosen: dict[str, Any]) -> dict[str, Any]:
        return {**self.defaults, **chosen}

    def model(self, chosen: dict[str, Any]) -> Any:
        """The model chosen, new."""
        settings = self.settings(chosen)
        if "model" not in settings:
            raise InvalidConfigError(
                f"the config is to name the chat model and has no {self.prefix + 'model'!r}; pass "
                f"config={{'configurable': {{{self.prefix + 'model'!r}: 'provider:model'}}}}"
            )
        return made(settings.pop("model"), settings.pop("model_provider", None), settings)
