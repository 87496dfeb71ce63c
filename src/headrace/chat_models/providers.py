"""Who offers chat models, in which package each one's class is, and whose models are known by their names.

Plain data: a package is imported when one of its models is made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any

from headrace.errors import InvalidModelError, MissingProviderError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


@dataclass(frozen=True)
class Provider:
    """Where a provider's models come from: `wanted` is the name of their class in `module`."""

    module: str
    wanted: str
    field: str = "model"
    """What the class calls the name of its model."""
    maker: str | None = None
    """The class method that makes a model; None for the class itself."""
    extra: str | None = None
    """The extra that the package has to be installed with."""

    @property
    def package(self) -> str:
        """The package as pip calls it."""
        name = self.module.partition(".")[0].replace("_", "-")
        return f"{name}[{self.extra}]" if self.extra else name


PROVIDERS = {
    "anthropic": Provider("langchain_anthropic", "ChatAnthropic"),
    "anthropic_bedrock": Provider("langchain_aws", "ChatAnthropicBedrock"),
    "azure_ai": Provider("langchain_azure_ai.chat_models", "AzureAIOpenAIApiChatModel"),
    "azure_openai": Provider("langchain_openai", "AzureChatOpenAI"),
    "baseten": Provider("langchain_baseten", "ChatBaseten"),
    "bedrock": Provider("langchain_aws", "ChatBedrock"),
    "bedrock_converse": Provider("langchain_aws", "ChatBedrockConverse"),
    "bedrock_mantle_anthropic": Provider("langchain_aws", "ChatAnthropicMantle", extra="anthropic"),
    "bedrock_mantle_openai": Provider("langchain_aws", "ChatOpenAIMantle", extra="openai"),
    "cohere": Provider("langchain_cohere", "ChatCohere"),
    "deepseek": Provider("langchain_deepseek", "ChatDeepSeek"),
    "fireworks": Provider("langchain_fireworks", "ChatFireworks"),
    "google_anthropic_vertex": Provider("langchain_google_vertexai.model_garden", "ChatAnthropicVertex"),
    "google_genai": Provider("langchain_google_genai", "ChatGoogleGenerativeAI"),
    "google_vertexai": Provider("langchain_google_vertexai", "ChatVertexAI"),
    "groq": Provider("langchain_groq", "ChatGroq"),
    "huggingface": Provider("langchain_huggingface", "ChatHuggingFace", "model_id", "from_model_id"),
    "ibm": Provider("langchain_ibm", "ChatWatsonx", "model_id"),
    "litellm": Provider("langchain_litellm", "ChatLiteLLM"),
    "meta": Provider("langchain_meta", "ChatMetaModel"),
    "mistralai": Provider("langchain_mistralai", "ChatMistralAI"),
    "nvidia": Provider("langchain_nvidia_ai_endpoints", "ChatNVIDIA"),
    "ollama": Provider("langchain_ollama", "ChatOllama"),
    "openai": Provider("langchain_openai", "ChatOpenAI"),
    "openrouter": Provider("langchain_openrouter", "ChatOpenRouter"),
    "perplexity": Provider("langchain_perplexity", "ChatPerplexity"),
    "together": Provider("langchain_together", "ChatTogether"),
    "upstage": Provider("langchain_upstage", "ChatUpstage"),
    "xai": Provider("langchain_xai", "ChatXAI"),
}

NAMES = {
    "openai": r"(ft:)?(gpt-|chatgpt|o\d|text-davinci)",
    "anthropic": r"claude",
    "bedrock": r"((us|eu|apac|global)\.)?(amazon|anthropic|meta)\.",
    "cohere": r"command",
    "deepseek": r"deepseek",
    "fireworks": r"accounts/fireworks",
    "google_genai": r"gemini",
    "mistralai": r"mistral|mixtral|ministral|magistral|codestral|devstral|pixtral",
    "perplexity": r"sonar",
    "upstage": r"solar",
    "xai": r"grok",
}
"""How the names of a provider's models begin, in lower case. Families that many offer (llama, qwen) are left out."""


def provider_and_model(model: str, provider: str | None) -> tuple[str, str]:
    """The provider meant, and the model as that provider calls it. InvalidModelError when nothing tells."""
    head, colon, rest = model.partition(":")
    said = _plain(head) if colon else ""
    if provider is None and said in PROVIDERS:
        provider = said
    if provider is None:
        provider = _guessed(model)
    elif _plain(provider) not in PROVIDERS:
        raise InvalidModelError.unknown(provider, [*PROVIDERS], _like(provider))
    provider = _plain(provider)
    name = rest if said == provider else model
    if not name:
        raise InvalidModelError(f"{model!r} names a provider and no model; write '{provider}:' and the model's name")
    return provider, name


def _plain(provider: str) -> str:
    """A provider as the table has it: OpenAI, azure-openai and the like are understood."""
    return provider.lower().replace("-", "_")


def _guessed(model: str) -> str:
    for provider, beginning in NAMES.items():
        if re.match(beginning, model.lower()):
            return provider
    raise _unclear(model)


def _unclear(model: str) -> InvalidModelError:
    """Of a name that tells no provider: one is misspelt, or set apart by a slash, or there is none in it."""
    found = re.match(r"([A-Za-z][A-Za-z_-]*)([:/])(?=.)", model)
    if found is None:
        return InvalidModelError.unnamed(model, [*PROVIDERS])
    head, mark = found.groups()
    rest = model[found.end() :]
    if mark == ":":
        return InvalidModelError.unknown(head, [*PROVIDERS], [f"{one}:{rest}" for one in _like(head)], model)
    meant = [f"{_plain(head)}:{rest}"] if _plain(head) in PROVIDERS else []
    return InvalidModelError.unnamed(model, [*PROVIDERS], meant)


def _like(written: str) -> list[str]:
    """The providers that may have been meant by this one, which is none."""
    parts = [provider for provider in PROVIDERS if _plain(written) in provider.split("_")]
    return parts or get_close_matches(_plain(written), PROVIDERS, n=2, cutoff=0.7)


def class_of(provider: str) -> type[BaseChatModel]:
    """The class of a provider's models, imported. MissingProviderError when its package is not there, or too old."""
    where = PROVIDERS[provider]
    try:
        module = import_module(where.module)
    except ModuleNotFoundError as error:
        if error.name == where.module.partition(".")[0]:
            raise MissingProviderError(provider, where.package) from error
        if error.name == where.module:
            raise MissingProviderError(provider, where.package, wanted=where.wanted) from error
        raise
    if not hasattr(module, where.wanted):
        raise MissingProviderError(provider, where.package, wanted=where.wanted)
    found: type[BaseChatModel] = getattr(module, where.wanted)
    return found


def made(model: str, provider: str | None, settings: Mapping[str, Any]) -> BaseChatModel:
    """The model with these settings, which its class checks."""
    provider, name = provider_and_model(model, provider)
    where, kind = PROVIDERS[provider], class_of(provider)
    make: Callable[..., BaseChatModel] = kind if where.maker is None else getattr(kind, where.maker)
    return make(**{where.field: name}, **settings)
