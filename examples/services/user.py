# SPDX-License-Identifier: MIT
"""User: reads and creates users. Pods keep no data, see billing.py."""
from __future__ import annotations

import re
import uuid
from typing import Any

from flask import Flask, abort
from pod.app import body_object, make_app

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_MAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}\Z")


def is_name(value: Any) -> bool:
    return (isinstance(value, str) and value.strip() != ""
            and len(value) <= 200 and value.isprintable())


def is_mail(value: Any) -> bool:
    return isinstance(value, str) and bool(_MAIL.match(value))


def create_app() -> Flask:
    app, pod = make_app(__name__)

    @app.get("/users/<user>")
    def read_user(user: str) -> Any:
        if not _ID.match(user):
            abort(400, "the user's id is not valid")
        pod.work(0.020, 0.060)
        return {"id": user, "name": f"User {user}", "pod": pod.settings.name}

    @app.post("/users")
    def create_user() -> Any:
        body = body_object(name=is_name, email=is_mail)
        pod.work(0.050, 0.200)
        return {"id": "user-" + uuid.uuid4().hex, "name": body["name"],
                "email": body["email"], "pod": pod.settings.name}, 201

    return app
