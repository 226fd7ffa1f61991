# SPDX-License-Identifier: MIT
"""What happened to endpoints, and why one was picked."""

from __future__ import annotations

import dataclasses
import gc
import logging
import pickle
import re
import sys
import threading
import typing
import weakref
from pathlib import Path
from typing import Any

import pytest

import ilb
from ilb import _events

VENDOR = Path(__file__).parent.parent / "vendor" / "ilb.h"

PODS = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"]
BAD = PODS[0]


def requests(lb: ilb.Balancer, clock: ilb.ManualClock, n: int) -> None:
    """`n` requests of a millisecond; those to BAD fail."""
    for _ in range(n):
        ticket = lb.pick()
        clock.advance(0.001)
        ticket.done("failure" if ticket.address == BAD else "success")


def made(**options: Any) -> tuple[ilb.Balancer, ilb.ManualClock]:
    clock = ilb.ManualClock()
    options = {"consecutive_failures": 2, "base_ejection_time": 0.5,
               "max_ejection_time": 0.5, "policy": "round_robin", "seed": 1,
               **options}
    return ilb.Balancer("billing", PODS, clock=clock, **options), clock


# ---- Events ----------------------------------------------------------------


def test_an_ejection_is_told_with_its_evidence() -> None:
    lb, clock = made()
    assert [(e.number, e.type, e.address) for e in lb.events()] == [
        (1, "entered", PODS[0]), (2, "entered", PODS[1]), (3, "entered", PODS[2]),
    ]
    requests(lb, clock, 6)
    (event,) = lb.events(3)
    assert event == ilb.Event(
        number=4, time_ns=event.time_ns, type="eject", address=BAD,
        from_state="warming", to_state="ejected",
        detector="consecutive_failures", reason=None, enforced=True,
        statistic=2.0, threshold=2.0, requests=2, failures=2,
        until_ns=lb.snapshot()[0].ejected_until_ns, ejections=1, entered=0,
        left=0, readiness=0, text=event.text,
    )
    assert 0 < event.time_ns <= clock.now_ns
    assert str(event) == event.text
    assert event.text.startswith(
        BAD + " ejected by consecutive_failures: statistic 2 >= 2 after 2 "
        "requests, 2 failed; next probe in "
    )
    assert lb.events(after=4) == [] == lb.events(2**64 - 1)


def test_the_way_back_is_told() -> None:
    lb, clock = made()
    requests(lb, clock, 6)
    clock.advance(1)
    with lb.pick() as endpoint:
        assert endpoint.address == BAD
    clock.advance(0.01)
    for _ in range(60):
        with lb.pick():
            clock.advance(0.001)
    assert [(e.type, e.from_state, e.to_state) for e in lb.events()
            if e.address == BAD][1:] == [
        ("eject", "warming", "ejected"),
        ("probe_started", "ejected", "probing"),
        ("uneject", "probing", "warming"),
        ("healthy", "warming", "healthy"),
    ]


def test_what_is_refused_says_why() -> None:
    lb, clock = made(max_ejection_percent=1)
    lb.update([BAD])
    for _ in range(40):
        with lb.pick():
            clock.advance(0.001)
    last = lb.events()[-1].number
    requests(lb, clock, 3)
    (event,) = lb.events(last)
    assert (event.type, event.reason, event.enforced) == (
        "eject_refused", "floor", False)
    assert event.from_state == event.to_state == "healthy"
    assert event.until_ns == 0


def test_a_large_update_is_one_event_for_those_that_are_too_many() -> None:
    lb, _ = made(event_capacity=8)
    lb.update([f"a:{i}" for i in range(50)])
    event = lb.events()[-1]
    assert event.type == "updated" and event.address == ""
    assert (event.entered, event.left, event.readiness) == (47, 3, 0)
    assert event.text == "47 more entered, 3 left, 0 changed readiness"


def test_old_events_go_and_the_numbers_show_it() -> None:
    lb, _ = made(event_capacity=20)
    for i in range(50):
        lb.set_readiness(PODS[1], "ready" if i % 2 else "draining")
    assert [e.number for e in lb.events()] == list(range(34, 54))
    assert [e.number for e in lb.events(50)] == [51, 52, 53]


def test_no_events_are_kept_if_none_are_wanted() -> None:
    lb, clock = made(event_capacity=ilb.NEVER)
    requests(lb, clock, 6)
    assert lb.events() == []
    assert lb.snapshot()[0].state == "ejected"


@pytest.mark.parametrize("bad", [65537, ilb.NEVER - 1, -1, 2**32])
def test_capacities_have_bounds(bad: int) -> None:
    with pytest.raises(ilb.InvalidError, match="event_capacity"):
        ilb.Balancer("billing", event_capacity=bad)


