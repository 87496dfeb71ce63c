"""Whose models are meant by a name, and what happens where their package is not there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from headrace.chat_models import init_chat_model
from headrace.chat_models.providers import NAMES, PROVIDERS, provider_and_model
from headrace.errors import HeadraceError, InvalidModelError, MissingProviderError
from tests.chat_models.packages import CASES, fake_packages, noted

OURS = Path(__file__).parents[2]


@pytest.mark.main_only
def test_models_are_made_as_langchain_makes_them() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.chat_models.packages", "langchain"],
        cwd=OURS, capture_output=True, text=True, check=True,
    )  # fmt: skip
    pairs = zip(CASES, json.loads(done.stdout), noted(init_chat_model), strict=True)
    assert [(case, theirs, ours) for case, theirs, ours in pairs if theirs != ours] == []


@pytest.mark.main_only
def test_each_provider_of_langchain_is_here_but_its_maker_s_own_gateway() -> None:
    from langchain.chat_models import init_chat_model as reference

    with pytest.raises(ValueError, match="nobody") as caught:
        reference("m", model_provider="nobody")
    named = re.findall(r"\w+(?=,|\.|$)", str(caught.value).partition("providers are:")[2])
    assert set(named) - set(PROVIDERS) == {"langsmith"}


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("gemini-2.5-flash", "google_genai"),
        ("o4-mini", "openai"),
        ("ft:gpt-4o:acme::id", "openai"),
        ("us.anthropic.claude-3:0", "bedrock"),
        ("codestral-latest", "mistralai"),
    ],
)
def test_names_that_langchain_takes_otherwise_or_not_at_all(model: str, provider: str) -> None:
    assert provider_and_model(model, None) == (provider, model)


@pytest.mark.parametrize("written", ["azure_openai:m", "azure-openai:m", "Azure-OpenAI:m"])
def test_a_provider_is_understood_in_any_spelling(written: str) -> None:
    assert provider_and_model(written, None) == ("azure_openai", "m")


def test_a_provider_that_is_said_twice_is_no_part_of_the_model() -> None:
    assert provider_and_model("openai:gpt-4o", "openai") == ("openai", "gpt-4o")


def test_a_provider_given_apart_leaves_another_s_name_alone() -> None:
    assert provider_and_model("openai:gpt-4o", "openrouter") == ("openrouter", "openai:gpt-4o")


def test_names_are_guessed_for_providers_that_there_are() -> None:
    assert set(NAMES) <= set(PROVIDERS)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"model": "llama3"}, r"'llama3' does not tell .*; write 'provider:llama3' with .*: anthropic, .*, xai$"),
        ({"model": "llama3:8b"}, "'llama3:8b' does not tell .*; write 'provider:llama3:8b' with"),
        ({"model": "meta-llama/Llama-3-8b"}, "does not tell .*; write 'provider:meta-llama/Llama-3-8b' with"),
        ({"model": "openai/gpt-4"}, r"'openai/gpt-4' does not tell .*; did you mean 'openai:gpt-4'\?$"),
        ({"model": "nobody:m"}, "'nobody:m' begins with 'nobody', which is no provider .*; there are: anthropic, .*"),
        ({"model": "openi:gpt-4"}, r"begins with 'openi', which is no .*; did you mean 'openai:gpt-4'\?$"),
        ({"model": "azure:m"}, r"did you mean 'azure_ai:m' or 'azure_openai:m'\?$"),
        ({"model": ""}, "the name '' of the chat model is empty; write 'provider:model'"),
        ({"model": " ", "configurable_fields": "any"}, "the name ' ' of the chat model is empty"),
        ({"model": "m", "model_provider": "nobody"}, "no provider 'nobody' of chat models; there are: anthropic, .*"),
        ({"model": "m", "model_provider": "opnai"}, r"no provider 'opnai' of chat models; did you mean 'openai'\?$"),
        ({"model": "openai:"}, "'openai:' names a provider and no model; write 'openai:' and the model's name"),
    ],
)
def test_a_name_that_tells_too_little_says_what_to_write(given: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidModelError, match=text) as caught:
        init_chat_model(**given)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, HeadraceError)


class Hidden:
    """Hides a package that may be installed."""

    def __init__(self, root: str) -> None:
        self.root = root

    def find_spec(self, name: str, path: Any, target: Any = None) -> None:
        if name == self.root:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_missing_package_comes_with_the_line_that_installs_it(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where = PROVIDERS[provider]
    root = where.module.partition(".")[0]
    monkeypatch.delitem(sys.modules, root, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Hidden(root), *sys.meta_path])
    with pytest.raises(MissingProviderError) as caught:
        init_chat_model("m", model_provider=provider)
    package = root.replace("_", "-") + (f"[{where.extra}]" if where.extra else "")
    line = f"pip install '{package}'" if where.extra else f"pip install {package}"
    assert str(caught.value) == f"chat models of {provider!r} need {package}, which is not installed: {line}"
    assert (caught.value.provider, caught.value.package) == (provider, package)
    assert isinstance(caught.value, ImportError)


@pytest.mark.parametrize("provider", ["xai", "azure_ai"])
def test_a_package_that_is_too_old_is_said_to_be(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    root, _, inner = PROVIDERS[provider].module.partition(".")
    old = ModuleType(root)
    old.__path__ = []
    monkeypatch.setitem(sys.modules, root, old)
    with pytest.raises(MissingProviderError, match=rf"newer .* has {PROVIDERS[provider].wanted}: pip install -U "):
        init_chat_model("m", model_provider=provider)
    assert bool(inner) is (provider == "azure_ai")


def test_a_package_that_is_broken_says_so_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "langchain_groq.py").write_text("import what_it_needs")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="what_it_needs"):
        init_chat_model("groq:m")


def test_settings_are_given_to_the_class() -> None:
    with fake_packages() as packages:
        init_chat_model("groq:m", tags=["joke"], disable_streaming=True, temperature=0.5)
    settings = {"model": "m", "tags": ["joke"], "disable_streaming": True, "temperature": 0.5}
    assert packages.notes == [["langchain_groq", "ChatGroq", None, settings]]
