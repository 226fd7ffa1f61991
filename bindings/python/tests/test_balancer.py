# SPDX-License-Identifier: MIT
"""Making balancers, their endpoint sets, and looking inside."""

from __future__ import annotations

import gc
import inspect
import sys
import weakref
from collections import Counter

import pytest

import ilb

PODS = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"]


def by_address(lb: ilb.Balancer) -> dict[str, ilb.EndpointStats]:
    return {s.address: s for s in lb.snapshot()}


def test_a_balancer_says_what_it_is() -> None:
    lb = ilb.Balancer("billing", PODS, policy="least_request")
    assert (lb.name, lb.policy) == ("billing", "least_request")
    assert lb.addresses() == PODS
    assert (lb.updates, lb.leaked) == (1, 0)
    with lb.pick():
        assert repr(lb) == (
            "<ilb.Balancer 'billing' least_request: 3 endpoints (3 warming), "
            "1 in flight>"
        )


def test_an_empty_balancer_is_made_and_filled_later() -> None:
    lb = ilb.Balancer("billing")
    assert lb.snapshot() == [] and lb.addresses() == [] and lb.updates == 0
    assert repr(lb) == "<ilb.Balancer 'billing' peak_ewma: 0 endpoints, 0 in flight>"
    lb.update(PODS)
    assert lb.addresses() == PODS and lb.updates == 1
    lb.update([])
    assert lb.addresses() == [] and lb.snapshot() == []


def test_endpoints_come_in_three_forms_and_from_any_iterable() -> None:
    user = object()
    lb = ilb.Balancer("billing")
    lb.update(iter([
        "a:1",
        ("b:2", 7),
        ilb.Endpoint("c:3", 9, "draining", user),
        ilb.Endpoint("d:4", readiness="not_ready"),
    ]))
    stats = lb.snapshot()
    assert [s.address for s in stats] == ["a:1", "b:2", "c:3", "d:4"]
    assert [s.weight for s in stats] == [1, 7, 9, 1]
    assert [s.state for s in stats] == [
        "warming", "warming", "draining", "not_ready",
    ]
    assert stats[2].user is user and stats[0].user is None


def test_the_same_seed_and_clock_give_the_same_picks() -> None:
    def picks(seed: int) -> list[str]:
        lb = ilb.Balancer("billing", PODS, seed=seed, policy="random",
                          clock=ilb.ManualClock())
        found = []
        for _ in range(50):
            with lb.pick() as endpoint:
                found.append(endpoint.address)
        return found

    assert picks(7) == picks(7)
    assert picks(7) != picks(8)


def test_round_robin_is_even_and_weighted() -> None:
    lb = ilb.Balancer("billing", ["a:1", ("b:2", 3)], policy="round_robin")
    seen: Counter[str] = Counter()
    for _ in range(400):
        with lb.pick() as endpoint:
            seen[endpoint.address] += 1
    # As even as a sequence can be; where it begins is chance.
    assert 99 <= seen["a:1"] <= 101 and seen["a:1"] + seen["b:2"] == 400


def test_an_update_keeps_what_was_learned_and_drains_what_left() -> None:
    lb = ilb.Balancer("billing", PODS, policy="round_robin")
    tickets = [lb.pick() for _ in PODS]
    tickets[0].success()
    lb.update([tickets[0].address])
    stats = by_address(lb)
    assert stats[tickets[0].address].done["success"] == 1
    assert stats[tickets[1].address].state == "draining"
    assert stats[tickets[1].address].in_flight == 1
    for _ in range(20):
        with lb.pick() as endpoint:
            assert endpoint.address == tickets[0].address
    tickets[1].success()
    tickets[2].failure()
    assert list(by_address(lb)) == [tickets[0].address]


def test_an_update_that_is_refused_changes_nothing() -> None:
    lb = ilb.Balancer("billing", PODS, capacity=4)
    before = lb.snapshot()
    for bad in (
        ["a:1", "a:1"], [""], ["x" * 256], ["a\0b"], ["a\n"], [("a:1", 0)],
        [("a:1", 1_000_001)], [("a:1", -1)], ["a", "b", "c", "d", "e"],
        [ilb.Endpoint("a:1", readiness="up")],  # type: ignore[arg-type]
    ):
        with pytest.raises(ValueError):
            lb.update(bad)
    for worse in (
        "10.0.0.1:80", b"x", {"a:1": 2}, None, 3, [None], [b"a:1"], [()],
        [("a:1", "2")], [("a", 1, "ready", None, 5)], [("a", 1.5)], [["a", 1]],
        [ilb.Endpoint("a:1", readiness=2)],
    ):
        with pytest.raises(TypeError):
            lb.update(worse)  # type: ignore[arg-type]
    assert lb.snapshot() == before
    assert lb.updates == 1 and lb.addresses() == PODS


