# SPDX-License-Identifier: MIT
"""What the client saw, in figures."""
from __future__ import annotations

import collections
import dataclasses
import math
from typing import Iterable, Sequence

from .loadgen import TIMEOUT, Request
from .scenario import Marks

SETTLE_S = 1.0  # the promise holds from so long after the pods turned bad
TIMEOUTS = (TIMEOUT, 504)  # the client's own deadline, the gateway's
UNKNOWN = ""  # the pod of a request that no answer tells of


@dataclasses.dataclass
class Run:
    """One run as it was recorded.

    requests: by the time they were due. planned: how many there should be.
    ejections: by pod, as the gateway's snapshot says at the end.
    """

    policy: str
    requests: list[Request]
    planned: int
    marks: Marks
    ejections: dict[str, int] = dataclasses.field(default_factory=dict)


def percentile(values: Sequence[float], percent: float) -> float:
    """Nearest rank: the smallest value that at least `percent` of them do not
    exceed, so always one that was really seen. NaN of none."""
    if not values:
        return math.nan
    rank = math.ceil(percent / 100 * len(values))
    return sorted(values)[max(rank, 1) - 1]


def between(requests: Iterable[Request], start_s: float,
            end_s: float) -> list[Request]:
    """Those that were due in [start_s, end_s)."""
    return [r for r in requests if start_s <= r.due_s < end_s]


def of_service(requests: Iterable[Request], service: str) -> list[Request]:
    return [r for r in requests if r.service == service]


def shares(requests: Sequence[Request]) -> dict[str, float]:
    """Each pod's part of these requests, 0..1; UNKNOWN for what no answer
    tells of."""
    counts = collections.Counter(r.pod for r in requests)
    return {pod: n / len(requests) for pod, n in counts.items()}


def failure_share(requests: Sequence[Request]) -> float:
    """Part that got no 2xx in time, 0..1; NaN of none."""
    if not requests:
        return math.nan
    return sum(not r.ok for r in requests) / len(requests)


def latencies_s(requests: Iterable[Request]) -> list[float]:
    """How long good answers took, and how long those had waited that timed
    out: leaving out the slowest because they were too slow would flatter.
    Other failures are no latency: a 500 at once is not a fast answer."""
    return [r.latency_s for r in requests if r.ok or r.status in TIMEOUTS]


@dataclasses.dataclass(frozen=True)
class Phase:
    name: str
    start_s: float
    end_s: float

    def of(self, requests: Iterable[Request]) -> list[Request]:
        return between(requests, self.start_s, self.end_s)


def phases(marks: Marks) -> tuple[Phase, Phase, Phase]:
    """Before, during and after. The second after the change is in none of
    them: within it the balancer finds out."""
    return (Phase("before", 0.0, marks.bad_s),
            Phase("during", marks.bad_s + SETTLE_S, marks.healed_s),
            Phase("after", marks.healed_s, marks.end_s))


@dataclasses.dataclass(frozen=True)
class Summary:
    """The figures of one run that the verdict and the table need.

    Shares are parts of the Billing requests, 0..1, by phase and pod; counted
    for a bad pod is also what no answer tells the pod of, so that a request
    which vanished cannot flatter. Latencies in seconds.
    """

    shares: dict[str, dict[str, float]]
    failures: float
    p50_s: float
    p95_s: float
    p99_s: float
    during_p95_s: float
    lag_p99_s: float
    missing: int

    def bad_share(self, pod: str) -> float:
        """NaN if there was no request to judge by."""
        during = self.shares["during"]
        if not during:
            return math.nan
        return during.get(pod, 0.0) + during.get(UNKNOWN, 0.0)


def summarize(run: Run) -> Summary:
    billing = of_service(run.requests, "billing")
    by_phase = {phase.name: phase.of(billing) for phase in phases(run.marks)}
    seen_s = latencies_s(billing)
    return Summary(
        shares={name: shares(part) for name, part in by_phase.items()},
        failures=failure_share(run.requests),
        p50_s=percentile(seen_s, 50), p95_s=percentile(seen_s, 95),
        p99_s=percentile(seen_s, 99),
        during_p95_s=percentile(latencies_s(by_phase["during"]), 95),
        lag_p99_s=percentile([r.lag_s for r in run.requests], 99),
        missing=run.planned - len(run.requests))


def seconds_to_share(requests: Sequence[Request], pod: str, from_s: float,
                     until_s: float, share: float) -> float | None:
    """How long after `from_s` until the pod has at least `share` of the
    traffic over a whole second; None if it has not by `until_s`."""
    at_s = from_s
    while at_s + 1.0 <= until_s:
        part = between(requests, at_s, at_s + 1.0)
        if part and shares(part).get(pod, 0.0) >= share:
            return at_s - from_s
        at_s += 0.1
    return None
