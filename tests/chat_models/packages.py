"""Fake packages of all providers, which note how their classes are called.

`python -m tests.chat_models.packages langchain` prints as JSON what that root's `init_chat_model` makes of each case
of `CASES`; a process of its own, since it may remember the classes.
"""

from __future__ import annotations

import importlib
import json
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from headrace.chat_models.providers import PROVIDERS

ROOTS = {where.module.partition(".")[0] for where in PROVIDERS.values()}

NAMES = [
    "gpt-4o-mini", "GPT-4o", "o1-mini", "o3", "chatgpt-4o-latest", "text-davinci-003", "claude-sonnet-4-5",
    "amazon.nova-pro", "anthropic.claude-v2:1", "meta.llama3", "command-r", "accounts/fireworks/models/x",
    "mistral-large", "mixtral-8x7b", "deepseek-chat", "grok-4", "sonar-pro", "solar-mini", "llama3:8b", "unheard-of",
    ":", "x:", ":x", "a:b:c",
]  # fmt: skip

CASES = [
    *({"model": name} for name in NAMES),
    *({"model": f"{provider}:some:model"} for provider in PROVIDERS),
    *({"model": "m", "model_provider": provider} for provider in PROVIDERS),
    {"model": "m", "model_provider": "azure-openai"},
    {"model": "m", "model_provider": "OpenAI"},
    {"model": "m", "model_provider": "unheard-of"},
    {"model": "anthropic:m", "model_provider": "openai"},
]

Note = list[Any]
"""Module, name and maker of the class that was called, and its arguments; or the type of the error."""


class FakePackages(MetaPathFinder, Loader):
    def __init__(self) -> None:
        self.notes: list[Note] = []

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        return ModuleSpec(fullname, self, is_package=True) if fullname.partition(".")[0] in ROOTS else None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        notes, place = self.notes, module.__name__

        def class_named(name: str) -> type:
            if name.startswith("__"):
                raise AttributeError(name)

            class Fake:
                def __init__(self, **kwargs: Any) -> None:
                    notes.append([place, name, None, kwargs])

                @classmethod
                def from_model_id(cls, **kwargs: Any) -> Any:
                    notes.append([place, name, "from_model_id", kwargs])
                    return object.__new__(cls)

            return Fake

        vars(module)["__getattr__"] = class_named


@contextmanager
def fake_packages() -> Iterator[FakePackages]:
    """The fakes in the place of the providers' packages, also of those that are installed."""
    packages = FakePackages()
    real = {name: sys.modules.pop(name) for name in [*sys.modules] if name.partition(".")[0] in ROOTS}
    sys.meta_path.insert(0, packages)
    try:
        yield packages
    finally:
        sys.meta_path.remove(packages)
        for name in [name for name in sys.modules if name.partition(".")[0] in ROOTS]:
            del sys.modules[name]
        sys.modules.update(real)


def noted(init_chat_model: Any) -> list[Note]:
    """What is made of each case."""
    with fake_packages() as packages:
        for case in CASES:
            try:
                init_chat_model(**case, temperature=0)
            except (ValueError, ImportError) as error:
                kinds = (ValueError, ImportError)
                packages.notes.append([next(kind.__name__ for kind in kinds if isinstance(error, kind))])
        return packages.notes


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(noted(importlib.import_module(f"{sys.argv[1]}.chat_models").init_chat_model)))
