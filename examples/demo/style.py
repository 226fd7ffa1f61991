# SPDX-License-Identifier: MIT
"""Colour on terminals, in the plot's colours; none anywhere else."""
from __future__ import annotations

import os
import sys
from typing import Callable

from .scenario import ERROR_POD, NEW_POD, SLOW_POD

CODES = {SLOW_POD: "33", ERROR_POD: "31", NEW_POD: "32", "title": "1"}

Paint = Callable[[str, str], str]


def plain(_role: str, text: str) -> str:
    return text


def _colour(role: str, text: str) -> str:
    code = CODES.get(role)
    return f"\x1b[{code}m{text}\x1b[0m" if code else text


def paint() -> Paint:
    """A function of a role (a pod's name, "title") and a text. NO_COLOR in
    the environment turns colour off (no-color.org)."""
    wanted = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return _colour if wanted and os.environ.get("TERM") != "dumb" else plain
