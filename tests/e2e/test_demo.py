# SPDX-License-Identifier: MIT
"""The demo: its figures and verdict on made-up records, its load against
made-up servers, its arguments, and that it leaves no process behind.

That the promise holds on real traffic is what ./demo itself shows.
"""
from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import importlib.util
import math
import os
import pathlib
import signal
import subprocess
import sys
import time
from typing import Any, Awaitable, Callable, Iterator

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
MAIN = TOP / "examples" / "demo" / "main.py"
sys.path.insert(0, str(TOP / "examples"))

from demo import client, loadgen, measure, plot, table, verdict  # noqa: E402
from demo.loadgen import BROKEN, TIMEOUT, Request  # noqa: E402
from demo.processes import Processes, StartError  # noqa: E402
from demo.scenario import Marks  # noqa: E402

PATIENCE_S = 20.0  # for a loaded machine

# ---- Records made up: 40 s, 100 payments a second, in turn ------------------


def make_run(policy: str, pod_at: Callable[[int, float], str],
             status_of: Callable[[str, float], int] = lambda pod, at_s: 200,
             lag_s: float = 0.001) -> measure.Run:
    """Records of 4000 payments; pod_at: by number and time."""
    marks = Marks(bad_s=10.0, joined_s=20.0, healed_s=30.0, end_s=40.0)
    requests = []
    for i in range(4000):
        due_s = i / 100
        pod = pod_at(i, due_s)
        status = status_of(pod, due_s)
        took_s = 2.0 if status in measure.TIMEOUTS else 0.080
        requests.append(Request("billing", due_s, due_s + lag_s,
                                due_s + took_s, status, pod))
    return measure.Run(policy, requests, len(requests), marks,
                       {"billing-3": 4})


def avoiding(i: int, at_s: float) -> str:
    """As libilb should: the sick pods get nothing after half a second."""
    pods = [1, 4, 5] if 10.5 <= at_s < 30 else [1, 2, 3, 4, 5]
    if at_s >= 20:
        pods.append(6)
    return f"billing-{pods[i % len(pods)]}"


def in_turn(i: int, at_s: float) -> str:
    return f"billing-{i % (6 if at_s >= 20 else 5) + 1}"


def sick(pod: str, at_s: float) -> int:
    if pod == "billing-3" and 10 <= at_s < 30:
        return 500
    return 504 if pod == "billing-2" and 11 <= at_s < 30 else 200


@pytest.fixture
def good() -> measure.Run:
    return make_run("peak_ewma", avoiding, sick)


@pytest.fixture
def rival() -> measure.Run:
    return make_run("round_robin", in_turn, sick)


# ---- Figures ---------------------------------------------------------------


def test_percentile_is_a_value_that_was_seen() -> None:
    values = [0.4, 0.1, 0.3, 0.2]
    assert measure.percentile(values, 50) == 0.2
    assert measure.percentile(values, 51) == 0.3
    assert measure.percentile(values, 100) == 0.4
    assert measure.percentile(values, 0) == 0.1
    assert measure.percentile(range(1, 101), 99) == 99
    assert math.isnan(measure.percentile([], 50))


def test_shares_by_phase_leave_out_the_first_second(
        good: measure.Run) -> None:
    summary = measure.summarize(good)
    assert summary.shares["before"]["billing-2"] == pytest.approx(0.2)
    assert summary.bad_share("billing-2") == 0
    assert summary.bad_share("billing-3") == 0
    for shares in summary.shares.values():
        assert sum(shares.values()) == pytest.approx(1)


def test_what_no_answer_tells_counts_against_bad_pods() -> None:
    run = make_run("peak_ewma", lambda i, at_s:
                   "" if i % 25 == 0 else avoiding(i, at_s))
    summary = measure.summarize(run)
    assert summary.bad_share("billing-2") == pytest.approx(0.04)
    assert summary.bad_share("billing-3") == pytest.approx(0.04)


def test_timeouts_are_latency_and_other_failures_are_not() -> None:
    def request(status: int, took_s: float) -> Request:
        return Request("billing", 1.0, 1.0, 1.0 + took_s, status)

    requests = [request(200, 0.1), request(500, 0.001), request(504, 1.9),
                request(TIMEOUT, 2.0), request(BROKEN, 0.002),
                request(503, 0.001)]
    assert measure.latencies_s(requests) == pytest.approx([0.1, 1.9, 2.0])
    assert measure.failure_share(requests) == pytest.approx(5 / 6)
    assert math.isnan(measure.failure_share([]))


