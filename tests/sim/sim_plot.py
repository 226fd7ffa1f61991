#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Pictures of what `ilb-sim run --csv` wrote.

    sim_plot.py CSV --output FILE.svg [--subject ilb]

Up to three scenarios: failures and p99.9 by policy, in FILE.svg. More: in
FILE.svg an overview of all, and in FILE-SCENARIO.svg each of them. The same
results give the same bytes with the same version of matplotlib.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import math
import os
import statistics
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Iterable, Sequence

# No display is needed.
os.environ["MPLBACKEND"] = "Agg"

ORACLE = "oracle"
IN_ONE_FIGURE = 3
SUFFIX = ".svg"
NEEDED = ("scenario", "policy", "passive", "requests", "failed", "p999_ns")

# As in the verdict: latencies are comparable among policies whose failures are
# near the least; closer failures are equal.
NEAR_FACTOR = 1.15
NEAR_MARGIN = 30.0  # of 100,000 requests
EQUAL_FAILURES = 2.0  # of 100,000 requests
WORST_RATIO = 100.0  # of the colours
TOLD_RATIO = 1.1

# Colours of Okabe and Ito, that colour-blind people can tell apart; the shapes
# say the same.
INK = "#222222"
FAINT = "#d9d9d9"
SUBJECT, RIVAL, PROBING, BEST = "#0072b2", "#5a5a5a", "#d55e00", "#009e73"
COLORS = "YlGnBu"


@dataclass(frozen=True)
class Spread:
    """A figure over the seeds; NaN where there is none."""

    least: float
    median: float
    most: float


@dataclass
class Policy:
    """A policy's runs of one scenario."""

    name: str
    passive: bool
    failures: list[float] = field(default_factory=list)  # of 100,000 requests
    p999_ms: list[float] = field(default_factory=list)


@dataclass
class Scenario:
    """A scenario's runs, by policy, in the order of the file."""

    name: str
    policies: dict[str, Policy] = field(default_factory=dict)


class DataError(Exception):
    """The results cannot be used; the text says why."""


# ---- Reading ----------------------------------------------------------------


def number(row: dict[str, str], column: str, where: str) -> float:
    """Return a column's value; NaN is one."""
    try:
        return float(row[column])
    except (TypeError, ValueError):
        raise DataError(f"{where}: {column}: {row[column]!r} is no number") from None


def read(lines: Iterable[str], name: str) -> list[Scenario]:
    """Return the scenarios of a CSV file that is called `name`."""
    reader = csv.DictReader(lines)
    missing = [column for column in NEEDED if column not in (reader.fieldnames or ())]
    if missing:
        raise DataError(f"{name}: no column {missing[0]!r}")
    scenarios: dict[str, Scenario] = {}
    for row in reader:
        where = f"{name}:{reader.line_num}"
        requests = number(row, "requests", where)
        if not requests > 0:
            raise DataError(f"{where}: no requests")
        scenario = scenarios.setdefault(row["scenario"], Scenario(row["scenario"]))
        policy = scenario.policies.setdefault(
            row["policy"], Policy(row["policy"], row["passive"] == "1")
        )
        policy.failures.append(1e5 * number(row, "failed", where) / requests)
        policy.p999_ms.append(number(row, "p999_ns", where) / 1e6)
    if not scenarios:
        raise DataError(f"{name}: there is no result in it")
    return list(scenarios.values())


def spread(values: Sequence[float]) -> Spread:
    """Return least, median and most; no value counts as the worst."""
    worst = [math.inf if math.isnan(value) else value for value in values]
    least, median, most = min(worst), statistics.median(worst), max(worst)
    return Spread(*(value if math.isfinite(value) else math.nan
                    for value in (least, median, most)))


# ---- What the figures say ---------------------------------------------------


