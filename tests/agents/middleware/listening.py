"""What those who listen to an agent are told."""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage

from tests.drive import Drive


class Calls(BaseCallbackHandler):
    """A handler of the user's that notes who calls a model, and the answers."""

    def __init__(self) -> None:
        self.sources: list[str | None] = []
        self.texts: list[str] = []

    def on_chat_model_start(self, serialized: Any, messages: Any, *, metadata: Any = None, **_: Any) -> None:
        self.sources.append((metadata or {}).get("lc_source"))

    def on_llm_end(self, response: Any, **_: Any) -> None:
        self.texts.append(response.generations[0][0].text)


def calling(*calls: tuple[str, dict[str, Any], str], text: str = "") -> AIMessage:
    """A message that calls tools: name, arguments and id of each call."""
    return AIMessage(text, tool_calls=[{"name": name, "args": args, "id": id} for name, args, id in calls])


def streamed(drive: Drive, agent: Any, messages: Any, **options: Any) -> list[BaseMessage]:
    """What the `messages` stream has."""
    return [part[0] for part in drive.stream(agent, {"messages": messages}, stream_mode="messages", **options)]


def texts(messages: list[BaseMessage]) -> list[str]:
    return [message.text for message in messages]


def updates(drive: Drive, agent: Any, messages: Any) -> list[tuple[str, Any]]:
    """The nodes that ran, with what they wrote."""
    parts = drive.stream(agent, {"messages": messages}, stream_mode="updates")
    return [(node, update) for part in parts for node, update in part.items()]
