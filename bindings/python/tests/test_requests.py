# SPDX-License-Identifier: MIT
"""ilb.requests.Session over HTTP: names, outcomes, connections."""

from __future__ import annotations

import contextlib
import gc
import io
import pickle
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

requests = pytest.importorskip("requests")
urllib3 = pytest.importorskip("urllib3")

import ilb  # noqa: E402
import ilb.requests  # noqa: E402
from ilb._requests_adapter import retry_after_of  # noqa: E402
from servers import Handler, Pod, closed_port, pods, wait_for  # noqa: E402

NAME = "http://billing"


@pytest.fixture
def three() -> Iterator[list[Pod]]:
    with pods(3) as started:
        yield started


@pytest.fixture
def http(three: list[Pod]) -> Iterator[ilb.requests.Session]:
    lb = ilb.Balancer("billing", [pod.address for pod in three],
                      policy="round_robin")
    with ilb.requests.Session({NAME: lb}) as session:
        yield session


def done(lb: ilb.Balancer) -> dict[str, int]:
    total: Counter[str] = Counter()
    for stats in lb.snapshot():
        total.update(stats.done)
    return {name: n for name, n in total.items() if n}


def in_flight(lb: ilb.Balancer) -> int:
    return sum(stats.in_flight for stats in lb.snapshot())


# ---- Names -------------------------------------------------------------------


def test_requests_see_the_services_name(http: ilb.requests.Session) -> None:
    answer = http.post(f"{NAME}/pay?x=1", json={"a": 1}, timeout=5)
    told = answer.json()
    assert told["headers"]["host"] == "billing"
    assert (told["path"], told["data"]) == ("/pay?x=1", '{"a": 1}')
    assert answer.url == answer.request.url == f"{NAME}/pay?x=1"
    assert "Host" not in answer.request.headers
    assert answer.ilb_address == told["pod"] and answer.ilb_tries == 1


def test_all_endpoints_get_their_share(http: ilb.requests.Session) -> None:
    seen = Counter(http.get(f"{NAME}/").json()["pod"] for _ in range(60))
    assert list(seen.values()) == [20, 20, 20]
    assert done(http.balancer(NAME)) == {"success": 60}
    assert in_flight(http.balancer(NAME)) == 0


def test_redirects_are_balanced_and_cookies_are_the_services(
    http: ilb.requests.Session,
) -> None:
    answer = http.get(f"{NAME}/redirect", timeout=5)
    assert answer.url == f"{NAME}/target"
    assert [r.url for r in answer.history] == [f"{NAME}/redirect"]
    told = answer.json()
    assert told["headers"]["host"] == "billing"
    assert told["headers"]["cookie"] == "taste=good"
    assert [c.domain for c in http.cookies] == ["billing.local"]
    assert "cookie" in http.get(f"{NAME}/").json()["headers"]
    assert in_flight(http.balancer(NAME)) == 0
    assert done(http.balancer(NAME)) == {"success": 3}


def test_a_redirect_away_takes_neither_host_nor_balancer_along(
    http: ilb.requests.Session, three: list[Pod]
) -> None:
    with pods(1) as (other,):
        for pod in three:
            pod.away = f"http://{other.address}/elsewhere"
        told = http.get(f"{NAME}/away", timeout=5).json()
        assert told["headers"]["host"] == told["pod"] == other.address
    assert done(http.balancer(NAME)) == {"success": 1}


def test_other_urls_go_where_they_always_went(
    http: ilb.requests.Session,
) -> None:
    with pods(1) as (other,):
        answer = http.get(f"http://{other.address}/")
        assert answer.json()["headers"]["host"] == other.address
        assert not hasattr(answer, "ilb_address")
    assert done(http.balancer(NAME)) == {}


@pytest.mark.parametrize("url", [
    "http://billing", "http://billing/", "http://billing:80/x", "HTTP://Billing/",
    "http://user:secret@billing/", "http://billing?x=1", "http://billing#x",
])
def test_other_ways_to_write_the_name(
    http: ilb.requests.Session, url: str
) -> None:
    told = http.get(url, timeout=5).json()
    assert told["headers"]["host"].split(":")[0].lower() == "billing"