def near_limit(scenario: Scenario) -> float:
    """Return the failures up to which a policy's latencies are comparable."""
    least = min(
        (spread(policy.failures).median for policy in scenario.policies.values()
         if policy.passive),
        default=math.inf,
    )
    return max(NEAR_FACTOR * least, least + NEAR_MARGIN) * (1 + 1e-9)


def is_near(scenario: Scenario, policy: Policy) -> bool:
    """Return whether a policy's latencies may be compared."""
    return spread(policy.failures).median <= near_limit(scenario)


def best_failures(scenario: Scenario) -> float:
    """Return the least median of the passive policies; NaN: there are none."""
    return min((spread(policy.failures).median for policy in scenario.policies.values()
                if policy.passive), default=math.nan)


def best_p999_ms(scenario: Scenario) -> float:
    """Return the least comparable median of the passive policies, or NaN."""
    values = [spread(policy.p999_ms).median for policy in scenario.policies.values()
              if policy.passive and is_near(scenario, policy)]
    return min((value for value in values if not math.isnan(value)), default=math.nan)


def failures_ratio(scenario: Scenario, policy: Policy) -> float:
    """Return failures to the best passive policy's; 0 to 0 is 1."""
    mine = spread(policy.failures).median + EQUAL_FAILURES
    return mine / (best_failures(scenario) + EQUAL_FAILURES)


def p999_ratio(scenario: Scenario, policy: Policy) -> float:
    """Return p99.9 to the best comparable passive policy's."""
    best = best_p999_ms(scenario)
    return spread(policy.p999_ms).median / best if best > 0 else math.nan


def ordered(scenarios: Sequence[Scenario], subject: str) -> list[Policy]:
    """Return each policy once: the subject, the passive ones, others, oracle."""
    found: dict[str, Policy] = {}
    for scenario in scenarios:
        for policy in scenario.policies.values():
            found.setdefault(policy.name, policy)
    return sorted(found.values(), key=lambda policy: (
        policy.name == ORACLE, policy.name != subject, not policy.passive))


def ranked(scenario: Scenario, subject: str) -> list[Policy]:
    """Return a scenario's policies, the best rival next to the subject."""
    def key(policy: Policy) -> tuple[bool, bool, bool, float, float]:
        p999_ms = spread(policy.p999_ms).median
        near = is_near(scenario, policy)
        return (policy.name == ORACLE, policy.name != subject, not near,
                0.0 if near else spread(policy.failures).median,
                math.inf if math.isnan(p999_ms) else p999_ms)

    return sorted(scenario.policies.values(), key=key)


# ---- Drawing ----------------------------------------------------------------


def plain(value: float) -> str:
    """Return a number of up to three digits that count, without exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}".rstrip("0").rstrip(".") if value >= 10 else f"{value:.2g}"


def as_time(value_ms: float) -> str:
    """Return a latency with its unit."""
    return f"{plain(value_ms / 1000)} s" if value_ms >= 1000 else f"{plain(value_ms)} ms"


def settings() -> None:
    """Make matplotlib the same everywhere, whatever the user's own settings."""
    import matplotlib

    matplotlib.rcdefaults()
    matplotlib.rcParams.update({
        "svg.hashsalt": "ilb-sim", "svg.fonttype": "path", "font.size": 11,
        "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK,
        "xtick.color": INK, "ytick.color": INK, "axes.titlesize": 12,
    })


def save(figure: Any, path: Path, quiet: bool) -> None:
    """Write a figure and close it."""
    from matplotlib import pyplot

    # Without a date the same results give the same file.
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": "ilb-sim"})
    pyplot.close(figure)
    if not quiet:
        print(f"sim_plot: {path}", file=sys.stderr)


def style_of(policy: Policy, subject: str, near: bool) -> dict[str, Any]:
    """Return how a policy's dot looks."""
    if policy.name == subject:
        color, marker, size = SUBJECT, "o", 9.0
    elif policy.name == ORACLE:
        color, marker, size = BEST, "D", 6.5
    else:
        color, marker, size = (RIVAL, "o", 7.0) if policy.passive else (PROBING, "s", 6.5)
    filled = near and policy.name != ORACLE
    return {"color": color, "marker": marker, "markersize": size,
            "markerfacecolor": color if filled else "white", "markeredgewidth": 1.6}


