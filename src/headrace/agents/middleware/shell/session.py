"""A shell that stays: each command finds the directory and the variables that the one before left.

Commands go to the shell's stdin, as an `eval` of the quoted text with a stdin of its own (so a command cannot eat the
next one), followed by a line that puts a mark on both outputs. The marks go to copies of these (7 and 8), so a
command may redirect the shell's own.
"""

from __future__ import annotations

import os
import selectors
import shlex
import subprocess
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from headrace import clock, ids
from headrace.agents.middleware.shell.execution import MOST_BYTES, BaseExecutionPolicy, ShellStartError
from headrace.agents.middleware.shell.output import Output, Stream
from headrace.agents.middleware.shell.process import POLL_S, Held, close, has_ended
from headrace.errors import HeadraceError

LOOK_S = 0.05
"""Seconds between two looks at whether the shell is still there: what it left behind may hold its outputs open."""

PIECE = 65_536
LAST_PIECES = 64
"""How much is read of a shell that has ended."""

SET_UP = "exec 7>&1 8>&2\n"
SCRIPT = r"""eval {command} </dev/null 7>&- 8>&-

{{ printf '\036%s %s\036' {token} "$?" >&7; printf '\036%s \036' {token} >&8; }} 2>/dev/null
"""
"""The empty line is for bash, which does not know the brace right after an `eval` of an open quotation mark."""


class ShellClosedError(HeadraceError):
    """The session was closed while a command ran."""


@dataclass(frozen=True)
class Ran:
    """What a command came to."""

    text: str
    """Its output, with no more lines than are kept, and somewhat more bytes."""
    exit_code: int | None
    """None: there is none, as it was killed."""
    timed_out: bool
    shell_ended: bool
    """The command ended the shell as well."""
    lines: int
    bytes: int
    dropped: bool
    """There was more."""


Halted: TypeAlias = "Callable[[], bool]"


class ShellSession:
    """A shell: started with the first command, after a `restart`, and after a command that ended it or took too long.

    One command at a time; others wait. Dropping the session, or the interpreter's exit, ends it and removes its folder.
    `halted` is asked now and then: once it says True, the shell is killed, and ShellClosedError is raised.
    """

    def __init__(
        self,
        policy: BaseExecutionPolicy,
        *,
        workspace: Path | None,
        command: Sequence[str],
        env: Mapping[str, str],
        startup: Sequence[str] = (),
    ) -> None:
        self.policy = policy
        folder = TemporaryDirectory(prefix="headrace-shell-") if workspace is None else None
        self.workspace = Path(os.path.realpath(folder.name)) if folder is not None else workspace
        self.command = tuple(command)
        self.env = {**policy.environment(self.folder), **env}
        self.startup = tuple(startup)
        self.held = Held(policy, folder)
        self.finalizer = weakref.finalize(self, self.held.close)

    @property
    def folder(self) -> Path:
        assert self.workspace is not None
        return self.workspace

    @property
    def running(self) -> bool:
        return self.held.process is not None

    def start(self, halted: Halted) -> None:
        """Start the shell, if it is not there. ShellStartError, also if a startup command fails."""
        with self.held.turn:
            self.up(halted)

    def run(self, command: str, halted: Halted) -> Ran:
        """Run a command. ShellStartError."""
        with self.held.turn:
            return self.exchange(self.up(halted), command, self.policy.command_timeout, halted)

    def restart(self, halted: Halted) -> None:
        """A new shell in place of this one. ShellStartError."""
        with self.held.turn:
            self.held.end()
            self.up(halted)

    def leave(self, commands: Sequence[str], halted: Halted) -> list[tuple[str, Ran]]:
        """Run these commands, let the shell end by itself, and close the session. What came of those that failed."""
        failed = []
        try:
            for command in commands if self.running else ():
                ran = self.run(command, halted)
                if ran.exit_code != 0:
                    failed.append((command, ran))
            self.hang_up()
        finally:
            self.held.close()
        return failed

    def hang_up(self) -> None:
        """Close the shell's stdin, at which it ends."""
        with self.held.turn:
            process = self.held.process
            if process is None or process.stdin is None:
                return
            close(process.stdin)
            self.held.wait(process)

    # with the turn

    def up(self, halted: Halted) -> subprocess.Popen[Any]:
        """The shell, started if it is not there."""
        if self.held.process is not None:
            return self.held.process
        if self.held.closed:
            raise ShellClosedError("the shell was closed, as its run is over")
        self.folder.mkdir(parents=True, exist_ok=True)
        process = self.held.start(self.folder, self.env, self.command)
        try:
            self.prepare(process, ":", halted, SET_UP)
            for command in self.startup:
                self.prepare(process, command, halted)
        except BaseException:
            self.held.end()
            raise
        return process

    def prepare(self, process: subprocess.Popen[Any], command: str, halted: Halted, before: str = "") -> None:
        """A command that must succeed before the model's."""
        ran = self.exchange(process, command, self.policy.startup_timeout, halted, before)
        if ran.exit_code == 0 and not ran.shell_ended:
            return
        what = "the shell did not come up" if before else f"the startup command {command!r} failed"
        why = f"no answer in {self.policy.startup_timeout:g} s" if ran.timed_out else f"exit code {ran.exit_code}"
        said = f": {ran.text.strip()}" if ran.text.strip() else ""
        raise ShellStartError(f"{what} ({why}){said}")

    def exchange(
        self, process: subprocess.Popen[Any], command: str, timeout: float, halted: Halted, before: str = ""
    ) -> Ran:
        """Send a command, and read until its marks. A shell that is in no good state afterwards is ended."""
        token = ids.unique()
        output = Output(token, self.policy.max_output_lines, self.policy.max_output_bytes or MOST_BYTES)
        script = before + SCRIPT.format(command=shlex.quote(command), token=token)
        try:
            talk = Talk(process, output, script.encode("utf-8", "surrogatepass"), halted)
            fate = talk.until(clock.monotonic() + timeout)
            if fate != "done":
                self.held.end()
        except BaseException:
            self.held.end()
            raise
        if self.held.closed or halted():
            raise ShellClosedError("the shell was closed while a command ran")
        text = output.text()
        code = output.exit_code if fate == "done" else process.returncode if fate == "ended" else None
        return Ran(text, code, fate == "late", fate == "ended", output.lines, output.bytes, output.dropped)


