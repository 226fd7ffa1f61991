#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run one pod: `run.py billing --port 9101 --faults`; `--help` tells more.

This process becomes gunicorn's master, so its pid is the one to signal:
SIGTERM drains and ends with status 0 if every request was answered, else 1.
"""
import importlib.util
import os
import sys

from pod.settings import command_line


def main() -> None:
    environ = command_line(sys.argv[1:])
    for module in ("flask", "gunicorn"):
        if importlib.util.find_spec(module) is None:
            sys.exit(f"run.py: no {module} in {sys.executable}: "
                     "pip install -r requirements.txt")
    # Python looks for modules in the working directory first; let that be
    # ours, and not one that may hold another billing.py.
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    os.execve(sys.executable, [sys.executable, "-m", "gunicorn",
                               "-c", "gunicorn.conf.py"], environ)


if __name__ == "__main__":
    main()
