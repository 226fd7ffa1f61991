# SPDX-License-Identifier: MIT
"""Many threads on one balancer."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable

import ilb

PODS = [f"10.0.{i // 250}.{i % 250}:80" for i in range(40)]


def run_together(seconds: float, *works: Callable[[], None]) -> None:
    """Start all at once, each again and again for so many seconds; the first
    exception of any of them is raised here."""
    barrier = threading.Barrier(len(works) + 1)
    errors: list[BaseException] = []
    stop = threading.Event()

    def loop(work: Callable[[], None]) -> None:
        barrier.wait()
        try:
            while not stop.is_set():
                work()
        except BaseException as exc:
            errors.append(exc)
            stop.set()

    threads = [threading.Thread(target=loop, args=(w,)) for w in works]
    for thread in threads:
        thread.start()
    barrier.wait()
    stop.wait(seconds)
    stop.set()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_picks_and_updates_at_once() -> None:
    """Nothing is lost: in-flight ends at 0, all outcomes are counted, a pick
    never fails while an endpoint is ready, and never gives one that an update
    had removed before the pick began."""
    lb = ilb.Balancer("billing", PODS)
    always, others = PODS[:5], PODS[5:]
    left: dict[str, int] = {}  # address -> number of the update it left with
    counts = [Counter[str]() for _ in range(8)]

    def pick(counted: Counter[str]) -> None:
        for _ in range(20):
            gone = left.copy()
            ticket = lb.pick()
            address = ticket.address
            counted[address] += 1
            ticket.first_byte()
            ticket.done(counted[address] % len(ilb.Outcome))
            # Gone before the pick, and not back in between.
            assert address not in gone or left.get(address) != gone[address]

    def update() -> None:
        new = [*always, *random.sample(others, 15)]
        for address in new:
            left.pop(address, None)
        lb.update([(address, random.randint(1, 3)) for address in new])
        for address in set(PODS) - set(new):
            left.setdefault(address, lb.updates)

    run_together(2.0, *[lambda c=c: pick(c) for c in counts], update)
    lb.update(always)
    stats = lb.snapshot()
    assert [s.address for s in stats] == always
    assert sum(s.in_flight for s in stats) == 0 and lb.leaked == 0
    total = sum(counts, Counter())
    for s in stats:
        assert sum(s.done.values()) == total[s.address]
    assert sum(total.values()) > 1000 and lb.updates > 20


def test_snapshots_and_reprs_meanwhile() -> None:
    lb = ilb.Balancer("billing", PODS)
    sizes = set()

    def pick() -> None:
        with lb.pick():
            pass

    def look() -> None:
        stats = lb.snapshot()
        sizes.add(len(stats))
        assert len({s.address for s in stats}) == len(stats)
        assert "billing" in repr(lb)

    def update() -> None:
        lb.update(random.sample(PODS, random.randint(1, len(PODS))))
        lb.set_readiness(lb.addresses()[0], "ready")

    run_together(1.0, pick, pick, look, look, update)
    assert len(sizes) > 1


def test_user_objects_meanwhile() -> None:
    """A ticket's user object is always its endpoint's, while updates replace
    and drop them all."""
    class User:
        def __init__(self, address: str) -> None:
            self.address = address

    lb = ilb.Balancer("billing")

    def update() -> None:
        pods = random.sample(PODS, 10)
        lb.update([ilb.Endpoint(a, user=User(a)) for a in pods])

    def pick() -> None:
        with lb.pick() as ticket:
            assert ticket.user.address == ticket.address

    def look() -> None:
        for stats in lb.snapshot():
            assert stats.user is None or stats.user.address == stats.address

    update()
    run_together(1.5, update, update, pick, pick, pick, pick, look)


def test_updates_by_two_threads_leave_one_of_the_two() -> None:
    lb = ilb.Balancer("billing")
    lists = [["a:1", "b:2"], ["c:3", "d:4", "e:5"]]

    def update(i: int) -> None:
        lb.update([ilb.Endpoint(a, user=a) for a in lists[i]])

    run_together(0.5, lambda: update(0), lambda: update(1))
    stats = lb.snapshot()
    assert [s.address for s in stats] in lists
    assert lb.addresses() == [s.address for s in stats]
    assert [s.user for s in stats] == lb.addresses()


def test_a_finalizer_may_update_the_balancer_that_drops_it() -> None:
    lb = ilb.Balancer("billing")

    class User:
        def __del__(self) -> None:
            lb.update(["b:2"])

    lb.update([ilb.Endpoint("a:1", user=User())])
    done = threading.Event()

    def drop() -> None:
        lb.update(["c:3"])
        done.set()

    thread = threading.Thread(target=drop, daemon=True)
    thread.start()
    assert done.wait(10), "update waits for itself"
    thread.join()
    assert lb.addresses() == ["b:2"]


def test_checks_probes_and_updates_at_once() -> None:
    """Nobody is stopped by another, and the books are right afterwards."""
    lb = ilb.Balancer("billing", PODS[:6], fail_mode="closed",
                      consecutive_failures=2, unhealthy_threshold=1,
                      base_ejection_time=0.001, max_ejection_time=0.001)
    probes: list[str] = []

    def pick() -> None:
        with contextlib.suppress(ilb.EjectedError):
            with lb.pick(cost=random.choice((0.5, 1, 8))) as endpoint:
                if endpoint.address in PODS[:2]:
                    endpoint.overload(retry_after=0.001)

    def check() -> None:
        lb.report_check(random.choice(PODS[:6]), random.random() < 0.5)

    def probe() -> None:
        try:
            ticket = lb.probe_next()
        except ilb.NotDueError:
            assert lb.probe_due_ns is None or lb.probe_due_ns > 0
            return
        probes.append(ticket.address)
        ticket.done(random.choice(("success", "failure")))

    def update() -> None:
        lb.update(random.sample(PODS[:6], 6))
        lb.snapshot()

    run_together(0.5, pick, pick, check, probe, probe, update)
    assert probes
    stats = lb.snapshot()
    assert sum(s.in_flight for s in stats) == 0 == lb.leaked
    assert sum(s.enforced["probe"] for s in stats) > 0


def test_other_threads_run_during_a_big_update() -> None:
    """The interpreter lock is given up while the library takes a list over."""
    lb = ilb.Balancer("billing", capacity=200_000)
    pods = [f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}:80" for i in range(100_000)]
    ticks = 0
    stop = threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not stop.is_set():
            ticks += 1
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        for _ in range(3):
            lb.update(pods)
    finally:
        stop.set()
        thread.join()
    assert ticks > 10
    assert len(lb.addresses()) == 100_000
