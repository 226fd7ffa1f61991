# SPDX-License-Identifier: MIT
"""The stand-in for work, and the bound on how much may wait for it."""
from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator

COLD_FACTOR = 5.0


class Overloaded(Exception):
    """The queue is full; the request was not begun."""


class Work:
    """At most `threads` pieces at a time, and `queue` requests waiting.

    The work is time.sleep(): these pods stand for I/O-bound services, that
    wait for a database or another service and need next to no processor of
    their own. A sleep shows the same latencies on a small machine.
    """

    def __init__(self, threads: int, queue: int, scale: float, cold_s: float,
                 rng: random.Random,
                 clock: Callable[[], float] = time.monotonic,
                 sleep: Callable[[float], None] = time.sleep) -> None:
        self._places = threading.Semaphore(threads + queue)
        self._running = threading.Semaphore(threads)
        self._scale = scale
        self._cold_s = cold_s
        self._rng = rng
        self._clock = clock
        self._sleep = sleep
        self._first_use: float | None = None

    @contextlib.contextmanager
    def admitted(self) -> Iterator[None]:
        """Hold one of the `threads`, waiting for it if there is room to
        wait; else Overloaded. A bounded queue answers late requests at once
        and is empty soon after a fault heals."""
        if not self._places.acquire(blocking=False):
            raise Overloaded
        try:
            with self._running:
                yield
        finally:
            self._places.release()

    def cold_factor(self) -> float:
        """From 5 down to 1 in the first `cold_s` after the first use: the
        caches of a pod that has just joined are cold, though it is ready."""
        if self._cold_s <= 0:
            return 1.0
        now = self._clock()
        if self._first_use is None:
            self._first_use = now
        left = max(0.0, 1.0 - (now - self._first_use) / self._cold_s)
        return 1.0 + (COLD_FACTOR - 1.0) * left

    def do(self, low_s: float, high_s: float, factor: float = 1.0) -> None:
        """Work for a time between `low_s` and `high_s`, times the pod's
        scale, how cold it is, and `factor`."""
        base_s = self._rng.uniform(low_s, high_s)
        self._sleep(base_s * self._scale * self.cold_factor() * factor)
