# SPDX-License-Identifier: MIT
"""Open-loop load: requests leave when their time has come, whether or not
earlier ones were answered, as the users of a real system would have it.

Latency counts from the time at which a request was *due*. A generator that
waits for a slow answer before it sends the next request, or that counts from
the moment it got round to sending, leaves out just the requests that would
have suffered ("coordinated omission").
"""
from __future__ import annotations

import asyncio
import dataclasses
import json
import random
from typing import Callable, Iterator

from .client import Client, HttpError

DEADLINE_S = 2.0
TIMEOUT = 0  # in place of a status
BROKEN = -1


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of request and its share of the traffic."""

    service: str
    share: float
    method: str
    path: str
    body: bytes | None


KINDS = (
    Kind("billing", 0.88, "POST", "/billing/pay",
         json.dumps({"amount": 12.5, "currency": "EUR"}).encode()),
    Kind("user", 0.07, "GET", "/user/users/42", None),
    Kind("notification", 0.05, "GET", "/notification/notifications/7", None),
)


@dataclasses.dataclass(frozen=True)
class Arrival:
    due_s: float  # from the beginning of the run
    kind: Kind


@dataclasses.dataclass
class Request:
    """What became of one arrival; times in seconds from the beginning.

    status: of the answer; TIMEOUT or BROKEN if there was none. pod: where it
    went, as the answer says; "" if nothing says so.
    """

    service: str
    due_s: float
    sent_s: float
    done_s: float = 0.0
    status: int = BROKEN
    pod: str = ""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def latency_s(self) -> float:
        return self.done_s - self.due_s

    @property
    def lag_s(self) -> float:
        """How late it was sent: the generator's own fault."""
        return self.sent_s - self.due_s


def arrivals(seed: int, rps: float, seconds: float) -> list[Arrival]:
    """Poisson arrivals: the same seed, the same requests at the same times."""
    rng = random.Random(seed)
    weights = [kind.share for kind in KINDS]

    def times() -> Iterator[float]:
        now_s = rng.expovariate(rps)
        while now_s < seconds:
            yield now_s
            now_s += rng.expovariate(rps)

    return [Arrival(due_s, rng.choices(KINDS, weights)[0])
            for due_s in times()]


class Load:
    """One run's traffic; `requests` fills up while it goes on."""

    def __init__(self, client: Client, pod_of: Callable[[str], str]) -> None:
        """pod_of: the pod's name for an address, "" if there is none."""
        self._client = client
        self._pod_of = pod_of
        self._started_s = 0.0
        self.requests: list[Request] = []

    def begin(self) -> None:
        """Now is 0 s."""
        self._started_s = asyncio.get_running_loop().time()

    def now_s(self) -> float:
        """Seconds since begin()."""
        return asyncio.get_running_loop().time() - self._started_s

    async def run(self, plan: list[Arrival]) -> None:
        """Send everything in `plan`; returns when the last is over."""
        running: set[asyncio.Task] = set()
        try:
            for arrival in plan:
                wait_s = arrival.due_s - self.now_s()
                if wait_s > 0:
                    await asyncio.sleep(wait_s)
                task = asyncio.ensure_future(self._one(arrival))
                running.add(task)
                task.add_done_callback(running.discard)
            while running:
                await asyncio.gather(*running)
        finally:
            for task in running:
                task.cancel()

    async def _one(self, arrival: Arrival) -> None:
        kind = arrival.kind
        sent_s = self.now_s()
        request = Request(kind.service, arrival.due_s, sent_s)
        try:
            response = await self._client.request(
                kind.method, kind.path, kind.body,
                max(0.0, arrival.due_s + DEADLINE_S - sent_s))
        except asyncio.TimeoutError:
            request.status = TIMEOUT
        except (HttpError, OSError):
            request.status = BROKEN
        else:
            request.status = response.status
            request.pod = (response.headers.get("x-pod") or self._pod_of(
                response.headers.get("x-ilb-endpoint", "")))
        request.done_s = self.now_s()
        self.requests.append(request)
