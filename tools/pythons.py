"""Run the tests on every Python from 3.10 to 3.14 that this machine has: `python -m tools.pythons [--others]`.

Pythons are looked for among pyenv's versions, then on PATH. Each gets an environment under .venvs/, made once and
renewed when pyproject.toml changes. One line is printed per version, "3.10: ran N tests" or "3.14: not on this
machine"; a version that is there but fails, or runs no test, fails the whole. With --others the version that runs
this is left out, for those who have tested it already.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tools.venvs import ROOT, Failed, call, call_uv, install, is_current, mark_current, python_of, run

VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
EXTRAS = "all,test"
AT_ONCE = 2
"""Test runs at a time: more would only share the two cores that small machines have."""

PROBE = "import sys, sysconfig; print('%d.%d' % sys.version_info[:2], sysconfig.get_config_var('Py_GIL_DISABLED') or 0)"


@dataclass(frozen=True)
class Report:
    line: str
    failure: str = ""
    """The output to show; empty when all went well."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--others", action="store_true", help="leave out the version that runs this")
    own = f"{sys.version_info.major}.{sys.version_info.minor}" if parser.parse_args().others else None
    reports = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for each in pool.map(report, (version for version in VERSIONS if version != own)):
            print(each.line, flush=True)
            reports.append(each)
    failures = [each for each in reports if each.failure]
    for each in failures:
        print(f"\n---- {each.line}\n{each.failure}")
    return 1 if failures else 0


def report(version: str) -> Report:
    try:
        python = find(version)
        if python is None:
            return Report(f"{version}: not on this machine")
        return run_tests(version, environment(version, python))
    except Failed as failed:
        return Report(f"{version}: could not run the tests", str(failed))


def find(version: str) -> Path | None:
    """A Python of this minor version, None when there is none; Failed when there are some and none of them runs."""
    broken = []
    for python in candidates(version):
        try:
            found = call(python, "-I", "-c", PROBE).split()
        except (Failed, OSError) as error:
            broken.append(f"{python}: {error}")
        else:
            if found == [version, "0"]:  # free-threaded builds are another platform
                return python
    if broken:
        raise Failed("\n".join(broken))
    return None


def candidates(version: str) -> Iterator[Path]:
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    patches = pyenv.glob(f"versions/{version}[.-]*/bin/python")
    yield from sorted(patches, key=_patch, reverse=True)
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        # pyenv's shims stand there for versions that are not active, and those are found above
        if folder and Path(folder) != pyenv / "shims":
            found = shutil.which(f"python{version}", path=folder)
            if found:
                yield Path(found)
    own = Path(sys.base_prefix) / "bin" / f"python{version}"
    if own.exists():
        yield own


def _patch(python: Path) -> tuple[int, str]:
    """Sorts 3.10.9 before 3.10.13, and a release candidate by its name."""
    name = python.parent.parent.name
    last = name.rpartition(".")[2]
    return (int(last) if last.isdigit() else -1, name)


def environment(version: str, python: Path) -> Path:
    """The cached environment of this version, with headrace (editable) and what the tests need."""
    venv = ROOT / ".venvs" / version
    if not is_current(venv, EXTRAS):
        call_uv("venv", "--quiet", "--clear", "--python", python, venv)
        install(venv, "--editable", f"{ROOT}[{EXTRAS}]")
        mark_current(venv, EXTRAS)
    return venv


def run_tests(version: str, venv: Path) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.xml"
        # no cache: two versions would write it at the same time
        options = [
            "-q",
            "-n",
            "2",
            "-m",
            "not slow and not main_only",
            "-p",
            "no:cacheprovider",
            f"--junitxml={results}",
        ]
        done = run(python_of(venv), "-m", "pytest", *options)
        ran = count(results)
    line = f"{version}: ran {ran} tests"
    if done.returncode:
        return Report(f"{line}, FAILED", f"{done.stdout}(exit code {done.returncode})")
    if not ran:
        return Report(f"{line}, FAILED", f"{done.stdout}no test ran")
    return Report(line)


def count(results: Path) -> int:
    """Tests that ran (skipped ones did not) by pytest's own account; 0 when it left none."""
    if not results.exists():
        return 0
    suites = ElementTree.parse(results).getroot().iter("testsuite")
    return sum(int(suite.get("tests", 0)) - int(suite.get("skipped", 0)) for suite in suites)


if __name__ == "__main__":
    raise SystemExit(main())
