"""The process of a shell and all that it starts: killed as a whole, and nothing of it stays."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from headrace import clock, ids, workers
from headrace.agents.middleware.shell.execution import BaseExecutionPolicy, ShellStartError

BADGE = "HEADRACE_SHELL"
"""A variable in the environment of all that a shell starts, by which it is found outside the process group as well."""

POLL_S = 0.005
ROUNDS = 10
"""How often we look for what a process started while it was being killed."""


class Held:
    """What must not outlive a session: processes, their pipes, the temporary folder.

    It knows nothing of the session, so a finalizer can hold it. Every method is safe from any thread; none raises.
    """

    def __init__(self, policy: BaseExecutionPolicy, folder: TemporaryDirectory[str] | None) -> None:
        self.policy = policy
        self.folder = folder
        self.process: subprocess.Popen[Any] | None = None
        self.badge = ""
        self.own_group = False
        self.closed = False
        """Nothing is started any more."""
        self.owner = os.getpid()
        self.turn = threading.RLock()
        """Held by who speaks with the process, whose pipes nobody may close meanwhile."""
        self.lock = threading.RLock()
        """Guards `process`: who kills a process by its number must know that the number is still its own."""

    def start(self, workspace: Path, env: Mapping[str, str], command: Sequence[str]) -> subprocess.Popen[Any]:
        """A new process in place of the old one. ShellStartError."""
        self.end()
        badge = ids.unique()
        process = self.policy.spawn(workspace=workspace, env={**env, BADGE: badge}, command=command)
        with self.lock:
            self.process, self.badge = process, badge
            self.own_group = leads_group(process)
        if self.closed:
            self.close()
            raise ShellStartError("the shell was closed while it was being started")
        return process

    def kill(self) -> None:
        """Kill the process and its group, without waiting for it."""
        with self.lock:
            if self.process is not None and os.getpid() == self.owner:
                kill_group(self.process, self.own_group)

    def end(self) -> None:
        """Kill the process with all that it started, and wait until it is gone."""
        if os.getpid() != self.owner:
            return
        self.kill()  # at which whoever speaks with it lets go of it
        with self.turn:
            if self.process is None:
                return
            process = self.process
            kill_badged(self.badge)
            self.wait(process)
            with self.lock:
                process.poll()
                self.process = None
            for pipe in (process.stdin, process.stdout, process.stderr):
                close(pipe)
            self.policy.discard(process)

    def wait(self, process: subprocess.Popen[Any]) -> None:
        """Wait for the process to end, as long as the policy allows."""
        limit = clock.monotonic() + self.policy.termination_timeout
        while not has_ended(process) and clock.monotonic() < limit:
            clock.sleep(POLL_S)

    def close(self) -> None:
        """End the process, and remove the folder."""
        self.closed = True
        self.end()
        if os.getpid() != self.owner:
            return
        with self.lock:
            folder, self.folder = self.folder, None
        if folder is not None:
            remove(folder)

    def stop(self) -> None:
        """`close`, for whoever may not wait: on the thread of an event loop only the killing is done at once."""
        if self.closed and self.process is None and self.folder is None:
            return
        self.closed = True
        self.kill()
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self.close()
        else:
            workers.queue(self.close)


def leads_group(process: subprocess.Popen[Any]) -> bool:
    """Whether the process has a group of its own, with all that it starts."""
    try:
        return os.getpgid(process.pid) == process.pid
    except (OSError, AttributeError):
        return False


def kill_group(process: subprocess.Popen[Any], own_group: bool) -> None:
    try:
        if own_group:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    except (ProcessLookupError, PermissionError):  # all gone; macOS says so of zombies
        pass


def has_ended(process: subprocess.Popen[Any]) -> bool:
    """Whether the process has ended. Where the system allows, its number stays its own until it is reaped."""
    if process.returncode is not None:
        return True
    if not hasattr(os, "waitid"):
        return process.poll() is not None
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return process.poll() is not None


def kill_badged(badge: str) -> None:
    """Kill what has this badge in its environment: what left the process group (`setsid`). Linux only."""
    for _ in range(ROUNDS):
        found = False
        for pid in badged(badge):
            try:
                os.kill(pid, signal.SIGKILL)
                found = True
            except (ProcessLookupError, PermissionError):
                pass
        if not found:
            return
        clock.sleep(POLL_S)


def badged(badge: str) -> Iterator[int]:
    """The processes with this badge; the dead have no environment any more."""
    if not sys.platform.startswith("linux"):
        return
    sought = f"{BADGE}={badge}".encode()
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/environ", "rb") as file:
                    environment = file.read()
            except OSError:
                continue
            if sought in environment.split(b"\0"):
                yield int(name)


def close(pipe: Any) -> None:
    if pipe is not None:
        try:
            pipe.close()
        except OSError:  # text for a dead process that was never written
            pass


def remove(folder: TemporaryDirectory[str]) -> None:
    """Remove a folder in which something that was just killed may still have written."""
    for _ in range(ROUNDS):
        try:
            return folder.cleanup()
        except OSError:
            clock.sleep(POLL_S)
