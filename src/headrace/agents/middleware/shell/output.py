"""What a command says: its lines, no more of them than are kept, up to the mark that tells that it is over."""

from __future__ import annotations

from dataclasses import dataclass, field

MARK = b"\x1e"
"""ASCII's record separator, around a token: in the shell's script it is written as `\\036`, so that a trace of the
script (`set -x`) is not taken for it."""

MARGIN = 4_096
"""Bytes kept beyond the limit: what is redacted in a text must not stand half behind its end."""

ERROR_PREFIX = b"[stderr] "


@dataclass
class Stream:
    """One of the two streams: what came after its last line, and what may be the begin of a mark."""

    prefix: bytes
    line: bytearray = field(default_factory=bytearray)
    begun: bool = False
    tail: bytes = b""
    over: bool = False
    """Its mark has come, or its end."""


class Output:
    """The lines of a command. Memory is bounded; what is not kept is counted."""

    def __init__(self, token: str, max_lines: int, max_bytes: int) -> None:
        self.begin = MARK + token.encode() + b" "
        self.max_lines = max_lines
        self.room = max_bytes + MARGIN
        self.out, self.err = Stream(b""), Stream(ERROR_PREFIX)
        self.kept: list[bytes] = []
        self.lines = 0
        self.bytes = 0
        self.dropped = False
        """Something was not kept."""
        self.exit_code: int | None = None

    @property
    def over(self) -> bool:
        return self.out.over and self.err.over

    def feed(self, stream: Stream, data: bytes) -> None:
        """Take what was read; after the stream's mark nothing is this command's any more."""
        if stream.over:
            return
        data = stream.tail + data
        at = data.find(self.begin)
        if at >= 0:
            end = data.find(MARK, at + len(self.begin))
            self.take(stream, data[:at])
            stream.tail = data[at:]
            if end >= 0:
                stream.over, stream.tail = True, b""
                code = data[at + len(self.begin) : end]
                if stream is self.out and code.isdigit():
                    self.exit_code = int(code)
            return
        held = begun_in(data, self.begin)
        self.take(stream, data[: len(data) - held])
        stream.tail = data[len(data) - held :]

    def end(self, stream: Stream) -> None:
        """The stream is closed, or nobody waits for more of it."""
        if not stream.over:
            self.take(stream, stream.tail)
            stream.over, stream.tail = True, b""
        if stream.begun:
            self.commit(stream)

    def take(self, stream: Stream, data: bytes) -> None:
        if not data:
            return
        self.bytes += len(data)
        if self.full and not stream.line:
            self.dropped = True
            self.lines += data.count(b"\n")
            stream.begun = not data.endswith(b"\n")
            return
        *whole, rest = data.split(b"\n")
        for line in whole:
            self.add(stream, line)
            self.commit(stream)
        if rest:
            self.add(stream, rest)

    def add(self, stream: Stream, data: bytes) -> None:
        stream.begun = True
        room = max(0, self.room - len(stream.line))
        self.dropped |= len(data) > room
        stream.line += data[:room]

    def commit(self, stream: Stream) -> None:
        """The stream's line is whole."""
        self.lines += 1
        if self.full:
            self.dropped = True
        else:
            line = stream.prefix + stream.line
            self.kept.append(line)
            self.room -= len(line) + 1
        stream.line.clear()
        stream.begun = False

    @property
    def full(self) -> bool:
        return len(self.kept) >= self.max_lines or self.room <= 0

    def text(self) -> str:
        """What was kept."""
        for stream in (self.out, self.err):
            self.end(stream)
        return b"\n".join(self.kept).decode("utf-8", "replace")


def begun_in(data: bytes, mark: bytes) -> int:
    """How many bytes at the end of the data may be the begin of a mark."""
    at = data.rfind(MARK, max(0, len(data) - len(mark) + 1))
    return len(data) - at if at >= 0 and mark.startswith(data[at:]) else 0


def cut(text: str, limit: int) -> tuple[str, bool]:
    """The text within so many bytes of UTF-8, and whether it lost anything."""
    data = text.encode("utf-8", "replace")
    if len(data) <= limit:
        return text, False
    return data[:limit].decode("utf-8", "ignore"), True