def test_arguments_are_checked() -> None:
    lb = ilb.Balancer("billing")
    for after in (-1, 2**64):
        with pytest.raises(ilb.InvalidError):
            lb.events(after)
        with pytest.raises(ilb.InvalidError):
            lb.tick(now_ns=after)
    with pytest.raises(TypeError):
        lb.events("1")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        lb.tick(0, 0)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="on_event must be callable"):
        ilb.Balancer("billing", on_event=3)  # type: ignore[arg-type]
    with pytest.raises(ilb.InvalidError, match="on_event needs events"):
        ilb.Balancer("billing", on_event=print, event_capacity=ilb.NEVER)
    assert ilb.Balancer("billing", on_event=None).events() == []


def test_events_are_values() -> None:
    lb, _ = made()
    event = lb.events()[0]
    assert pickle.loads(pickle.dumps(event)) == event
    assert hash(event) == hash(lb.events()[0])
    assert "type='entered'" in repr(event) and "text" not in repr(event)
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.number = 3  # type: ignore[misc]


# ---- on_event --------------------------------------------------------------


def test_each_event_is_told_once_in_order() -> None:
    heard: list[ilb.Event] = []
    lb, clock = made(on_event=heard.append, event_capacity=4096)
    assert heard == []  # not while the balancer is being made
    requests(lb, clock, 1)
    assert [e.type for e in heard] == ["entered"] * 3
    for _ in range(20):
        requests(lb, clock, 30)
        clock.advance(1)
    assert heard == lb.events()
    assert {e.type for e in heard} >= {"eject", "probe_started", "probe_failed"}


def test_who_tells() -> None:
    heard: list[str] = []
    lb, clock = made(on_event=lambda event: heard.append(event.type))
    lb.tick()
    assert heard == ["entered"] * 3
    del heard[:]
    lb.set_readiness(PODS[2], "draining")
    assert heard == ["readiness"]
    lb.update(PODS[:2])
    assert heard == ["readiness", "left"]
    requests(lb, clock, 4)
    clock.advance(1)
    del heard[:]
    ticket = lb.pick()  # a probe: a pick tells nothing
    assert ticket.address == BAD and heard == []
    lb.tick(clock.now_ns)
    assert heard == ["probe_started"]
    with ticket:
        pass
    assert heard == ["probe_started", "uneject"]


def test_it_may_call_back_and_is_not_called_from_inside_itself() -> None:
    inside = 0
    heard: list[int] = []

    def on_event(event: ilb.Event) -> None:
        nonlocal inside
        assert inside == 0
        inside += 1
        heard.append(event.number)
        if event.number < 20:
            lb.set_readiness(PODS[2], "draining" if event.number % 2 else "ready")
            with lb.pick(explain=True):
                pass
            lb.update(PODS)
            assert lb.snapshot() and lb.events()
            lb.tick()
        inside -= 1

    lb, clock = made(on_event=on_event)
    requests(lb, clock, 50)
    assert heard == [e.number for e in lb.events()] and len(heard) > 20


def test_what_it_raises_disturbs_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda u: raised.append(u.exc_value))

    def on_event(event: ilb.Event) -> None:
        raise RuntimeError(event.number)

    lb, _ = made(on_event=on_event)
    lb.tick()
    assert [e.args for e in raised] == [(1,), (2,), (3,)]
    with pytest.raises(ZeroDivisionError), lb.pick():
        lb.set_readiness(PODS[2], "draining")
        raise ZeroDivisionError
    assert raised[3].args == (4,) and len(raised) == 4
    assert sum(s.done["failure"] for s in lb.snapshot()) == 1


def test_an_exception_on_its_way_is_kept() -> None:
    heard: list[ilb.Event] = []

    def classify(exc: BaseException) -> ilb.Outcome:
        lb.set_readiness(PODS[1], "draining")
        raise KeyError("classify")

    lb, _ = made(on_event=heard.append, classify=classify)
    with pytest.raises(KeyError, match="classify"), lb.pick():
        raise ValueError
    assert heard[-1].type == "readiness"
    ticket = lb.pick()
    ticket.done()
    with pytest.raises(ilb.TicketError):
        ticket.done()


