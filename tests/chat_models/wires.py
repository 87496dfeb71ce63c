"""What providers of chat models send: OpenAI's chat completions and Anthropic's messages, whole or as a stream.

After the public references of both APIs; the clients' own packages read it. Anything that real servers leave to chance
(ids, times, where a text is cut) is the same at each run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Json = dict[str, Any]

FRAGMENT = 4
"""Characters of a tool call's arguments that come at a time."""


@dataclass(frozen=True)
class ToolCall:
    name: str
    args: Json = field(default_factory=dict)
    id: str = "call_1"


@dataclass(frozen=True)
class Answer:
    """What the model says, whoever is asked."""

    text: str = ""
    tool_calls: Sequence[ToolCall] = ()
    thinking: str = ""
    """Before the text, as a block with a signature; Anthropic only."""
    usage: tuple[int, int] = (7, 5)
    """Tokens read and written."""
    ending: Literal["whole", "error", "drop", "silence"] = "whole"
    """What follows the text and tool calls of a stream: the regular end, an error event, the connection cut off, or
    nothing until the client leaves."""
    status: int = 200
    """Any other HTTP status refuses the request."""
    pace: Callable[[int], Any] | None = None
    """Called in the server's thread before each event of a stream, with its number from zero: to hold it up."""

    @property
    def words(self) -> list[str]:
        """The text in the pieces that come at a time."""
        return re.findall(r"\s*\S+|\s+$", self.text)


class Wire(Protocol):
    """One provider's way to say an `Answer` to a request with this `body`, the `number`-th of its server."""

    def whole(self, answer: Answer, body: Json, number: int) -> Json:
        """The answer in one piece."""

    def content(self, answer: Answer, body: Json, number: int) -> Iterator[bytes]:
        """The events of a stream up to the last of the text and tool calls."""

    def end(self, answer: Answer, body: Json, number: int) -> Iterator[bytes]:
        """The events after them."""

    def failure(self) -> bytes:
        """The event of a stream that goes wrong."""

    def refusal(self, message: str) -> Json:
        """The body of an HTTP error."""


def fragments(call: ToolCall) -> list[str]:
    """The JSON of a call's arguments in pieces."""
    text = json.dumps(call.args)
    return [text[start : start + FRAGMENT] for start in range(0, len(text), FRAGMENT)]


def event(data: Json, name: str = "") -> bytes:
    """One server-sent event."""
    return (f"event: {name}\n" if name else "").encode() + b"data: " + json.dumps(data).encode() + b"\n\n"


