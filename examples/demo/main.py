#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run the demo. `./demo` at the top prepares all that this needs."""
from __future__ import annotations

import pathlib
import signal
import sys
import tempfile
import types

# The package `demo` instead of its single files, whose names are too common
# to stand on the module path by themselves.
sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from demo import options, run, style, table, verdict  # noqa: E402
from demo.processes import Processes, StartError  # noqa: E402
from demo.scenario import RunError  # noqa: E402

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """A signal asks for the end. As a KeyboardInterrupt it also ends an event
    loop at once, which would keep any other exception in a task."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def interrupt(number: int, _frame: types.FrameType | None) -> None:
    """End once; what comes while cleaning up changes nothing."""
    for other in SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    raise Interrupted(number)


def say(text: str = "") -> None:
    print(text, flush=True)


def show(opts: options.Options, logs: pathlib.Path) -> int:
    """Both runs, the table, the plot; the exit status."""
    with Processes(logs) as processes:
        runs = [run.run(opts, policy, processes, say)
                for policy in run.POLICIES]
    from demo import plot  # takes a second to load: not while measuring
    files = plot.write(opts.out, *runs)
    result = verdict.judge(*runs)
    for line in [*table.render(*runs, style.paint()), *result.lines(), ""]:
        say(line)
    say("plot: " + ", ".join(str(file) for file in files))
    if opts.keep:
        say(f"logs: {logs}")
    say(result.last_line())
    return 0 if result.ok else 1


def main(argv: list[str]) -> int:
    opts = options.parse(argv)
    for number in SIGNALS:
        signal.signal(number, interrupt)
    try:
        opts.out.mkdir(parents=True, exist_ok=True)
        if opts.keep:
            logs = opts.out / "logs"
            logs.mkdir(exist_ok=True)
            return show(opts, logs)
        with tempfile.TemporaryDirectory(prefix="ilb-demo-") as directory:
            return show(opts, pathlib.Path(directory))
    except Interrupted as stop:
        say(f"\ndemo: interrupted by {signal.Signals(stop.number).name}; "
            "all that was started has ended")
        return 128 + stop.number
    except (StartError, RunError, OSError) as error:
        what, *details = str(error).splitlines()
        for line in details:
            say(line)
        say(f"demo: FAILED  {what}")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
