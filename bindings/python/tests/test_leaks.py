# SPDX-License-Identifier: MIT
"""Nothing is kept that should go: each script runs in a Python of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

HEAD = """
import gc, sys
import ilb

def refused(call):
    try:
        call()
    except (ilb.Error, TypeError, ValueError, OverflowError):
        return
    raise AssertionError(call)
"""

CHECK = """
# Blocks of Python's allocator that stay behind. Caches account for some, once;
# each round does everything at least 20 times, so a leak shows as 400.
for _ in range(3):
    work()
    gc.collect()
before = sys.getallocatedblocks()
for _ in range(20):
    work()
gc.collect()
left = sys.getallocatedblocks() - before
assert left < 100, f"{left} blocks are left"
"""

WORKS = {
    "requests": """
def work():
    for _ in range(200):
        with lb.pick() as t:
            t.address, t.host, t.port, t.user, t.outcome, t.balancer, repr(t)
            t.first_byte()
        t = lb.pick(exclude=(lb_ticket := lb.pick(),), now_ns=0)
        t.done(outcome="failure", now_ns=1)
        lb_ticket.cancelled()
""",
    "errors": """
def work():
    for _ in range(50):
        refused(lambda: lb.pick(exclude=3))
        refused(lambda: lb.pick(exclude=[3]))
        refused(lambda: lb.pick(exlude=()))
        refused(lambda: lb.pick((), 0, False, 0))
        refused(lambda: lb.pick((), now_ns=-1))
        refused(lambda: lb.pick((), now_ns="x"))
        refused(lambda: lb.update(["a", "a"]))
        refused(lambda: lb.update(["a", ("b", 0)]))
        refused(lambda: lb.update(["a", 3]))
        refused(lambda: lb.update("a"))
        refused(lambda: lb.update([""]))
        refused(lambda: lb.set_readiness("nobody", "ready"))
        refused(lambda: lb.set_readiness("a:1", "up"))
        refused(lambda: ilb.Balancer("x", ["a", "a"]))
        refused(lambda: ilb.Balancer("x", policy="x"))
        refused(lambda: ilb.Balancer("", ["a"]))
        refused(lambda: ilb.Balancer("x", clock=3))
        refused(lambda: ilb.Balancer("x", fail_mode="half"))
        refused(lambda: ilb.Balancer("x", check_effect=2))
        refused(lambda: ilb.Balancer("x", detectors_off=["hang", "x"]))
        refused(lambda: ilb.Balancer("x", detectors_off=["hang", 3]))
        refused(lambda: ilb.Balancer("x", detectors_off="hang"))
        refused(lambda: ilb.Balancer("x", detectors_off=iter(["hang"]),
                                     detectors_shadow={"hang"}))
        refused(lambda: ilb.Balancer("x", detectors_shadow=broken()))
        refused(lambda: ilb.Balancer("x", slow_start=-1))
        refused(lambda: ilb.Balancer("x", slow_start="1"))
        refused(lambda: ilb.Balancer("x", min_endpoints=2**70))
        refused(lambda: ilb.Balancer("x", base_ejection_time=2.5,
                                     max_ejection_time=1.5))
        refused(lambda: ilb.Balancer("x\\n", classify=lambda e: None,
                                     on_event=lambda e: None,
                                     clock=ilb.ManualClock()))
        refused(lambda: lb.pick(cost=0.0))
        refused(lambda: lb.pick(cost="1"))
        refused(lambda: lb.report_check("nobody", True))
        refused(lambda: lb.report_check("a:1", "yes"))
        refused(lambda: lb.report_check(3, True))
        refused(lambda: lb.report_check("a:1", True, 2**70))
        refused(lambda: lb.report_check("a:1"))
        refused(lambda: lb.probe_next())
        refused(lambda: lb.probe_next(now_ns=-1))
        refused(lambda: closed.pick())
        refused(lambda: closed.pick(explain=True))
        refused(lambda: ilb.Balancer("x").pick())
        t = lb.pick()
        refused(lambda: t.done("x"))
        refused(lambda: t.done(None))
        refused(lambda: t.done("success", retry_after=1.5))
        refused(lambda: t.overload(retry_after=-1.5))
        refused(lambda: t.failure(retry_after="x"))
        refused(lambda: t.failure(1, 2))
        t.done()
        refused(t.done)
        refused(lambda: lb.pick(exclude=[t] * 17))
        refused(lambda: lb.pick(exclude=all_of_them))
def broken():
    yield "hang"
    raise ValueError
closed = ilb.Balancer("closed", ["a:1"], fail_mode="closed",
                      consecutive_failures=1)
closed.pick().failure()
all_of_them = [lb.pick() for _ in range(0)]
while len({t.address for t in all_of_them}) < 2:
    t = lb.pick(exclude=all_of_them)
    t.done()
    all_of_them.append(t)
""",
    "checks and probes": """
