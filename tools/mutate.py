"""Change plan and apply in every way that mutmut knows, and see that a test notices: `python -m tools.mutate`.

mutmut works on a copy of the checkout, in an environment of its own under .venvs/. A mutant that no test notices is
accepted if docs/mutation.md shows its changed line and judges it; any other one fails the whole, and so does a judged
one that is gone.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

from tools.venvs import HERE, ROOT, Failed, call, call_uv, install, is_current, mark_current, python_of, run

MODULES = ("plan", "apply")
TESTS = ("tests/engine/test_plan.py", "tests/engine/test_apply.py")
COPIED = ("src", "tests", "pyproject.toml")
JUDGED = ROOT / "docs" / "mutation.md"
MUTMUT = "mutmut>=3.8,<4"
EXTRAS = "all,test"

CONFIG = f"""
[tool.mutmut]
source_paths = ["src"]
only_mutate = {[f"src/headrace/engine/{name}.py" for name in MODULES]}
also_copy = ["tests"]
pytest_add_cli_args_test_selection = {list(TESTS)}
"""


def main() -> int:
    python = environment()
    with tempfile.TemporaryDirectory() as folder:
        copy = copied(Path(folder))
        total = mutated(python, copy)
        survivors = [changed_line(python, copy, name) for name in names(python, copy)]
    known = judged()
    unknown = [line for line in survivors if line not in known]
    gone = [line for line in known if line not in survivors]
    print(f"{total} mutants, {total - len(survivors)} noticed by a test, {len(survivors)} not")
    for line in unknown:
        print(f"no test notices: {line}")
    for line in gone:
        print(f"take it out of {JUDGED.name}, a test notices it: {line}")
    return 1 if unknown or gone else 0


def environment() -> Path:
    """The Python of an environment with headrace, what its tests need, and mutmut."""
    venv = ROOT / ".venvs" / "mutate"
    if not is_current(venv, f"{EXTRAS},{MUTMUT}"):
        call_uv("venv", "--quiet", "--clear", "--python", python_of(HERE), venv)
        install(venv, MUTMUT, "--editable", f"{ROOT}[{EXTRAS}]")
        mark_current(venv, f"{EXTRAS},{MUTMUT}")
    return python_of(venv)


def copied(folder: Path) -> Path:
    """A copy of what mutmut needs, with its configuration."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    with (folder / "pyproject.toml").open("a") as config:
        config.write(CONFIG)
    return folder


def mutated(python: Path, copy: Path) -> int:
    """Run all mutants; how many there are."""
    output = call(python, "-m", "mutmut", "run", cwd=copy)
    counts = re.findall(r"(\d+)/(\d+)  ", output)
    if not counts or counts[-1][0] != counts[-1][1]:
        raise Failed(output)
    return int(counts[-1][1])


def names(python: Path, copy: Path) -> list[str]:
    """The mutants that no test noticed, also by taking too long."""
    return re.findall(r"^\s*(\S+): (?!killed)", run(python, "-m", "mutmut", "results", cwd=copy).stdout, re.MULTILINE)


def changed_line(python: Path, copy: Path, name: str) -> str:
    """The line of a mutant that is not the original's."""
    shown = call(python, "-m", "mutmut", "show", name, cwd=copy)
    (line,) = re.findall(r"^\+(?!\+\+)(.*)$", shown, re.MULTILINE)
    return str(line).strip()


def judged() -> list[str]:
    """The changed lines that docs/mutation.md accepts: those of its indented blocks."""
    return [line.strip() for line in JUDGED.read_text().splitlines() if line.startswith("    ")]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failed:
        sys.exit(str(failed))