def test_a_failing_iterable_changes_nothing_and_tells_its_own_error() -> None:
    def broken():  # type: ignore[no-untyped-def]
        yield "a:1"
        raise KeyError("discovery")

    lb = ilb.Balancer("billing", PODS)
    with pytest.raises(KeyError, match="discovery"):
        lb.update(broken())
    assert lb.addresses() == PODS


def test_readiness_of_one_endpoint() -> None:
    lb = ilb.Balancer("billing", ["a:1", "b:2"])
    lb.set_readiness("a:1", "draining")
    assert by_address(lb)["a:1"].state == "draining"
    for _ in range(20):
        with lb.pick() as endpoint:
            assert endpoint.address == "b:2"
    lb.set_readiness("b:2", "not_ready")
    with pytest.raises(ilb.NotReadyError):
        lb.pick()
    lb.set_readiness("a:1", "ready")
    with lb.pick() as endpoint:
        assert endpoint.address == "a:1"


def test_failures_in_a_row_eject_and_time_brings_back() -> None:
    clock = ilb.ManualClock()
    lb = ilb.Balancer("billing", PODS, clock=clock, consecutive_failures=2,
                      base_ejection_time=0.5, max_ejection_time=0.5,
                      policy="round_robin")
    bad = PODS[0]
    for _ in range(12):
        ticket = lb.pick()
        clock.advance(0.001)
        ticket.done("failure" if ticket.address == bad else "success")
    stats = by_address(lb)[bad]
    assert stats.state == "ejected" and stats.ejections == 1
    assert stats.done["failure"] == 2 and stats.failures_in_a_row == 2
    assert 0 < stats.failure_share <= 1
    assert clock.now_ns < stats.ejected_until_ns <= clock.now_ns + 10**9
    clock.advance(5)
    for _ in range(100):
        with lb.pick():
            clock.advance(0.001)
    assert by_address(lb)[bad].done["success"] > 0


def test_never_ejects_none() -> None:
    lb = ilb.Balancer("billing", PODS, consecutive_failures=ilb.NEVER)
    for _ in range(200):
        lb.pick().failure()
    assert not [s for s in lb.snapshot() if s.ejections]


def test_a_snapshot_has_names_and_places() -> None:
    stats = ilb.Balancer("billing", ["a:1"]).snapshot()[0]
    assert stats[0] == stats.address == "a:1"
    assert set(stats.done) == {o.name.lower() for o in ilb.Outcome}
    assert repr(stats).startswith("ilb.EndpointStats(address='a:1', weight=1,")


def test_options_have_limits() -> None:
    def refused(**options: object) -> str:
        with pytest.raises(ilb.InvalidError) as caught:
            ilb.Balancer("billing", **options)  # type: ignore[arg-type]
        return str(caught.value)

    assert "policy" in refused(policy="best")
    assert "capacity" in refused(capacity=1_000_001)
    assert "capacity" in refused(capacity=-1)
    assert "seed" in refused(seed=2**64)
    assert "max_ejection_percent" in refused(max_ejection_percent=101)
    assert "consecutive_failures" in refused(consecutive_failures=2**32)
    for seconds in (-1.0, float("nan"), float("inf"), 1e10):
        assert "base_ejection_time" in refused(base_ejection_time=seconds)
        assert "max_ejection_time" in refused(max_ejection_time=seconds)
    for name in ("", "x" * 64, "a\0b", "a\nb"):
        with pytest.raises(ilb.InvalidError):
            ilb.Balancer(name)


