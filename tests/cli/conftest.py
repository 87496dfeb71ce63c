"""Where the graphs are, and the command: in this process, as a process, and on a terminal."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from headrace.cli.app import app

GRAPHS = Path(__file__).parent / "graphs"
PLAIN = str(GRAPHS / "plain.py")
CHAT = str(GRAPHS / "chat.py")
AGENTS = str(GRAPHS / "agents.py")

COMMAND = (sys.executable, "-m", "headrace.cli")

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def imports(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a target puts into `sys.path` and `sys.modules` goes away with the test."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("plain", "chat", "agents"):
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.fixture
def run() -> Run:
    """`headrace run` in this process, its output not on a terminal."""

    def run(target: str, *args: str, input: str | None = None) -> Result:
        return CliRunner().invoke(app, ["run", target, *args], input=input)

    return run


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """`headrace run` as a process, its output in pipes."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*args: str, command: Sequence[str] = COMMAND) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        process = subprocess.Popen([*command, *args], stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


class Screen:
    """`headrace run` on a terminal of its own."""

    def __init__(self, args: Sequence[str], stdin: int | None = None) -> None:
        self.main, side = os.openpty()
        env = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
        self.process = subprocess.Popen(
            [*COMMAND, *args],
            stdin=side if stdin is None else stdin,
            stdout=side,
            stderr=side,
            env=env,
            start_new_session=True,
        )
        os.close(side)
        self.raw = b""
        self.text = ""
        """All that was printed, without colours and cursor movements."""
        self.waited = 0

    def wait_for(self, text: str) -> None:
        """Read until `text` comes after what was waited for before."""
        while text not in self.text[self.waited :]:
            assert self._read(), f"the command ended without {text!r}:\n{self.text}"
        self.waited = self.text.index(text, self.waited) + len(text)

    def type(self, text: str) -> None:
        os.write(self.main, text.encode())

    def end(self) -> int:
        """Read to the end; the exit code."""
        while self._read():
            pass
        return self.process.wait()

    def _read(self) -> bool:
        try:
            data = os.read(self.main, 65536)
        except OSError:  # Linux: the other side is closed
            return False
        self.raw += data
        self.text = ESCAPES.sub("", self.raw.decode("utf-8", "ignore")).replace("\r\n", "\n")
        return bool(data)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.main)


@pytest.fixture
def screen() -> Iterator[Callable[..., Screen]]:
    """Starts `headrace run` on a terminal."""
    opened: list[Screen] = []

    def screen(*args: str, stdin: int | None = None) -> Screen:
        opened.append(Screen(["run", *args], stdin))
        return opened[-1]

    yield screen
    for each in opened:
        each.close()
