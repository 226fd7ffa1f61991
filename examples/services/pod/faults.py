# SPDX-License-Identifier: MIT
"""Faults that can be switched on, to see what a balancer does about them."""
from __future__ import annotations

import math
import random
import threading
from typing import Any

KINDS = ("none", "slow", "error", "hang")


class BadFault(ValueError):
    """A fault was asked for that does not exist."""


def _number(value: Any, name: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadFault(f"{name} is no number")
    if not (math.isfinite(value) and low <= value <= high):
        raise BadFault(f"{name} is not within {low:g}..{high:g}")
    return value


def parse(body: Any) -> dict[str, Any]:
    """Check a fault as POST /fault gives it, with defaults filled in."""
    if not isinstance(body, dict) or body.get("kind") not in KINDS:
        raise BadFault("kind is none of " + ", ".join(KINDS))
    fault = {"kind": body["kind"]}
    if fault["kind"] == "slow":
        fault["factor"] = _number(body.get("factor", 10), "factor", 0, 1000)
    elif fault["kind"] == "error":
        status = _number(body.get("status", 500), "status", 400, 599)
        if status != int(status):
            raise BadFault("status is no whole number")
        fault["status"] = int(status)
        fault["share"] = _number(body.get("share", 1.0), "share", 0, 1)
    unknown = set(body) - set(fault)
    if unknown:
        raise BadFault("unknown: " + ", ".join(sorted(unknown)))
    return fault


class Faults:
    """The fault of this pod, if any: at most one at a time."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._fault: dict[str, Any] = {"kind": "none"}
        self._changed = threading.Condition()

    def set(self, fault: dict[str, Any]) -> None:
        """Switch to `fault`, as parse() returns it."""
        with self._changed:
            self._fault = fault
            self._changed.notify_all()

    def get(self) -> dict[str, Any]:
        return dict(self._fault)

    def slow_factor(self) -> float:
        """What the work's time is multiplied with."""
        fault = self._fault
        return fault["factor"] if fault["kind"] == "slow" else 1.0

    def error_status(self) -> int | None:
        """The status to answer this request with at once, or None."""
        fault = self._fault
        if fault["kind"] == "error" and self._rng.random() < fault["share"]:
            return fault["status"]
        return None

    def hang(self) -> None:
        """Stay here while the fault is "hang", draining or not: a hung
        request is what the grace time has an end for."""
        with self._changed:
            while self._fault["kind"] == "hang":
                self._changed.wait()
