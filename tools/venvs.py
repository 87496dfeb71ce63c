"""Virtual environments and what is installed in them. Standard library only: it runs before anything is installed."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HERE = Path(sys.prefix)
"""The environment that runs this; once `tools.environment` is through it has a uv."""


class Failed(Exception):
    """A command failed; the message is its output."""


def run(*command: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """The finished command with both its streams in `stdout`, whatever its exit code."""
    return subprocess.run(command, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


def call(*command: str | Path, cwd: Path = ROOT) -> str:
    """The command's output, both streams; Failed with it when the command fails."""
    done = run(*command, cwd=cwd)
    if done.returncode:
        raise Failed(f"$ {' '.join(map(str, command))}\n{done.stdout}(exit code {done.returncode})")
    return done.stdout


def python_of(venv: Path) -> Path:
    return venv / "bin" / "python"


def uv(tools: Path = HERE) -> str | None:
    """The path of a uv: in the environment `tools`, or on PATH."""
    inside = run(python_of(tools), "-c", "import uv; print(uv.find_uv_bin())")
    return shutil.which("uv") if inside.returncode else inside.stdout.strip()


def call_uv(*arguments: str | Path, tools: Path = HERE) -> str:
    found = uv(tools)
    if found is None:
        raise Failed(f"there is no uv in {tools} or on PATH; `make env` puts one there")
    return call(found, *arguments)


def install(venv: Path, *requirements: str, tools: Path = HERE) -> None:
    """Install into venv with the uv of `tools`; with its pip where uv fails.

    pip may have been told of an index or a certificate that uv does not know.
    """
    python = python_of(venv)
    try:
        call_uv("pip", "install", "--quiet", "--python", python, *requirements, tools=tools)
    except Failed as failed:
        print(f"{failed}\nuv could not install; trying pip", file=sys.stderr)
        call(python_of(tools), "-m", "pip", "--python", python, "install", "--quiet", *requirements)


def is_current(venv: Path, extras: str) -> bool:
    """Whether venv works and holds this checkout with these extras, as pyproject.toml now names them."""
    stamp = _stamp(venv)
    return stamp.exists() and python_of(venv).exists() and stamp.read_text() == _state(extras)


def mark_current(venv: Path, extras: str) -> None:
    _stamp(venv).write_text(_state(extras))


def _stamp(venv: Path) -> Path:
    return venv / "headrace-installed"


def _state(extras: str) -> str:
    digest = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    return f"{ROOT}\n{extras}\n{digest}\n"
