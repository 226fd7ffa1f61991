# SPDX-License-Identifier: MIT
"""How long an HTTP answer asks its endpoint to be left alone.

Dates are read here, and not by `email.utils` or `datetime`: the one takes
`socket` along, and the other's C part brings interpreters of one process down
that import it at once (CPython 3.12 and 3.13).
"""

from __future__ import annotations

import re
import time

#: What the library takes, in seconds: 31 years.
_MAX = 1e9

_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
           "Oct", "Nov", "Dec")
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = "(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"

#: The three forms of RFC 9110, 5.6.7: with all digits of the year, with two of
#: them, and as asctime writes it.
_DATES = tuple(re.compile(form) for form in (
    rf"[A-Z][a-z]{{2}}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) "
    rf"{_TIME} GMT",
    rf"[A-Z][a-z]+, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) "
    rf"{_TIME} GMT",
    rf"[A-Z][a-z]{{2}} {_MONTH} (?P<day>[ 0-9][0-9]) {_TIME} "
    r"(?P<year>[0-9]{4})",
))


def _days_since_1970(year: int, month: int, day: int) -> int:
    """Return the days from 1970 to a date; ValueError if there is none such."""
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not 1 <= day <= _DAYS[month - 1] + (leap and month == 2):
        raise ValueError("no such day")
    past = year - 1
    leap_days = past // 4 - past // 100 + past // 400 - 477  # up to 1969
    return (365 * (year - 1970) + leap_days + sum(_DAYS[:month - 1])
            + (leap and month > 2) + day - 1)


def _timestamp(text: str) -> int:
    """Return an HTTP date in seconds since 1970; ValueError if it is none."""
    found = next(filter(None, (form.fullmatch(text) for form in _DATES)), None)
    if found is None:
        raise ValueError("no date")
    year, hour, minute, second = (
        int(found[name]) for name in ("year", "hour", "minute", "second")
    )
    if len(found["year"]) == 2:
        year += 1900 if year >= 69 else 2000  # as POSIX
    if hour > 23 or minute > 59 or second > 60:
        raise ValueError("no such time")
    days = _days_since_1970(
        year, _MONTHS.index(found["month"]) + 1, int(found["day"])
    )
    return ((days * 24 + hour) * 60 + minute) * 60 + second


def retry_after_seconds(value: str | None, date: str | None = None) -> float:
    """Return for how many seconds an answer asks to be left alone.

    `value` is its Retry-After header: seconds, or an HTTP date. A date is
    counted from `date`, the answer's Date header, so that clocks that differ
    do no harm; without one, from the time here. 0.0 if there is no such
    header, it is in the past or cannot be understood; 1e9 at most.
    """
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), _MAX)
    try:
        until = _timestamp(text)
    except ValueError:
        return 0.0
    try:
        since: float = _timestamp((date or "").strip())
    except ValueError:
        since = time.time()
    return min(max(float(until - since), 0.0), _MAX)
