"""The `tools` stream folded into calls: one record per call that grows with its events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

Status = Literal["running", "finished", "error"]


@dataclass
class ToolCallRecord:
    """A call of a tool, as far as its events have told."""

    tool_call_id: str
    tool_name: str
    input: Any
    deltas: list[Any] = field(default_factory=list)
    """Parts of the output that the tool told before it had all of it."""
    output: Any = None
    error: str | None = None
    status: Status = "running"


class ToolCallRecords:
    """The calls in the order in which they began; looking at it again shows what has come since."""

    def __init__(self) -> None:
        self._by_id: dict[str, ToolCallRecord] = {}
        self.error: BaseException | None = None
        """What ended the stream before its time."""
        self.closed = False

    def __iter__(self) -> Iterator[ToolCallRecord]:
        return iter(list(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def __getitem__(self, tool_call_id: str) -> ToolCallRecord:
        return self._by_id[tool_call_id]

    def take(self, event: Mapping[str, Any]) -> None:
        """Fold in one event of mode `tools`. An event of a call whose start was not seen is left out."""
        id, kind = event["tool_call_id"], event["event"]
        if kind == "tool-started":
            self._by_id[id] = ToolCallRecord(id, event["tool_name"], event["input"])
        record = self._by_id.get(id)
        if record is None:
            return
        if kind == "tool-output-delta":
            record.deltas.append(event["delta"])
        elif kind == "tool-finished":
            record.output, record.status = event["output"], "finished"
        elif kind == "tool-error":
            record.error, record.status = event["message"], "error"


class ToolCallTransformer:
    """Makes records of calls out of a stream that has mode `tools`.

        calls = ToolCallTransformer()
        for mode, data in agent.stream(question, stream_mode=["updates", "tools"]):
            calls.process((mode, data))
        for call in calls.records: ...

    `scope`: the namespace whose calls are meant, for events that have one; empty for the graph itself.
    """

    required_stream_modes: ClassVar[tuple[str, ...]] = ("tools",)

    def __init__(self, scope: tuple[str, ...] = ()) -> None:
        self.scope = tuple(scope)
        self.records = ToolCallRecords()

    def init(self) -> dict[str, Any]:
        """The projections that it offers, by name."""
        return {"tool_calls": self.records}

    def process(self, event: Any) -> bool:
        """Take one event of a stream in whatever shape it was asked for; True, since it keeps nothing from others."""
        ns, mode, data = unpacked(event)
        if mode == "tools" and tuple(ns) == self.scope:
            self.records.take(data)
        return True

    def finalize(self) -> None:
        """The stream has ended."""
        self.records.closed = True

    def fail(self, err: BaseException) -> None:
        """The stream was ended by an error."""
        self.records.error, self.records.closed = err, True


def unpacked(event: Any) -> tuple[tuple[str, ...], str, Any]:
    """Namespace, mode and data of an event: as (mode, data), (ns, mode, data), a part of version "v2", a numbered
    event, a protocol event, or the data of mode `tools` alone, with its namespace or without."""
    if isinstance(event, Mapping):
        if "method" in event:
            return tuple(event["params"]["namespace"]), event["method"], event["params"]["data"]
        if "type" in event and "data" in event:
            return tuple(event.get("ns", ())), event["type"], event["data"]
        return (), "tools" if "tool_call_id" in event else "", event
    if hasattr(event, "mode"):
        return tuple(event.ns), event.mode, event.data
    if len(event) == 2 and isinstance(event[0], tuple):
        return event[0], *unpacked(event[1])[1:]
    return ((), *event) if len(event) == 2 else event
