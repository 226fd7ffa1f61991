# SPDX-License-Identifier: MIT
"""Whatever is put in, what comes out is a result or a clear error."""

from __future__ import annotations

from typing import Any

import pytest

hypothesis = pytest.importorskip("hypothesis")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

import ilb  # noqa: E402

settings.register_profile(
    "ilb", deadline=None, max_examples=200, database=None, derandomize=True
)
settings.load_profile("ilb")

anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(),
    st.binary(), st.lists(st.integers()), st.dictionaries(st.text(), st.text()),
    st.integers(2**62, 2**65), st.complex_numbers(),
)
addresses = st.text(
    st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=60
)
endpoints = st.one_of(
    addresses,
    st.tuples(addresses, st.integers(1, 10**6)),
    st.builds(ilb.Endpoint, addresses, st.integers(1, 10**6),
              st.sampled_from(["ready", "not_ready", "draining"]), anything),
)
CLEAR = (ilb.Error, TypeError, ValueError)


@given(endpoints=st.one_of(
    anything,
    st.lists(st.one_of(endpoints, anything, st.tuples(addresses, anything),
                       st.tuples(anything), st.tuples(addresses, st.just(1),
                                                      anything, anything))),
))
def test_a_list_is_taken_or_refused_whole(endpoints: Any) -> None:
    lb = ilb.Balancer("billing", ["a:1"], capacity=20)
    try:
        lb.update(endpoints)
    except CLEAR:
        assert lb.addresses() == ["a:1"] and lb.updates == 1
    else:
        assert lb.updates == 2
    assert lb.addresses() == [s.address for s in lb.snapshot()]
    assert len(lb.addresses()) <= 20


@given(st.lists(endpoints, unique_by=lambda e: e if isinstance(e, str) else e[0]))
def test_a_good_list_comes_back_as_it_was(given_list: list[Any]) -> None:
    whole = [e if isinstance(e, ilb.Endpoint) else
             ilb.Endpoint(e) if isinstance(e, str) else ilb.Endpoint(*e)
             for e in given_list]
    if any(len(e.address.encode()) > 255 for e in whole):
        return
    lb = ilb.Balancer("billing", given_list)
    stats = lb.snapshot()
    assert [(s.address, s.weight) for s in stats] == [e[:2] for e in whole]
    for s, e in zip(stats, whole):
        assert s.user is e.user
        assert (s.state == "warming") == (e.readiness == "ready")
    ready = {e.address for e in whole if e.readiness == "ready"}
    if ready:
        with lb.pick() as ticket:
            assert ticket.address in ready
            assert ticket.address.startswith(("[", ticket.host))
    else:
        with pytest.raises(ilb.NoEndpointError):
            lb.pick()


@given(st.dictionaries(st.sampled_from([
    "policy", "capacity", "seed", "consecutive_failures",
    "max_ejection_percent", "base_ejection_time", "max_ejection_time", "clock",
    "classify", "endpoints", "other", "fail_mode", "panic_threshold_percent",
    "min_endpoints", "detectors_off", "detectors_shadow", "max_retry_after",
    "unhealthy_threshold", "healthy_threshold", "check_effect", "slow_start",
    "latency_margin",
]), st.one_of(anything, st.lists(st.one_of(anything, st.sampled_from([
    "latency", "hang", "probe"]))), st.sampled_from(["closed", "unejects"]))),
    st.one_of(st.text(max_size=80), anything))
def test_options(options: dict[str, Any], name: Any) -> None:
    try:
        lb = ilb.Balancer(name, **{"capacity": 3, **options})
    except CLEAR:
        return
    assert lb.name == name
    assert repr(lb)


@given(st.lists(anything, max_size=4),
       st.dictionaries(st.sampled_from(["exclude", "now_ns", "x", "outcome",
                                        "cost", "retry_after", "address",
                                        "passed"]),
                       anything))
def test_calls(args: list[Any], kwargs: dict[str, Any]) -> None:
    lb = ilb.Balancer("billing", ["a:1", "b:2"])
    ticket = lb.pick()
    for call in (ticket.first_byte, ticket.done, ticket.overload, lb.pick,
                 lb.set_readiness, lb.report_check, lb.probe_next,
                 ticket.__exit__):
        try:
            result = call(*args, **kwargs)
        except CLEAR:
            continue
        if isinstance(result, ilb.Ticket):
            result.done()
    if ticket.outcome is None:
        ticket.done()
    assert sum(s.in_flight for s in lb.snapshot()) == 0


steps = st.lists(st.one_of(
    st.tuples(st.just("pick"), st.integers(0, 3)),
    st.tuples(st.just("done"), st.integers(0, 5)),
    st.tuples(st.just("byte"), st.integers(0, 5)),
    st.tuples(st.just("update"), st.integers(0, 63)),
    st.tuples(st.just("pass"), st.floats(0, 20)),
    st.tuples(st.just("drain"), st.integers(0, 5)),
    st.tuples(st.just("check"), st.integers(-6, 5)),
    st.tuples(st.just("probe"), st.integers(0, 5)),
    st.tuples(st.just("refuse"), st.floats(0, 9)),
), max_size=80)


@given(steps, st.sampled_from(["peak_ewma", "least_request", "round_robin",
                               "random"]))
def test_any_history_keeps_the_books(history: list[Any], policy: Any) -> None:
    """In flight is what was picked and not done; picks are always of the set;
    a ready set always has an answer."""
    clock = ilb.ManualClock()
    pods = [f"10.0.0.{i}:80" for i in range(6)]
    lb = ilb.Balancer("billing", pods, policy=policy, clock=clock, seed=1)
    listed, ready = set(pods), set(pods)
    flying: list[ilb.Ticket] = []
    for what, x in history:
        if what == "pick":
            excluded = flying[:x]
            left = ready - {t.address for t in excluded}
            if left:
                flying.append(lb.pick(exclude=excluded))
                assert flying[-1].address in left
            else:
                with pytest.raises(ilb.NoEndpointError):
                    lb.pick(exclude=excluded)
        elif what == "done" and flying:
            flying.pop(x % len(flying)).done(x)
        elif what == "byte" and flying:
            flying[x % len(flying)].first_byte()
        elif what == "update":
            listed = {p for i, p in enumerate(pods) if x >> i & 1}
            ready = set(listed)
            lb.update(sorted(listed))
        elif what == "pass":
            clock.advance(x)
        elif what == "drain" and pods[x] in listed:
            lb.set_readiness(pods[x], "draining")
            ready.discard(pods[x])
        elif what == "check" and pods[x % 6] in listed:
            lb.report_check(pods[x % 6], x >= 0)
        elif what == "probe":
            try:
                flying.append(lb.probe_next())
                assert flying[-1].address in ready
            except ilb.NotDueError:
                pass
        elif what == "refuse" and flying:
            flying.pop().overload(retry_after=x)
        stats = {s.address: s for s in lb.snapshot()}
        for address in {t.address for t in flying} | listed:
            assert stats[address].in_flight == sum(
                t.address == address for t in flying
            )
        assert set(stats) == listed | {t.address for t in flying}
    for ticket in flying:
        ticket.done()
