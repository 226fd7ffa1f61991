# SPDX-License-Identifier: MIT
"""Notification: takes messages to send. Pods keep no data, see billing.py."""
from __future__ import annotations

import re
import uuid
from typing import Any

from flask import Flask, abort
from pod.app import body_object, make_app

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
MAX_MESSAGE_CHARACTERS = 2000


def is_user(value: Any) -> bool:
    return isinstance(value, str) and bool(_ID.match(value))


def is_message(value: Any) -> bool:
    return (isinstance(value, str)
            and 0 < len(value) <= MAX_MESSAGE_CHARACTERS)


def create_app() -> Flask:
    app, pod = make_app(__name__)

    @app.post("/notify")
    def notify() -> Any:
        body = body_object(user=is_user, message=is_message)
        pod.work(0.030, 0.150)
        # 202: taken, to be sent later.
        return {"id": "note-" + uuid.uuid4().hex, "user": body["user"],
                "status": "queued", "pod": pod.settings.name}, 202

    @app.get("/notifications/<notification>")
    def read_notification(notification: str) -> Any:
        if not _ID.match(notification):
            abort(400, "the notification's id is not valid")
        pod.work(0.020, 0.020)
        return {"id": notification, "status": "sent",
                "pod": pod.settings.name}

    return app