def dot(axes: Any, at: int, values: Spread, style: dict[str, Any]) -> None:
    """Draw a line from least to most and a dot at the median."""
    line = [value for value in (values.least, values.most) if not math.isnan(value)]
    axes.plot(line, [at] * len(line), color=style["color"], linewidth=2.2,
              solid_capstyle="round", alpha=0.55)
    if math.isnan(values.median):
        axes.text(0.02, at, "no answer", transform=axes.get_yaxis_transform(),
                  va="center", fontsize=10)
    else:
        axes.plot([values.median], [at], linestyle="none", zorder=3, **style)


def failures_axis(axes: Any, most: float) -> None:
    """Make the axis logarithmic from 1 up, with 0 on it."""
    from matplotlib import ticker

    axes.set_xscale("symlog", linthresh=1.0, linscale=0.5)
    axes.set_xlim(-0.2, max(10.0, 1.6 * most))
    decades = [0.0] + [10.0**i for i in range(6) if 10.0**i <= max(10.0, 1.6 * most)]
    axes.xaxis.set_major_locator(ticker.FixedLocator(decades))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: plain(value) if value else "0")


def latency_axis(axes: Any, values_ms: Sequence[float]) -> None:
    """Make the axis logarithmic, with ticks that are round."""
    from matplotlib import ticker

    low, high = min(values_ms) / 1.3, max(values_ms) * 1.3
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    if high / low < 5:
        axes.xaxis.set_major_locator(ticker.MaxNLocator(4))
    else:
        subs = (1.0, 2.0, 5.0) if high / low < 60 else (1.0,)
        axes.xaxis.set_major_locator(ticker.LogLocator(subs=subs))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: as_time(value))


