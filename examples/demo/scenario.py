# SPDX-License-Identifier: MIT
"""The story: what happens to whom, and when."""
from __future__ import annotations

import asyncio
import dataclasses
from typing import Callable

from .client import HttpError
from .fleet import Fleet, Pod

SLOW_POD = "billing-2"
SLOW_FACTOR = 10
ERROR_POD = "billing-3"
NEW_POD = "billing-6"

BAD_AT = 0.25  # as parts of the run
JOIN_AT = 0.50
HEAL_AT = 0.75
COLD = 0.15
START_AHEAD_S = 4.0  # a pod takes a while until it is ready


class RunError(Exception):
    """The story could not be told as planned."""


@dataclasses.dataclass
class Marks:
    """When it really happened; seconds from the beginning. Infinite as long
    as it has not."""

    bad_s: float = float("inf")
    joined_s: float = float("inf")
    healed_s: float = float("inf")
    end_s: float = float("inf")

    def now(self, at_s: float) -> str:
        """What is going on at this time, pods by their numbers."""
        if at_s < self.bad_s:
            return "all is well"
        if at_s >= self.healed_s:
            return "2 and 3 have healed"
        new = ", 6 new" if at_s >= self.joined_s else ""
        return f"2 slow, 3 fails{new}"


class Scenario:
    """Plays the story against a fleet while it is under load."""

    def __init__(self, fleet: Fleet, seconds: float,
                 now_s: Callable[[], float]) -> None:
        self._fleet = fleet
        self._seconds = seconds
        self._now_s = now_s
        self.announce: Callable[[float, str], None] = lambda at_s, what: None
        self.marks = Marks()

    async def play(self) -> None:
        try:
            await self._play()
        except (HttpError, OSError, asyncio.TimeoutError) as error:
            raise RunError("the story stopped at "
                           f"{self._now_s():.1f} s: {error!r}") from error

    async def _play(self) -> None:
        await self._until(BAD_AT)
        await asyncio.gather(
            self._pod(SLOW_POD).fault(kind="slow", factor=SLOW_FACTOR),
            self._pod(ERROR_POD).fault(kind="error", status=500, share=1.0))
        self.marks.bad_s = self._now_s()
        self.announce(self.marks.bad_s,
                      f"{SLOW_POD} turns {SLOW_FACTOR}x slow, "
                      f"{ERROR_POD} answers 500 at once")
        await self._until(JOIN_AT, START_AHEAD_S)
        newcomer = await self._fleet.start_newcomer(COLD * self._seconds)
        await self._until(JOIN_AT)
        await self._fleet.admit(newcomer)
        self.marks.joined_s = self._now_s()
        self.announce(self.marks.joined_s,
                      f"{newcomer.name} joins, with cold caches")
        await self._until(HEAL_AT)
        # Marked before: what is sent from here on may meet a healed pod.
        healed_s = self._now_s()
        await asyncio.gather(self._pod(SLOW_POD).fault(kind="none"),
                             self._pod(ERROR_POD).fault(kind="none"))
        self.marks.healed_s = healed_s
        self.announce(healed_s, f"{SLOW_POD} and {ERROR_POD} heal")

    async def _until(self, part: float, ahead_s: float = 0.0) -> None:
        await asyncio.sleep(
            max(0.0, part * self._seconds - ahead_s - self._now_s()))

    def _pod(self, name: str) -> Pod:
        for pod in self._fleet.pods:
            if pod.name == name:
                return pod
        raise RunError(f"no pod {name}")
