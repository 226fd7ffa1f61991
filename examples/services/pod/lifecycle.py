# SPDX-License-Identifier: MIT
"""Requests in flight, and draining on SIGTERM."""
from __future__ import annotations

import queue
import signal
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

from .health import Check

COUNTER = struct.Struct("q")


class Lifecycle:
    """How many requests are in flight, and is the pod on its way out?"""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_flight = 0
        self._shared: Any = None
        # A plain attribute: a signal handler writes it and must take no lock.
        self.draining = False

    def share(self, memory: Any) -> None:
        """Mirror the count in `memory` (COUNTER.size bytes, shared with the
        parent process), where it can be read even after a SIGKILL."""
        with self._lock:
            self._shared = memory
            COUNTER.pack_into(memory, 0, self._in_flight)

    @property
    def in_flight(self) -> int:
        """Requests begun and not fully answered."""
        return self._in_flight

    def begin(self) -> None:
        self._add(1)

    def end(self) -> None:
        self._add(-1)

    def _add(self, step: int) -> None:
        with self._lock:
            self._in_flight += step
            if self._shared is not None:
                COUNTER.pack_into(self._shared, 0, self._in_flight)

    def check(self) -> Check:
        if self.draining:
            return Check(False, "draining")
        return Check(True, "serving")


def drain_on_sigterm(lifecycle: Lifecycle, drain_s: float,
                     stop: Callable[[], None]) -> None:
    """On SIGTERM: not ready from that moment, `stop()` after `drain_s`.

    In between the pod accepts as before, since whoever sends it requests
    learns of the drain only at its next probe. Call it in the main thread.
    The waiting thread is started here and not in the handler: a handler may
    interrupt code that holds the lock that starting a thread needs.
    """
    terminated: queue.SimpleQueue[None] = queue.SimpleQueue()

    def on_sigterm(_number: int, _frame: Any) -> None:
        lifecycle.draining = True
        terminated.put(None)  # SimpleQueue.put is safe in a handler

    def wait_and_stop() -> None:
        terminated.get()
        time.sleep(drain_s)
        stop()

    threading.Thread(target=wait_and_stop, name="drain", daemon=True).start()
    signal.signal(signal.SIGTERM, on_sigterm)
    signal.siginterrupt(signal.SIGTERM, False)
