"""Calls of chat models in a file: what was asked, the chunks that came, and the error if one did.

The file is JSON, a message, a tool and a chunk a line, so that a person can read it and a diff shows what changed. It
is written anew after each call and put in place whole: after a crash it holds the calls that ended before.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from pathlib import Path
from threading import Lock
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage

from headrace.stream.encode import encode
from headrace.testing.redact import Clean, redacted

FORMAT = 1

LINES = 20
"""Lines of a difference that an error shows."""

CHUNK = ("content", "name", "id", "tool_call_chunks", "additional_kwargs", "response_metadata", "usage_metadata",
         "chunk_position")  # fmt: skip
"""The fields of a chunk that are kept; the others follow from these."""

VOLATILE = {"id", "response_metadata", "usage_metadata", "artifact", "tool_call_chunks", "chunk_position", "type"}
"""What is no part of a question: it differs from run to run, or the model does not see it."""

CALL_IDS = {"id", "tool_call_id", "tool_use_id", "call_id"}
"""Where the id of a tool call stands in a message."""

ARGUMENTS = {"args", "input"}
"""Where a tool call's arguments stand, which may have an `id` of their own."""

MADE_UP = ("lc_", "run-")
"""How ids begin that langchain-core gives where the provider gave none."""

Request = dict[str, Any]
"""What was asked: `messages` and `options`, as JSON."""


class InvalidRecordingError(ValueError):
    """A file that should be a recording, and is none."""


class UnrecordedCallError(LookupError):
    """A call that the recording does not hold. `asked` is the call, `nearest` the recorded one most like it."""

    def __init__(self, text: str, asked: Request, nearest: Request | None) -> None:
        self.asked, self.nearest = asked, nearest
        super().__init__(text)


class RecordedError(RuntimeError):
    """An error of the real model, raised again. `kind` is the name of its class, `text` what it said."""

    def __init__(self, kind: str, text: str) -> None:
        self.kind, self.text = kind, text
        super().__init__(f"{kind}: {text}" if text else kind)


@dataclass(frozen=True)
class RecordedCall:
    """One call, as JSON."""

    request: Request
    chunks: list[dict[str, Any]]
    error: dict[str, str] | None = None
    model: str = ""
    """The model's name, for the reader."""

    def as_json(self) -> dict[str, Any]:
        model = {"model": self.model} if self.model else {}
        error = {} if self.error is None else {"error": self.error}
        return {**model, **self.request, "chunks": self.chunks, **error}


class Recording:
    """A file of calls, and which of them were replayed. Copies of a model share it."""

    def __init__(self, path: Path, *, fresh: bool = False) -> None:
        self.path = path
        self.lock = Lock()
        self.used: set[int] = set()
        """Places of the calls that were replayed or made; each is replayed once."""
        self._calls: list[RecordedCall] | None = [] if fresh else None

    @property
    def calls(self) -> list[RecordedCall]:
        """The recorded calls, none when there is no file; it is read at the first use."""
        if self._calls is None:
            self._calls = read(self.path) if self.path.exists() else []
        return self._calls

    def take(self, request: Request) -> RecordedCall | None:
        """The first call that asked the same and was not taken yet."""
        with self.lock:
            for number, call in enumerate(self.calls):
                if number not in self.used and call.request == request:
                    self.used.add(number)
                    return call
        return None

    def add(self, call: RecordedCall) -> None:
        """Keep a call that was made, and write the file."""
        with self.lock:
            self.used.add(len(self.calls))
            self.calls.append(call)
            write(self.path, self.calls)

    def missing(self, request: Request) -> UnrecordedCallError:
        """The error for a call that is not there."""
        with self.lock:
            calls = list(self.calls)
        head = f"the call is not in the recording {str(self.path)!r}"
        if not calls:
            state = "which is empty" if self.path.exists() else "which does not exist"
            return UnrecordedCallError(
                f"{head}, {state}; record it with the model given\n{_page(request)}", request, None
            )
        same = sum(call.request == request for call in calls)
        if same:
            times = "once" if same == 1 else f"{same} times"
            text = f"the recording {str(self.path)!r} has the call {times}, and it is asked once more"
            return UnrecordedCallError(f"{text}\n{_page(request)}", request, request)
        number, nearest = max(enumerate(calls, 1), key=lambda item: _likeness(item[1].request, request))
        difference = _difference(nearest.request, request)
        text = f"{head}; the nearest is call {number} of {len(calls)} (- recorded, + asked):\n{difference}"
        return UnrecordedCallError(text, request, nearest.request)


# requests


def request_of(messages: Iterable[BaseMessage], options: dict[str, Any], clean: Clean) -> Request:
    """What is asked, without secrets and without ids that differ from run to run."""
    numbers: dict[str, str] = {}
    shown = [_numbered(encode(_fields(message)), numbers) for message in messages]
    request: Request = redacted({"messages": shown, "options": encode(options)}, clean)
    return request


