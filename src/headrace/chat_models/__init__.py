"""Chat models by name: `init_chat_model("openai:gpt-4o-mini")`. No provider's package is imported until it is named."""

from headrace.errors import MissingExtraError

try:
    from langchain_core.language_models import BaseChatModel

    from headrace.chat_models.configurable import ConfigurableModel
    from headrace.chat_models.named import init_chat_model
except ModuleNotFoundError as error:
    if error.name != "langchain_core":
        raise
    raise MissingExtraError("chat models", "langchain-core", "agents") from error

__all__ = ["BaseChatModel", "ConfigurableModel", "init_chat_model"]
