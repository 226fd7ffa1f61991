# SPDX-License-Identifier: MIT
"""How long an HTTP answer asks its endpoint to be left alone."""

from __future__ import annotations

import re
import time
from datetime import timezone

#: What the library takes, in seconds: 31 years.
_MAX = 1e9

_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")


def _timestamp(text: str) -> float:
    """Return an HTTP date in seconds since 1970; ValueError if it is none."""
    # Not above: it takes `socket` along, which few who balance need from us.
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, IndexError, OverflowError) as exc:
        raise ValueError(f"not a date: {text!r}") from exc
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return moment.timestamp()


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
    if not text:
        return 0.0
    try:
        until = _timestamp(text)
    except ValueError:
        return 0.0
    try:
        since = _timestamp(date) if date else time.time()
    except ValueError:
        since = time.time()
    return min(max(until - since, 0.0), _MAX)