def test_latency_counts_from_when_it_was_due() -> None:
    request = Request("billing", 1.0, 1.3, 1.5, 200)
    assert request.latency_s == pytest.approx(0.5)
    assert request.lag_s == pytest.approx(0.3)


def test_return_to_share(good: measure.Run) -> None:
    back_s = measure.seconds_to_share(good.requests, "billing-2", 25.0, 40.0,
                                      0.08)
    assert 4.3 < back_s < 5.1
    assert measure.seconds_to_share(good.requests, "billing-9", 25.0, 40.0,
                                    0.08) is None


# ---- Verdict ---------------------------------------------------------------


def broken(result: verdict.Verdict) -> list[str]:
    return [check.what for check in result.checks if not check.ok]


def test_verdict_good(good: measure.Run, rival: measure.Run) -> None:
    result = verdict.judge(good, rival)
    assert result.ok and not broken(result)
    assert result.last_line().startswith("demo: ok  slow pod 0.00 %, ")


@pytest.mark.parametrize("pod, what", [("billing-2", "10x slow pod"),
                                       ("billing-3", "pod of 500s")])
def test_verdict_bad_pod_gets_too_much(rival: measure.Run, pod: str,
                                       what: str) -> None:
    run = make_run("peak_ewma", lambda i, at_s: pod if i % 50 == 0
                   else avoiding(i, at_s))
    result = verdict.judge(run, rival)
    assert len(broken(result)) == 1 and broken(result)[0].startswith(what)
    line = result.last_line()
    assert line.startswith("demo: FAILED  " + what) and "2.00 %" in line


def test_verdict_too_many_failures(rival: measure.Run) -> None:
    run = make_run("peak_ewma", avoiding,
                   lambda pod, at_s: 500 if at_s < 0.2 else 200)
    assert broken(verdict.judge(run, rival)) == [
        "under 0.5 % of all requests fail"]


def test_verdict_rival_must_suffer(good: measure.Run) -> None:
    result = verdict.judge(good, make_run("round_robin", in_turn))
    assert broken(result) == ["under round robin over 10 % of the same fail"]


def test_verdict_blames_the_machine_first(rival: measure.Run) -> None:
    run = make_run("peak_ewma", in_turn, sick, lag_s=0.2)
    line = verdict.judge(run, rival).last_line()
    assert line.startswith("demo: FAILED  no fair measurement")
    assert "200.0" in line and "under 2 %" not in line


def test_verdict_missing_records(good: measure.Run,
                                 rival: measure.Run) -> None:
    result = verdict.judge(dataclasses.replace(good, planned=4001), rival)
    assert not result.ok and "not in the records: 1" in result.last_line()


def test_verdict_of_nothing_is_no_success(good: measure.Run) -> None:
    empty = dataclasses.replace(good, requests=[], planned=0)
    assert not any(check.ok for check in
                   verdict.judge(empty, empty).checks[:5])


# ---- Table and plot --------------------------------------------------------


def test_table_is_aligned(good: measure.Run, rival: measure.Run) -> None:
    lines = table.render(good, rival)
    assert max(map(len, lines)) <= 80
    pods = [line for line in lines
            if line.startswith("billing-") and "%" in line]
    assert [line.split()[0] for line in pods] == [
        f"billing-{i}" for i in range(1, 7)]
    assert len({len(line) for line in pods}) == 1
    slow = next(line for line in pods if line.startswith("billing-2"))
    assert slow.split()[1:7] == ["10x", "slow", "10-30", "s", "20.0", "%"]
    new = next(line for line in pods if line.startswith("billing-6"))
    assert "joins cold" in new and " - " in new
    text = "\n".join(lines)
    assert " 4x " in text and "2000 ms" in text and "after 0." in text


def test_table_can_be_painted(good: measure.Run, rival: measure.Run) -> None:
    roles: list[str] = []

    def paint(role: str, text: str) -> str:
        roles.append(role)
        return text

    assert table.render(good, rival, paint) == table.render(good, rival)
    assert {"billing-2", "billing-3", "billing-6", "title"} <= set(roles)


