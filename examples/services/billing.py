# SPDX-License-Identifier: MIT
"""Billing: takes payments, shows invoices.

Pods keep no data: an invoice follows from its id, so that any pod can answer
for it, as pods in front of one database could.
"""
from __future__ import annotations

import math
import re
import uuid
import zlib
from typing import Any

from flask import Flask, abort
from pod.app import body_object, make_app

MAX_AMOUNT = 1_000_000_000
_CURRENCY = re.compile(r"[A-Z]{3}\Z")
_INVOICE = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


def is_amount(value: Any) -> bool:
    """A positive number; json reads NaN and Infinity too, so those as well
    as true (an int to Python) have to be refused by hand."""
    return (isinstance(value, (int, float)) and not isinstance(value, bool)
            and math.isfinite(value) and 0 < value <= MAX_AMOUNT)


def is_currency(value: Any) -> bool:
    return isinstance(value, str) and bool(_CURRENCY.match(value))


def create_app() -> Flask:
    app, pod = make_app(__name__)

    @app.post("/pay")
    def pay() -> Any:
        body_object(amount=is_amount, currency=is_currency)
        pod.work(0.050, 1.5)
        return {"id": "pay-" + uuid.uuid4().hex, "status": "paid",
                "pod": pod.settings.name}

    @app.get("/invoices/<invoice>")
    def read_invoice(invoice: str) -> Any:
        if not _INVOICE.match(invoice):
            abort(400, "the invoice's id is not valid")
        pod.work(0.020, 0.020)
        cents = zlib.crc32(invoice.encode()) % 100_000 + 1
        return {"id": invoice, "amount": cents / 100, "currency": "EUR",
                "pod": pod.settings.name}

    return app
