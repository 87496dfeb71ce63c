"""Install the built wheel as users do, on the oldest and the newest Python here: `python -m tools.installs`.

Bare, it must run a graph, and its script and what needs langchain-core must name the extra that is missing; with
[all], every module must import. Run outside the checkout, so that a file left out of the wheel is missed.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tools.pythons import VERSIONS, find
from tools.venvs import Failed, call, call_uv, install, python_of, run

IMPORT_ALL = """
import importlib, importlib.metadata, pkgutil, headrace
names = [m.name for m in pkgutil.walk_packages(headrace.__path__, "headrace.", onerror=importlib.import_module)]
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
[script] = importlib.metadata.entry_points(group="console_scripts", name="headrace")
script.load()
print(len(names))
"""


BARE = """
from headrace.errors import MissingExtraError
from headrace.graph import END, START, StateGraph

graph = StateGraph(dict).add_node("n", lambda state: None).add_edge(START, "n").compile()
graph.invoke({})

def refused(call):
    try:
        call()
    except MissingExtraError as error:
        assert "langchain-core" in str(error) and "headrace[agents]" in str(error), error
    else:
        raise AssertionError(f"{call} needs langchain-core, which is not there")

refused(lambda: list(graph.stream({}, stream_mode="messages")))
refused(lambda: __import__("headrace.testing"))
refused(lambda: __import__("headrace.graph", fromlist=["MessagesState"]).MessagesState)
"""


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        call_uv("build", "--quiet", "--wheel", "--out-dir", folder)
        [wheel] = Path(folder).glob("*.whl")
        present = [(version, python) for version in VERSIONS if (python := find(version))]
        for version, python in dict([present[0], present[-1]]).items():
            print(f"{version}: {check(python, wheel, Path(folder) / version)}", flush=True)
    return 0


def check(python: Path, wheel: Path, venv: Path) -> str:
    call_uv("venv", "--quiet", "--python", python, venv)
    install(venv, str(wheel))
    call(python_of(venv), "-I", "-c", BARE, cwd=venv)
    bare_script(venv)
    install(venv, f"headrace[all] @ {wheel.as_uri()}")
    modules = call(python_of(venv), "-I", "-c", IMPORT_ALL, cwd=venv).strip()
    return f"bare engine runs, [all] imports {modules} modules"


def bare_script(venv: Path) -> None:
    """Without the [cli] extra the script fails, and says what to install."""
    done = run(venv / "bin" / "headrace", "run", "x.py:graph", cwd=venv)
    if done.returncode == 0 or "headrace[cli]" not in done.stdout or "Traceback" in done.stdout:
        raise Failed(f"without extras the script must name headrace[cli]; exit code {done.returncode}:\n{done.stdout}")


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except Failed as failed:
        raise SystemExit(str(failed)) from None