def test_plot_series(good: measure.Run) -> None:
    pods = plot.order(table.pods_of(good))
    assert pods[:2] == ["billing-3", "billing-2"] and pods[-1] == "billing-6"
    series = plot.share_series(good, pods)
    times = plot.times(40.0)
    assert all(len(column) == len(times) for column in series)
    assert series[0][times.index(20.0)] == 0
    assert [sum(column) for column in zip(*series)] == pytest.approx(
        [100.0] * len(times))


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None,
                    reason="no matplotlib")
def test_plot_files(good: measure.Run, rival: measure.Run,
                    tmp_path: pathlib.Path) -> None:
    svg, png = plot.write(tmp_path, good, rival)
    text = svg.read_text()
    assert "</svg>" in text and "Date" not in text
    assert png.read_bytes().startswith(b"\x89PNG")


# ---- Load ------------------------------------------------------------------


def test_arrivals_are_the_seeds() -> None:
    plan = loadgen.arrivals(7, 120, 100)
    assert plan == loadgen.arrivals(7, 120, 100)
    assert plan != loadgen.arrivals(8, 120, 100)
    assert len(plan) == pytest.approx(12000, rel=0.05)
    assert all(0 < a.due_s < 100 for a in plan)
    billing = sum(a.kind.service == "billing" for a in plan)
    assert billing / len(plan) == pytest.approx(0.88, abs=0.02)
    # Poisson: gaps vary as much as they last.
    gaps = [b.due_s - a.due_s for a, b in zip(plan, plan[1:])]
    mean = sum(gaps) / len(gaps)
    deviation = math.sqrt(sum((g - mean) ** 2 for g in gaps) / len(gaps))
    assert deviation / mean == pytest.approx(1, abs=0.05)


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter],
                   Awaitable[None]]


