"""The command line that all benches share: which workloads, how often; the tables, and what a run was made of."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import re
import sys
import time
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from harness import report
from harness.measure import LOOP, Engine, Measurement, Workload, measure, settle


def arguments(description: str | None, peer: str) -> argparse.Namespace:
    """What was asked for; `peer` is whom we are judged beside unless that says otherwise."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", metavar="REGEX", default="", help='workloads whose "ROW NAME" matches, e.g. "^2 .*async"'
    )
    parser.add_argument("--rounds", metavar="N", type=int, default=5, help="passes per workload and engine (default 5)")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write every round's figures to FILE")
    parser.add_argument("--rows", action="store_true", help="list the workloads and their goals, measure nothing")
    parser.add_argument("--root", default="headrace", help="import root of the engine to judge (default headrace)")
    parser.add_argument("--peer", default=peer, help=f"import root to compare with (default {peer}); '' for none")
    parsed = parser.parse_args()
    if parsed.rounds < 1:
        parser.error("--rounds must be at least 1")
    return parsed


def importable(module: str) -> bool:
    """Whether a module is there; says so where it is not."""
    try:
        importlib.import_module(module)
    except ImportError as error:
        print(f"without {module}: {error}", file=sys.stderr)
        return False
    return True


def run(workloads: Iterable[Workload], engines: list[Engine], options: argparse.Namespace) -> int:
    """Measure and report; the exit code, which a missed goal does not change."""
    chosen = [work for work in workloads if re.search(options.only, f"{work.row} {work.name}")]
    if options.rows:
        print("\n".join(f"{work.row:>3}  {work.name:<42} {work.unit:<8} {work.goal}" for work in chosen))
        return 0
    if not chosen or not engines:
        print("nothing to measure", file=sys.stderr)
        return 2
    settle()
    started = time.perf_counter()
    measurements = _run(chosen, engines, options)
    _summary(measurements, engines, options, time.perf_counter() - started)
    if options.json:
        options.json.write_text(json.dumps(_document(measurements, engines, options), indent=1) + "\n")
    LOOP.close()
    return 1 if any(measurement.errors for measurement in measurements) else 0


def _run(chosen: list[Workload], engines: list[Engine], options: argparse.Namespace) -> list[Measurement]:
    print(report.heading(engines))
    measurements = []
    for work in chosen:
        measurements.append(measure(work, engines, options.rounds))
        print(report.line(measurements[-1], engines, options.peer, options.root), flush=True)
    return measurements


def _summary(
    measurements: list[Measurement], engines: list[Engine], options: argparse.Namespace, seconds: float
) -> None:
    table = report.scaling(measurements, [engine.root for engine in engines], options.root)
    if table:
        print(f"\n{table}")
    verdicts = [(report.verdict(one, options.peer, options.root), one.workload.name) for one in measurements]
    missed = [name for word, name in verdicts if word == "MISS"]
    met = sum(word == "ok" for word, _ in verdicts)
    print("\n".join([f"\n{met} workload goals met, {len(missed)} missed", *(f"  missed: {name}" for name in missed)]))
    versions = ", ".join(f"{engine.package} {_version(engine)}" for engine in engines)
    print(f"Python {platform.python_version()}, {versions}, {options.rounds} rounds, {seconds:.0f} s")


def _version(engine: Engine) -> str:
    try:
        return version(engine.package)
    except PackageNotFoundError:
        return "(not installed)"


def _document(measurements: list[Measurement], engines: list[Engine], options: argparse.Namespace) -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "engines": {engine.root: _version(engine) for engine in engines},
        "workloads": [
            {
                "row": one.workload.row,
                "name": one.workload.name,
                "unit": one.workload.unit,
                "goal": str(one.workload.goal),
                "ratio": one.ratio(options.peer, options.root),
                "rounds": one.samples,
                "errors": one.errors,
            }
            for one in measurements
        ],
    }
