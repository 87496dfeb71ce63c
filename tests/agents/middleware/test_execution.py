"""Where a shell runs: command lines, and limits."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from headrace.agents import create_agent
from headrace.agents.middleware.shell.execution import (
    BaseExecutionPolicy,
    CodexSandboxExecutionPolicy,
    DockerExecutionPolicy,
    HostExecutionPolicy,
    ShellStartError,
)
from headrace.agents.middleware.shell_tool import ShellToolMiddleware
from headrace.testing import ScriptedChatModel
from tests.drive import Drive

from .tool_calls import HI, calling

WORK = Path("/work/place, with: signs")


def docker(env: dict[str, str] | None = None, **settings: Any) -> list[str]:
    return DockerExecutionPolicy(**settings).arguments(WORK, env or {}, ["/bin/sh"])


def has(argv: list[str], *words: str) -> bool:
    """Whether the words stand in the command line one after another."""
    return any(tuple(argv[at : at + len(words)]) == words for at in range(len(argv)))


def test_a_container_has_no_network_and_no_rights_that_it_does_not_need() -> None:
    argv = docker(user="7:8")
    assert has(argv, "--network", "none") and has(argv, "--cap-drop", "ALL") and "--rm" in argv
    assert has(argv, "--security-opt", "no-new-privileges") and has(argv, "--pids-limit", "512")
    assert has(argv, "--user", "7:8")
    assert argv[-2:] == ["python:3.12-alpine3.19", "/bin/sh"]


def test_the_workspace_alone_is_mounted_whatever_its_name() -> None:
    argv = docker()
    assert has(argv, "--mount", f'type=bind,"source={WORK}","target={WORK}"')
    assert has(argv, "--workdir", str(WORK)) and argv.count("--mount") == 1 and "-v" not in argv


def test_settings_of_a_container_are_on_its_command_line() -> None:
    argv = docker(
        memory_bytes=1000, cpu_time_seconds=4, cpus="0.5", network_enabled=True, remove_container_on_exit=False,
        read_only_rootfs=True, extra_run_args=["--gpus", "all"], image="mine",
    )  # fmt: skip
    assert has(argv, "--memory", "1000") and has(argv, "--ulimit", "cpu=4") and has(argv, "--cpus", "0.5")
    assert has(argv, "--read-only", "--tmpfs", "/tmp") and argv[-4:] == ["--gpus", "all", "mine", "/bin/sh"]
    assert "--network" not in argv and "--rm" not in argv


def test_values_of_variables_are_not_on_the_command_line() -> None:
    argv = docker({"TOKEN": "secret", "HOME": "/home/x", "DOCKER_HOST": "tcp://x"})
    assert has(argv, "--env", "TOKEN") and "secret" not in " ".join(argv)
    assert has(argv, "--env", "HOME=/home/x") and has(argv, "--env", "DOCKER_HOST=tcp://x")


def test_two_containers_have_two_names() -> None:
    first, second = (argv[argv.index("--name") + 1] for argv in (docker(), docker()))
    assert first != second and first.startswith("headrace-shell-")


def test_a_container_is_removed_by_its_name_when_its_client_is_killed(tmp_path: Path) -> None:
    stand_in = tmp_path / "docker"
    stand_in.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n[ "$1" = run ] && exec /bin/sh\n')
    stand_in.chmod(0o755)
    policy = DockerExecutionPolicy(binary=str(stand_in))
    model = ScriptedChatModel(replies=[calling(("shell", {"command": "echo hi"})), "done"])
    agent = create_agent(model, middleware=[ShellToolMiddleware(tmp_path, execution_policy=policy)])
    assert agent.invoke(HI)["messages"][2].text == "hi"
    run, remove = (tmp_path / "calls").read_text().splitlines()
    name = run.split()[run.split().index("--name") + 1]
    assert remove == f"rm --force {name}"


def works(binary: str, *args: str) -> bool:
    """Whether a program is there and does what it should."""
    path = shutil.which(binary)
    return path is not None and subprocess.run([path, *args], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(
    not works("docker", "image", "inspect", DockerExecutionPolicy().image), reason="no Docker with the image at hand"
)
def test_commands_run_in_a_container(drive: Drive, tmp_path: Path) -> None:
    command = "echo hi > file; cat /etc/alpine-release; ls /sys/class/net"
    model = ScriptedChatModel(replies=[calling(("shell", {"command": command})), "done"])
    middleware = ShellToolMiddleware(tmp_path, execution_policy=DockerExecutionPolicy())
    answer = drive.invoke(create_agent(model, middleware=[middleware]), HI)["messages"][2]
    assert answer.text.split()[1:] == ["lo"]
    assert (tmp_path / "file").read_text() == "hi\n"


def test_the_sandbox_of_codex_is_called_with_its_settings() -> None:
    policy = CodexSandboxExecutionPolicy(platform="linux", config_overrides={"a.b": True, "c": ["x"], "d": "y"})
    argv = policy.arguments(["/bin/bash"])
    assert argv[:2] == ["sandbox", "linux"] and argv[-2:] == ["--", "/bin/bash"]
    assert [json.loads(one.partition("=")[2]) for one in argv[3:-2:2]] == [True, ["x"], "y"]


def test_codex_reads_its_settings_where_the_model_cannot_write(tmp_path: Path) -> None:
    assert CodexSandboxExecutionPolicy().environment(tmp_path)["HOME"] == str(Path.home())


@pytest.mark.parametrize(
    "policy", [DockerExecutionPolicy(binary="no-such-docker"), CodexSandboxExecutionPolicy(binary="no-such-codex")]
)
def test_a_program_that_is_not_there_is_named(drive: Drive, policy: BaseExecutionPolicy) -> None:
    agent = create_agent(ScriptedChatModel(replies=["done"]), middleware=[ShellToolMiddleware(execution_policy=policy)])
    with pytest.raises(ShellStartError, match="no-such-"):
        drive.invoke(agent, HI)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (HostExecutionPolicy, {"command_timeout": 0}),
        (HostExecutionPolicy, {"max_output_lines": 0}),
        (HostExecutionPolicy, {"max_output_bytes": -1}),
        (HostExecutionPolicy, {"memory_bytes": 0}),
        (HostExecutionPolicy, {"cpu_time_seconds": "much"}),
        (DockerExecutionPolicy, {"termination_timeout": True}),
        (DockerExecutionPolicy, {"extra_run_args": "--privileged"}),
        (CodexSandboxExecutionPolicy, {"platform": "beos"}),
    ],
)
def test_settings_that_cannot_work_are_refused(kind: Any, settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        kind(**settings)