class Talk:
    """One exchange: what is still to be written, and where what is read goes."""

    def __init__(self, process: subprocess.Popen[Any], output: Output, script: bytes, halted: Halted) -> None:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        self.process = process
        self.output = output
        self.halted = halted
        self.left = memoryview(script)
        self.stdin = process.stdin.fileno()
        self.streams: dict[int, Stream] = {process.stdout.fileno(): output.out, process.stderr.fileno(): output.err}

    def until(self, deadline: float) -> str:
        """Write and read: "done" once both marks have come, "ended" once the shell has, "late" if stopped before."""
        with selectors.DefaultSelector() as selector:
            for file in self.streams:
                os.set_blocking(file, False)
                selector.register(file, selectors.EVENT_READ)
            os.set_blocking(self.stdin, False)
            selector.register(self.stdin, selectors.EVENT_WRITE)
            while not self.output.over:
                left = deadline - clock.monotonic()
                if left <= 0 or self.halted():
                    return "late"
                ready = selector.select(min(left, LOOK_S))
                for key, _ in ready:
                    if not self.moved(key.fd):
                        selector.unregister(key.fd)
                if (not ready and has_ended(self.process)) or (not selector.get_map() and self.gone(deadline)):
                    self.rest()
                    return "ended"
        return "done"

    def moved(self, file: int) -> bool:
        """Move what can be moved; False when there is no more to come."""
        try:
            if file == self.stdin:
                self.left = self.left[os.write(file, self.left[:PIECE]) :]
                return bool(self.left)
            data = os.read(file, PIECE)
        except BlockingIOError:
            return True
        except BrokenPipeError:
            return False
        self.output.feed(self.streams[file], data)
        return bool(data)

    def gone(self, deadline: float) -> bool:
        """Both outputs are closed: the shell has ended, or is about to."""
        while not has_ended(self.process) and clock.monotonic() < deadline:
            clock.sleep(POLL_S)
        return has_ended(self.process)

    def rest(self) -> None:
        """What a shell that has ended still said."""
        for file in self.streams:
            for _ in range(LAST_PIECES):
                try:
                    data = os.read(file, PIECE)
                except OSError:
                    break
                if not data:
                    break
                self.output.feed(self.streams[file], data)
