# SPDX-License-Identifier: MIT
"""ilb.requests: one more try, elsewhere, and only where it does no harm."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator

import pytest

requests = pytest.importorskip("requests")

import ilb  # noqa: E402
import ilb.requests  # noqa: E402
from servers import Handler, Pod, closed_port, deaf_port, pods  # noqa: E402

NAME = "http://billing"


@pytest.fixture
def two() -> Iterator[list[Pod]]:
    with pods(2) as started:
        yield started


def first_then(
    *addresses: str, retries: int = 1, clock: ilb.ManualClock | None = None,
    **options: object
) -> ilb.requests.Session:
    """A session whose first request goes to the first address, then in turn."""
    lb = ilb.Balancer("billing", addresses, policy="round_robin",
                      consecutive_failures=ilb.NEVER, clock=clock)
    while True:  # round robin begins anywhere
        with lb.pick() as endpoint:
            if endpoint.address == addresses[-1]:
                break
    return ilb.requests.Session({NAME: lb}, retries=retries, **options)  # type: ignore[arg-type]


def outcomes(http: ilb.requests.Session, address: str) -> dict[str, int]:
    (stats,) = (s for s in http.balancer(NAME).snapshot() if s.address == address)
    return {k: v for k, v in stats.done.items() if v and k != "success"}


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_what_was_never_sent_goes_elsewhere(two: list[Pod], method: str) -> None:
    dead = closed_port()
    two[0].behave = lambda handler: handler.answer(200, b"{}")
    Handler.do_PATCH = Handler.handle_any  # type: ignore[attr-defined]
    with first_then(dead, two[0].address) as http:
        answer = http.request(method, f"{NAME}/", data=b"pay")
        assert (answer.ilb_address, answer.ilb_tries) == (two[0].address, 2)
        assert two[0].seen == [(method, "/", b"pay")]
        assert outcomes(http, dead) == {"connect_error": 1}


def test_a_generator_that_was_not_begun_goes_elsewhere(two: list[Pod]) -> None:
    with first_then(closed_port(), two[0].address) as http:
        told = http.post(f"{NAME}/", data=iter([b"ab", b"cd"])).json()
        assert told["data"] == "abcd"


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_idempotent_methods_go_elsewhere_after_a_failure(
    two: list[Pod], method: str, status: int
) -> None:
    Handler.do_OPTIONS = Handler.handle_any  # type: ignore[attr-defined]
    two[0].statuses(status)
    with first_then(two[0].address, two[1].address) as http:
        answer = http.request(method, f"{NAME}/")
        assert (answer.status_code, answer.ilb_tries) == (200, 2)
        assert answer.ilb_address == two[1].address
        assert outcomes(http, two[0].address) == {"failure": 1}


def test_post_does_not_go_elsewhere_after_a_failure(two: list[Pod]) -> None:
    two[0].statuses(500)
    with first_then(two[0].address, two[1].address) as http:
        answer = http.post(f"{NAME}/", data=b"x")
        assert (answer.status_code, answer.ilb_tries) == (500, 1)
        assert two[1].seen == []


def test_post_with_a_key_does(two: list[Pod]) -> None:
    two[0].statuses(500)
    with first_then(two[0].address, two[1].address) as http:
        told = http.post(f"{NAME}/", data=b"x",
                         headers={"Idempotency-Key": "k"}).json()
        assert (told["pod"], told["data"]) == (two[1].address, "x")


def test_a_file_is_rewound(two: list[Pod]) -> None:
    two[0].statuses(502)
    with first_then(two[0].address, two[1].address) as http:
        file = io.BytesIO(b"header|body")
        file.read(7)
        told = http.put(f"{NAME}/", data=file).json()
        assert (told["pod"], told["data"]) == (two[1].address, "body")
        assert two[0].seen[0][2] == b"body"


def test_a_generator_that_was_used_up_is_not_sent_again(two: list[Pod]) -> None:
    two[0].statuses(502)
    with first_then(two[0].address, two[1].address) as http:
        answer = http.put(f"{NAME}/", data=iter([b"ab", b"cd"]))
        assert (answer.status_code, answer.ilb_tries) == (502, 1)
        assert two[1].seen == []


@pytest.mark.parametrize("status", [200, 400, 404, 429, 501, 505])
def test_an_answer_is_an_answer(two: list[Pod], status: int) -> None:
    two[0].statuses(status)
    with first_then(two[0].address, two[1].address) as http:
        answer = http.get(f"{NAME}/")
        assert (answer.status_code, answer.ilb_tries) == (status, 1)


def test_a_503_that_says_when_goes_elsewhere_as_overload(two: list[Pod]) -> None:
    two[0].statuses(503, Retry_After="3")
    with first_then(two[0].address, two[1].address) as http:
        assert http.get(f"{NAME}/").status_code == 200
        assert outcomes(http, two[0].address) == {"overload": 1}


def test_what_the_first_answer_asked_for_holds(two: list[Pod]) -> None:
    two[0].statuses(503, Retry_After="30")
    lb = ilb.Balancer("billing", [pod.address for pod in two],
                      policy="round_robin")
    with ilb.requests.Session({NAME: lb}) as http:
        tries = [http.get(f"{NAME}/", timeout=5).ilb_tries for _ in range(2)]
    assert sorted(tries) == [1, 2]
    assert {s.address: s.ejected_by for s in lb.snapshot()} == {
        two[0].address: "retry_after", two[1].address: None,
    }


def test_a_timeout_goes_elsewhere_if_idempotent(two: list[Pod]) -> None:
    with deaf_port() as deaf:
        with first_then(deaf, two[0].address) as http:
            assert http.get(f"{NAME}/", timeout=0.2).ilb_tries == 2
            assert outcomes(http, deaf) == {"timeout": 1}
        with first_then(deaf, two[0].address) as http:
            with pytest.raises(requests.ReadTimeout) as caught:
                http.post(f"{NAME}/", timeout=0.2)
            assert caught.value.request.url == f"{NAME}/"
            assert outcomes(http, deaf) == {"timeout": 1}


def test_a_hangup_goes_elsewhere_if_idempotent(two: list[Pod]) -> None:
    def hang_up(handler: Handler) -> None:
        handler.close_connection = True

    two[0].behave = hang_up
    with first_then(two[0].address, two[1].address) as http:
        assert http.get(f"{NAME}/").ilb_tries == 2
        assert outcomes(http, two[0].address) == {"failure": 1}


def test_with_nowhere_to_go_the_first_answer_counts(two: list[Pod]) -> None:
    two[0].statuses(500)
    with first_then(two[0].address) as http:
        assert http.get(f"{NAME}/").status_code == 500
    dead = closed_port()
    with first_then(dead) as http:
        with pytest.raises(requests.ConnectionError) as caught:
            http.get(f"{NAME}/")
        assert not isinstance(caught.value, ilb.Error)
        assert outcomes(http, dead) == {"connect_error": 1}


@pytest.mark.parametrize("retries, tries", [(0, 1), (1, 2), (2, 3), (5, 4)])
def test_so_many_tries_and_each_on_another_endpoint(
    retries: int, tries: int
) -> None:
    with pods(4) as bad:
        for pod in bad:
            pod.statuses(500)
        # No time passes: on a machine that stalls newcomers would be trials.
        with first_then(*[p.address for p in bad], retries=retries,
                        clock=ilb.ManualClock()) as http:
            answer = http.get(f"{NAME}/")
            assert (answer.status_code, answer.ilb_tries) == (500, tries)
            assert sorted(len(p.seen) for p in bad) == (
                [0] * (4 - tries) + [1] * tries
            )


def test_a_retry_is_one_request_to_the_caller(two: list[Pod]) -> None:
    """Hooks run once, history is empty, the cookie of the first is not kept."""
    two[0].statuses(500, Set_Cookie="taste=bad")
    hooked: list[int] = []
    with first_then(two[0].address, two[1].address) as http:
        http.hooks["response"].append(lambda r, **_: hooked.append(r.status_code))
        answer = http.get(f"{NAME}/")
        assert hooked == [200] and answer.history == []
        assert not http.cookies


def test_nobody_but_us_retries(two: list[Pod]) -> None:
    dead = closed_port()
    with first_then(dead, retries=0) as http:
        adapter = http.get_adapter(f"{NAME}/")
        assert adapter.max_retries.total == 0  # type: ignore[attr-defined]
        with pytest.raises(requests.ConnectionError):
            http.get(f"{NAME}/")
        assert outcomes(http, dead) == {"connect_error": 1}


@pytest.mark.parametrize("bad", ["fails", "hangs", "refuses"])
def test_a_trial_costs_next_to_nothing(two: list[Pod], bad: str) -> None:
    """A newcomer that is no good takes nothing from the retries, and is not
    waited for longer than an ordinary answer takes."""
    good, new = two
    with deaf_port() as deaf:
        address = {"fails": new.address, "hangs": deaf,
                   "refuses": closed_port()}[bad]
        new.statuses(500)
        http = first_then(good.address, retries=1)
        known = time.monotonic() + 0.3
        while time.monotonic() < known:
            assert http.get(f"{NAME}/", timeout=10).status_code == 200
        http.balancer(NAME).update([good.address, address])
        began = time.monotonic()
        while not outcomes(http, address):
            answer = http.get(f"{NAME}/", timeout=10)
            assert answer.status_code == 200
        assert answer.ilb_tries == 2
        assert time.monotonic() - began < 5
        http.close()


def test_what_is_no_trial_has_no_try_timeout() -> None:
    lb = ilb.Balancer("billing", ["a:1", "b:2"], clock=ilb.ManualClock())
    with lb.pick() as ticket:
        assert ticket.try_timeout is None
    assert ticket.try_timeout is None


def test_the_try_timeout_of_a_newcomer() -> None:
    clock = ilb.ManualClock()
    lb = ilb.Balancer("billing", ["a:1"], clock=clock, policy="random")
    for _ in range(100):
        with lb.pick():
            clock.advance(0.005)
    lb.update(["a:1", "b:2"])
    limits = set()
    for _ in range(20):
        ticket = lb.pick()
        if ticket.address == "b:2":
            limits.add(ticket.try_timeout)
        ticket.cancelled()
    (limit,) = limits
    assert limit is not None and 0.014 < limit < 0.016


@pytest.mark.parametrize("given, expected", [
    (None, 2.0), (5, 2.0), (1, 1), ((5, 1), (2.0, 1)), ((None, 9), (2.0, 2.0)),
    ("mine", "mine")])
def test_a_timeout_is_shortened(given: object, expected: object) -> None:
    from ilb._requests_adapter import shortened

    assert shortened(given, 2.0) == expected