def with_server(handler: Handler,
                use: Callable[[client.Client], Awaitable[Any]]) -> Any:
    """Run `use` with a client of a server that is `handler`."""
    async def main() -> Any:
        server = await asyncio.start_server(handler, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        one = client.Client("127.0.0.1", port)
        try:
            return await use(one)
        finally:
            one.close()
            server.close()
    return asyncio.run(main())


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            await reader.readexactly(int(line.partition(b":")[2]))
    return head


def serving(delay_s: float, raw: bytes) -> Handler:
    async def handler(reader: asyncio.StreamReader,
                      writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError,
                                 ConnectionError):
            while True:
                await read_request(reader)
                await asyncio.sleep(delay_s)
                writer.write(raw)
        writer.close()
    return handler


OK = (b"HTTP/1.1 200 OK\r\nX-Pod: billing-1\r\nContent-Length: 2\r\n\r\n{}")


def load_against(handler: Handler, rate: float,
                 seconds: float) -> list[Request]:
    plan = [loadgen.Arrival(i / rate, loadgen.KINDS[0])
            for i in range(1, int(rate * seconds))]

    async def use(one: client.Client) -> list[Request]:
        load = loadgen.Load(one, {"1.2.3.4:5": "billing-9"}.get)
        load.begin()
        await load.run(plan)
        return load.requests

    requests = with_server(handler, use)
    assert len(requests) == len(plan)
    return requests


def test_load_is_open_loop() -> None:
    """A server that takes 0.3 s does not slow the sending down."""
    requests = load_against(serving(0.3, OK), rate=50, seconds=1)
    assert all(r.ok and r.pod == "billing-1" for r in requests)
    assert all(r.latency_s >= 0.3 for r in requests)
    # In a closed loop the last would be late by 48 x 0.3 s.
    assert max(r.lag_s for r in requests) < 0.25


def test_load_names_the_pod_by_its_address() -> None:
    raw = (b"HTTP/1.1 504 Gateway Timeout\r\nX-Ilb-Endpoint: 1.2.3.4:5\r\n"
           b"Content-Length: 0\r\n\r\n")
    request = load_against(serving(0, raw), rate=10, seconds=0.2)[0]
    assert (request.status, request.pod, request.ok) == (504, "billing-9",
                                                         False)


def test_load_gives_up_at_the_deadline(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loadgen, "DEADLINE_S", 0.2)
    request = load_against(serving(5, OK), rate=10, seconds=0.2)[0]
    assert request.status == TIMEOUT and 0.2 <= request.latency_s < 2


@pytest.mark.parametrize("raw", [b"", b"HTTP/1.1 200 OK\r\n", b"SSH-2.0\r\n"
                                 b"\r\n", b"HTTP/1.1 200 OK\r\n\r\nbody"])
def test_load_counts_broken_answers(raw: bytes) -> None:
    async def handler(reader: asyncio.StreamReader,
                      writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(raw)
        writer.close()

    assert load_against(handler, 10, 0.2)[0].status == BROKEN


def test_connections_are_used_again() -> None:
    opened = []

    async def handler(reader: asyncio.StreamReader,
                      writer: asyncio.StreamWriter) -> None:
        opened.append(1)
        await serving(0, OK)(reader, writer)

    async def use(one: client.Client) -> None:
        for _ in range(5):
            await one.request("GET", "/", None, PATIENCE_S)

    with_server(handler, use)
    assert len(opened) == 1


def parse(*pieces: bytes) -> client.Response | None:
    parser = client.Parser()
    for piece in pieces:
        parser.feed(piece)
    return parser.response


def test_parser_takes_pieces_and_chunks() -> None:
    whole = (b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
             b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n")
    for pieces in ([whole], [whole[i:i + 1] for i in range(len(whole))]):
        response = parse(*pieces)
        assert (response.status, response.body) == (201, b"abcde")
    assert parse(whole[:-1]) is None


@pytest.mark.parametrize("raw", [
    OK + b"more", b"HTTP/1.1 200 OK\r\nbad\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"])
def test_parser_refuses(raw: bytes) -> None:
    with pytest.raises(client.HttpError):
        parse(raw)


# ---- Arguments -------------------------------------------------------------


@pytest.mark.parametrize("arguments, message", [
    (["--seconds", "3"], "not within 8..3600"),
    (["--seconds", "nan"], "not within"),
    (["--seconds", "soon"], "is no number"),
    (["--rps", "10"], "not within 50..400"),
    (["--rps", "60", "--seconds", "20"], "1200 requests: too few"),
    (["--seed", "-1"], "not within"),
    (["--seed", "x"], "is no whole number"),
    (["--second", "20"], "unrecognized"),
    (["extra"], "unrecognized")])
def test_wrong_arguments(arguments: list[str], message: str) -> None:
    """The top-level script says so before it builds anything."""
    done = subprocess.run(["bash", str(TOP / "demo"), *arguments],
                          capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 2 and message in done.stderr
    assert done.stdout == ""


def test_help() -> None:
    done = subprocess.run(["bash", str(TOP / "demo"), "--help"],
                          capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0 and "--seconds" in done.stdout


# ---- Processes -------------------------------------------------------------

needs_proc = pytest.mark.skipif(not os.path.exists("/proc/self/stat"),
                                reason="no /proc to look for processes in")
needs_services = pytest.mark.skipif(
    importlib.util.find_spec("gunicorn") is None
    or importlib.util.find_spec("flask") is None,
    reason="no flask and gunicorn for the pods")


def stat_of(pid: int) -> list[str] | None:
    """State, parent and so on, after the name; None: there is none."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def identity(pid: int) -> tuple[int, str] | None:
    """A pid and its start time; None if it does not run."""
    stat = stat_of(pid)
    return (pid, stat[19]) if stat and stat[0] != "Z" else None


def descendants(pid: int) -> set[tuple[int, str]]:
    parents = {int(entry): int(stat[1]) for entry in os.listdir("/proc")
               if entry.isdigit() and (stat := stat_of(int(entry)))}
    found, fresh = set(), {pid}
    while fresh:
        fresh = {p for p, parent in parents.items() if parent in fresh}
        found |= fresh
    return {who for who in map(identity, found) if who}


def gone(who: set[tuple[int, str]], within_s: float) -> bool:
    end_s = time.monotonic() + within_s
    while any(identity(pid) == (pid, start) for pid, start in who):
        if time.monotonic() > end_s:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def stand_in(tmp_path: pathlib.Path) -> pathlib.Path:
    """In the place of the gateway: is ready, and answers nothing."""
    path = tmp_path / "gateway"
    path.write_text("#!/bin/sh\necho 'ready on 127.0.0.1:1, "
                    "admin 127.0.0.1:1'\nexec sleep 600\n")
    path.chmod(0o755)
    return path


@contextlib.contextmanager
def demo(*arguments: str) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(
        [sys.executable, str(MAIN), *arguments], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, start_new_session=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def read_until(process: subprocess.Popen, text: str) -> str:
    seen = ""
    while text not in seen:
        line = process.stdout.readline()
        assert line, f"ended without {text!r}: {seen}"
        seen += line
    return seen


@needs_proc
@needs_services
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM,
                                    signal.SIGHUP])
def test_interrupted_while_it_runs(number: int, stand_in: pathlib.Path,
                                   tmp_path: pathlib.Path) -> None:
    with demo("--gateway", str(stand_in), "--out", str(tmp_path)) as process:
        read_until(process, "/s P95")
        started = descendants(process.pid)
        assert len(started) >= 15  # 7 pods of two processes, the gateway
        process.send_signal(number)
        output, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 128 + number, output
        assert "demo: interrupted by " + signal.Signals(number).name in output
        assert "Traceback" not in output
        assert gone(started, 0.5)


@needs_proc
@needs_services
def test_interrupted_while_it_starts(stand_in: pathlib.Path,
                                     tmp_path: pathlib.Path) -> None:
    with demo("--gateway", str(stand_in), "--out", str(tmp_path)) as process:
        read_until(process, "starting pods")
        while len(descendants(process.pid)) < 3:
            time.sleep(0.01)
        started = descendants(process.pid)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)  # an impatient person
        output, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 128 + signal.SIGINT, output
        assert gone(started, 0.5)


@needs_proc
@needs_services
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_killed_outright(stand_in: pathlib.Path,
                         tmp_path: pathlib.Path) -> None:
    with demo("--gateway", str(stand_in), "--out", str(tmp_path)) as process:
        read_until(process, "/s P95")
        started = descendants(process.pid)
        process.kill()
        assert gone(started, PATIENCE_S)


@needs_services
def test_gateway_that_does_not_start(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "gateway"
    path.write_text("#!/bin/sh\necho 'conf:3: unknown word'\nexit 1\n")
    path.chmod(0o755)
    with demo("--gateway", str(path), "--out", str(tmp_path)) as process:
        started = set()
        while process.poll() is None:
            started |= descendants(process.pid)
            time.sleep(0.05)
        output = process.stdout.read()
        assert process.returncode == 1
        assert output.rstrip().splitlines()[-1] == (
            "demo: FAILED  peak_ewma-gateway ended with status 1")
        assert "conf:3: unknown word" in output
        assert started and gone(started, 0.5)


@needs_services
def test_gateway_that_is_not_built(tmp_path: pathlib.Path) -> None:
    with demo("--gateway", str(tmp_path / "none"), "--out",
              str(tmp_path)) as process:
        output, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 1
        assert output.rstrip().splitlines()[-1].startswith(
            "demo: FAILED  no gateway at ")


@needs_proc
def test_stop_ends_also_what_ignores_sigterm(
        tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.processes.STOP_S", 0.3)
    with Processes(tmp_path) as processes:
        process = processes.start("stubborn", [
            "sh", "-c", "trap '' TERM; sleep 600 & echo up; "
            "while :; do sleep 600; done"])
        asyncio.run(process.wait_for("up", PATIENCE_S))
        time.sleep(0.1)
        started = descendants(os.getpid())
        assert len(started) >= 3
    assert gone(started, 1.0)


def test_a_process_that_ends_early_is_told(tmp_path: pathlib.Path) -> None:
    with Processes(tmp_path) as processes:
        process = processes.start("short", ["sh", "-c", "echo why; exit 7"])
        with pytest.raises(StartError, match="short ended with status 7\n"
                                             "    why"):
            asyncio.run(process.wait_for("never", PATIENCE_S))
        assert [p.name for p in processes.ended()] == ["short"]
        with pytest.raises(StartError, match="did not start"):
            processes.start("none", [str(tmp_path / "none")])