clock = ilb.ManualClock()
probed = ilb.Balancer("probed", [ilb.Endpoint("a:1", user=object()), "b:2"],
                      clock=clock, consecutive_failures=1,
                      detectors_shadow=iter(["latency", "hang"]))
def work():
    for _ in range(50):
        clock.advance(1)
        for passed in (False, False, False, True, True):
            probed.report_check("a:1", passed)
        probed.probe_due_ns
        probed.snapshot()[0].detected
        with probed.pick(cost=2.5) as t:
            clock.advance(0.001)
            t.overload(retry_after=0.5)
        clock.advance(200)
        refused(lambda: [probed.probe_next().done("failure", retry_after=1e-9)
                         for _ in range(3)])
""",
    "exceptions": """
def work():
    for _ in range(50):
        try:
            with lb.pick():
                raise TimeoutError
        except TimeoutError:
            pass
        try:
            with own.pick():
                raise RuntimeError
        except ZeroDivisionError:
            pass
own = ilb.Balancer("own", ["a:1"], classify=lambda exc: 1 // 0)
""",
    "sets": """
def work():
    for i in range(50):
        lb.update([ilb.Endpoint(f"{j}:{i}", 2, "ready", object())
                   for j in range(20)])
        lb.snapshot()
        lb.addresses()
        repr(lb)
    lb.update(["a:1", "b:2"])
""",
    "events": """
heard = []
def work():
    for i in range(20):
        lb.update([f"{j}:{i}" for j in range(20)])
        lb.events()
        str(lb.events(after=5))
        lb.tick()
    for i in range(100):
        told.set_readiness("a:1", "ready" if i % 2 else "draining")
        with told.pick(explain=True) as t:
            t.explanation, str(t.explanation)
        refused(lambda: lb.events(-1))
        refused(lambda: ilb.Balancer("x", on_event=3))
    del heard[:]
    lb.update(["a:1", "b:2"])
told = ilb.Balancer("told", ["a:1", "b:2"], on_event=heard.append)
""",
    "balancers": """
class User: pass
def work():
    for _ in range(20):
        user = User()
        user.lb = ilb.Balancer("x", [ilb.Endpoint("a", user=user)], capacity=8,
                               clock=ilb.ManualClock(), classify=lambda e: None,
                               on_event=lambda e: user)
        user.ticket = user.lb.pick()
        user.ticket.success()
""",
    "tickets that nobody does": """
import warnings
warnings.simplefilter("ignore")
def work():
    for _ in range(100):
        lb.pick()
""",
}


@pytest.mark.parametrize("what", WORKS)
def test_nothing_is_left(run_python: Callable[..., str], what: str) -> None:
    run_python(
        HEAD + 'lb = ilb.Balancer("billing", ["a:1", "b:2"])\n' + WORKS[what]
        + CHECK
    )


def test_memory_of_balancers_and_lists_is_given_back(
    run_python: Callable[..., str],
) -> None:
    """What the library itself allocates: 400 balancers of 1 MB would show."""
    run_python(HEAD + """
def used_bytes():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096

def work():
    lb = ilb.Balancer("billing", [f"a:{i}" for i in range(500)], capacity=2000)
    lb.snapshot()
    repr(lb)

for _ in range(20):
    work()
before = used_bytes()
for _ in range(400):
    work()
grown = used_bytes() - before
assert grown < 20_000_000, f"{grown} bytes"
""")


def test_reference_counts_of_shared_objects(
    run_python: Callable[..., str],
) -> None:
    """None, True, the outcomes and the types: what the extension hands out
    again and again."""
    run_python(HEAD + """
lb = ilb.Balancer("billing", [("a:1", 1)])
user = object()
own = ilb.Balancer("own", [ilb.Endpoint("a:1", user=user)])
watched = [lb, own, user, ilb.Outcome.SUCCESS, ilb.Ticket, ilb.EndpointStats,
           ilb.classify, ilb.TicketError, ilb.Event, ilb.Explanation,
           ilb.Candidate]

def work():
    for _ in range(1000):
        t = lb.pick()
        t.user, t.outcome, t.balancer
        t.done()
        t.outcome
        refused(t.done)
        with own.pick() as t:
            assert t.user is user
        own.snapshot()
        own.events()
        with own.pick(explain=True):
            pass

work()
gc.collect()
before = [sys.getrefcount(o) for o in watched]
work()
gc.collect()
after = [sys.getrefcount(o) for o in watched]
changed = [(o, a - b) for o, a, b in zip(watched, after, before) if abs(a - b) > 3]
assert not changed, changed
""")


def test_many_interpreter_starts_and_ends_are_clean(
    run_python: Callable[..., str],
) -> None:
    """A ticket in flight at the end of the program does no harm."""
    for _ in range(3):
        run_python(HEAD + """
lb = ilb.Balancer("billing", [ilb.Endpoint("a:1", user=object())])
t = lb.pick()
import builtins
builtins.kept = lb.pick()
""", "-X", "dev", "-W", "ignore::ResourceWarning")
