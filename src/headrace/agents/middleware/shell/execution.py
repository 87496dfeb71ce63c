"""Where an agent's shell runs: on this host, in a container, or in a sandbox of the Codex CLI."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from headrace import ids
from headrace.errors import HeadraceError


class ShellStartError(HeadraceError, RuntimeError):
    """The shell, or one of the commands that prepare it, did not start. What it said is in the message."""


@dataclass
class BaseExecutionPolicy(ABC):
    """How a shell is started, and what its commands may cost. Subclass it and write `spawn` for a place of your own."""

    command_timeout: float = 30.0
    """Seconds for one command; then the shell is killed, and the next command gets a new one."""
    startup_timeout: float = 30.0
    """Seconds for the shell to come up, and for each startup command."""
    termination_timeout: float = 10.0
    """Seconds that the shell gets to end by itself before it is killed."""
    max_output_lines: int = 100
    max_output_bytes: int | None = None
    """None: `MOST_BYTES`, since lines can be of any length."""

    def __post_init__(self) -> None:
        for name in ("command_timeout", "startup_timeout", "termination_timeout", "max_output_lines"):
            positive(self, name)
        for name in ("max_output_bytes", "cpu_time_seconds", "memory_bytes"):
            if getattr(self, name, None) is not None:
                positive(self, name)

    @abstractmethod
    def spawn(self, *, workspace: Path, env: Mapping[str, str], command: Sequence[str]) -> subprocess.Popen[Any]:
        """Start `command` in `workspace`, with exactly `env`; its three streams are pipes. OSError, ShellStartError.

        The process should lead a session of its own (`start_new_session`): then all of it can be killed at once.
        """

    def shell(self) -> tuple[str, ...]:
        """The shell where the middleware names none: bash where there is one, else sh."""
        return ("/bin/bash",) if os.path.exists("/bin/bash") else ("/bin/sh",)

    def environment(self, workspace: Path) -> dict[str, str]:
        """What the shell's environment has before the middleware's `env`: no more than commands need."""
        return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(workspace), "LANG": "C.UTF-8"}

    def discard(self, process: subprocess.Popen[Any]) -> None:  # noqa: B027 - most policies have nothing to do here
        """Remove what outlives the killed process. Does not raise."""


MOST_BYTES = 100_000
"""Of the output of one command, where the policy sets no limit: some 30,000 tokens."""


def positive(policy: Any, name: str) -> None:
    """ValueError for a setting that is no number above zero."""
    value = getattr(policy, name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise ValueError(f"{type(policy).__name__}.{name} must be a number above zero, got {value!r}")


@dataclass
class HostExecutionPolicy(BaseExecutionPolicy):
    """The shell is a process of this machine, with the rights of this program. **It is no sandbox.**

    Whatever the model writes can read and change every file that this program's user can, and use the network; the
    workspace is only where it starts. Choose it where the machine itself is disposable (a container, a CI job, a
    virtual machine) or where a person approves each command.

    What it does: a small environment, so that keys in this program's variables are not simply there to be read;
    limits on time and output; and all that a run started is killed when the run ends. On Linux that holds for
    processes that left the process group, too, unless they wiped their environment.

    `cpu_time_seconds` and `memory_bytes` (of address space) bound each process of the shell, by `ulimit`. They do not
    bound how many there are. `create_process_group=False` leaves the shell in this program's own group.
    """

    cpu_time_seconds: int | None = None
    memory_bytes: int | None = None
    create_process_group: bool = True

    def spawn(self, *, workspace: Path, env: Mapping[str, str], command: Sequence[str]) -> subprocess.Popen[Any]:
        return piped([*self.limits(), *command], workspace, env, own_group=self.create_process_group)

    def limits(self) -> list[str]:
        """A shell that limits itself and then becomes the command: no Python code runs between fork and exec."""
        set_limits = []
        if self.cpu_time_seconds is not None:
            set_limits.append(f"ulimit -t {int(self.cpu_time_seconds)}")
        if self.memory_bytes is not None:
            set_limits.append(f"ulimit -v {max(1, int(self.memory_bytes) // 1024)}")
        return ["/bin/sh", "-c", " && ".join([*set_limits, 'exec "$@"']), "sh"] if set_limits else []


@dataclass
class DockerExecutionPolicy(BaseExecutionPolicy):
    """The shell is a container of its own, gone with the run. Needs a running Docker, or what speaks like it.

    Without network, without capabilities, without a way to more rights, with at most `MOST_PROCESSES` processes, and
    as the user that runs this program, so that files in the workspace stay that user's. Of the host it sees the
    workspace alone, at the same path. Containers share the host's kernel: they hold back mistakes better than attacks.

    `user`: another one, as `docker run --user` takes it. `extra_run_args` come last and win.
    `remove_container_on_exit=False` keeps the stopped container for a look inside.
    """

    binary: str = "docker"
    image: str = "python:3.12-alpine3.19"
    remove_container_on_exit: bool = True
    network_enabled: bool = False
    extra_run_args: Sequence[str] | None = None
    memory_bytes: int | None = None
    cpu_time_seconds: Any | None = None
    cpus: str | None = None
    read_only_rootfs: bool = False
    user: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.extra_run_args, str):
            raise ValueError(f"extra_run_args are several arguments, got one text {self.extra_run_args!r}; pass a list")

    def spawn(self, *, workspace: Path, env: Mapping[str, str], command: Sequence[str]) -> subprocess.Popen[Any]:
        docker = found(self.binary, "the Docker policy")
        argv = [docker, *self.arguments(workspace, env, command)]
        return piped(argv, workspace, {**os.environ, **shared(env)})

    def arguments(self, workspace: Path, env: Mapping[str, str], command: Sequence[str]) -> list[str]:
        """What follows `docker`. Values of `env` are not in it: other users of the machine can read it."""
        argv = ["run", "--interactive", "--name", f"{CONTAINERS}{ids.unique()}"]
        argv += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--pids-limit", str(MOST_PROCESSES)]
        if self.remove_container_on_exit:
            argv += ["--rm"]
        if not self.network_enabled:
            argv += ["--network", "none"]
        if self.read_only_rootfs:
            argv += ["--read-only", "--tmpfs", "/tmp"]
        argv += self.limits()
        user = self.user or (f"{os.getuid()}:{os.getgid()}" if hasattr(os, "getuid") else None)
        if user is not None:
            argv += ["--user", user]
        argv += ["--mount", mount(workspace), "--workdir", str(workspace)]
        for name, value in env.items():
            argv += ["--env", name if name in shared(env) else f"{name}={value}"]
        return [*argv, *(self.extra_run_args or ()), self.image, *command]

    def limits(self) -> list[str]:
        argv = []
        if self.memory_bytes is not None:
            argv += ["--memory", str(self.memory_bytes)]
        if self.cpu_time_seconds is not None:
            argv += ["--ulimit", f"cpu={int(self.cpu_time_seconds)}"]
        if self.cpus is not None:
            argv += ["--cpus", str(self.cpus)]
        return argv

    def shell(self) -> tuple[str, ...]:
        return ("/bin/sh", "-c", "if command -v bash >/dev/null 2>&1; then exec bash; fi; exec sh")

    def environment(self, workspace: Path) -> dict[str, str]:
        """Without PATH, which is the image's."""
        return {"HOME": str(workspace), "LANG": "C.UTF-8"}

    def discard(self, process: subprocess.Popen[Any]) -> None:
        """Killing the client leaves its container running."""
        argv = [str(one) for one in process.args]  # type: ignore[union-attr]
        name = argv[argv.index("--name") + 1]
        order = ["rm", "--force"] if self.remove_container_on_exit else ["kill"]
        try:
            subprocess.run(
                [argv[0], *order, name], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, timeout=self.termination_timeout, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            pass


CONTAINERS = "headrace-shell-"
"""How the names of our containers begin: `docker ps --filter name=headrace-shell-` shows those that a crash left."""

MOST_PROCESSES = 512
"""In a container, so that a fork bomb is no one else's trouble."""


def shared(env: Mapping[str, str]) -> dict[str, str]:
    """The variables that Docker's client may have as well: none that it goes by itself."""
    return {name: value for name, value in env.items() if name not in CLIENT_S and not name.startswith("DOCKER_")}


CLIENT_S = frozenset(
    {"HOME", "PATH", "TMPDIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "LD_PRELOAD", "LD_LIBRARY_PATH"}
)


def mount(workspace: Path) -> str:
    """The workspace at its own path, for `--mount`, whose fields are those of a CSV file."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(["type=bind", f"source={workspace}", f"target={workspace}"])
    return line.getvalue()


@dataclass
class CodexSandboxExecutionPolicy(BaseExecutionPolicy):
    """The shell runs in the sandbox of the `codex` CLI (Landlock and seccomp on Linux, Seatbelt on macOS).

    What it may write and whether it has the network is Codex's configuration; `config_overrides` become its `-c`
    options, such as `{"sandbox_mode": "workspace-write"}`. HOME stays yours, and not the workspace: Codex reads its
    configuration there, and a model that could write it could let itself out. So the shell can read your files.
    """

    binary: str = "codex"
    platform: Literal["auto", "macos", "linux"] = "auto"
    config_overrides: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.platform not in ("auto", "macos", "linux"):
            raise ValueError(f"platform is 'auto', 'macos' or 'linux', got {self.platform!r}")

    def spawn(self, *, workspace: Path, env: Mapping[str, str], command: Sequence[str]) -> subprocess.Popen[Any]:
        codex = found(self.binary, "the Codex policy")
        return piped([codex, *self.arguments(command)], workspace, env)

    def arguments(self, command: Sequence[str]) -> list[str]:
        """What follows `codex`."""
        argv = ["sandbox", self.system()]
        for key, value in self.config_overrides.items():
            argv += ["-c", f"{key}={json.dumps(value)}"]
        return [*argv, "--", *command]

    def system(self) -> str:
        """The sandbox of this machine. ShellStartError if Codex has none for it."""
        if self.platform != "auto":
            return self.platform
        known = {"darwin": "macos", "linux": "linux"}
        if sys.platform not in known:
            raise ShellStartError(f"Codex has a sandbox for macOS and Linux, and this is {sys.platform!r}; use Docker")
        return known[sys.platform]

    def environment(self, workspace: Path) -> dict[str, str]:
        return {**super().environment(workspace), "HOME": str(Path.home())}


def found(binary: str, who: str) -> str:
    """Where a program is. ShellStartError if it is nowhere."""
    path = shutil.which(binary)
    if path is None:
        raise ShellStartError(f"{who} needs the program {binary!r}, which is not on the PATH; install it")
    return path


def piped(
    argv: Sequence[str], workspace: Path, env: Mapping[str, str], own_group: bool = True
) -> subprocess.Popen[Any]:
    """A process with three pipes. ShellStartError if it cannot be started."""
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(
            argv, stdin=pipe, stdout=pipe, stderr=pipe, cwd=workspace, env=dict(env), start_new_session=own_group
        )
    except OSError as error:
        raise ShellStartError(f"the shell {shlex.join(argv)} cannot be started in {workspace}: {error}") from error
