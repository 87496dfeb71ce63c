"""The tables: one line per workload as it comes in, then the exponents of the series."""

from __future__ import annotations

import math
from collections.abc import Iterable

from budget import EXPONENTS

from harness.measure import Engine, Measurement, Workload


def heading(engines: list[Engine]) -> str:
    names = " ".join(f"{engine.package:>{_width(engine)}}" for engine in engines)
    line = f"{'row':>3}  {'workload':<42} {'unit':<8} {names} {'ratio':>7} {'goal':>7}"
    return f"CPU time, us unless the unit says otherwise; medians\n\n{line}\n{'-' * (len(line) + 6)}"


def line(measurement: Measurement, engines: list[Engine], peer: str, ours: str) -> str:
    """One line of the table; an engine's failure stands in brackets below it."""
    workload = measurement.workload
    ratio = measurement.ratio(peer, ours)
    cells = [
        f"{workload.row:>3}  {workload.name:<42} {workload.unit:<8}",
        *(f"{_number(measurement.median(engine.root)):>{_width(engine)}}" for engine in engines),
        f"{'-' if ratio is None else f'{ratio:.1f}x':>7} {workload.goal!s:>7}  {verdict(measurement, peer, ours)}",
    ]
    failures = [f"\n     [{root}] {text[:160]}" for root, text in measurement.errors.items()]
    return " ".join(cells).rstrip() + "".join(failures)


def _width(engine: Engine) -> int:
    return max(10, len(engine.package))


def verdict(measurement: Measurement, peer: str, ours: str) -> str:
    """`ok`, `MISS`, or nothing where there is no goal or nothing to judge it by."""
    if ours in measurement.errors:
        return "ERROR"
    cost = measurement.median(ours)
    met = None if cost is None else measurement.workload.goal.met(cost, measurement.ratio(peer, ours))
    return "" if met is None else "ok" if met else "MISS"


def scaling(measurements: Iterable[Measurement], roots: Iterable[str], ours: str) -> str:
    """Cost per unit at each size and the exponent of the total, per series and engine."""
    series: dict[str, list[Measurement]] = {}
    for measurement in measurements:
        if measurement.workload.series:
            series.setdefault(measurement.workload.series[0], []).append(measurement)
    lines = [f"{'series':<32} {'engine':<10} {'exponent':>8} {'goal':>7}        us per unit at each size"]
    for name, points in series.items():
        for root in roots:
            text = _series_line(name, root, _sizes(points, root), judged=root == ours)
            lines += [text] if text else []
    return "\n".join(lines) if len(lines) > 1 else ""


def _sizes(points: list[Measurement], root: str) -> list[tuple[Workload, int, float]]:
    known = [(point.workload, point.workload.series, point.median(root)) for point in points]
    return sorted(
        ((workload, series[1], cost) for workload, series, cost in known if series and cost and cost > 0),
        key=lambda point: point[1],
    )


def _series_line(name: str, root: str, points: list[tuple[Workload, int, float]], *, judged: bool) -> str:
    # Size zero is shown and not fitted: it has no logarithm.
    fitted = [(size, cost * (workload.repeated or size)) for workload, size, cost in points if size]
    if len(fitted) < 2:
        return ""
    slope = exponent(fitted)
    bound = next(value for kind, value in EXPONENTS.items() if name.startswith(kind))
    mark = ("ok" if slope <= bound else "MISS") if judged else ""
    costs = "  ".join(f"{size}: {_number(cost)}" for _, size, cost in points)
    return f"{name:<32} {root:<10} {slope:>8.2f} {f'<={bound:g}':>7}  {mark:<4}  {costs}"


def exponent(points: list[tuple[int, float]]) -> float:
    """Slope of the least-squares line through (log size, log total)."""
    xs = [math.log(size) for size, _ in points]
    ys = [math.log(total) for _, total in points]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
