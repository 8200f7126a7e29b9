"""The figure: drain rate, start latency and the behaviour under a backlog, side by side."""

from __future__ import annotations

import itertools
from typing import Any

from tests.benchmarks.million import label
from tests.benchmarks.ours import BareLoop, Fork
from tests.benchmarks.parts import SUBJECTS, Plan
from tests.benchmarks.results import Results, on

OURS, PROCESS, NO_PROCESS, FLOOR = "#c0392b", "#2c7fb8", "#a6bddb", "#636363"
LINES = ("#2c7fb8", "#41ab5d", "#8c6bb1", "#d98f07", "#17becf", "#636363")


def draw(path: str, plan: Plan, results: Results) -> None:
    """Write the PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, ((rates, latency), (backlog, waiting)) = plt.subplots(2, 2, figsize=(15, 11), layout="constrained")
    _rates(rates, results)
    _latency(latency, results)
    _backlog(backlog, plan, results)
    _waiting(waiting, plan, results)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _logarithmic(axes: Any, which: str) -> None:
    """Logarithmic axes; those of a part that was not measured have nothing to be scaled."""
    if axes.has_data():
        axes.set(**{f"{axis}scale": "log" for axis in which})


def _color(name: str) -> str:
    kind = next((kind for kind in SUBJECTS if kind.name == name), None)
    if kind is BareLoop:
        return FLOOR
    if name.startswith("spoolrunner"):
        return OURS
    return PROCESS if kind is not None and kind.a_process_a_job else NO_PROCESS


def _rates(axes: Any, results: Results) -> None:
    metric = on(results.main, "drain")
    found = {name: results.median(metric, name) or 0.0 for name in results.subjects(metric)}
    names = sorted(found, key=lambda name: found[name])
    bars = axes.barh(names, [found[name] for name in names], color=[_color(name) for name in names])
    axes.bar_label(bars, fmt="{:,.0f}", padding=3)
    _logarithmic(axes, "x")
    axes.set(title=f"Drain of no-op jobs, 2 slots ({results.main})", xlabel="jobs per second (log scale)")
    axes.margins(x=0.15)
    from matplotlib.patches import Patch

    colors = {
        OURS: "spoolrunner, a process a job",
        FLOOR: "bare loop, a process a job",
        PROCESS: "peer, a process a job",
        NO_PROCESS: "peer, processes used again",
    }
    axes.legend(handles=[Patch(color=color, label=words) for color, words in colors.items()], loc="lower right")


def _latency(axes: Any, results: Results) -> None:
    from matplotlib.ticker import LogLocator

    names = results.subjects("latency_p50")
    names.sort(key=lambda name: -(results.median("latency_p50", name) or 0.0))
    for number, name in enumerate(names):
        p50, p99 = results.median("latency_p50", name) or 0.0, results.median("latency_p99", name) or 0.0
        axes.plot([p50, p99], [number, number], color=_color(name), linewidth=3)
        axes.plot([p50], [number], "o", color=_color(name), markersize=8)
        axes.plot([p99], [number], "|", color=_color(name), markersize=14)
    axes.set_yticks(range(len(names)), names)
    _logarithmic(axes, "x")
    axes.set(title="Start latency when idle: p50 (dot) to p99 (bar)", xlabel="ms (log scale)")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.grid(axis="x", which="both", alpha=0.3)


def _backlog(axes: Any, plan: Plan, results: Results) -> None:
    colors = itertools.cycle(LINES)
    for kind in SUBJECTS:
        if kind is Fork and results.has("waiting rate"):
            sizes = [size for size in plan.waiting if results.median("waiting rate", label(size))]
            rates = [results.median("waiting rate", label(size)) for size in sizes]
        else:
            sizes = [size for size in plan.backlogs if results.median(f"backlog {size}", kind.name)]
            rates = [results.median(f"backlog {size}", kind.name) for size in sizes]
        if sizes:
            color = OURS if kind is Fork else next(colors)
            axes.plot(sizes, rates, marker="o", label=kind.name, color=color, linewidth=3 if kind is Fork else 1.5)
    axes.set(
        xscale="log", yscale="log", title="Drain rate at a backlog", xlabel="jobs waiting", ylabel="jobs per second"
    )
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend()


def _waiting(axes: Any, plan: Plan, results: Results) -> None:
    lines = {
        "first start after (s)": "first",
        "full scan through after (s)": "scan",
        "urgent arrival while scanning, longest (s)": "latency max while scanning",
        "urgent arrival while draining, p50 (s)": "latency p50 while draining",
    }
    for words, metric in lines.items():
        found = {size: results.median(f"waiting {metric}", label(size)) for size in plan.waiting}
        points = {size: value / (1000 if "latency" in metric else 1) for size, value in found.items() if value}
        if points:
            axes.plot(list(points), list(points.values()), marker="o", label=words)
    _logarithmic(axes, "xy")
    axes.set(title="spoolrunner with many waiting", xlabel="jobs waiting", ylabel="seconds")
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend()