class OpenAI:
    """`POST /v1/chat/completions`."""

    def whole(self, answer: Answer, body: Json, number: int) -> Json:
        message: Json = {"role": "assistant", "content": answer.text or None}
        if answer.tool_calls:
            message["tool_calls"] = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": json.dumps(call.args)}}
                for call in answer.tool_calls
            ]
        choice = {"index": 0, "message": message, "finish_reason": self.reason(answer), "logprobs": None}
        return {**self.head(body, number, "chat.completion"), "choices": [choice], "usage": self.usage(answer)}

    def content(self, answer: Answer, body: Json, number: int) -> Iterator[bytes]:
        yield self.chunk(body, number, {"role": "assistant", "content": ""})
        for word in answer.words:
            yield self.chunk(body, number, {"content": word})
        for index, call in enumerate(answer.tool_calls):
            named = {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
            yield self.chunk(body, number, {"tool_calls": [{"index": index, **named}]})
            for fragment in fragments(call):
                part = {"index": index, "function": {"arguments": fragment}}
                yield self.chunk(body, number, {"tool_calls": [part]})

    def end(self, answer: Answer, body: Json, number: int) -> Iterator[bytes]:
        yield self.chunk(body, number, {}, self.reason(answer))
        if (body.get("stream_options") or {}).get("include_usage"):
            head = self.head(body, number, "chat.completion.chunk")
            yield event({**head, "choices": [], "usage": self.usage(answer)})
        yield b"data: [DONE]\n\n"

    def failure(self) -> bytes:
        return event(self.refusal("the server had an error"))

    def refusal(self, message: str) -> Json:
        return {"error": {"message": message, "type": "server_error", "param": None, "code": None}}

    def chunk(self, body: Json, number: int, delta: Json, reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
        return event({**self.head(body, number, "chat.completion.chunk"), "choices": [choice]})

    def head(self, body: Json, number: int, kind: str) -> Json:
        return {"id": f"chatcmpl-{number}", "object": kind, "created": 1, "model": body["model"]}

    def reason(self, answer: Answer) -> str:
        return "tool_calls" if answer.tool_calls else "stop"

    def usage(self, answer: Answer) -> Json:
        read, written = answer.usage
        return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


class Anthropic:
    """`POST /v1/messages`."""

    def whole(self, answer: Answer, body: Json, number: int) -> Json:
        return {
            **self.head(body, number),
            "content": [block for block, _ in self.blocks(answer)],
            "stop_reason": self.reason(answer),
            "usage": self.usage(answer),
        }

    def content(self, answer: Answer, body: Json, number: int) -> Iterator[bytes]:
        message = {**self.head(body, number), "usage": {**self.usage(answer), "output_tokens": 1}}
        yield self.event("message_start", message=message)
        yield self.event("ping")
        for index, (block, deltas) in enumerate(self.blocks(answer)):
            yield self.event("content_block_start", index=index, content_block=self.empty(block))
            for delta in deltas:
                yield self.event("content_block_delta", index=index, delta=delta)
            yield self.event("content_block_stop", index=index)

    def end(self, answer: Answer, body: Json, number: int) -> Iterator[bytes]:
        delta = {"stop_reason": self.reason(answer), "stop_sequence": None}
        yield self.event("message_delta", delta=delta, usage=self.usage(answer))
        yield self.event("message_stop")

    def failure(self) -> bytes:
        return event({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "error")

    def refusal(self, message: str) -> Json:
        return {"type": "error", "error": {"type": "api_error", "message": message}}

    def blocks(self, answer: Answer) -> Iterator[tuple[Json, list[Json]]]:
        """The blocks of the answer, each with the deltas that it comes in."""
        if answer.thinking:
            deltas = [{"type": "thinking_delta", "thinking": word} for word in Answer(answer.thinking).words]
            signed = {"type": "signature_delta", "signature": "signed"}
            yield {"type": "thinking", "thinking": answer.thinking, "signature": "signed"}, [*deltas, signed]
        if answer.text:
            yield {"type": "text", "text": answer.text}, [{"type": "text_delta", "text": one} for one in answer.words]
        for call in answer.tool_calls:
            parts = [{"type": "input_json_delta", "partial_json": part} for part in ["", *fragments(call)]]
            yield {"type": "tool_use", "id": call.id, "name": call.name, "input": call.args}, parts

    def empty(self, block: Json) -> Json:
        """A block as it begins."""
        hollow = {"thinking": "", "signature": "", "text": "", "input": {}}
        return {key: hollow.get(key, value) for key, value in block.items()}

    def event(self, kind: str, **data: Any) -> bytes:
        return event({"type": kind, **data}, kind)

    def head(self, body: Json, number: int) -> Json:
        named = {"id": f"msg_{number}", "type": "message", "role": "assistant", "model": body["model"]}
        return {**named, "content": [], "stop_reason": None, "stop_sequence": None}

    def usage(self, answer: Answer) -> Json:
        return {"input_tokens": answer.usage[0], "output_tokens": answer.usage[1]}

    def reason(self, answer: Answer) -> str:
        return "tool_use" if answer.tool_calls else "end_turn"


WIRES: dict[str, Wire] = {"/v1/chat/completions": OpenAI(), "/v1/messages": Anthropic()}
"""By the path of their requests."""
