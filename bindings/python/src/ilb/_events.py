# SPDX-License-Identifier: MIT
"""What happened to endpoints, and why one was picked."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass, field
from typing import Any, Optional, Tuple

if sys.version_info >= (3, 10):
    from typing import Literal, TypeAlias
else:  # pragma: no cover
    from typing import Literal

    TypeAlias = Any

State: TypeAlias = Literal[
    "warming", "healthy", "ejected", "probing", "not_ready", "draining"
]
EventType: TypeAlias = Literal[
    "eject", "eject_refused", "uneject", "probe_started", "probe_failed",
    "probe_cancelled", "healthy", "entered", "left", "readiness", "updated",
]
Detector: TypeAlias = Literal[
    "consecutive_failures", "failure_percentage", "success_rate", "latency",
    "hang", "retry_after", "probe",
]
Reason: TypeAlias = Literal["shadow", "cap", "floor", "capacity"]
ChosenBy: TypeAlias = Literal[
    "cost", "turn", "chance", "probe", "search", "fail_open"
]
Fate: TypeAlias = Literal["compared", "ejected", "excluded", "full", "ramping"]
Held: TypeAlias = Literal[
    "hanging", "cap", "slow", "failed", "suspect", "refused", "full"
]
Admitted: TypeAlias = Literal[
    "probe", "panic", "room", "overload", "last", "early",
]
Trial: TypeAlias = Literal[
    "probe", "again", "untried", "slow", "suspect", "failing", "returned",
    "refused",
]

_log = logging.getLogger("ilb")
_log.addHandler(logging.NullHandler())

#: What somebody should look at, rather than that all is as it should be.
_WARNINGS = frozenset({"eject", "eject_refused", "probe_failed"})


@dataclass(frozen=True)
class Event:
    """One change of an endpoint, or one that was refused, and the evidence.

    The statistic and the threshold are in the detector's own unit: failures in
    a row for "consecutive_failures"; for "failure_percentage" and
    "success_rate" a log-likelihood ratio in nats. Who reaches the threshold is
    ejected. `str(event)` is a line of text.
    """

    #: 1, 2, ...: of this balancer's events. A gap: some were lost.
    number: int
    #: On the balancer's clock.
    time_ns: int
    #: What happened.
    type: EventType
    #: Of the endpoint; empty for "updated".
    address: str
    #: Of the endpoint, before; the same as after if it was only looked at.
    from_state: State
    #: Of the endpoint, after.
    to_state: State
    #: Which detector found something; None: none's doing.
    detector: Optional[Detector]
    #: Why nothing was done, or something was done before its time.
    reason: Optional[Reason]
    #: False: nothing was done; `reason` says why.
    enforced: bool
    #: What the detector has found.
    statistic: float
    #: What it takes.
    threshold: float
    #: The evidence: so many requests since the first that counts ...
    requests: int
    #: ... and so many of them failed.
    failures: int
    #: When the next probe is due, or this one counts as lost; 0: neither.
    until_ns: int
    #: Of this endpoint, in all.
    ejections: int
    #: "updated": so many more have entered,
    entered: int
    #: left,
    left: int
    #: or changed their readiness.
    readiness: int
    #: All of it as a line, without number and time.
    text: str = field(repr=False)

    def __str__(self) -> str:
        """Return the line of text."""
        return self.text


@dataclass(frozen=True)
class Candidate:
    """An endpoint that a pick looked at, as it was then."""

    #: As given to the balancer.
    address: str
    #: What became of it: "compared" could be taken.
    fate: Fate
    #: What the balancer made of it.
    state: State
    #: Why any other that is not held back is better; None: it is not.
    held: Optional[Held]
    #: Why it could be taken though it is ejected; None: it could not, or is
    #: not ejected.
    admitted: Optional[Admitted]
    #: Its share against the others'.
    weight: int
    #: Requests, without this one.
    in_flight: int
    #: The recent share of failures, from 0 to 1.
    failure_share: float
    #: Expected of it; 0: nothing is known.
    latency_ns: int
    #: How long its oldest request waits; 0: none does.
    oldest_ns: int
    #: That has waited for so long that it may just be a long one, and another
    #: is to find out: under "peak_ewma" it neither counts as waiting nor as
    #: load.
    again: bool
    #: What is in flight, by its costs in ordinary requests.
    load: float
    #: Nanoseconds under "peak_ewma", else requests; 0: was not worked out.
    cost: float


@dataclass(frozen=True)
class Explanation:
    """One pick and its reasons. `str(explanation)` is a line of text."""

    #: Of the pick, on the balancer's clock.
    time_ns: int
    #: How the balancer chooses.
    policy: str
    #: What made the choice.
    chosen_by: ChosenBy
    #: Endpoints that are ready,
    n_endpoints: int
    #: how many of them are ejected,
    n_ejected: int
    #: and from how many the draws were: fewer is an aperture.
    width: int
    #: At an endpoint, again included.
    looks: int
    #: Why the request may well fail: somebody has to be the first to ask.
    #: None: it should not.
    trial: Optional[Trial]
    #: Too few are left: an ejected one counts as any other, unless the
    #: balancer fails closed.
    panic: bool
    #: Those that are left suffer from the ejections: an ejected one that is
    #: not much worse may be compared, or any while there is no `room`.
    overloaded: bool
    #: Those that are left cannot carry everything: so many in flight each
    #: there is room for, at the mean weight. 0: no limit.
    room: float
    #: Of the endpoints' latencies; 0: unknown.
    median_ns: int
    #: Who waits longer is hanging; 0: unknown.
    hang_ns: int
    #: The share of requests that healthy endpoints fail, from 0 to 1.
    peer_failure_share: float
    #: Index of the choice in `candidates`.
    chosen: int
    #: The first that were looked at, and the choice.
    candidates: Tuple[Candidate, ...]
    #: All of it as a line.
    text: str = field(repr=False)

    @property
    def choice(self) -> Candidate:
        """The candidate that was chosen."""
        return self.candidates[self.chosen]

    def __str__(self) -> str:
        """Return the line of text."""
        return self.text


def log_event(event: Event) -> None:
    """Log an event: `Balancer(..., on_event=ilb.log_event)`.

    To the logger "ilb": a warning for ejections, refused ones and failed
    probes, else information. The record's `ilb_event` is the event.
    """
    level = logging.WARNING if event.type in _WARNINGS else logging.INFO
    _log.log(level, "%s", event.text, extra={"ilb_event": event})