@pytest.mark.parametrize("url", [
    "http://billing-evil.invalid/", "http://billing.evil.invalid/",
    "http://billing:8080/", "https://billing/", "http://billing@evil.invalid/",
    "http://evil.invalid/http://billing/", "http://notbilling/",
])
def test_other_names_are_not_taken_along(
    http: ilb.requests.Session, url: str
) -> None:
    assert not isinstance(http.get_adapter(url), ilb.requests.Adapter)


def test_the_port_is_part_of_the_name(three: list[Pod]) -> None:
    addresses = [pod.address for pod in three]
    with ilb.requests.Session({
        "http://billing:8080": addresses[:1],
        "http://billing/": addresses[1:2],
        "http://[::1]:7": addresses[2:],
    }) as http:
        for url, pod in (
            ("http://billing:8080/", three[0]),
            ("http://billing/", three[1]),
            ("http://billing:80/", three[1]),
            ("http://[::1]:7/", three[2]),
        ):
            told = http.get(url, timeout=5).json()
            assert told["pod"] == pod.address
            assert told["headers"]["host"] == url.split("/")[2]
        assert http.balancer("http://billing:80") is http.balancer("http://billing")
        assert http.balancer("http://billing:8080").name == "billing"


@pytest.mark.parametrize("prefix", [
    "billing", "ftp://billing", "http://", "http://billing/pay",
    "http://billing?x", "http://u@billing", "http://billing#x",
    "http://billing:x", "http://billing:70000", "http://[::1",
])
def test_no_name_of_a_service(prefix: str) -> None:
    with pytest.raises(ValueError):
        ilb.requests.Session({prefix: ["a:1"]})


def test_a_host_header_of_the_callers_stays(http: ilb.requests.Session) -> None:
    told = http.get(f"{NAME}/", headers={"Host": "billing.prod"}).json()
    assert told["headers"]["host"] == "billing.prod"


