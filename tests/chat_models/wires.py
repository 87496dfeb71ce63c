"""What providers of chat models send: OpenAI's chat completions and responses and Anthropic's messages.

Whole, or as a stream that may end too early.

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
    lost: int = 0
    """How many of the last fragments of the arguments never come."""


@dataclass(frozen=True)
class Answer:
    """What the model says, whoever is asked."""

    text: str = ""
    tool_calls: Sequence[ToolCall] = ()
    thinking: str = ""
    """Before the text, as a block with a signature; Anthropic only."""
    usage: tuple[int, int] = (7, 5)
    """Tokens read and written."""
    ending: Literal["whole", "limit", "stop", "error", "drop", "silence"] = "whole"
    """What follows the text and tool calls of a stream: the regular end; the same with the word that the limit of
    tokens was reached; nothing, though the connection ends as it should; an error event; the connection cut off; or
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
    """The JSON of a call's arguments in pieces, as far as it comes."""
    text = json.dumps(call.args)
    pieces = [text[start : start + FRAGMENT] for start in range(0, len(text), FRAGMENT)]
    return pieces[: len(pieces) - call.lost]


def arguments(call: ToolCall) -> str:
    """The JSON of a call's arguments, as far as it comes."""
    return "".join(fragments(call))


def event(data: Json, name: str = "") -> bytes:
    """One server-sent event."""
    return (f"event: {name}\n" if name else "").encode() + b"data: " + json.dumps(data).encode() + b"\n\n"


class OpenAI:
    """`POST /v1/chat/completions`."""

    def whole(self, answer: Answer, body: Json, number: int) -> Json:
        message: Json = {"role": "assistant", "content": answer.text or None}
        if answer.tool_calls:
            message["tool_calls"] = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments(call)}}
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
        return "length" if answer.ending == "limit" else "tool_calls" if answer.tool_calls else "stop"

    def usage(self, answer: Answer) -> Json:
        read, written = answer.usage
        return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


class Responses:
    """`POST /v1/responses`, OpenAI's newer way: items, each with its own events; every event names its kind."""

    def whole(self, answer: Answer, body: Json, number: int) -> Json:
        return self.response(answer, body, number)

    def content(self, answer: Answer, body: Json, number: int) -> Iterator[bytes]:
        hollow = {**self.response(answer, body, number), "status": "in_progress", "output": [], "usage": None}
        yield self.event("created", response={**hollow, "incomplete_details": None})
        yield self.event("in_progress", response={**hollow, "incomplete_details": None})
        items = self.items(answer, number)
        for index, (item, call) in enumerate(
            zip(items, [None] * bool(answer.text) + [*answer.tool_calls], strict=True)
        ):
            yield from self.text(item, index, answer) if call is None else self.call(item, index, call)

    def text(self, item: Json, index: int, answer: Answer) -> Iterator[bytes]:
        at = {"output_index": index, "content_index": 0, "item_id": item["id"]}
        yield self.event("output_item.added", output_index=index, item={**item, "content": [], "status": "in_progress"})
        yield self.event("content_part.added", **at, part={**item["content"][0], "text": ""})
        for word in answer.words:
            yield self.event("output_text.delta", **at, delta=word, logprobs=[])
        yield self.event("output_text.done", **at, text=answer.text, logprobs=[])
        yield self.event("content_part.done", **at, part=item["content"][0])
        yield self.event("output_item.done", output_index=index, item=item)

    def call(self, item: Json, index: int, call: ToolCall) -> Iterator[bytes]:
        at = {"output_index": index, "item_id": item["id"]}
        yield self.event(
            "output_item.added", output_index=index, item={**item, "arguments": "", "status": "in_progress"}
        )
        for fragment in fragments(call):
            yield self.event("function_call_arguments.delta", **at, delta=fragment)
        if not call.lost:
            yield self.event("function_call_arguments.done", **at, arguments=arguments(call))
            yield self.event("output_item.done", output_index=index, item=item)

    def end(self, answer: Answer, body: Json, number: int) -> Iterator[bytes]:
        yield self.event(self.status(answer), response=self.response(answer, body, number))

    def failure(self) -> bytes:
        return self.event("error", code="server_error", message="the server had an error", param=None)

    def refusal(self, message: str) -> Json:
        return {"error": {"message": message, "type": "server_error", "param": None, "code": None}}

    def event(self, kind: str, **data: Any) -> bytes:
        kind = kind if kind == "error" else f"response.{kind}"
        return event({"type": kind, "sequence_number": 0, **data}, kind)

    def response(self, answer: Answer, body: Json, number: int) -> Json:
        read, written = answer.usage
        return {
            "id": f"resp_{number}",
            "object": "response",
            "created_at": 1,
            "model": body["model"],
            "status": self.status(answer),
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if answer.ending == "limit" else None,
            "output": self.items(answer, number),
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": body.get("tools", []),
            "usage": {
                "input_tokens": read,
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": written,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": read + written,
            },
        }

    def items(self, answer: Answer, number: int) -> list[Json]:
        """The items of the answer: its text as a message, then its calls."""
        part = {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}
        said = {"id": f"msg_{number}", "type": "message", "role": "assistant", "content": [part], "status": "completed"}
        calls = [
            {
                "id": f"fc_{number}_{at}",
                "type": "function_call",
                "call_id": call.id,
                "name": call.name,
                "arguments": arguments(call),
                "status": "incomplete" if call.lost else "completed",
            }
            for at, call in enumerate(answer.tool_calls)
        ]
        return [said] * bool(answer.text) + calls

    def status(self, answer: Answer) -> str:
        return "incomplete" if answer.ending == "limit" else "completed"


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
        return "max_tokens" if answer.ending == "limit" else "tool_use" if answer.tool_calls else "end_turn"


WIRES: dict[str, Wire] = {
    "/v1/chat/completions": OpenAI(),
    "/v1/messages": Anthropic(),
    "/v1/responses": Responses(),
}
"""By the path of their requests."""
