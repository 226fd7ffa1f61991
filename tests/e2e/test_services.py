# SPDX-License-Identifier: MIT
"""The example services: their health logic, and pods as real processes."""
from __future__ import annotations

import contextlib
import http.client
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

sys.path.insert(
    0, str(pathlib.Path(__file__).parents[2] / "examples" / "services"))

from pod import faults, health, settings
from pod.work import Overloaded, Work

SERVICES = pathlib.Path(settings.__file__).parents[1]
PAY = {"amount": 12.5, "currency": "EUR"}
DEADLINE_S = 15.0  # for a loaded machine; a healthy run waits far less


class Clock:
    """A clock that stands still until told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Answer:
    """One answer, read to its end."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.json: Any = json.loads(response.read() or b"null")


def send(connection: http.client.HTTPConnection, method: str, path: str,
         body: Any = None) -> Answer:
    """One request on a connection that may be used again."""
    headers = {"Content-Type": "application/json"} if body is not None else {}
    raw = body if isinstance(body, (bytes, type(None))) else json.dumps(body)
    connection.request(method, path, raw, headers)
    return Answer(connection.getresponse())


class PodProcess:
    """run.py as a process, on a free port."""

    def __init__(self, service: str, *options: str,
                 environ: dict[str, str] | None = None) -> None:
        clean = {k: v for k, v in os.environ.items()
                 if not k.startswith(settings.ENV_PREFIX)}
        self.process = subprocess.Popen(
            [sys.executable, str(SERVICES / "run.py"), service, "--port", "0",
             *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**clean, **(environ or {})}, start_new_session=True)
        # A thread reads stderr, or a talkative pod would block on the pipe.
        self.errors: list[str] = []
        self._reader = threading.Thread(
            target=lambda: self.errors.extend(self.process.stderr),
            daemon=True)
        self._reader.start()
        line = self.process.stdout.readline()
        if "listening on" not in line:
            self.end()
            raise RuntimeError("no start: " + "".join(self.errors))
        self.port = int(line.rsplit(":", 1)[1])

    def connect(self, timeout_s: float = DEADLINE_S
                ) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port,
                                          timeout=timeout_s)

    def send(self, method: str, path: str, body: Any = None,
             timeout_s: float = DEADLINE_S) -> Answer:
        """One request on a connection of its own."""
        with contextlib.closing(self.connect(timeout_s)) as connection:
            return send(connection, method, path, body)

    def ready(self) -> int:
        return self.send("GET", "/readyz").status

    def fault(self, **fault: Any) -> None:
        assert self.send("POST", "/fault", fault).json == fault

    def refuses(self) -> bool:
        """Is nobody listening any more?"""
        try:
            socket.create_connection(("127.0.0.1", self.port), 5).close()
        except ConnectionRefusedError:
            return True
        return False

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        status = self.process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        return status

    def end(self) -> None:
        """Have it gone, with its worker, whatever state it is in."""
        try:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGINT)
                self.process.wait(DEADLINE_S)
        finally:
            # It leads a group of its own; a worker may have outlived it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self._reader.join(DEADLINE_S)
        self.process.stdout.close()
        self.process.stderr.close()


@contextlib.contextmanager
def running(service: str, *options: str, **more: Any) -> Iterator[PodProcess]:
    pod = PodProcess(service, "--scale", "0.02", *options, **more)
    try:
        yield pod
    finally:
        pod.end()


def until(condition: Callable[[], Any], what: str,
          deadline_s: float = DEADLINE_S) -> float:
    """Poll until `condition()`; seconds that it took."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > deadline_s:
            pytest.fail(f"not within {deadline_s:g} s: {what}")
        time.sleep(0.01)
    return time.monotonic() - start


class InBackground:
    """A call in a thread; result() gives what it returned or raised."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._value: Any = None
        self._error: BaseException | None = None

        def run() -> None:
            try:
                self._value = call()
            except BaseException as error:  # noqa: BLE001 - for result()
                self._error = error
        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def running(self) -> bool:
        return self._thread.is_alive()

    def result(self) -> Any:
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive(), "still waiting for an answer"
        if self._error is not None:
            raise self._error
        return self._value