def draw_dots(pair: Sequence[Any], scenario: Scenario, subject: str) -> None:
    """Draw a scenario: failures to the left, p99.9 to the right."""
    policies = ranked(scenario, subject)
    p999s = [spread(policy.p999_ms) for policy in policies]
    for at, policy in enumerate(policies):
        near = is_near(scenario, policy)
        dot(pair[0], at, spread(policy.failures), style_of(policy, subject, True))
        dot(pair[1], at, p999s[at], style_of(policy, subject, near))
    failures_axis(pair[0], max(max(policy.failures) for policy in policies))
    known = [value for one in p999s for value in (one.least, one.median, one.most)
             if value > 0]
    if known:
        latency_axis(pair[1], known)
    for axes in pair:
        axes.set_ylim(len(policies) - 0.4, -0.6)
        axes.set_yticks(range(len(policies)), [policy.name for policy in policies])
        axes.grid(axis="x", color=FAINT, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        for at, policy in enumerate(policies):
            if policy.name == subject:
                axes.axhspan(at - 0.45, at + 0.45, color="#e6f1f8", zorder=0)
    pair[1].tick_params(axis="y", labelleft=False)
    for label, policy in zip(pair[0].get_yticklabels(), policies):
        if policy.name == subject:
            label.set(color=SUBJECT, fontweight="bold")
    pair[0].set_title(f"{scenario.name}: failures of 100,000 requests", loc="left")
    pair[1].set_title("p99.9", loc="left")


def dots_legend(figure: Any, scenarios: Sequence[Scenario], subject: str) -> None:
    """Say what the marks are, of those that are there."""
    from matplotlib.lines import Line2D

    policies = ordered(scenarios, subject)
    faint = any(not is_near(one, policy) for one in scenarios
                for policy in one.policies.values())
    kinds = [
        ("passive rival", Policy("", True),
         any(one.passive and one.name != subject for one in policies)),
        ("sends probes", Policy("", False),
         any(not one.passive and one.name != ORACLE for one in policies)),
        ("knows the truth", Policy(ORACLE, False),
         any(one.name == ORACLE for one in policies)),
    ]
    handles = [
        Line2D([], [], linestyle="none", label=label, **style_of(policy, "\n", True))
        for label, policy, there in kinds if there
    ]
    if faint:
        handles.append(Line2D([], [], linestyle="none", label="fails too much to compare",
                              **style_of(Policy("", True), "\n", False)))
    handles.append(Line2D([], [], color=RIVAL, linewidth=2.2, alpha=0.55,
                          label="dot: median of the seeds; line: least to most"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles),
                  frameon=False, fontsize=10)


def plot_dots(scenarios: Sequence[Scenario], subject: str, path: Path, quiet: bool) -> None:
    """Write the dots of a few scenarios, one below the other."""
    from matplotlib import pyplot

    heights = [1.0 + 0.30 * len(scenario.policies) for scenario in scenarios]
    figure, grid = pyplot.subplots(
        len(scenarios), 2, figsize=(12.0, sum(heights) + 0.5), squeeze=False,
        layout="constrained", gridspec_kw={"height_ratios": heights},
    )
    for pair, scenario in zip(grid, scenarios):
        draw_dots(pair, scenario, subject)
    dots_legend(figure, scenarios, subject)
    save(figure, path, quiet)


def cell_text(ratio: float) -> str:
    """Return what stands in a cell of the overview: nothing near the best."""
    if math.isnan(ratio) or 1 / TOLD_RATIO < ratio < TOLD_RATIO:
        return ""
    return plain(ratio) if ratio < 10_000 else "∞"


def draw_heat(axes: Any, scenarios: Sequence[Scenario], policies: Sequence[Policy],
              ratios: list[list[float]], crossed: list[list[bool]]) -> Any:
    """Draw one map of the overview; return its image for the colour bar."""
    import matplotlib
    from matplotlib.colors import LogNorm
    from matplotlib.patches import Rectangle

    colors = matplotlib.colormaps[COLORS].copy()
    colors.set_bad(FAINT)
    shown = [[min(max(ratio, 1.0), WORST_RATIO) if not math.isnan(ratio) else math.nan
              for ratio in row] for row in ratios]
    image = axes.imshow(shown, cmap=colors, norm=LogNorm(1.0, WORST_RATIO), aspect="auto")
    for y, row in enumerate(ratios):
        for x, ratio in enumerate(row):
            if crossed[y][x]:
                axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, linewidth=0,
                                         hatch="///", edgecolor="#8c8c8c"))
            dark = not math.isnan(ratio) and ratio > WORST_RATIO**0.55
            axes.text(x, y, cell_text(ratio), ha="center", va="center", fontsize=8,
                      color="white" if dark else INK)
    axes.set_xticks(range(len(policies)), [policy.name for policy in policies],
                    rotation=55, ha="left", rotation_mode="anchor")
    axes.set_yticks(range(len(scenarios)), [scenario.name for scenario in scenarios])
    axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    axes.set_xticks([i - 0.5 for i in range(len(policies) + 1)], minor=True)
    axes.set_yticks([i - 0.5 for i in range(len(scenarios) + 1)], minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)
    return image


