# SPDX-License-Identifier: MIT
"""One run: a fresh fleet, the traffic, the story, the records."""
from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Awaitable, Callable

from .fleet import Fleet
from .loadgen import Load, arrivals
from .measure import Run
from .options import Options
from .processes import Processes
from .progress import Progress
from .scenario import Scenario

POLICIES = ("peak_ewma", "round_robin")
TITLES = {"peak_ewma": "libilb", "round_robin": "round robin"}


async def together(*parts: Awaitable[Any]) -> None:
    """Run all; when one fails the others are cancelled and waited for."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _watch(fleet: Fleet) -> None:
    """Raise when a process ends before its time. Until cancelled."""
    while True:
        fleet.check()
        await asyncio.sleep(0.5)


async def _run(opts: Options, policy: str, processes: Processes) -> Run:
    fleet = Fleet(processes, policy, opts.seed, opts.gateway)
    await fleet.start()
    assert fleet.front is not None
    plan = arrivals(opts.seed, opts.rps, opts.seconds)
    load = Load(fleet.front, fleet.pod_of)
    # `marks` is shared, to tell what is going on.
    scenario = Scenario(fleet, opts.seconds, load.now_s)
    progress = Progress(TITLES[policy], load, scenario.marks,
                        fleet.snapshot, fleet.pod_of)
    scenario.announce = progress.announce
    load.begin()
    side = asyncio.ensure_future(together(progress.show(), _watch(fleet)))
    main = asyncio.ensure_future(together(load.run(plan), scenario.play()))
    try:
        await asyncio.wait({side, main},
                           return_when=asyncio.FIRST_COMPLETED)
        if side.done():
            side.result()  # raises: it has no other end
        main.result()
    finally:
        for task in (side, main):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(side, main, return_exceptions=True)
        progress.clear()
    await progress.look()
    fleet.close()
    scenario.marks.end_s = opts.seconds
    load.requests.sort(key=lambda request: request.due_s)
    return Run(policy, load.requests, len(plan), scenario.marks,
               progress.ejections)


def run(opts: Options, policy: str, processes: Processes,
        say: Callable[[str], None]) -> Run:
    """Carry out one run; its processes have ended when it returns."""
    say(f"{TITLES[policy]}: starting pods and gateway "
        f"(policy {policy}) ...")
    try:
        return asyncio.run(_run(opts, policy, processes))
    finally:
        processes.stop()