# ---- health logic, with a clock of our own --------------------------------

def outcomes(clock: Clock, share: float = 0.5) -> health.RecentOutcomes:
    return health.RecentOutcomes(10.0, 10, share, clock)


def test_recent_needs_a_minimum_of_requests() -> None:
    recent = outcomes(Clock())
    assert recent.check().ok
    for _ in range(9):
        recent.record(False)
    assert recent.check().ok
    recent.record(False)
    assert not recent.check().ok


def test_recent_judges_the_share() -> None:
    recent = outcomes(Clock())
    for success in [True] * 5 + [False] * 5:
        recent.record(success)
    assert recent.check().ok, "exactly the share is enough"
    recent.record(False)
    assert not recent.check().ok
    recent.record(True)
    assert recent.check().ok


def test_recent_recovers_without_traffic() -> None:
    clock = Clock()
    recent = outcomes(clock)
    for _ in range(1000):
        recent.record(False)
    clock.now += 8.9
    assert not recent.check().ok
    clock.now += 1.2
    assert recent.check().ok
    assert recent.counts() == (0, 0)
    for _ in range(10):
        recent.record(False)
    assert not recent.check().ok, "still broken: it must leave again"


def test_recent_off() -> None:
    recent = outcomes(Clock(), share=0.0)
    for _ in range(1000):
        recent.record(False)
    assert recent.check().ok