def test_many_threads_are_told_one_after_the_other() -> None:
    heard: list[int] = []
    telling = threading.Lock()

    def on_event(event: ilb.Event) -> None:
        assert telling.acquire(blocking=False)
        heard.append(event.number)
        telling.release()

    lb = ilb.Balancer("billing", PODS, on_event=on_event, event_capacity=65536)

    def work(pod: str) -> None:
        for i in range(500):
            lb.set_readiness(pod, "ready" if i % 2 else "draining")

    threads = [threading.Thread(target=work, args=(pod,)) for pod in PODS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lb.tick()
    assert heard == list(range(1, len(PODS) * 501 + 1))


def test_a_cycle_through_on_event_is_collected() -> None:
    class Owner:
        def __init__(self) -> None:
            self.heard: list[ilb.Event] = []
            self.lb = ilb.Balancer("billing", PODS, on_event=self.hear)

        def hear(self, event: ilb.Event) -> None:
            self.heard.append(event)

    owner = Owner()
    owner.lb.tick()
    assert len(owner.heard) == 3
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    assert gone() is None


def test_events_can_be_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ilb")
    lb, clock = made(on_event=ilb.log_event)
    requests(lb, clock, 6)
    levels = [(r.levelname, r.name, r.getMessage()) for r in caplog.records]
    assert levels[0] == ("INFO", "ilb", PODS[0] + " entered: warming")
    assert levels[3][0] == "WARNING" and " ejected by " in levels[3][2]
    assert caplog.records[3].ilb_event == lb.events(3)[0]  # type: ignore[attr-defined]


# ---- Explanations ----------------------------------------------------------


def test_a_pick_explains_itself_when_asked() -> None:
    clock = ilb.ManualClock()
    lb = ilb.Balancer("billing", PODS[:2], clock=clock, seed=1)
    for _ in range(60):
        ticket = lb.pick()
        clock.advance(0.002 if ticket.address == BAD else 0.003)
        ticket.success()
    with lb.pick() as plain:
        assert plain.explanation is None
    with lb.pick(explain=True) as endpoint:
        why = endpoint.explanation
    assert why is not None and why.choice.address == endpoint.address == BAD
    assert why.choice is why.candidates[why.chosen]
    assert (why.policy, why.chosen_by) == ("peak_ewma", "cost")
    assert (why.n_endpoints, why.n_ejected, why.width, why.looks) == (2, 0, 2, 2)
    assert why.overloaded is False and why.trial is None and why.time_ns == clock.now_ns
    assert why.panic is False and why.room == 0.0
    assert why.median_ns == pytest.approx(2e6, rel=0.05)
    assert 0 <= why.peer_failure_share < 0.01
    assert {c.address for c in why.candidates} == set(PODS[:2])
    for c in why.candidates:
        assert (c.fate, c.held, c.admitted) == ("compared", None, None)
        assert c.again is False
        assert c.state == next(
            s.state for s in lb.snapshot() if s.address == c.address)
        assert (c.weight, c.in_flight, c.load, c.oldest_ns) == (1, 0, 0.0, 0)
        assert c.failure_share == 0.0
        assert c.cost == pytest.approx(c.latency_ns, rel=0.01)
        assert c.cost >= why.choice.cost
    assert str(why) == why.text
    assert why.text.startswith(BAD + " by cost, looked at 2 of 2: ")
    assert pickle.loads(pickle.dumps(why)) == why


def test_why_others_were_not_taken() -> None:
    lb, clock = made()
    requests(lb, clock, 6)
    first = lb.pick()
    fates = {}
    for _ in range(6):
        with lb.pick(exclude=first, explain=True) as endpoint:
            assert endpoint.explanation is not None
            assert endpoint.explanation.chosen_by == "turn"
            for c in endpoint.explanation.candidates:
                fates[c.address] = c.fate
    assert fates == {BAD: "ejected", first.address: "excluded",
                     endpoint.address: "compared"}
    clock.advance(1)
    with lb.pick(explain=1) as probe:  # type: ignore[arg-type]
        assert probe.explanation is not None
        assert probe.explanation.chosen_by == "probe"
        assert probe.explanation.choice.admitted == "probe"
        assert probe.explanation.trial == "probe"
    first.success()


def test_to_explain_changes_no_pick() -> None:
    def picks(explain: bool) -> list[str]:
        lb, clock = made(policy="random")
        found = []
        for _ in range(300):
            ticket = lb.pick(explain=explain)
            found.append(ticket.address)
            clock.advance(0.01)
            ticket.done("failure" if ticket.address == BAD else "success")
        return found

    assert picks(True) == picks(False)


def test_a_pick_that_fails_has_nothing_to_explain() -> None:
    class Odd:
        def __bool__(self) -> bool:
            raise KeyError

    lb, _ = made()
    with pytest.raises(KeyError):
        lb.pick(explain=Odd())  # type: ignore[arg-type]
    lb.update([])
    with pytest.raises(ilb.EmptyError):
        lb.pick(explain=True)


# ---- Names -------------------------------------------------------------------


@pytest.mark.skipif(not VENDOR.exists(), reason="no vendor/ilb.h here")
@pytest.mark.parametrize("alias, prefix", [
    ("State", "STATE"), ("EventType", "EVENT"), ("Detector", "DETECTOR"),
    ("Reason", "REASON"), ("ChosenBy", "CHOSEN_BY"), ("Fate", "FATE"),
    ("Held", "HELD"), ("Admitted", "ADMITTED"), ("Trial", "TRIAL"),
])
def test_the_names_are_the_librarys(alias: str, prefix: str) -> None:
    names = re.findall(rf"^ +ILB_{prefix}_(\w+) = \d", VENDOR.read_text(), re.M)
    known = typing.get_args(getattr(_events, alias))
    assert [n.lower() for n in names
            if n not in ("NONE", "NOT") and not n.endswith("COUNT")] == list(known)
