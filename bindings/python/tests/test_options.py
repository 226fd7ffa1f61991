# SPDX-License-Identifier: MIT
"""What each option of a Balancer does, and what it may be."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

import ilb

PODS = [f"10.0.0.{i}:80" for i in range(1, 5)]
DETECTORS = [
    "consecutive_failures", "failure_percentage", "success_rate", "latency",
    "hang", "retry_after", "probe",
]


def made(n: int = 4, **options: Any) -> tuple[ilb.Balancer, ilb.ManualClock]:
    """Of `n` pods, each of which a single failure ejects."""
    clock = ilb.ManualClock()
    options = {"consecutive_failures": 1, "policy": "random", "seed": 1,
               **options}
    return ilb.Balancer("billing", PODS[:n], clock=clock, **options), clock


def fail(lb: ilb.Balancer, address: str) -> None:
    """One request to `address` fails; those before it are cancelled."""
    for _ in range(2000):
        ticket = lb.pick()
        if ticket.address == address:
            ticket.failure()
            return
        ticket.cancelled()
    raise AssertionError(f"{address} is not picked")


def stats_of(lb: ilb.Balancer, address: str) -> ilb.EndpointStats:
    return next(s for s in lb.snapshot() if s.address == address)


def ejected(lb: ilb.Balancer) -> list[str]:
    return [s.address for s in lb.snapshot() if s.state == "ejected"]


# ---- Fail open, fail closed --------------------------------------------------


@pytest.mark.parametrize("policy", ["peak_ewma", "least_request",
                                    "round_robin", "random"])
def test_closed_has_an_error_of_its_own(policy: str) -> None:
    lb, clock = made(3, fail_mode="closed", policy=policy)
    for address in PODS[:3]:
        fail(lb, address)
    assert ejected(lb) == PODS[:3]
    with pytest.raises(ilb.EjectedError, match="^billing: every ready endp"):
        lb.pick()
    with pytest.raises(ilb.EjectedError) as caught:
        lb.pick(explain=True)
    assert (caught.value.code, caught.value.name) == (-13, "ILB_EEJECTED")
    assert isinstance(caught.value, ilb.NoEndpointError)
    clock.advance(1000)
    with lb.pick(explain=True) as endpoint:
        assert endpoint.explanation is not None
        assert endpoint.explanation.chosen_by == "probe"


def test_empty_not_ready_and_ejected_are_told_apart() -> None:
    lb, _ = made(0, fail_mode="closed")
    with pytest.raises(ilb.EmptyError):
        lb.pick()
    lb.update([ilb.Endpoint(PODS[0], readiness="not_ready")])
    with pytest.raises(ilb.NotReadyError):
        lb.pick()
    lb.set_readiness(PODS[0], "ready")
    fail(lb, PODS[0])
    with pytest.raises(ilb.EjectedError):
        lb.pick()


@pytest.mark.parametrize("options", [{}, {"fail_mode": "open"},
                                     {"fail_mode": "closed",
                                      "min_endpoints": 1}])
def test_open_keeps_the_last(options: dict[str, Any]) -> None:
    lb, _ = made(3, **options)
    for address in PODS[:2]:
        fail(lb, address)
    for _ in range(50):
        with lb.pick() as endpoint:
            assert endpoint.address == PODS[2]
            endpoint.failure()
    assert ejected(lb) == PODS[:2]


def test_so_many_are_never_ejected() -> None:
    lb, _ = made(4, min_endpoints=3)
    for address in PODS:
        fail(lb, address)
    assert ejected(lb) == PODS[:1]
    refused = [e for e in lb.events() if e.type == "eject_refused"]
    assert refused and {e.reason for e in refused} == {"floor"}


@pytest.mark.parametrize("mode", ["open", "closed"])
def test_panic(mode: str) -> None:
    """Three of four are 75 %, two are 50 %."""
    lb, _ = made(4, fail_mode=mode, panic_threshold_percent=75)
    fail(lb, PODS[0])
    with lb.pick(explain=True) as endpoint:
        assert endpoint.explanation is not None
        assert endpoint.explanation.chosen_by == "chance"
    fail(lb, PODS[1])
    assert ejected(lb) == PODS[:2]
    if mode == "closed":
        with pytest.raises(ilb.EjectedError):
            lb.pick()
        return
    seen: Counter[str] = Counter()
    for _ in range(400):
        with lb.pick(explain=True) as endpoint:
            assert endpoint.explanation is not None
            assert endpoint.explanation.panic and endpoint.explanation.looks == 1
            if endpoint.explanation.chosen_by == "fail_open":
                assert endpoint.explanation.choice.admitted == "panic"
                seen[endpoint.address] += 1
    assert set(seen) == set(PODS[:2])


# ---- Detectors ---------------------------------------------------------------


def test_the_detectors_are_those_of_the_library() -> None:
    stats = ilb.Balancer("billing", PODS).snapshot()[0]
    assert list(stats.detected) == list(stats.enforced) == DETECTORS
    assert set(stats.detected.values()) | set(stats.enforced.values()) == {0}
    assert stats.ejected_by is None


def test_what_ejects_is_counted() -> None:
    lb, _ = made()
    fail(lb, PODS[0])
    stats = stats_of(lb, PODS[0])
    assert stats.ejected_by == "consecutive_failures"
    assert stats.detected == {**dict.fromkeys(DETECTORS, 0),
                              "consecutive_failures": 1}
    assert stats.enforced == stats.detected
    assert stats[-3:] == (stats.ejected_by, stats.detected, stats.enforced)


FAILURES = DETECTORS[:3]


@pytest.mark.parametrize("names", [
    FAILURES, tuple(FAILURES), iter(FAILURES), set(FAILURES), DETECTORS,
    dict.fromkeys(FAILURES),
])
def test_detectors_that_are_off_find_nothing(names: Any) -> None:
    lb, clock = made(detectors_off=names)
    for _ in range(300):
        ticket = lb.pick()
        clock.advance(0.001)
        ticket.done("failure" if ticket.address == PODS[0] else "success")
    stats = stats_of(lb, PODS[0])
    assert stats.done["failure"] > 10
    assert stats.ejections == 0 == sum(stats.detected.values())


def test_detectors_in_shadow_only_say() -> None:
    lb, clock = made(detectors_shadow=["consecutive_failures"],
                     detectors_off=["success_rate", "failure_percentage"])
    for _ in range(100):
        ticket = lb.pick()
        clock.advance(0.001)
        ticket.done("failure" if ticket.address == PODS[0] else "success")
    stats = stats_of(lb, PODS[0])
    assert stats.detected["consecutive_failures"] == 1
    assert stats.enforced["consecutive_failures"] == 0 == stats.ejections
    assert stats.ejected_by is None
    (event,) = [e for e in lb.events() if e.type == "eject_refused"]
    assert (event.detector, event.reason, event.enforced) == (
        "consecutive_failures", "shadow", False,
    )


# ---- Times -------------------------------------------------------------------


@pytest.mark.parametrize("most, least_s, most_s", [(0.0, 100, 110),
                                                   (10.0, 10, 11)])
def test_what_an_endpoint_asks_for_is_bounded(
    most: float, least_s: float, most_s: float
) -> None:
    lb, clock = made(max_retry_after=most)
    ticket = lb.pick()
    clock.advance(0.001)
    ticket.overload(retry_after=100)
    stats = stats_of(lb, ticket.address)
    assert (stats.state, stats.ejected_by) == ("ejected", "retry_after")
    left = (stats.ejected_until_ns - clock.now_ns) / 1e9
    assert least_s <= left <= most_s


@pytest.mark.parametrize("seconds, least, most", [(0.0, 70, 130),
                                                  (1000.0, 1, 25)])
def test_slow_start(seconds: float, least: int, most: int) -> None:
    """A newcomer's share of 300 requests in a second: 10 % of a third."""
    lb, clock = made(2, slow_start=seconds, consecutive_failures=0)
    seen: Counter[str] = Counter()
    for i in range(400):
        if i == 100:
            lb.update(PODS[:3])
        with lb.pick() as endpoint:
            clock.advance(1 / 300)
            seen[endpoint.address] += 1
    assert least <= seen[PODS[2]] <= most