def test_recent_against_a_plain_list() -> None:
    """The ring counts what a list of all requests would."""
    rng, clock = random.Random(7), Clock()
    recent = outcomes(clock)
    seen: list[tuple[int, bool]] = []
    for _ in range(1500):
        clock.now += rng.choice([0, 0.01, 0.3, 0.99, 7, 10, 60])
        if rng.random() < 0.8:
            success = rng.random() < 0.5
            recent.record(success)
            seen.append((int(clock.now // 1), success))
        live = [s for at, s in seen if at > int(clock.now // 1) - 10]
        assert recent.counts() == (live.count(True), live.count(False))


def test_start_up_gate() -> None:
    clock = Clock()
    gate = health.StartUpGate(3.0, clock)
    assert not gate.check().ok
    clock.now += 2.9
    assert not gate.check().ok
    clock.now += 0.2
    assert gate.check().ok


def test_a_check_is_cached_and_may_raise() -> None:
    clock, calls = Clock(), []

    def check() -> health.Check:
        calls.append(clock.now)
        if len(calls) == 1:
            raise OSError("down")
        return health.Check(True, "up")

    cached = health.Cached(check, 1.0, clock)
    assert cached() == health.Check(False, "OSError: down")
    clock.now += 0.9
    assert not cached().ok and len(calls) == 1
    clock.now += 0.2
    assert cached().ok and len(calls) == 2


def test_readiness_knows_what_is_required() -> None:
    readiness = health.Readiness()
    readiness.add("a", lambda: health.Check(True, ""))
    readiness.add("b", lambda: health.Check(False, "gone"), required=False)
    ready, report = readiness.report()
    assert ready and report["checks"]["b"]["detail"] == "gone"
    readiness.add("c", lambda: 1 // 0)
    ready, report = readiness.report()
    assert not ready and not report["ready"]
    assert "ZeroDivisionError" in report["checks"]["c"]["detail"]
    with pytest.raises(ValueError):
        readiness.add("c", lambda: health.Check(True, ""))


def test_cold_work_ramps_down() -> None:
    clock, slept = Clock(), []
    work = Work(1, 0, 0.1, 4.0, random.Random(1), clock, slept.append)
    clock.now += 100  # it is the first use that counts, not the start
    for _ in range(6):
        work.do(1.0, 1.0, factor=2.0)
        clock.now += 1
    assert slept == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2, 0.2])


def test_work_is_bounded() -> None:
    work = Work(1, 1, 1, 0, random.Random(1))
    release = threading.Event()

    def hold() -> None:
        with work.admitted():
            release.wait(DEADLINE_S)

    def full() -> bool:
        try:
            with work.admitted():
                return False
        except Overloaded:
            return True

    first = InBackground(hold)
    second = InBackground(hold)
    until(full, "one at work, one waiting")
    release.set()
    first.result()
    second.result()
    assert not full(), "both places are free again"


@pytest.mark.parametrize("body", [
    None, [], "slow", {}, {"kind": "quick"}, {"kind": "slow", "factor": "2"},
    {"kind": "slow", "factor": True}, {"kind": "slow", "factor": -1},
    {"kind": "slow", "factor": float("nan")}, {"kind": "slow", "share": 1},
    {"kind": "error", "status": 200}, {"kind": "error", "status": 500.5},
    {"kind": "error", "share": 1.1}, {"kind": ["none"]}])
def test_bad_faults(body: Any) -> None:
    with pytest.raises(faults.BadFault):
        faults.parse(body)


def test_faults_have_a_share() -> None:
    switch = faults.Faults(random.Random(1))
    assert switch.error_status() is None and switch.slow_factor() == 1
    switch.set(faults.parse({"kind": "error", "share": 0.25}))
    hits = [switch.error_status() for _ in range(4000)]
    assert set(hits) == {None, 500}
    assert 800 < hits.count(500) < 1200
    switch.set(faults.parse({"kind": "slow"}))
    assert switch.error_status() is None and switch.slow_factor() == 10


@pytest.mark.parametrize("variable,text", [
    ("KIND", "bank"), ("PORT", "65536"), ("PORT", "x"), ("THREADS", "0"),
    ("SCALE", "nan"), ("DRAIN_S", "-1"), ("GRACE_S", "1.5"), ("NAME", "a b"),
    ("NAME", "a\r\nX: y"), ("FAULTS", "maybe"), ("READY_SHARE", "1.1"),
    ("DEPENDS", "db"), ("DEPENDS", "a=h:1,a=h:2"), ("DEPENDS", "a=h:0"),
    ("LOG_LEVEL", "loud")])
def test_bad_settings(variable: str, text: str) -> None:
    environ = {"SERVICE_KIND": "user", "SERVICE_" + variable: text}
    with pytest.raises(ValueError, match="SERVICE_" + variable):
        settings.Settings.from_environment(environ)


def test_good_settings() -> None:
    got = settings.Settings.from_environment({
        "SERVICE_KIND": "billing", "SERVICE_PORT": "9101",
        "SERVICE_DEPENDS": "db=127.0.0.1:5432,mail=mail:25"})
    assert (got.name, got.threads, got.faults) == ("billing-9101", 8, False)
    assert got.depends == (("db", "127.0.0.1", 5432), ("mail", "mail", 25))


# ---- pods as processes ----------------------------------------------------

@pytest.fixture(scope="module", params=settings.SERVICES)
def any_pod(request: pytest.FixtureRequest) -> Iterator[PodProcess]:
    with running(request.param, "--name", request.param + "-x") as pod:
        yield pod


GOOD = {
    "billing": [("POST", "/pay", PAY, 200), ("GET", "/invoices/7", None, 200)],
    "user": [("GET", "/users/7", None, 200),
             ("POST", "/users", {"name": "Ann", "email": "a@b.c"}, 201)],
    "notification": [
        ("POST", "/notify", {"user": "7", "message": "hi"}, 202),
        ("GET", "/notifications/7", None, 200)],
}
BAD = {
    "billing": [("/pay", {**PAY, "amount": bad}) for bad in
                (0, -1, True, "1", None, 1e10, float("nan"), float("inf"))]
    + [("/pay", {**PAY, "currency": bad}) for bad in
       ("eur", "EURO", "EUR\n", 7, None)]
    + [("/pay", bad) for bad in
       ({}, [], 7, {"amount": 1}, {**PAY, "amonut": 1}, b"{", b"")],
    "user": [("/users", bad) for bad in
             ({}, {"name": "", "email": "a@b"}, {"name": " ", "email": "a@b"},
              {"name": "Ann", "email": "ab"}, {"name": "A\n", "email": "a@b"},
              {"name": 7, "email": "a@b"})],
    "notification": [("/notify", bad) for bad in
                     ({}, {"user": "a b", "message": "hi"},
                      {"user": "7", "message": ""},
                      {"user": "7", "message": "x" * 2001})],
}


def service_of(pod: PodProcess) -> str:
    return pod.send("GET", "/readyz").json["pod"].rsplit("-", 1)[0]


def test_good_requests(any_pod: PodProcess) -> None:
    service = service_of(any_pod)
    for method, path, body, status in GOOD[service]:
        answer = any_pod.send(method, path, body)
        assert answer.status == status, (path, answer.json)
        assert answer.headers["X-Pod"] == service + "-x"
        assert answer.json["pod"] == service + "-x"
        assert answer.json["id"]


def test_bad_requests(any_pod: PodProcess) -> None:
    for path, body in BAD[service_of(any_pod)]:
        answer = any_pod.send("POST", path, body)
        assert answer.status == 400, (path, body, answer.json)
        assert answer.json["error"]
        assert answer.headers["X-Pod"]


def test_wrong_requests(any_pod: PodProcess) -> None:
    path = GOOD[service_of(any_pod)][0][1]
    post = next(r for r in GOOD[service_of(any_pod)] if r[0] == "POST")[1]
    for method, where, body, status in (
            ("GET", "/nothing", None, 404), ("DELETE", path, None, 405),
            ("POST", post, b'"' + b"x" * 70000 + b'"', 413),
            ("POST", post, None, 415), ("GET", "/fault", None, 404),
            ("POST", "/fault", {"kind": "hang"}, 404)):
        answer = any_pod.send(method, where, body)
        assert answer.status == status, (method, where)
        assert answer.json["error"]
        assert answer.headers["X-Pod"]


def test_probes(any_pod: PodProcess) -> None:
    assert any_pod.send("GET", "/healthz").json == {"alive": True}
    answer = any_pod.send("GET", "/readyz")
    assert answer.status == 200 and answer.json["ready"] is True
    assert set(answer.json["checks"]) == {
        "draining", "start-up", "recent-requests"}
    until(lambda: any_pod.send("GET", "/readyz").json["in_flight"] == 1,
          "only the probe itself is in flight")


def test_start_is_quick() -> None:
    start = time.monotonic()
    with running("user") as pod:
        assert pod.ready() == 200
        # Half a second on an idle machine; more only if that one is busy.
        assert time.monotonic() - start < 4


def test_warm_up_gate() -> None:
    with running("user", "--warmup-s", "1") as pod:
        answer = pod.send("GET", "/readyz")
        assert answer.status == 503
        assert not answer.json["checks"]["start-up"]["ok"]
        assert pod.send("GET", "/healthz").status == 200
        assert 0.3 < until(lambda: pod.ready() == 200, "warmed up") < 3


def test_settings_come_from_the_environment_too() -> None:
    environ = {"SERVICE_NAME": "from-environment", "SERVICE_FAULTS": "on"}
    with running("user", environ=environ) as pod:
        answer = pod.send("GET", "/fault")
        assert answer.json == {"kind": "none"}
        assert answer.headers["X-Pod"] == "from-environment"
    with running("user", "--name", "argument", environ=environ) as pod:
        assert pod.send("GET", "/healthz").headers["X-Pod"] == "argument"


@pytest.mark.parametrize("arguments", [
    [], ["bank"], ["user", "--port", "x"], ["user", "--drain-s", "-1"]])
def test_bad_arguments(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, str(SERVICES / "run.py"),
                           *arguments], capture_output=True, text=True,
                          timeout=DEADLINE_S, check=False)
    assert done.returncode == 2
    assert "run.py: error:" in done.stderr
    assert "Traceback" not in done.stderr


def test_dependency() -> None:
    with socket.create_server(("127.0.0.1", 0)) as ledger:
        address = f"127.0.0.1:{ledger.getsockname()[1]}"
        with running("billing", "--depends", "ledger=" + address) as pod:
            assert pod.ready() == 200
            ledger.close()
            until(lambda: pod.ready() == 503, "the dependency is gone")
            shown = pod.send("GET", "/readyz").json["checks"]
            assert not shown["dependency ledger"]["ok"]
            assert pod.send("GET", "/healthz").status == 200


# ---- faults ---------------------------------------------------------------

def test_fast_errors_turn_it_not_ready_and_it_recovers() -> None:
    with running("billing", "--faults", "--ready-window-s", "2",
                 "--ready-min", "5") as pod:
        pod.fault(kind="error", status=500, share=1.0)
        for number in range(5):
            assert pod.ready() == 200, f"after {number} failures"
            assert pod.send("POST", "/pay", PAY).status == 500
        assert pod.ready() == 503
        assert pod.send("GET", "/healthz").status == 200
        # No requests now, as nobody sends any to a pod that is not ready.
        until(lambda: pod.ready() == 200, "the window has passed")
        pod.fault(kind="none")
        for _ in range(5):
            assert pod.send("POST", "/pay", PAY).status == 200
        assert pod.ready() == 200


def test_fast_errors_can_be_left_in() -> None:
    with running("billing", "--faults", "--ready-share", "0") as pod:
        pod.fault(kind="error", status=503, share=1.0)
        for _ in range(20):
            assert pod.send("POST", "/pay", PAY).status == 503
        answer = pod.send("GET", "/readyz")
        assert answer.status == 200
        assert "0 of 20" in answer.json["checks"]["recent-requests"]["detail"]


def test_callers_errors_do_not_count() -> None:
    with running("billing", "--ready-min", "5") as pod:
        for _ in range(10):
            assert pod.send("POST", "/pay", {}).status == 400
            assert pod.send("GET", "/nothing").status == 404
        assert pod.ready() == 200


def test_slow_and_hang() -> None:
    with running("billing", "--scale", "1", "--faults") as pod:
        def read() -> float:
            start = time.monotonic()
            assert pod.send("GET", "/invoices/1").status == 200
            return time.monotonic() - start

        pod.fault(kind="slow", factor=20)  # of 20 ms
        assert read() >= 0.4
        pod.fault(kind="hang")
        with pytest.raises(socket.timeout):  # no TimeoutError before 3.10
            pod.send("GET", "/invoices/1", timeout_s=0.2)
        hung = InBackground(read)
        time.sleep(0.1)  # that it is not answered takes time to see
        assert hung.running()
        pod.fault(kind="none")
        hung.result()


def test_a_pod_that_hangs_full_still_answers_probes() -> None:
    with running("user", "--threads", "2", "--queue", "3", "--faults",
                 "--ready-min", "1") as pod:
        pod.fault(kind="hang")
        hung = [InBackground(lambda: pod.send("GET", "/users/1"))
                for _ in range(5)]
        until(lambda: pod.send("GET", "/readyz").json["in_flight"] == 6,
              "five hang, and the probe")
        for _ in range(5):
            shed = pod.send("GET", "/users/1")
            assert shed.status == 503 and shed.headers["Retry-After"] == "1"
        assert pod.ready() == 200, "shed requests do not count"
        assert pod.send("GET", "/healthz").status == 200
        pod.fault(kind="none")
        assert [h.result().status for h in hung] == [200] * 5


# ---- connections and drain ------------------------------------------------

def test_idle_connections_occupy_no_thread() -> None:
    with running("user", "--threads", "1", "--queue", "0",
                 "--keep-alive-s", "60") as pod:
        idle = [pod.connect() for _ in range(50)]
        for connection in idle:
            assert send(connection, "GET", "/users/1").status == 200
        start = time.monotonic()
        assert pod.send("GET", "/users/1").status == 200
        assert time.monotonic() - start < 2
        for connection in idle:
            kept = connection.sock
            assert kept is not None, "the answer said close"
            answer = send(connection, "GET", "/users/1")
            assert answer.status == 200
            assert answer.headers["Connection"] == "keep-alive"
            assert connection.sock is kept, "it connected anew"
            connection.close()


def test_idle_connections_are_closed_in_the_end() -> None:
    with running("user", "--keep-alive-s", "1") as pod:
        connection = pod.connect()
        assert send(connection, "GET", "/users/1").status == 200
        assert connection.sock.recv(1) == b""
        connection.close()


def test_a_request_in_flight_survives_sigterm() -> None:
    with running("billing", "--scale", "1", "--faults",
                 "--drain-s", "0.3") as pod:
        idle = pod.connect()
        assert send(idle, "GET", "/healthz").status == 200
        pod.fault(kind="slow", factor=50)  # of 20 ms: 1 s
        start = time.monotonic()
        slow = InBackground(lambda: pod.send("GET", "/invoices/1"))
        until(lambda: pod.send("GET", "/readyz").json["in_flight"] == 2,
              "it is in flight")
        assert slow.running()
        pod.terminate()
        # Not ready at once, still accepting, and asking to go away.
        took_s = until(lambda: pod.ready() == 503, "not ready")
        assert took_s < 0.25
        probe = send(idle, "GET", "/healthz")
        assert (probe.status, probe.headers["Connection"]) == (200, "close")
        until(pod.refuses, "it stops accepting")
        assert slow.running(), "the request outlives the drain"
        answer = slow.result()
        assert time.monotonic() - start >= 1.0
        assert answer.status == 200
        assert answer.headers["Connection"] == "close"
        assert pod.wait() == 0
        assert time.monotonic() - start < 6
        assert pod.errors == []


def test_a_client_that_watches_readyz_sees_no_failure() -> None:
    with running("user", "--drain-s", "0.5") as pod:
        stop = threading.Event()

        def client() -> int:
            count, connection = 0, pod.connect()
            while not stop.is_set():
                answer = send(connection, "GET", "/users/1")
                assert answer.status == 200
                count += 1
            connection.close()
            return count

        clients = [InBackground(client) for _ in range(4)]
        until(lambda: pod.send("GET", "/readyz").json["in_flight"] > 2, "busy")
        pod.terminate()
        until(lambda: pod.ready() == 503, "the drain is seen")
        time.sleep(0.1)  # a probe's interval
        stop.set()
        assert all(c.result() > 0 for c in clients)
        assert pod.wait() == 0


def test_a_hung_request_ends_with_the_grace_time() -> None:
    with running("user", "--faults", "--drain-s", "0",
                 "--grace-s", "1") as pod:
        pod.fault(kind="hang")
        hung = InBackground(lambda: pod.send("GET", "/users/1"))
        until(lambda: pod.send("GET", "/readyz").json["in_flight"] == 2,
              "it hangs")
        start = time.monotonic()
        pod.terminate()
        assert pod.wait() == 1
        assert 0.9 < time.monotonic() - start < 5
        assert "1 requests unanswered" in pod.errors[-1]
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            hung.result()


@pytest.mark.parametrize("delay_s", [0, 0.02, 0.1, 0.25])
def test_sigterm_during_the_start(delay_s: float) -> None:
    """Whenever it comes, the pod ends soon and leaves nobody behind."""
    with running("user") as pod:
        time.sleep(delay_s)
        start = time.monotonic()
        pod.terminate()
        assert pod.wait() == 0
        assert time.monotonic() - start < 6
        assert pod.refuses()


def test_no_orphan_if_the_master_is_killed() -> None:
    with running("user", "--grace-s", "1", "--faults") as pod:
        pod.fault(kind="hang")
        hung = InBackground(lambda: pod.send("GET", "/users/1"))
        until(lambda: pod.send("GET", "/readyz").json["in_flight"] == 2,
              "it hangs")
        pod.process.kill()
        pod.process.wait()
        until(pod.refuses, "the worker has noticed")
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            hung.result()

        def group_is_gone() -> bool:
            try:
                os.killpg(pod.process.pid, 0)
            except ProcessLookupError:
                return True
            return False
        until(group_is_gone, "the worker has ended")
