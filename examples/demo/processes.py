# SPDX-License-Identifier: MIT
"""Child processes that do not outlive the demo."""
from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import pathlib
import re
import signal
import subprocess
import time
from typing import Iterator, Sequence

STOP_S = 5.0  # from SIGTERM to SIGKILL
POLL_S = 0.02
LOG_LINES = 15  # shown of a process that did not start
PR_SET_PDEATHSIG = 1
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StartError(Exception):
    """A process did not start, or ended before its time."""


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold signals back, so that none comes between a child's start and
    the moment when somebody knows of it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _prepare_child(parent: int) -> None:
    """In the child: take signals again, and be sent SIGTERM should the demo
    be killed outright, when it can clean up no more (Linux only)."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


class Process:
    """One child in a session of its own, so that a Ctrl-C in the terminal
    reaches the demo alone, which then ends its children in order.

    It is not reaped before finish(): until then its pid is nobody else's,
    and a signal sent to it can hit no stranger.
    """

    def __init__(self, name: str, argv: Sequence[str],
                 log: pathlib.Path) -> None:
        self.name = name
        self.log = log
        parent = os.getpid()
        try:
            with open(log, "wb") as output:
                self._child = subprocess.Popen(
                    argv, stdin=subprocess.DEVNULL, stdout=output,
                    stderr=subprocess.STDOUT, start_new_session=True,
                    preexec_fn=lambda: _prepare_child(parent))
        except (OSError, subprocess.SubprocessError) as error:
            raise StartError(f"{name} did not start: {error}") from error

    @property
    def pid(self) -> int:
        return self._child.pid

    def status(self) -> int | None:
        """How it ended: the exit status, or minus the signal's number;
        None while it runs."""
        if self._child.returncode is not None:
            return self._child.returncode
        info = os.waitid(os.P_PID, self.pid,
                         os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if info is None:
            return None
        return (info.si_status if info.si_code == os.CLD_EXITED
                else -info.si_status)

    def signal(self, number: int) -> None:
        if self._child.returncode is None:
            os.kill(self.pid, number)

    def wait(self, timeout_s: float) -> bool:
        """True if it has ended within the time."""
        end = time.monotonic() + timeout_s
        while self.status() is None:
            if time.monotonic() >= end:
                return False
            time.sleep(POLL_S)
        return True

    def finish(self) -> None:
        """Take down what is left of it and of its own children."""
        if self._child.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            self._child.wait()

    def match(self, pattern: str) -> re.Match[str] | None:
        """Look for `pattern` in what the process has written so far."""
        return re.search(pattern, self.log.read_text(errors="replace"))

    async def wait_for(self, pattern: str,
                       timeout_s: float) -> re.Match[str]:
        """Wait until the process has written something with `pattern`."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            status = self.status()
            found = self.match(pattern)
            if found:
                return found
            if status is not None:
                raise self.error(f"ended with status {status}")
            await asyncio.sleep(POLL_S)
        raise self.error(f"was not up within {timeout_s:g} s")

    def error(self, what: str) -> StartError:
        """An error with the end of the log in it."""
        lines = self.log.read_text(errors="replace").splitlines()
        shown = "".join(f"\n    {line}" for line in lines[-LOG_LINES:])
        return StartError(f"{self.name} {what}{shown}")


class Processes:
    """All children; leaving the `with` block ends them, whatever happened."""

    def __init__(self, logs: pathlib.Path) -> None:
        self.logs = logs
        self._all: list[Process] = []

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def start(self, name: str, argv: Sequence[str]) -> Process:
        """Start a child; `name` also names its log."""
        with _uninterrupted():
            process = Process(name, argv, self.logs / f"{name}.log")
            self._all.append(process)
        return process

    def ended(self) -> list[Process]:
        """Those that run no more, though nobody has asked them to end."""
        return [p for p in self._all if p.status() is not None]

    def stop(self) -> None:
        """Ask all to end, wait for STOP_S at most, and kill the rest."""
        with _uninterrupted():
            for process in self._all:
                process.signal(signal.SIGTERM)
            end = time.monotonic() + STOP_S
            for process in self._all:
                process.wait(end - time.monotonic())
            for process in self._all:
                process.finish()
            self._all.clear()
