# SPDX-License-Identifier: MIT
"""Run the items of check_items.py, two at a time; the program behind ./check.

An item is a command. Its output goes to build/check/NAME.log, and is shown
when it fails. One whose needs have failed fails too, and so does one whose
program is missing: nothing is left out in silence.

Counting: where a test runner reports its tests (libcheck's "Checks: N", the
last line of pytest) each of them counts; every other item counts as one.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.dont_write_bytecode = True
from check_items import ITEMS, TOP, Item  # noqa: E402

LOGS = TOP / "build/check"
SHOWN_LINES = 120
HEARTBEAT_S = 20.0
JOBS = 2

LIBCHECK = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)", re.M)
PYTEST = re.compile(r"^=*\s*((?:\d+ \w+(?:, )?)+) in [\d.]+s.*$", re.M)


@dataclass
class Count:
    """How many tests passed, failed and were skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: Count) -> None:
        """Add another count to this one."""
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped


def count(output: str, status: int, runner: str) -> Count:
    """Return what an item's output and exit status say.

    Whatever a runner reports, an exit status other than 0 is a failure; and
    a runner that reports no test at all has failed.
    """
    result = Count()
    if runner == "libcheck":
        for total, failures, errors in LIBCHECK.findall(output):
            bad = int(failures) + int(errors)
            result.add(Count(int(total) - bad, bad))
    elif runner == "pytest":
        for summary in PYTEST.findall(output)[-1:]:
            words = dict(
                (word, int(number))
                for number, word in re.findall(r"(\d+) (\w+)", summary)
            )
            result.passed = words.get("passed", 0)
            result.failed = sum(
                words.get(word, 0) for word in ("failed", "error", "errors", "xpassed")
            )
            result.skipped = words.get("skipped", 0) + words.get("xfailed", 0)
    else:
        result.passed = 1 if status == 0 else 0
    nothing = result == Count()
    if result.failed == 0 and (status != 0 or nothing):
        result.failed = 1
    return result


