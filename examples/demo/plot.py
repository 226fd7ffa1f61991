# SPDX-License-Identifier: MIT
"""The result as a picture: traffic by pod and latency over time, libilb
above round robin."""
from __future__ import annotations

import math
import os
import pathlib
from typing import Any, Sequence

from . import measure
from .measure import Run, summarize
from .scenario import ERROR_POD, NEW_POD, SLOW_FACTOR, SLOW_POD
from .table import pods_of

os.environ.setdefault("MPLBACKEND", "Agg")  # no display is needed

STEP_S = 0.5
WINDOW_S = 2.0
SIZE_INCHES = (12.0, 6.4)
COLORS = {SLOW_POD: "#e69f00", ERROR_POD: "#d1495b", NEW_POD: "#5aa469"}
HEALTHY = ("#1f4e79", "#3f7cac", "#95b8d1")
LABELS = {SLOW_POD: f"pod 2: {SLOW_FACTOR}x slow",
          ERROR_POD: "pod 3: answers 500", NEW_POD: "pod 6: joins cold"}
INK = "#333333"


def times(end_s: float) -> list[float]:
    return [i * STEP_S for i in range(int(end_s / STEP_S) + 1)]


def window(run: Run, at_s: float) -> list[measure.Request]:
    """Payments due around a time."""
    return measure.between(run.requests, at_s - WINDOW_S / 2,
                           at_s + WINDOW_S / 2)


def share_series(run: Run, pods: Sequence[str]) -> list[list[float]]:
    """Of each pod, its share at each of times(), in per cent; zeros where
    there was no request."""
    series = []
    for at_s in times(run.marks.end_s):
        part = measure.of_service(window(run, at_s), "billing")
        series.append([100 * measure.shares(part).get(pod, 0.0)
                       if part else 0.0 for pod in pods])
    return [list(column) for column in zip(*series)]


def latency_series(run: Run, percent: float) -> list[float]:
    """A percentile of latencies_s() at each of times(), in ms."""
    series = []
    for at_s in times(run.marks.end_s):
        part = measure.of_service(window(run, at_s), "billing")
        series.append(1000 * measure.percentile(
            measure.latencies_s(part), percent))
    return series


def order(pods: Sequence[str]) -> list[str]:
    """Bottom to top: the sick ones where the eye can follow them."""
    special = [pod for pod in (ERROR_POD, SLOW_POD) if pod in pods]
    last = [pod for pod in (NEW_POD,) if pod in pods]
    return special + [p for p in pods if p not in special + last] + last


def _colors(pods: Sequence[str]) -> list[str]:
    healthy = iter(HEALTHY * len(pods))
    return [COLORS.get(pod) or next(healthy) for pod in pods]


def _events(axes: Any, run: Run) -> None:
    for at_s in (run.marks.bad_s, run.marks.joined_s, run.marks.healed_s):
        axes.axvline(at_s, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))


def _captions(axes: Any, run: Run) -> None:
    """What the lines mean, above the topmost axes."""
    for at_s, text in ((run.marks.bad_s, "two turn bad"),
                       (run.marks.joined_s, "one joins cold"),
                       (run.marks.healed_s, "both heal")):
        axes.text(at_s, 1.02, text, transform=axes.get_xaxis_transform(),
                  ha="center", va="bottom", fontsize=8.5, color=INK)


def _plot_shares(axes: Any, run: Run, title: str, pods: list[str]) -> None:
    labels = [LABELS.get(pod, "healthy pods") for pod in pods]
    seen: set[str] = set()
    shown = ["_" + text if text in seen or seen.add(text) else text
             for text in labels]
    axes.stackplot(times(run.marks.end_s), share_series(run, pods),
                   colors=_colors(pods), labels=shown, linewidth=0.4,
                   edgecolor="white")
    _events(axes, run)
    axes.set_ylim(0, 100)
    axes.set_ylabel(f"{title}\n", fontsize=13, fontweight="bold", color=INK)
    axes.yaxis.set_major_formatter("{x:.0f} %")


def _plot_latency(axes: Any, run: Run, top_ms: float) -> None:
    summary = summarize(run)
    at = times(run.marks.end_s)
    axes.plot(at, latency_series(run, 99), color="#d1495b", linewidth=1.4,
              label="P99")
    axes.plot(at, latency_series(run, 95), color="#1f4e79", linewidth=1.8,
              label="P95")
    _events(axes, run)
    axes.set_ylim(0, top_ms)
    axes.yaxis.set_major_formatter("{x:.0f} ms")
    axes.text(0.985, 0.95, f"{100 * summary.failures:.1f} %\nfailed",
              transform=axes.transAxes, ha="right", va="top", fontsize=13,
              fontweight="bold", color=INK)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)


def _top_ms(runs: Sequence[Run]) -> float:
    seen = [x for run in runs for x in latency_series(run, 99)
            if not math.isnan(x)]
    return 1.08 * max(seen, default=1.0)


def write(directory: pathlib.Path, libilb: Run,
          rival: Run) -> list[pathlib.Path]:
    """Write demo.svg and demo.png; returns their paths."""
    from matplotlib import pyplot

    pods = order(pods_of(libilb, rival))
    figure, grid = pyplot.subplots(2, 2, figsize=SIZE_INCHES, sharex=True,
                                   layout="constrained")
    top_ms = _top_ms((libilb, rival))
    for row, run, title in ((grid[0], libilb, "libilb"),
                            (grid[1], rival, "round robin")):
        _plot_shares(row[0], run, title, pods)
        _plot_latency(row[1], run, top_ms)
        for axes in row:
            axes.set_xlim(0, run.marks.end_s)
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(colors=INK, labelsize=9)
    for axes, title in zip(grid[0], ("Share of the payments", "Latency")):
        axes.set_title(title, fontsize=12, color=INK, pad=22)
        _captions(axes, libilb)
    for axes in grid[1]:
        axes.set_xlabel("seconds", color=INK)
    handles, labels = grid[0][0].get_legend_handles_labels()
    more = grid[0][1].get_legend_handles_labels()
    figure.legend(handles + more[0], labels + more[1], loc="outside lower "
                  "center", ncols=6, frameon=False, fontsize=10)
    files = [directory / "demo.svg", directory / "demo.png"]
    # Without a date the same run gives the same file.
    figure.savefig(files[0], metadata={"Date": None})
    figure.savefig(files[1], dpi=150)
    pyplot.close(figure)
    return files
