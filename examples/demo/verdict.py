# SPDX-License-Identifier: MIT
"""Did the promise hold? And could this machine tell?"""
from __future__ import annotations

import dataclasses

from .measure import Run, Summary, summarize
from .scenario import ERROR_POD, SLOW_POD

BAD_SHARE_MAX = 0.02  # of the payments, to each bad pod
FAILURES_MAX = 0.005  # under libilb, of all requests
RIVAL_FAILURES_MIN = 0.10  # under round robin; fewer, and nothing was tested
# A generator that is this late does not keep to its own schedule any more,
# and pods on the same processors do not keep to theirs.
LAG_MAX_S = 0.050


@dataclasses.dataclass(frozen=True)
class Check:
    """One condition. fair: it is about the measurement, not the promise."""

    what: str
    figure: str
    ok: bool
    fair: bool = False

    def line(self) -> str:
        return f"  {'ok    ' if self.ok else 'BROKEN'}  " \
               f"{self.what:<56}{self.figure:>14}"


@dataclasses.dataclass(frozen=True)
class Verdict:
    checks: tuple[Check, ...]
    figures: str  # for the last line

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)

    def lines(self) -> list[str]:
        """Every condition, and whether it held."""
        return ["The promise", *(check.line() for check in self.checks)]

    def last_line(self) -> str:
        """The demo's last line. Nothing is blamed on the library if the
        machine could not measure."""
        if self.ok:
            return f"demo: ok  {self.figures}"
        bad = [check for check in self.checks if not check.ok]
        unfair = [check for check in bad if check.fair]
        what = "; ".join(f"{check.what}: {check.figure}"
                         for check in unfair or bad)
        if unfair:
            what = ("no fair measurement, the machine was too busy; try "
                    f"again when it is idle, or with a lower --rps: {what}")
        return f"demo: FAILED  {what}  ({self.figures})"


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


# Comparisons are written so that NaN, of a run without requests, breaks them.

def _promises(libilb: Summary, rival: Summary) -> list[Check]:
    slow, error = libilb.bad_share(SLOW_POD), libilb.bad_share(ERROR_POD)
    return [
        Check("10x slow pod: under 2 % of the payments, after 1 s",
              _percent(slow), slow < BAD_SHARE_MAX),
        Check("pod of 500s: under 2 % of the payments, after 1 s",
              _percent(error), error < BAD_SHARE_MAX),
        Check("under 0.5 % of all requests fail", _percent(libilb.failures),
              libilb.failures < FAILURES_MAX),
        Check("under round robin over 10 % of the same fail",
              _percent(rival.failures),
              rival.failures > RIVAL_FAILURES_MIN)]


def _fairness(libilb: Summary, rival: Summary) -> list[Check]:
    late_s = [libilb.lag_p99_s, rival.lag_p99_s]
    missing = libilb.missing + rival.missing
    return [
        Check(f"requests leave at most {1000 * LAG_MAX_S:.0f} ms late "
              "(P99, each run)",
              " ".join(f"{1000 * x:.1f}" for x in late_s) + " ms",
              all(x < LAG_MAX_S for x in late_s), fair=True),
        Check("requests that were planned and are not in the records",
              str(missing), missing == 0, fair=True)]


def judge(libilb: Run, rival: Run) -> Verdict:
    ours, theirs = summarize(libilb), summarize(rival)
    figures = (
        f"slow pod {_percent(ours.bad_share(SLOW_POD))}, "
        f"500 pod {_percent(ours.bad_share(ERROR_POD))}, "
        f"failed {_percent(ours.failures)} "
        f"(round robin {_percent(theirs.failures)}), "
        f"P99 {1000 * ours.p99_s:.0f} ms "
        f"(round robin {1000 * theirs.p99_s:.0f} ms)")
    return Verdict((*_promises(ours, theirs), *_fairness(ours, theirs)),
                   figures)
