# SPDX-License-Identifier: MIT
"""The result as text, 80 columns wide."""
from __future__ import annotations

import math
from typing import Sequence

from . import measure
from .loadgen import DEADLINE_S
from .measure import Run, Summary, summarize
from .scenario import ERROR_POD, NEW_POD, SLOW_FACTOR, SLOW_POD
from .style import Paint, plain

PHASES = ("before", "during", "after")
WIDTH = 80
POD_WIDTH = 11
STORY_WIDTH = 18
CELL = 8
GAP = "   "


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.1f} %"


def _ms(seconds: float) -> str:
    return "-" if math.isnan(seconds) else f"{1000 * seconds:.0f} ms"


def story(pod: str, run: Run) -> str:
    """What happened to a pod, in a few words."""
    marks = run.marks
    if pod == SLOW_POD:
        return f"{SLOW_FACTOR}x slow {marks.bad_s:.0f}-{marks.healed_s:.0f} s"
    if pod == ERROR_POD:
        return f"500s {marks.bad_s:.0f}-{marks.healed_s:.0f} s"
    if pod == NEW_POD:
        return f"joins cold, {marks.joined_s:.0f} s"
    return "healthy"


def pods_of(*runs: Run) -> list[str]:
    """All Billing pods that answered."""
    return sorted({r.pod for run in runs
                   for r in measure.of_service(run.requests, "billing")
                   if r.pod != measure.UNKNOWN})


def _share(run: Run, summary: Summary, pod: str, phase: str) -> float:
    """NaN where the pod was not there yet. The newcomer's part is of the
    requests since it joined."""
    if pod != NEW_POD or phase == "after":
        return summary.shares[phase].get(pod, 0.0)
    if phase == "before":
        return math.nan
    billing = measure.of_service(run.requests, "billing")
    return measure.shares(measure.between(
        billing, run.marks.joined_s, run.marks.healed_s)).get(pod, 0.0)


def share_table(runs: Sequence[Run], paint: Paint = plain) -> list[str]:
    """Per pod its share of the payments, before, during and after."""
    summaries = [summarize(run) for run in runs]
    left = POD_WIDTH + STORY_WIDTH
    group = CELL * len(PHASES)
    lines = [
        paint("title", "Where the payments went".ljust(left) + GAP.join(
            title.center(group) for title in ("libilb", "round robin"))),
        " " * left + GAP.join(
            "".join(phase.rjust(CELL) for phase in PHASES) for _ in runs),
        "-" * WIDTH]
    for pod in pods_of(*runs):
        cells = GAP.join(
            "".join(_percent(_share(run, summary, pod, phase)).rjust(CELL)
                    for phase in PHASES)
            for run, summary in zip(runs, summaries))
        lines.append(paint(pod, pod.ljust(POD_WIDTH) + story(
            pod, runs[0]).ljust(STORY_WIDTH) + cells))
    unknown = [s.shares["during"].get(measure.UNKNOWN, 0.0)
               for s in summaries]
    if any(unknown):
        lines.append("pod not known, during: " + " and ".join(
            _percent(share) for share in unknown))
    marks = runs[0].marks
    lines.append(
        f"during: {marks.bad_s + measure.SETTLE_S:.0f}-{marks.healed_s:.0f} "
        f"s, from {measure.SETTLE_S:g} s after two turned bad ({NEW_POD}: "
        "since it joined)")
    return lines


def client_table(runs: Sequence[Run], paint: Paint = plain) -> list[str]:
    """What the client saw, side by side."""
    both = [summarize(run) for run in runs]
    label, cell = 42, 19

    def row(name: str, *values: str) -> str:
        return name.ljust(label) + "".join(v.rjust(cell) for v in values)

    counts = [(sum(not r.ok for r in run.requests), len(run.requests))
              for run in runs]
    return [
        paint("title", row("What the client saw", "libilb", "round robin")),
        "-" * WIDTH,
        row("payments: P50", *(_ms(s.p50_s) for s in both)),
        row("          P95", *(_ms(s.p95_s) for s in both)),
        row("          P99", *(_ms(s.p99_s) for s in both)),
        row("          P95, during", *(_ms(s.during_p95_s) for s in both)),
        row("failed, of all requests", *(_percent(s.failures) for s in both)),
        row("", *(f"{failed} of {n}" for failed, n in counts)),
        row("sent late by the load generator, P99",
            *(f"{1000 * s.lag_p99_s:.1f} ms" for s in both)),
        "Latency: from when a request was due to its good answer, or until "
        "it timed",
        f"out. Failed: no 2xx within {DEADLINE_S:g} s."]


def _back(run: Run, pod: str) -> str:
    """When a healed pod had half a fair share again."""
    billing = measure.of_service(run.requests, "billing")
    fair = 1 / max(1, len(pods_of(run)))
    back_s = measure.seconds_to_share(
        billing, pod, run.marks.healed_s, run.marks.end_s, fair / 2)
    return "not in time" if back_s is None else f"after {back_s:.1f} s"


def found_out_table(run: Run, paint: Paint = plain) -> list[str]:
    """How fast the balancer found out, and how the pods came back."""
    def row(name: str, what: str, *values: str) -> str:
        return name.ljust(POD_WIDTH) + what.ljust(STORY_WIDTH) + "".join(
            value.rjust(width) for value, width in zip(values, (18, 13, 20)))

    billing = measure.of_service(run.requests, "billing")
    bad_s = run.marks.bad_s
    first = measure.between(billing, bad_s, bad_s + measure.SETTLE_S)
    lines = [paint("title", row("How libilb ", "found out", "1st bad second",
                                "ejected", "healed, back")), "-" * WIDTH]
    for pod in (SLOW_POD, ERROR_POD):
        lines.append(paint(pod, row(
            pod, story(pod, run), f"{sum(r.pod == pod for r in first)} "
            "payments", f"{run.ejections.get(pod, 0)}x", _back(run, pod))))
    return lines


def render(libilb: Run, rival: Run, paint: Paint = plain) -> list[str]:
    runs = (libilb, rival)
    return ["", *share_table(runs, paint), "",
            *found_out_table(libilb, paint), "", *client_table(runs, paint), ""]