def plot_heat(scenarios: Sequence[Scenario], subject: str, path: Path, quiet: bool) -> None:
    """Write the overview: scenarios by policies, as ratios to the best."""
    from matplotlib import pyplot

    policies = ordered(scenarios, subject)
    width = 3.2 + 2 * 0.5 * len(policies)
    figure, pair = pyplot.subplots(1, 2, figsize=(max(width, 9.0), 3.0 + 0.27 * len(scenarios)),
                                   sharey=True, layout="constrained")
    image: Any = None
    for axes, title, ratio in ((pair[0], "failures", failures_ratio),
                               (pair[1], "p99.9", p999_ratio)):
        rows: list[list[float]] = []
        crossed: list[list[bool]] = []
        for scenario in scenarios:
            found = [scenario.policies.get(policy.name) for policy in policies]
            rows.append([ratio(scenario, one) if one else math.nan for one in found])
            crossed.append([ratio is p999_ratio and one is not None
                            and not is_near(scenario, one) for one in found])
        image = draw_heat(axes, scenarios, policies, rows, crossed)
        axes.set_xlabel(f"{title}: ratio to the best passive policy", fontsize=12)
        for label, policy in zip(axes.get_xticklabels(), policies):
            if policy.name == subject:
                label.set(color=SUBJECT, fontweight="bold")
    bar = figure.colorbar(image, ax=list(pair), shrink=0.6, pad=0.01, extend="max")
    bar.set_ticks([1, 2, 5, 10, 20, 50, 100], labels=["1", "2", "5", "10", "20", "50", "100"])
    bar.minorticks_off()
    figure.supxlabel(
        "Medians of the seeds; no number: within 10 % of the best. Failures: 2 of 100,000 added "
        "to both.\nHatched: fails too much for its p99.9 to be compared.", fontsize=10)
    save(figure, path, quiet)


# ---- The program ------------------------------------------------------------


def check(output: Path) -> str:
    """Return why no picture can be made there; "" if one can."""
    if importlib.util.find_spec("matplotlib") is None:
        return (f"matplotlib is not installed for {sys.executable}: install it (pip install "
                "matplotlib), or name another Python in ILB_SIM_PYTHON")
    if output.suffix != SUFFIX:
        return f"{output}: the name of the file must end in {SUFFIX}"
    if output.is_dir() or not os.access(output.parent, os.W_OK):
        return f"{output}: cannot write there"
    return ""


def subject_of(scenarios: Sequence[Scenario], wanted: str | None) -> str:
    """Return who stands out: as wanted, else ilb, else the first."""
    names = [policy.name for policy in ordered(scenarios, "ilb")]
    if wanted is not None and wanted not in names:
        raise DataError(f"no policy {wanted!r} in the results; there are: {', '.join(names)}")
    return wanted or names[0]


def plot(lines: IO[str], name: str, output: Path, subject: str | None, quiet: bool) -> None:
    """Write all pictures of a CSV file."""
    scenarios = read(lines, name)
    subject = subject_of(scenarios, subject)
    settings()
    if len(scenarios) <= IN_ONE_FIGURE:
        plot_dots(scenarios, subject, output, quiet)
        return
    plot_heat(scenarios, subject, output, quiet)
    for scenario in scenarios:
        path = output.with_name(f"{output.stem}-{scenario.name}{SUFFIX}")
        plot_dots([scenario], subject, path, quiet)


def main() -> int:
    """Read the command line and plot; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="sim_plot", description="Pictures of what `ilb-sim run --csv` wrote.")
    parser.add_argument("csv", nargs="?", help="the results; - is the standard input")
    parser.add_argument("--output", required=True, type=Path, metavar="FILE.svg")
    parser.add_argument("--subject", help="who stands out (ilb, else the first)")
    parser.add_argument("--quiet", action="store_true", help="do not name the files made")
    parser.add_argument("--check", action="store_true", help="only say whether it would work")
    args = parser.parse_args()
    if args.csv is None and not args.check:
        parser.error("no CSV")
    wrong = check(args.output)
    if wrong:
        print(f"sim_plot: {wrong}", file=sys.stderr)
        return 1
    if args.check:
        return 0
    try:
        if args.csv == "-":
            plot(sys.stdin, "standard input", args.output, args.subject, args.quiet)
        else:
            with open(args.csv, encoding="utf-8", newline="") as lines:
                plot(lines, args.csv, args.output, args.subject, args.quiet)
    except (DataError, OSError, UnicodeDecodeError) as error:
        print(f"sim_plot: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