def test_proxies_are_not_used(
    http: ilb.requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = f"http://me:secret@{closed_port()}"
    monkeypatch.setenv("HTTP_PROXY", proxy)
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("ALL_PROXY", proxy)
    http.proxies["http"] = proxy
    for url in (f"{NAME}/", f"{NAME}/redirect"):
        told = http.get(url, proxies={"http": proxy}, timeout=5).json()
        assert told["path"].startswith("/")
        assert "proxy-authorization" not in told["headers"]


def test_a_longer_mount_of_the_callers_wins(
    http: ilb.requests.Session,
) -> None:
    other = requests.adapters.HTTPAdapter()
    http.mount(f"{NAME}/special/", other)
    assert http.get_adapter(f"{NAME}/special/x") is other
    assert http.get_adapter("http://BILLING:80/special/x?y=1") is other
    assert isinstance(http.get_adapter(f"{NAME}/x"), ilb.requests.Adapter)


# ---- Services ------------------------------------------------------------------


def test_a_balancer_can_be_shared(three: list[Pod]) -> None:
    lb = ilb.Balancer("billing", [pod.address for pod in three])
    with ilb.requests.Session({NAME: lb}) as one, \
            ilb.requests.Session({NAME: lb}) as two:
        assert one.balancer(NAME) is two.balancer(NAME) is lb
        one.get(f"{NAME}/")
        two.get(f"{NAME}/")
    assert done(lb) == {"success": 2}


def test_services_can_be_added_and_replaced(three: list[Pod]) -> None:
    with ilb.requests.Session() as http:
        with pytest.raises(KeyError):
            http.balancer(NAME)
        first = http.add(NAME, [three[0].address])
        assert http.get(f"{NAME}/").json()["pod"] == three[0].address
        second = http.add(NAME, [three[1].address])
        assert first is not second is http.balancer(NAME)
        assert http.get(f"{NAME}/").json()["pod"] == three[1].address


def test_an_adapter_can_be_mounted_by_hand(three: list[Pod]) -> None:
    lb = ilb.Balancer("billing", [pod.address for pod in three])
    with requests.Session() as http:
        http.mount(f"{NAME}/", ilb.requests.Adapter(lb))
        assert http.get(f"{NAME}/").json()["headers"]["host"] == "billing"
        assert "<ilb.Balancer 'billing'" in repr(http.get_adapter(f"{NAME}/"))


def test_pickling_is_refused(http: ilb.requests.Session) -> None:
    for thing in (http, http.get_adapter(f"{NAME}/")):
        with pytest.raises(TypeError, match="pickled"):
            pickle.dumps(thing)


def test_retries_have_limits() -> None:
    lb = ilb.Balancer("billing")
    for bad in (-1, 16):
        with pytest.raises(ValueError, match="retries"):
            ilb.requests.Adapter(lb, retries=bad)


def test_no_endpoint_is_an_error_of_both() -> None:
    with ilb.requests.Session({NAME: []}) as http:
        with pytest.raises(ilb.requests.NoEndpointError) as caught:
            http.get(f"{NAME}/")
        error = caught.value
        assert isinstance(error, requests.ConnectionError)
        assert isinstance(error, ilb.NoEndpointError)
        assert isinstance(error.__cause__, ilb.EmptyError)
        assert (error.code, error.name) == (-4, "ILB_EEMPTY")
        assert "billing" in str(error) and error.request.url == f"{NAME}/"


def test_an_address_that_is_no_host_is_refused() -> None:
    with ilb.requests.Session({NAME: ["/run/billing.sock"]}) as http:
        with pytest.raises(requests.exceptions.InvalidURL, match="sock"):
            http.get(f"{NAME}/")
        assert done(http.balancer(NAME)) == {"cancelled": 1}


# ---- When a request is over ----------------------------------------------------


def test_a_stream_is_in_flight_until_it_is_read(
    http: ilb.requests.Session, three: list[Pod]
) -> None:
    lb = http.balancer(NAME)
    answer = http.get(f"{NAME}/stream", stream=True, timeout=5)
    chunks = answer.iter_content(4)
    assert next(chunks) == b"abcd"
    assert in_flight(lb) == 1 and done(lb) == {}
    for pod in three:
        pod.gate.set()
    assert list(chunks) == [b"abcd", b"abcd"]
    assert in_flight(lb) == 0 and done(lb) == {"success": 1}
    answer.close()
    assert done(lb) == {"success": 1}


def test_latency_is_the_time_to_the_headers(
    http: ilb.requests.Session, three: list[Pod]
) -> None:
    answer = http.get(f"{NAME}/stream", stream=True, timeout=5)
    threading.Timer(0.4, lambda: [pod.gate.set() for pod in three]).start()
    assert len(answer.content) == 12
    (stats,) = (s for s in http.balancer(NAME).snapshot() if s.done["success"])
    assert 0 < stats.latency_ns < 200_000_000


@pytest.mark.filterwarnings("ignore:unclosed <socket")  # as without ilb
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket")
@pytest.mark.parametrize("how", ["close", "with", "drop", "cycle", "generator"])
def test_a_stream_given_up_is_over(
    http: ilb.requests.Session, how: str
) -> None:
    lb = http.balancer(NAME)
    answer = http.get(f"{NAME}/stream", stream=True, timeout=5)
    assert in_flight(lb) == 1
    if how == "close":
        answer.close()
    elif how == "with":
        with answer:
            pass
    elif how == "generator":
        chunks = answer.iter_content(4)
        next(chunks)
        chunks.close()
        answer.close()
    else:
        if how == "cycle":
            answer.itself = answer
        del answer
        gc.collect()
    assert in_flight(lb) == 0
    assert done(lb) == {"success": 1} and lb.leaked == 0


def test_no_body_is_over_at_once(http: ilb.requests.Session) -> None:
    lb = http.balancer(NAME)
    kept = [
        http.get(f"{NAME}/nothing", stream=True),
        http.head(f"{NAME}/", stream=True),
    ]
    assert in_flight(lb) == 0 and done(lb) == {"success": 2}
    del kept


@pytest.mark.parametrize("path, outcome", [
    ("broken", "failure"), ("stalled", "timeout"),
])
@pytest.mark.parametrize("stream", [False, True])
def test_a_body_that_breaks_is_the_endpoints_fault(
    http: ilb.requests.Session, path: str, outcome: str, stream: bool
) -> None:
    lb = http.balancer(NAME)
    # Whether requests itself tells of a short body depends on urllib3.
    with contextlib.suppress(requests.RequestException):
        answer = http.get(f"{NAME}/{path}", timeout=0.3, stream=stream)
        assert len(answer.content) == 10 and path == "broken"
    assert done(lb) == {outcome: 1} and in_flight(lb) == 0


def test_reading_raw_counts_too(http: ilb.requests.Session) -> None:
    lb = http.balancer(NAME)
    answer = http.get(f"{NAME}/", stream=True)
    assert answer.raw.read(5) == b'{"pod'
    assert in_flight(lb) == 1
    answer.raw.read()
    assert in_flight(lb) == 0 and done(lb) == {"success": 1}
    answer = http.get(f"{NAME}/broken", stream=True)
    with contextlib.suppress(urllib3.exceptions.ProtocolError):
        answer.raw.read()
    assert done(lb) == {"success": 1, "failure": 1}


def test_an_error_handled_meanwhile_is_not_the_bodys(
    http: ilb.requests.Session,
) -> None:
    try:
        raise requests.ReadTimeout("of something else")
    except requests.ReadTimeout:
        http.get(f"{NAME}/", stream=True).content  # noqa: B018
    assert done(http.balancer(NAME)) == {"success": 1}


def test_statuses_are_classified(three: list[Pod]) -> None:
    for status, headers, outcome in (
        (200, {}, "success"), (404, {}, "success"), (501, {}, "success"),
        (500, {}, "failure"), (502, {}, "failure"), (503, {}, "failure"),
        (504, {}, "failure"), (429, {}, "overload"),
        (503, {"Retry_After": "1"}, "overload"),
    ):
        three[0].statuses(status, **headers)
        with ilb.requests.Session({NAME: [three[0].address]}) as http:
            answer = http.post(f"{NAME}/")
            assert answer.status_code == status
            assert done(http.balancer(NAME)) == {outcome: 1}


@pytest.mark.parametrize("status, outcome, asked, seconds", [
    (429, "overload", "40", 40), (503, "overload", "40", 40),
    (500, "failure", "40", 40), (503, "overload", "86400", 300),
])
@pytest.mark.parametrize("stream", [False, True])
def test_what_an_answer_asks_for_is_handed_on(
    three: list[Pod], status: int, outcome: str, asked: str, seconds: int,
    stream: bool,
) -> None:
    clock = ilb.ManualClock()
    lb = ilb.Balancer("billing", [pod.address for pod in three], clock=clock)
    for pod in three:
        pod.statuses(status, Retry_After=asked)
    with ilb.requests.Session({NAME: lb}, retries=0) as http:
        answer = http.post(f"{NAME}/", stream=stream)
        assert (answer.status_code, answer.ilb_tries) == (status, 1)
        answer.close()
    (stats,) = [s for s in lb.snapshot() if s.address == answer.ilb_address]
    assert stats.done[outcome] == 1 and stats.ejected_by == "retry_after"
    left = (stats.ejected_until_ns - clock.now_ns) / 1e9
    assert seconds <= left <= seconds * 1.1


def test_a_date_is_counted_from_the_answers_own() -> None:
    answer = requests.Response()
    answer.headers["date"] = "Wed, 21 Oct 2015 07:28:00 GMT"
    answer.headers["retry-after"] = "Wed, 21 Oct 2015 07:28:40 GMT"
    for outcome in ilb.Outcome:
        says = retry_after_of(answer, outcome)
        assert says == (40 if outcome.name in ("FAILURE", "OVERLOAD") else 0)
    assert retry_after_of(requests.Timeout(), ilb.Outcome.FAILURE) == 0


def test_an_answer_that_is_good_asks_for_nothing(three: list[Pod]) -> None:
    """A status that counts as a success, or what `classify` makes of one."""
    def good(result: object) -> ilb.Outcome:
        return ilb.Outcome.SUCCESS

    for status, classify in ((301, None), (404, None), (503, good)):
        lb = ilb.Balancer("billing", [pod.address for pod in three])
        for pod in three:
            pod.statuses(status, Retry_After="40")
        with ilb.requests.Session({NAME: lb}, classify=classify) as http:
            http.get(f"{NAME}/", allow_redirects=False)
        assert done(lb) == {"success": 1}
        assert not [s for s in lb.snapshot() if s.ejected_by]


def test_all_ejected_is_an_error_of_both(three: list[Pod]) -> None:
    lb = ilb.Balancer("billing", [three[0].address], fail_mode="closed")
    three[0].statuses(503, Retry_After="40")
    with ilb.requests.Session({NAME: lb}) as http:
        assert http.get(f"{NAME}/").status_code == 503
        with pytest.raises(ilb.requests.NoEndpointError) as caught:
            http.get(f"{NAME}/")
    assert (caught.value.code, caught.value.name) == (-13, "ILB_EEJECTED")
    assert isinstance(caught.value.__cause__, ilb.EjectedError)


def test_classify_has_the_first_word(three: list[Pod]) -> None:
    seen: list[object] = []

    def mine(result: object) -> ilb.Outcome | None:
        seen.append(result)
        if isinstance(result, requests.Response) and result.status_code == 404:
            return ilb.Outcome.FAILURE
        return None

    three[0].statuses(404, 500, 200)
    with ilb.requests.Session(
        {NAME: [three[0].address]}, classify=mine
    ) as http:
        for _ in range(3):
            http.post(f"{NAME}/")
        assert done(http.balancer(NAME)) == {"failure": 2, "success": 1}
    assert len(seen) == 3


@pytest.mark.parametrize("stage", ["answer", "error"])
def test_a_classify_that_raises_leaves_nothing_in_flight(
    three: list[Pod], stage: str
) -> None:
    def broken(result: object) -> ilb.Outcome:
        raise RuntimeError("broken classify")

    address = three[0].address if stage == "answer" else closed_port()
    with ilb.requests.Session({NAME: [address]}, classify=broken) as http:
        with pytest.raises(RuntimeError, match="broken"):
            http.get(f"{NAME}/")
        assert done(http.balancer(NAME)) == {"failure": 1}


def test_the_callers_own_mistakes_are_nobodys_fault(
    http: ilb.requests.Session,
) -> None:
    def body() -> Iterator[bytes]:
        yield b"x"
        raise LookupError("no more data")

    lb = http.balancer(NAME)
    with pytest.raises(LookupError):
        http.post(f"{NAME}/", data=body())
    with pytest.raises(ValueError):
        http.get(f"{NAME}/", timeout=(1, 2, 3))
    with pytest.raises(OSError, match="CA"):
        ilb.requests.Session({"https://billing": lb}).get(
            "https://billing/", verify="/nowhere/ca.pem"
        )
    assert done(lb) == {"cancelled": 3} and in_flight(lb) == 0


# ---- Connections -------------------------------------------------------------


def test_connections_are_kept_for_each_endpoint(
    http: ilb.requests.Session, three: list[Pod]
) -> None:
    for _ in range(60):
        http.get(f"{NAME}/")
    assert [pod.connections for pod in three] == [1, 1, 1]


def test_more_endpoints_than_requests_keeps_pools_for() -> None:
    with pods(15) as many:
        lb = ilb.Balancer("billing", [pod.address for pod in many],
                          policy="round_robin")
        with ilb.requests.Session({NAME: lb}) as http:
            for _ in range(45):
                http.get(f"{NAME}/")
        assert {pod.connections for pod in many} == {1}


def test_connections_of_an_endpoint_that_left_are_dropped(
    http: ilb.requests.Session, three: list[Pod]
) -> None:
    lb = http.balancer(NAME)
    for _ in range(30):
        http.get(f"{NAME}/")
    assert all(pod.open for pod in three)
    lb.update([three[0].address])
    http.get(f"{NAME}/")
    gc.collect()
    assert wait_for(lambda: not three[1].open and not three[2].open)
    assert three[0].open and three[0].connections == 1


def test_an_endpoint_may_leave_while_it_answers(
    http: ilb.requests.Session, three: list[Pod]
) -> None:
    lb = http.balancer(NAME)
    answer = http.get(f"{NAME}/stream", stream=True, timeout=5)
    (pod,) = (p for p in three if p.address == answer.ilb_address)
    other = next(p for p in three if p is not pod)
    lb.update([other.address])
    assert http.get(f"{NAME}/").json()["pod"] == other.address
    pod.gate.set()
    assert answer.content == b"abcd" * 3
    assert in_flight(lb) == 0
    del answer
    gc.collect()
    assert wait_for(lambda: not pod.open)


def test_an_endpoint_may_leave_between_pick_and_send(
    http: ilb.requests.Session, three: list[Pod]
) -> None:
    """Its pool is closed under the request's hands: the request gets through
    nevertheless, and the pool is not kept."""
    lb = http.balancer(NAME)
    adapter = http.get_adapter(f"{NAME}/")
    assert isinstance(adapter, ilb.requests.Adapter)
    for _ in range(30):
        http.get(f"{NAME}/")
    original, closed = adapter.cert_verify, []

    def leave(connection: object, *args: object) -> None:
        if not closed:
            closed.append(connection)
            lb.update(["127.0.0.1:9"])
            adapter.poolmanager.drop_gone()
            connection.close()  # type: ignore[attr-defined]
        original(connection, *args)

    adapter.cert_verify = leave  # type: ignore[method-assign]
    assert http.get(f"{NAME}/").status_code == 200
    assert adapter.poolmanager.addresses() == []


def test_closing_the_session_closes_connections(three: list[Pod]) -> None:
    http = ilb.requests.Session({NAME: [three[0].address]})
    http.get(f"{NAME}/")
    assert three[0].open
    http.close()
    gc.collect()
    assert wait_for(lambda: not three[0].open)


def test_many_threads_share_a_session(
    http: ilb.requests.Session, three: list[Pod]
) -> None:
    lb = http.balancer(NAME)
    errors: list[BaseException] = []
    addresses = [pod.address for pod in three]

    def work() -> None:
        try:
            for i in range(25):
                told = http.get(f"{NAME}/{i}", timeout=10).json()
                assert told["path"] == f"/{i}"
                assert told["headers"]["host"] == "billing"
        except BaseException as exc:
            errors.append(exc)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        lb.update(addresses[:2])
        lb.update(addresses)
    for thread in threads:
        thread.join()
    assert not errors
    assert in_flight(lb) == 0 and lb.leaked == 0
    assert set(done(lb)) == {"success"}


def test_a_session_may_be_used_inside_its_own_body(
    http: ilb.requests.Session,
) -> None:
    """A body's generator that calls the service again, in the same thread."""
    def body() -> Iterator[bytes]:
        yield http.get(f"{NAME}/inner").json()["path"].encode()

    told = http.post(f"{NAME}/outer", data=body()).json()
    assert (told["path"], told["data"]) == ("/outer", "/inner")


def test_a_file_is_uploaded_whole(http: ilb.requests.Session) -> None:
    told = http.post(f"{NAME}/", data=io.BytesIO(b"abc" * 1000)).json()
    assert told["data"] == "abc" * 1000


def test_a_pod_that_hangs_up_is_at_fault(three: list[Pod]) -> None:
    def hang_up(handler: Handler) -> None:
        handler.close_connection = True
        handler.connection.close()

    three[0].behave = hang_up
    with ilb.requests.Session({NAME: [three[0].address]}) as http:
        with pytest.raises(requests.ConnectionError):
            http.post(f"{NAME}/", timeout=5)
        assert done(http.balancer(NAME)) == {"failure": 1}
