# SPDX-License-Identifier: MIT
"""What is shown while a run goes on."""
from __future__ import annotations

import asyncio
import math
import shutil
import sys
from typing import Any, Awaitable, Callable

from . import measure
from .client import HttpError
from .loadgen import Load
from .scenario import Marks

PERIOD_S = 1.0
UP = ("healthy", "warming")


class Progress:
    """A line a second: one that is written over on a terminal, plain ones
    elsewhere."""

    def __init__(self, policy: str, load: Load, marks: Marks,
                 snapshot: Callable[[], Awaitable[dict[str, Any]]],
                 pod_of: Callable[[str], str]) -> None:
        self._policy = policy
        self._load = load
        self._marks = marks
        self._snapshot = snapshot
        self._pod_of = pod_of
        self._live = sys.stdout.isatty()
        self._seen = 0
        self._failures = 0
        self._out: set[str] = set()
        self.ejections: dict[str, int] = {}

    async def show(self) -> None:
        """Until cancelled."""
        due_s = PERIOD_S
        while True:
            await asyncio.sleep(max(0.0, due_s - self._load.now_s()))
            due_s += PERIOD_S
            await self.look()
            self._write(self._line(), live=True)

    def announce(self, at_s: float, what: str) -> None:
        """An event, that stays on the screen."""
        self._write(f"{at_s:5.1f} s  >> {what}", live=False)

    def clear(self) -> None:
        if self._live:
            print("\r\x1b[K", end="", flush=True)

    async def look(self) -> None:
        """Read the gateway's snapshot. That it is late to answer once does
        not matter to the run; the next line tries again."""
        try:
            endpoints = await self._snapshot()
        except (OSError, HttpError, asyncio.TimeoutError):
            return
        self._out = {self._pod_of(address)
                     for address, endpoint in endpoints.items()
                     if endpoint["state"] not in UP}
        self.ejections = {self._pod_of(address): endpoint["ejections"]
                          for address, endpoint in endpoints.items()}

    def _line(self) -> str:
        """The last second, by when requests were over."""
        fresh = self._load.requests[self._seen:]
        self._seen = len(self._load.requests)
        failed = sum(not r.ok for r in fresh)
        self._failures += failed
        p95_s = measure.percentile(
            measure.latencies_s(measure.of_service(fresh, "billing")), 95)
        p95 = "   -" if math.isnan(p95_s) else f"{1000 * p95_s:4.0f}"
        now_s = self._load.now_s()
        line = (f"{now_s:4.0f} s {self._policy:<11}{len(fresh):4d}/s"
                f" P95 {p95} ms failed {self._failures:3d}"
                f"  {self._marks.now(now_s)}")
        if self._out:
            line += " (" + ", ".join(sorted(
                pod.rpartition("-")[2] for pod in self._out)) + " out)"
        return line

    def _write(self, line: str, live: bool) -> None:
        if not self._live:
            print(line, flush=True)
        elif live:  # one that is wrapped could not be written over
            line = line[:shutil.get_terminal_size().columns - 1]
            print(f"\r\x1b[K{line}", end="", flush=True)
        else:
            print(f"\r\x1b[K{line}", flush=True)