@pytest.mark.parametrize("options", [
    {"clock": lambda: 1}, {"classify": 3}, {"seed": "x"}, {"capacity": 1.5},
    {"base_ejection_time": "1"}, {"policy": None}, {"weights": 1},
])
def test_options_have_types(options: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        ilb.Balancer("billing", **options)  # type: ignore[arg-type]


def test_the_name_is_needed_and_options_are_named() -> None:
    with pytest.raises(TypeError):
        ilb.Balancer()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        ilb.Balancer(b"x")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        ilb.Balancer("x", [], "random")  # type: ignore[misc]


def test_user_objects_live_as_long_as_their_endpoint_or_ticket() -> None:
    class User:
        pass

    first, second = User(), User()
    gone, kept = weakref.ref(first), weakref.ref(second)
    lb = ilb.Balancer("billing", [ilb.Endpoint("a:1", user=first)])
    ticket = lb.pick()
    lb.update([ilb.Endpoint("a:1", user=second)])
    del first, second
    assert ticket.user is gone() is not None
    with lb.pick() as endpoint:
        assert endpoint.user is kept() is not None
    del endpoint
    ticket.success()
    del ticket
    gc.collect()
    assert gone() is None and kept() is not None
    lb.update(["a:1"])
    assert kept() is None


def test_a_cycle_through_a_user_object_is_collected() -> None:
    class User:
        lb: ilb.Balancer
        ticket: ilb.Ticket

    user = User()
    user.lb = ilb.Balancer("billing", [ilb.Endpoint("a:1", user=user)])
    user.ticket = user.lb.pick()
    user.ticket.success()
    gone = weakref.ref(user), weakref.ref(user.lb)
    del user
    gc.collect()
    assert gone[0]() is None and gone[1]() is None


def test_a_str_subclass_is_taken_as_the_text_that_it_is() -> None:
    class Odd(str):
        def __eq__(self, other: object) -> bool:
            return False

        __hash__ = str.__hash__

    lb = ilb.Balancer("billing", [Odd("a:1")])
    assert lb.addresses() == ["a:1"] and type(lb.addresses()[0]) is str
    with pytest.raises(ilb.DuplicateError):
        lb.update([Odd("a:1"), Odd("a:1")])


def test_addresses_beyond_ascii_come_back_as_they_were() -> None:
    lb = ilb.Balancer("größe", ["pod-é:1", "節点:2"], policy="round_robin")
    assert lb.name == "größe"
    with lb.pick() as endpoint:
        assert endpoint.address in ("pod-é:1", "節点:2")
    assert [s.address for s in lb.snapshot()] == ["pod-é:1", "節点:2"]


def test_types_are_final_and_their_attributes_are_fixed() -> None:
    lb = ilb.Balancer("billing")
    with pytest.raises(TypeError):
        type("Mine", (ilb.Balancer,), {})
    with pytest.raises(AttributeError):
        lb.name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        ilb.Ticket()
    assert weakref.ref(lb)() is lb


def test_signatures_can_be_inspected() -> None:
    def text(function: object) -> str:
        return str(inspect.signature(function))  # type: ignore[arg-type]

    if sys.version_info >= (3, 10):
        assert text(ilb.Balancer).startswith("(name, endpoints=(), *, policy=")
    assert text(ilb.Balancer.pick) == (
        "(self, /, exclude=(), now_ns=0, explain=False, cost=1.0)"
    )
    assert text(ilb.Balancer.update) == "(self, endpoints, /)"
    assert text(ilb.Ticket.first_byte) == "(self, /, now_ns=0)"
    assert text(ilb.Ticket.overload) == "(self, /, retry_after=0.0)"
    assert text(ilb.Balancer.report_check) == (
        "(self, /, address, passed, now_ns=0)"
    )
    assert text(ilb.Balancer.probe_next) == "(self, /, now_ns=0)"
    for cls in (ilb.Balancer, ilb.Ticket, ilb.ManualClock):
        assert cls.__module__ == "ilb"
        for name, member in vars(cls).items():
            if not name.startswith("_"):
                assert member.__doc__, (cls, name)


def test_a_manual_clock_only_moves_when_told() -> None:
    clock = ilb.ManualClock(5)
    assert clock.now_ns == 5 and repr(clock) == "ilb.ManualClock(now_ns=5)"
    clock.advance(1.5)
    assert clock.now_ns == 1_500_000_005
    clock.now_ns = 7
    assert clock.now_ns == 7
    for bad in (0, -1, 2**64):
        with pytest.raises(ilb.InvalidError):
            clock.now_ns = bad
        with pytest.raises(ilb.InvalidError):
            ilb.ManualClock(bad)
    with pytest.raises(ilb.InvalidError):
        clock.advance(-1)
    with pytest.raises(TypeError):
        clock.now_ns = "x"  # type: ignore[assignment]
    with pytest.raises(AttributeError):
        del clock.now_ns


def test_a_manual_clock_does_not_wrap() -> None:
    clock = ilb.ManualClock(2**64 - 10**9)
    clock.advance(0.999999999)
    assert clock.now_ns == 2**64 - 1
    for seconds in (1e-9, 1, 1e9):
        with pytest.raises(OverflowError, match="end of the clock"):
            clock.advance(seconds)
        assert clock.now_ns == 2**64 - 1
    clock.advance(0)
    assert clock.now_ns == 2**64 - 1
    clock.now_ns = 2**64 - 10**18
    with pytest.raises(OverflowError):
        clock.advance(1e9)
    assert clock.now_ns == 2**64 - 10**18


def ejected_at(clock: ilb.ManualClock) -> ilb.Balancer:
    """A balancer with one endpoint of three ejected just now."""
    lb = ilb.Balancer("billing", PODS, clock=clock, consecutive_failures=2,
                      base_ejection_time=0.5, max_ejection_time=0.5, seed=1)
    while not lb.snapshot()[0].ejections:
        ticket = lb.pick()
        clock.advance(0.001)
        bad = ticket.address == PODS[0]
        ticket.done(ilb.Outcome.FAILURE if bad else ilb.Outcome.SUCCESS)
    return lb


def times(lb: ilb.Balancer) -> tuple[list[int], list[int]]:
    """What it tells of times: of its endpoints and of its events."""
    return ([s.ejected_until_ns for s in lb.snapshot()],
            [e.time_ns for e in lb.events()])


@pytest.mark.parametrize("wild", [2**64 - 1, 2**63, 1_764_000_000 * 10**9,
                                  3_600 * 10**9])
@pytest.mark.parametrize("where", ["pick", "done", "first_byte", "check",
                                   "probe", "tick"])
def test_a_time_of_another_clock_is_not_believed(wild: int, where: str) -> None:
    told = []
    for now_ns in (0, wild):
        clock = ilb.ManualClock()
        lb = ejected_at(clock)
        ticket = lb.pick(now_ns=now_ns if where == "pick" else 0)
        clock.advance(0.001)
        ticket.first_byte(now_ns if where == "first_byte" else 0)
        ticket.done(now_ns=now_ns if where == "done" else 0)
        lb.report_check(PODS[1], True, now_ns if where == "check" else 0)
        with pytest.raises(ilb.NotDueError):
            lb.probe_next(now_ns if where == "probe" else 0)
        lb.tick(now_ns if where == "tick" else 0)
        clock.advance(60)
        probe = lb.probe_next()
        assert probe.address == PODS[0]
        probe.done()
        told.append((times(lb), [s.latency_ns for s in lb.snapshot()]))
    assert told[0] == told[1]


@pytest.mark.parametrize("wild", [2**64 - 1, 2**63, 1_764_000_000 * 10**9])
def test_a_manual_clock_may_leap(wild: int) -> None:
    clock = ilb.ManualClock()
    lb = ejected_at(clock)
    honest = clock.now_ns
    (until, *_), _ = times(lb)
    clock.now_ns = wild
    lb.pick().done()
    lb.snapshot()
    clock.now_ns = honest
    (after, *_), _ = times(lb)
    assert abs(after - until) < 10**8
    clock.now_ns = after + 10**6
    probe = lb.probe_next()
    probe.done()
    assert probe.address == PODS[0]
    assert abs(lb.events()[-1].time_ns - clock.now_ns) < 10**8


def test_latency_is_measured_on_the_clock() -> None:
    clock = ilb.ManualClock()
    lb = ilb.Balancer("billing", ["a:1"], clock=clock)
    ticket = lb.pick()
    clock.advance(0.25)
    assert lb.snapshot()[0].oldest_ns == 250_000_000
    ticket.first_byte()
    clock.advance(10)
    ticket.success()
    assert lb.snapshot()[0].latency_ns == pytest.approx(250_000_000, rel=0.05)
    assert lb.snapshot()[0].oldest_ns == 0


def test_times_can_be_given_instead_of_asked() -> None:
    lb = ilb.Balancer("billing", ["a:1"], clock=ilb.ManualClock(10**9))
    ticket = lb.pick(now_ns=10**9)
    ticket.done(ilb.Outcome.SUCCESS, now_ns=10**9 + 40_000_000)
    assert lb.snapshot()[0].latency_ns == pytest.approx(40_000_000, rel=0.05)
    ticket = lb.pick((), 2 * 10**9)
    ticket.first_byte(now_ns=2 * 10**9 + 10)
    ticket.done("success", 3 * 10**9)
