"""Lines that match a regular expression, found by a process: ripgrep, or Python's `re` in a Python of its own.

Both are given files that were found, and checked, before: so both search the same ones, and neither can leave the root.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from headrace.agents.middleware.files.tree import Found

LOOK_S = 0.05
"""Seconds between two looks at whether the search was stopped."""

WIDTH = 500
"""Characters of a line that are shown: what is longer was written by a program."""

BATCH_FILES, BATCH_BYTES = 1_000, 100_000
"""Files of one process, and the length of their names, which must fit on a command line."""

SNIFFED = 8_192
"""Bytes that are looked at to see whether a file is text, as ripgrep and git do."""

MOST_PATTERN = 1_000
CHECK_S = 5.0
WORKER = Path(__file__).with_name("grep_worker.py")

RIPGREP_OPTIONS = (
    "--no-config", "--no-messages", "--null", "--line-number", "--with-filename", "--no-heading", "--color=never",
    "--threads=1", f"--max-columns={WIDTH}", "--max-columns-preview",
)  # fmt: skip


@dataclass(frozen=True)
class Match:
    """A line."""

    file: Found
    number: int
    text: str


def usable(pattern: str) -> str:
    """The pattern. ValueError, with a text for the model, for one that is no regular expression."""
    if len(pattern) > MOST_PATTERN:
        raise ValueError(f"the pattern has {len(pattern)} characters; {MOST_PATTERN} are allowed")
    if "\n" in pattern or "\0" in pattern:
        raise ValueError("lines are searched one by one; a pattern with a line break or NUL in it cannot match")
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}; escape characters with a backslash") from None
    return pattern


def matches(
    files: Iterable[Found], pattern: str, *, first: bool, ripgrep: bool, halted: Callable[[], bool]
) -> Iterator[Match]:
    """The matching lines, in the order of the files; with `first`, one of each. Ends early once halted."""
    program = shutil.which("rg") if ripgrep else None
    if program is not None and not understands(program, pattern):
        program = None
    for batch in batches(file for file in files if is_text(file.real)):
        by_path: dict[bytes, list[Found]] = {}  # links may give a file several names
        for file in batch:
            by_path.setdefault(os.fsencode(file.real), []).append(file)
        if program is not None:
            argv, input = ripgrep_call(program, pattern, first, list(by_path)), b""
        else:
            argv, input = python_call(pattern, first, [os.fsdecode(path) for path in by_path])
        for line in lines_of(argv, input, halted):
            yield from read(line, by_path)
        if halted():
            return


def understands(program: str, pattern: str) -> bool:
    """Whether ripgrep takes the pattern; it has no looking ahead or back, and no references to groups."""
    argv = [program, *RIPGREP_OPTIONS, "--quiet", "-e", pattern, "--", os.devnull]
    try:
        ran = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=CHECK_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ran.returncode in (0, 1)


def ripgrep_call(program: str, pattern: str, first: bool, paths: Sequence[bytes]) -> list[bytes]:
    options = [*RIPGREP_OPTIONS, *(["--max-count=1"] if first else []), "-e", pattern, "--"]
    return [os.fsencode(program), *(option.encode("utf-8", "surrogateescape") for option in options), *paths]


def python_call(pattern: str, first: bool, paths: Sequence[str]) -> tuple[list[bytes], bytes]:
    """What to start, and what to tell it. ValueError where no Python can be started."""
    if not sys.executable or getattr(sys, "frozen", False):
        raise ValueError("files cannot be searched here: install ripgrep")
    asked = {"pattern": pattern, "files": list(paths), "first": first, "width": WIDTH}
    return [os.fsencode(one) for one in (sys.executable, "-I", "-S", str(WORKER))], json.dumps(asked).encode()


def batches(files: Iterable[Found]) -> Iterator[list[Found]]:
    """Files in groups that one process can be told of."""
    batch: list[Found] = []
    size = 0
    for file in files:
        length = len(os.fsencode(file.real))
        if batch and (len(batch) >= BATCH_FILES or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += length
    if batch:
        yield batch


def is_text(path: str) -> bool:
    """Whether a file seems to be text: no NUL near its begin."""
    try:
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as file:
            return b"\0" not in file.read(SNIFFED)
    except OSError:
        return False


def read(line: bytes, files: Mapping[bytes, list[Found]]) -> list[Match]:
    """What a line of a process's output tells: nothing, if it is a remark."""
    path, _, rest = line.partition(b"\0")
    number, colon, text = rest.partition(b":")
    if path not in files or not colon or not number.isdigit():
        return []
    shown = text.rstrip(b"\r").decode("utf-8", "replace")
    return [Match(file, int(number), shown) for file in files[path]]


def lines_of(argv: Sequence[bytes], input: bytes, halted: Callable[[], bool]) -> Iterator[bytes]:
    """The lines that a process writes. It is killed once halted, and when nobody wants more."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        argv, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env={"LANG": "C.UTF-8"}, start_new_session=True
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        send(process.stdin, input)
        yield from split(process.stdout.fileno(), halted)
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def send(stdin: IO[bytes], input: bytes) -> None:
    """Write and close; a process that has died reads nothing."""
    try:
        with stdin:
            stdin.write(input)
    except BrokenPipeError:
        pass


def split(file: int, halted: Callable[[], bool]) -> Iterator[bytes]:
    """The lines that come from a pipe."""
    os.set_blocking(file, False)
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(file, selectors.EVENT_READ)
        while not halted():
            if not selector.select(LOOK_S):
                continue
            data = os.read(file, 65_536)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            yield from lines