def _fields(message: BaseMessage) -> dict[str, Any]:
    fields = message.model_dump(exclude_defaults=True, exclude=VOLATILE, warnings=False)
    return {"type": message.type.replace("AIMessageChunk", "ai"), **fields}


def _numbered(value: Any, numbers: dict[str, str]) -> Any:
    """JSON with the ids of tool calls numbered in the order in which they are met."""
    if isinstance(value, list):
        return [_numbered(item, numbers) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: _numbered_field(name, item, numbers) for name, item in value.items()}


def _numbered_field(name: str, value: Any, numbers: dict[str, str]) -> Any:
    if name in CALL_IDS and isinstance(value, str) and value:
        return numbers.setdefault(value, f"id {len(numbers) + 1}")
    return value if name in ARGUMENTS else _numbered(value, numbers)


# chunks


def chunk_of(message: AIMessage, clean: Clean) -> dict[str, Any]:
    """A chunk of a stream, or the whole message of a model that does not stream, as JSON."""
    if not isinstance(message, AIMessageChunk):
        whole: dict[str, Any] = {name: getattr(message, name) for name in AIMessage.model_fields if name != "type"}
        message = AIMessageChunk(**whole, chunk_position="last")
    fields = {"content": message.content, **message.model_dump(exclude_defaults=True, include=set(CHUNK))}
    if str(fields.get("id") or "").startswith(MADE_UP):
        del fields["id"]
    if fragments := fields.get("tool_call_chunks"):
        fields["tool_call_chunks"] = [_said(fragment) for fragment in fragments]
    chunk: dict[str, Any] = _cleaned(encode(fields), clean)
    return chunk


def _said(fragment: dict[str, Any]) -> dict[str, Any]:
    """A fragment of a tool call without what it does not say."""
    return {name: value for name, value in fragment.items() if value is not None and name != "type"}


def chunk_from(fields: dict[str, Any]) -> AIMessageChunk:
    """The chunk again. Whatever the file says, it is a chunk and nothing else."""
    return AIMessageChunk(**{name: fields[name] for name in CHUNK if name in fields})


def error_of(error: BaseException, clean: Clean) -> dict[str, str]:
    """An error as its class's name and its text."""
    kind = type(error)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return {"type": f"{module}{kind.__qualname__}", "text": clean(str(error))}


def _cleaned(value: Any, clean: Clean) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_cleaned(item, clean) for item in value]
    return {key: _cleaned(item, clean) for key, item in value.items()} if isinstance(value, dict) else value


# the file


def read(path: Path) -> list[RecordedCall]:
    """The calls in a file; InvalidRecordingError when it does not hold any."""
    try:
        data = json.loads(path.read_bytes())
        if data["format"] != FORMAT:
            raise ValueError(f"its format is {data['format']!r}, and this headrace reads {FORMAT}")
        return [_call(call) for call in data["calls"]]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else error
        raise InvalidRecordingError(f"{str(path)!r} is no recording of chat models: {what}") from error


def _call(data: dict[str, Any]) -> RecordedCall:
    request = {"messages": data["messages"], "options": data["options"]}
    for chunk in data["chunks"]:
        chunk_from(chunk)
    error = data.get("error")
    told = None if error is None else {"type": str(error["type"]), "text": str(error["text"])}
    return RecordedCall(request, data["chunks"], told, str(data.get("model", "")))


def write(path: Path, calls: list[RecordedCall]) -> None:
    """Put the calls into the file, all or none."""
    text = _laid_out({"format": FORMAT, "calls": [call.as_json() for call in calls]}, 4) + "\n"
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8", newline="\n")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _laid_out(value: Any, levels: int, indent: str = "") -> str:
    """JSON with a line for each item down to so many levels; of the options one more, for the tools."""
    if not levels or not isinstance(value, (dict, list)) or not value:
        return json.dumps(value, ensure_ascii=False)
    inner = indent + " "
    if isinstance(value, list):
        return "[\n" + ",\n".join(inner + _laid_out(item, levels - 1, inner) for item in value) + f"\n{indent}]"
    lines = (
        f"{inner}{json.dumps(key, ensure_ascii=False)}: {_laid_out(item, levels - (key != 'options'), inner)}"
        for key, item in value.items()
    )
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


# what is shown of a call that is not there


def _lines(request: Request) -> list[str]:
    return _laid_out(request, 5).split("\n")


def _likeness(one: Request, other: Request) -> float:
    return SequenceMatcher(None, _lines(one), _lines(other), autojunk=False).ratio()


def _page(request: Request) -> str:
    return _short(_lines(request))


def _difference(recorded: Request, asked: Request) -> str:
    lines = list(unified_diff(_lines(recorded), _lines(asked), n=0, lineterm=""))[2:]
    return _short([line for line in lines if not line.startswith("@@")])


def _short(lines: list[str]) -> str:
    shown = [line if len(line) <= 200 else f"{line[:200]}…" for line in lines[:LINES]]
    return "\n".join(shown if len(lines) <= LINES else [*shown, f"… {len(lines) - LINES} more lines"])