@pytest.mark.parametrize("margin, state", [(0.0, "ejected"), (1.0, "healthy")])
def test_latency_margin(margin: float, state: str) -> None:
    """One of three takes 300 ms longer than the others, for a minute."""
    lb, clock = made(3, latency_margin=margin, policy="round_robin")
    for _ in range(600):
        with lb.pick() as endpoint:
            clock.advance(0.31 if endpoint.address == PODS[0] else 0.01)
    found = stats_of(lb, PODS[0])
    assert found.state in (state, "probing" if state == "ejected" else state)
    assert found.ejected_by == ("latency" if state == "ejected" else None)


# ---- What is refused ---------------------------------------------------------


@pytest.mark.parametrize("options, says", [
    ({"policy": "best"}, "^policy must be 'peak_ewma', 'least_request', "
     "'round_robin' or 'random', not 'best'$"),
    ({"fail_mode": "half"}, "^fail_mode must be 'open' or 'closed', not 'half'$"),
    ({"check_effect": ""}, "^check_effect must be 'probes' or 'unejects', not ''$"),
    ({"panic_threshold_percent": 101}, "^panic_threshold_percent must be 0 to 100, "),
    ({"panic_threshold_percent": -1}, "^panic_threshold_percent must be 0 to 100, "),
    ({"min_endpoints": 1_000_001}, "^min_endpoints must be 0 to 1000000, "),
    ({"unhealthy_threshold": 2**32}, "^unhealthy_threshold must be 0 to 4294967295,"),
    ({"healthy_threshold": -1}, "^healthy_threshold must be 0 to 4294967295, not -1"),
    ({"max_retry_after": -1}, "^max_retry_after must be 0 to 1e9 seconds, not -1$"),
    ({"slow_start": 10**400}, "^slow_start must be 0 to 1e9 seconds, not 1000"),
    ({"latency_margin": -0.1}, "^latency_margin must be 0 to 1e9 seconds, not -0.1$"),
    ({"slow_start": float("nan")}, "^slow_start must be 0 to 1e9 seconds, not nan$"),
    ({"consecutive_failures": 65536}, "^consecutive_failures must be 0 to 65535 or "
     "ilb.NEVER, not 65536$"),
    ({"base_ejection_time": 2, "max_ejection_time": 1}, "^base_ejection_time must be "
     "at most max_ejection_time, 1, not 2$"),
    ({"detectors_off": ["slow"]}, "^a detector in detectors_off must be "
     "'consecutive_failures', 'failure_percentage', 'success_rate', 'latency', "
     "'hang', 'retry_after' or 'probe', not 'slow'$"),
    ({"detectors_shadow": ["latency", "none"]}, "^a detector in detectors_shadow "),
    ({"detectors_off": ["hang", "probe"], "detectors_shadow": ["probe"]},
     "^detectors_shadow: 'probe' is in detectors_off$"),
])
def test_a_value_that_is_refused_is_named(
    options: dict[str, Any], says: str
) -> None:
    with pytest.raises(ilb.InvalidError, match=says) as caught:
        ilb.Balancer("billing", **options)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("options, says", [
    ({"fail_mode": None}, "^fail_mode must be a str, not NoneType$"),
    ({"policy": 1}, "^policy must be a str, not int$"),
    ({"check_effect": b"probes"}, "^check_effect must be a str, not bytes$"),
    ({"min_endpoints": 1.0}, "^min_endpoints must be an int, not float$"),
    ({"panic_threshold_percent": "5"}, "^panic_threshold_percent must be an int, "),
    ({"slow_start": "1"}, "^slow_start must be a number, not str$"),
    ({"latency_margin": "1"}, "^latency_margin must be a number, not str$"),
    ({"max_retry_after": None}, "^max_retry_after must be a number, not NoneType$"),
    ({"detectors_off": "latency"}, "^detectors_off must be an iterable of "
     "detectors' names, not str$"),
    ({"detectors_shadow": 3}, "^detectors_shadow must be an iterable of "),
    ({"detectors_off": None}, "^detectors_off must be an iterable of "),
    ({"detectors_off": [4]}, "^a detector in detectors_off must be a str, not int$"),
    ({"name": b"x"}, "^name must be a str, not bytes$"),
    ({"clock": 3}, "^clock must be an ilb.ManualClock or None, not int$"),
    ({"classify": 3}, "^classify must be callable or None, not int$"),
    ({"on_event": 3}, "^on_event must be callable or None, not int$"),
])
def test_a_type_that_is_refused_is_named(
    options: dict[str, Any], says: str
) -> None:
    with pytest.raises(TypeError, match=says):
        ilb.Balancer(**{"name": "billing", **options})


def test_a_name_that_is_refused_is_shown() -> None:
    for name in ("", "x" * 64, "a\nb", "a\x7f"):
        with pytest.raises(ilb.InvalidError, match="^name must have 1 to 63 "
                           "printable bytes, not '"):
            ilb.Balancer(name)


def test_an_iterable_of_detectors_that_fails_tells_its_own_error() -> None:
    def broken():  # type: ignore[no-untyped-def]
        yield "latency"
        raise KeyError("settings")

    with pytest.raises(KeyError, match="settings"):
        ilb.Balancer("billing", detectors_off=broken())


def test_what_is_on_the_edge_is_taken() -> None:
    ilb.Balancer(
        "billing", panic_threshold_percent=100, min_endpoints=1_000_000,
        unhealthy_threshold=2**32 - 1, healthy_threshold=2**32 - 1,
        max_retry_after=1e9, slow_start=1e9, latency_margin=1e9, consecutive_failures=65535,
        base_ejection_time=1, max_ejection_time=1, detectors_off=[],
        detectors_shadow=DETECTORS,
    )
    ilb.Balancer("billing", consecutive_failures=ilb.NEVER,
                 base_ejection_time=600)  # the default of the other gives way
