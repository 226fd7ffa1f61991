# SPDX-License-Identifier: MIT
"""Readiness: may this pod be given traffic?

Liveness needs no code here: a process that answers is alive, and liveness
must look at nothing else, or an outage of a dependency restarts every pod.
"""
from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

Clock = Callable[[], float]


class Check(NamedTuple):
    """The result of one check: did it pass, and why."""

    ok: bool
    detail: str


class RecentOutcomes:
    """Have recent requests succeeded?

    Counts are kept in a ring of slices of the window, so a busy pod costs no
    more memory than an idle one. Fewer than `min_requests` in the window are
    no evidence, and the check passes: that is how a pod comes back. Once it
    is not ready it gets no traffic, its failures leave the window, and it is
    tried again. A pod that is still broken costs at most some `min_requests`
    failures in each window, as long as probes are frequent.
    """

    SLICES = 10

    def __init__(self, window_s: float, min_requests: int, min_share: float,
                 clock: Clock = time.monotonic) -> None:
        """`min_share` in 0..1 of requests must have succeeded; 0 is off."""
        self._slice_s = window_s / self.SLICES
        self._window_s = window_s
        self._min_requests = min_requests
        self._min_share = min_share
        self._clock = clock
        self._lock = threading.Lock()
        # Each slice: [number of the slice since clock 0, successes, failures]
        self._ring = [[-1, 0, 0] for _ in range(self.SLICES)]

    def record(self, success: bool) -> None:
        """Count one finished request."""
        number = int(self._clock() // self._slice_s)
        with self._lock:
            entry = self._ring[number % self.SLICES]
            if entry[0] != number:
                entry[:] = [number, 0, 0]
            entry[1 if success else 2] += 1

    def counts(self) -> tuple[int, int]:
        """(successes, failures) in the window."""
        oldest = int(self._clock() // self._slice_s) - self.SLICES + 1
        with self._lock:
            live = [e for e in self._ring if e[0] >= oldest]
            return sum(e[1] for e in live), sum(e[2] for e in live)

    def check(self) -> Check:
        good, bad = self.counts()
        detail = f"{good} of {good + bad} succeeded in {self._window_s:g} s"
        if self._min_share <= 0:
            return Check(True, detail + ", not judged")
        if good + bad < self._min_requests:
            return Check(True, detail + ", too few to judge")
        return Check(good >= self._min_share * (good + bad), detail)


class StartUpGate:
    """Not ready before `warmup_s` have passed since it was made."""

    def __init__(self, warmup_s: float, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._open_at = clock() + warmup_s

    def check(self) -> Check:
        left_s = self._open_at - self._clock()
        if left_s > 0:
            return Check(False, f"warming up, {left_s:.1f} s left")
        return Check(True, "warmed up")


class Cached:
    """Remember a check's result for `ttl_s`.

    Every balancer in front probes every pod; their probes must not become a
    load of their own on what the pods depend on.
    """

    def __init__(self, check: Callable[[], Check], ttl_s: float,
                 clock: Clock = time.monotonic) -> None:
        self._check = check
        self._ttl_s = ttl_s
        self._clock = clock
        self._lock = threading.Lock()
        self._result: Check | None = None
        self._asked_at = 0.0

    def __call__(self) -> Check:
        with self._lock:
            now = self._clock()
            if self._result is None or now - self._asked_at >= self._ttl_s:
                self._result = guarded(self._check)
                self._asked_at = now
            return self._result


def guarded(check: Callable[[], Check]) -> Check:
    """Run a check; one that raises has failed, and says how."""
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - whatever it may raise
        return Check(False, f"{type(error).__name__}: {error}")


def accepts_connections(host: str, port: int,
                        timeout_s: float = 0.25) -> Callable[[], Check]:
    """A check that somebody listens at `host`:`port`."""
    def check() -> Check:
        socket.create_connection((host, port), timeout_s).close()
        return Check(True, f"{host}:{port} accepts connections")
    return check


class Readiness:
    """A named list of checks; the pod is ready if all required ones pass."""

    def __init__(self) -> None:
        self._checks: dict[str, tuple[Callable[[], Check], bool]] = {}

    def add(self, name: str, check: Callable[[], Check],
            required: bool = True) -> None:
        """Add a check. One that is not required is only reported: a pod
        that can still do most of its job should not leave the set."""
        if name in self._checks:
            raise ValueError(f"a check named {name!r} is there already")
        self._checks[name] = (check, required)

    def report(self) -> tuple[bool, dict]:
        """(is the pod ready, what /readyz shows)."""
        ready, shown = True, {}
        for name, (check, required) in self._checks.items():
            ok, detail = guarded(check)
            shown[name] = {"ok": ok, "detail": detail, "required": required}
            ready = ready and (ok or not required)
        return ready, {"ready": ready, "checks": shown}
