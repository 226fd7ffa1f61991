# SPDX-License-Identifier: MIT
"""The Flask application of a pod: probes, faults, and the way in and out."""
from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, Response, abort, g, jsonify, request
from werkzeug.exceptions import HTTPException
from werkzeug.wsgi import ClosingIterator

from . import faults, health
from .lifecycle import Lifecycle
from .settings import Settings
from .work import Overloaded, Work

MAX_BODY_BYTES = 64 * 1024
# Endpoints that are about the pod and not its business: no fault touches
# them, and they tell nothing of whether requests succeed.
ASIDE = {"healthz", "readyz", "fault", "static"}


class Pod:
    """The parts of one pod, for its views and for gunicorn's hooks."""

    def __init__(self, settings: Settings) -> None:
        rng = random.Random(settings.seed or None)
        self.settings = settings
        self.lifecycle = Lifecycle()
        self.faults = faults.Faults(rng)
        self.recent = health.RecentOutcomes(
            settings.ready_window_s, settings.ready_min, settings.ready_share)
        self._work = Work(settings.threads, settings.queue, settings.scale,
                          settings.cold_s, rng)
        self.readiness = health.Readiness()
        self.readiness.add("draining", self.lifecycle.check)
        self.readiness.add(
            "start-up", health.StartUpGate(settings.warmup_s).check)
        self.readiness.add("recent-requests", self.recent.check)
        for name, host, port in settings.depends:
            self.readiness.add("dependency " + name, health.Cached(
                health.accepts_connections(host, port), ttl_s=1.0))

    def work(self, low_s: float, high_s: float) -> None:
        """Do a piece of work (seconds at scale 1), as faults would have it."""
        with self._work.admitted():
            self.faults.hang()
            self._work.do(low_s, high_s, self.faults.slow_factor())


class Envelope:
    """Around the application: counts requests in flight, names the pod in
    each answer, and closes connections while the pod drains."""

    def __init__(self, inner: Callable, pod: Pod) -> None:
        self._inner = inner
        self._pod = pod

    def __call__(self, environ: dict, start_response: Callable) -> Iterable:
        lifecycle = self._pod.lifecycle

        def start(status: str, headers: list, exc_info: Any = None) -> Any:
            if lifecycle.draining:
                close_connection(start_response)
            headers = [*headers, ("X-Pod", self._pod.settings.name)]
            if exc_info is None:
                return start_response(status, headers)
            return start_response(status, headers, exc_info)

        lifecycle.begin()
        try:
            return ClosingIterator(self._inner(environ, start), lifecycle.end)
        except BaseException:
            lifecycle.end()
            raise


def close_connection(start_response: Callable) -> None:
    """Have the server send `Connection: close` and do so.

    An application may not set that header itself (PEP 3333), and gunicorn
    had decided before it called us; its response object can still be told.
    Under another server this does nothing.
    """
    response = getattr(start_response, "__self__", None)
    force_close = getattr(response, "force_close", None)
    if force_close is not None:
        force_close()


def make_app(import_name: str) -> tuple[Flask, Pod]:
    """An application with everything but the service's own routes."""
    pod = Pod(Settings.from_environment(os.environ))
    app = Flask(import_name, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.extensions["pod"] = pod
    app.wsgi_app = Envelope(app.wsgi_app, pod)  # type: ignore[method-assign]
    _add_probes(app, pod)
    _add_errors(app)
    if pod.settings.faults:
        _add_faults(app, pod)
    _watch_outcomes(app, pod)
    return app, pod


def _add_probes(app: Flask, pod: Pod) -> None:
    @app.get("/healthz")
    def healthz() -> Any:
        return {"alive": True}, 200, {"Cache-Control": "no-store"}

    @app.get("/readyz")
    def readyz() -> Any:
        ready, report = pod.readiness.report()
        report["pod"] = pod.settings.name
        report["in_flight"] = pod.lifecycle.in_flight
        return report, 200 if ready else 503, {"Cache-Control": "no-store"}


def _add_faults(app: Flask, pod: Pod) -> None:
    @app.route("/fault", methods=["GET", "POST"])
    def fault() -> Any:
        if request.method == "POST":
            try:
                wanted = faults.parse(request.get_json())
            except faults.BadFault as error:
                abort(400, str(error))
            pod.faults.set(wanted)
        return pod.faults.get()

    @app.before_request
    def fail_at_once() -> Any:
        if not _is_business():
            return None
        status = pod.faults.error_status()
        if status is None:
            return None
        return {"error": "a fault is switched on"}, status


def _add_errors(app: Flask) -> None:
    @app.errorhandler(HTTPException)
    def as_json(error: HTTPException) -> Response:
        answer = jsonify(error=error.description or error.name)
        answer.status_code = error.code or 500
        for name, value in error.get_headers():
            if name.lower() not in ("content-type", "content-length"):
                answer.headers[name] = value
        return answer

    @app.errorhandler(Overloaded)
    def overloaded(_error: Overloaded) -> Any:
        g.shed = True
        return {"error": "overloaded"}, 503, {"Retry-After": "1"}


def _watch_outcomes(app: Flask, pod: Pod) -> None:
    @app.after_request
    def record(response: Response) -> Response:
        # A request that was shed does not count: were overload to make a pod
        # not ready, its share would go to its peers and overload them next.
        if _is_business() and not g.get("shed", False):
            pod.recent.record(success=response.status_code < 500)
        return response


def _is_business() -> bool:
    return request.url_rule is not None and request.endpoint not in ASIDE


def body_object(**fields: Callable[[Any], bool]) -> dict[str, Any]:
    """The request's JSON object, with each field tested; else 400/415.

    Fields that are not named are refused, so that a typing error in an
    optional one cannot pass unseen.
    """
    body = request.get_json()
    if not isinstance(body, dict):
        abort(400, "the body is no JSON object")
    for name, valid in fields.items():
        if name not in body:
            abort(400, f"{name} is missing")
        if not valid(body[name]):
            abort(400, f"{name} is not valid")
    unknown = set(body) - set(fields)
    if unknown:
        abort(400, "unknown: " + ", ".join(sorted(unknown)))
    return body