@dataclass
class Running:
    """An item's process, when it began and where its output goes."""

    item: Item
    process: subprocess.Popen[bytes]
    began_s: float
    log: Path

    def stop(self) -> None:
        """End the item and all that it started."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(timeout=15)
            except ProcessLookupError:
                return
            except subprocess.TimeoutExpired:
                continue


def environment() -> dict[str, str]:
    """Return the environment of every item: the tools of build/venv first."""
    env = dict(os.environ)
    env["PATH"] = f"{TOP / 'build/venv/bin'}:{env.get('PATH', os.defpath)}"
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    env["ILB_BUILD"] = str(TOP / "build")
    for name in ("CC", "CFLAGS", "CPPFLAGS", "LDFLAGS", "MAKEFLAGS", "DESTDIR",
                 "PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME"):
        env.pop(name, None)
    return env


class Runner:
    """Starts items when their needs are met, and keeps the score."""

    def __init__(self, items: list[Item]) -> None:
        self.waiting = list(items)
        self.running: list[Running] = []
        self.done: dict[str, bool] = {}
        self.total = Count()
        self.failed: list[str] = []
        self.began_s = time.monotonic()
        self.spoke_s = self.began_s
        self.env = environment()

    def say(self, text: str) -> None:
        """Print one line of progress with the time that has passed."""
        self.spoke_s = time.monotonic()
        print(f"[{self.spoke_s - self.began_s:6.1f} s] {text}", flush=True)

    def start(self, item: Item) -> None:
        """Start an item, or fail it if it cannot be."""
        log = LOGS / f"{item.name}.log"
        bad = [need for need in item.needs if not self.done.get(need, False)]
        if bad:
            log.write_text(f"not run: {', '.join(bad)} failed\n")
            self.finish(item, log, 1, 0.0)
            return
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", item.command],
                cwd=TOP, env=self.env, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.running.append(Running(item, process, time.monotonic(), log))

    def finish(self, item: Item, log: Path, status: int, took_s: float) -> None:
        """Count an item that has ended and say how it went."""
        output = log.read_text(errors="replace")
        result = count(output, status, item.runner)
        self.total.add(result)
        good = result.failed == 0
        self.done[item.name] = good
        n_tests = result.passed + result.failed + result.skipped
        detail = f", {n_tests} tests" if n_tests > 1 else ""
        detail += f", {result.skipped} skipped" if result.skipped else ""
        self.say(f"{'ok    ' if good else 'FAILED'} {item.name:<12}"
                 f"{took_s:6.1f} s{detail}")
        if not good:
            self.failed.append(item.name)
            lines = output.splitlines()
            if len(lines) > SHOWN_LINES:
                print(f"    ... {len(lines) - SHOWN_LINES} lines before, in {log}")
            for line in lines[-SHOWN_LINES:]:
                print(f"    {line}")

    def next_item(self) -> Item | None:
        """Return an item that may start now, if there is one."""
        if any(one.item.alone for one in self.running):
            return None
        for item in self.waiting:
            if any(need not in self.done for need in item.needs):
                continue
            if not item.alone:
                return item
        # Those that measure time wait until nothing else can run.
        if not self.running:
            for item in self.waiting:
                if all(need in self.done for need in item.needs):
                    return item
        return None

    def reap(self) -> None:
        """Take in the items that have ended or run out of time."""
        for one in list(self.running):
            took_s = time.monotonic() - one.began_s
            status = one.process.poll()
            if status is None and took_s > one.item.limit_s:
                one.stop()
                with one.log.open("a") as log:
                    log.write(f"\nstopped: longer than {one.item.limit_s:.0f} s\n")
                status = 1
            if status is not None:
                self.running.remove(one)
                self.finish(one.item, one.log, status, took_s)

    def run(self) -> None:
        """Run all items to the end."""
        try:
            while self.waiting or self.running:
                while len(self.running) < JOBS:
                    item = self.next_item()
                    if item is None:
                        break
                    self.waiting.remove(item)
                    self.start(item)
                time.sleep(0.05)
                self.reap()
                now_s = time.monotonic()
                if self.running and now_s - self.spoke_s > HEARTBEAT_S:
                    names = (f"{one.item.name} ({now_s - one.began_s:.0f} s)"
                             for one in self.running)
                    self.say("running: " + ", ".join(names))
        finally:
            for one in self.running:
                one.stop()


def with_needs(names: list[str]) -> list[Item]:
    """Return the items of these names and all they need, in the usual order."""
    wanted: set[str] = set()
    todo = list(names)
    by_name = {item.name: item for item in ITEMS}
    while todo:
        name = todo.pop()
        if name not in wanted:
            wanted.add(name)
            todo += by_name[name].needs
    return [item for item in ITEMS if item.name in wanted]


def main() -> int:
    """Parse the command line, run, and print the score."""
    parser = argparse.ArgumentParser(prog="./check")
    parser.add_argument("--quick", action="store_true",
                        help="the developer's loop, under a minute")
    parser.add_argument("--list", action="store_true", help="list the items")
    parser.add_argument("names", nargs="*", metavar="NAME")
    args = parser.parse_args()
    if args.list:
        for item in ITEMS:
            print(f"{item.name:<12} {'quick' if item.quick else '     '}  {item.about}")
        return 0
    known = [item.name for item in ITEMS]
    for name in args.names:
        if name not in known:
            parser.error(f"no item {name!r}; there are: {', '.join(known)}")
    names = args.names or [i.name for i in ITEMS if i.quick or not args.quick]
    LOGS.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    runner = Runner(with_needs(names))
    try:
        runner.run()
    except KeyboardInterrupt:
        print("\nstopped")
        return 130
    if runner.failed:
        print(f"failed: {', '.join(runner.failed)} (see build/check/NAME.log)")
    total = runner.total
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
