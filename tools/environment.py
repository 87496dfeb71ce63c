"""Make the environment that `make` works in: `python -m tools.environment VENV`.

VENV is created when it is not there, and gets headrace (editable) with all extras and the development tools when
pyproject.toml has changed since the last time. Nothing but Python and pip is needed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools.venvs import ROOT, Failed, call, install, is_current, mark_current, python_of, run, uv

EXTRAS = "all,dev"
OLDEST = (3, 10)
WHERE = "import sys, sysconfig; print(sys._base_executable); print(sysconfig.get_path('purelib'))"


def main(venv: Path) -> None:
    if is_current(venv, EXTRAS):
        return
    if not python_of(venv).exists():
        create(venv)
    require_python(python_of(venv))
    if uv(venv) is None:
        install_uv(venv)
    print(f"installing headrace[{EXTRAS}] into {venv}", file=sys.stderr)
    install(venv, "--editable", f"{ROOT}[{EXTRAS}]", tools=venv)
    mark_current(venv, EXTRAS)


def create(venv: Path) -> None:
    require_python(Path(sys.executable))
    print(f"making {venv}", file=sys.stderr)
    if run(sys.executable, "-m", "venv", "--clear", venv).returncode:
        # Debian and its kin keep ensurepip in a package of its own; install_uv then borrows the pip outside.
        call(sys.executable, "-m", "venv", "--clear", "--without-pip", venv)


def require_python(python: Path) -> None:
    major, minor = map(int, call(python, "-c", "import sys; print(*sys.version_info[:2])").split())
    if (major, minor) < OLDEST:
        raise Failed(f"headrace needs Python 3.10 or newer, and {python} is {major}.{minor}")


def install_uv(venv: Path) -> None:
    python = python_of(venv)
    run(python, "-m", "ensurepip")  # gives pip to an environment made without, where Python has it to give
    if run(python, "-m", "pip", "--version").returncode == 0:
        call(python, "-m", "pip", "install", "--quiet", "uv")
    else:
        base, packages = call(python, "-c", WHERE).splitlines()
        call(base, "-m", "pip", "install", "--quiet", "--target", packages, "uv")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]).absolute())
    except Failed as failed:
        raise SystemExit(str(failed)) from None
