# SPDX-License-Identifier: MIT
"""What several test files share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

#: What the environment could tell `requests`, and must not in these tests.
MEDDLING = (
    "ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE",
)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in MEDDLING:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def run_python() -> Iterator[Callable[..., str]]:
    """A function that runs a script in a Python of its own: its output."""

    def run(script: str, *options: str, **env: str) -> str:
        done = subprocess.run(
            [sys.executable, *options, "-c", script],
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    yield run
