# SPDX-License-Identifier: MIT
"""vendor/ is the library as it stands in the repository."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent
AMALGAMATE = PACKAGE.parent.parent / "build-aux" / "amalgamate.py"


@pytest.mark.skipif(
    not AMALGAMATE.exists(),
    reason="the repository is not around: this is the sdist alone",
)
def test_vendor_matches_the_library(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-B", AMALGAMATE, "--pair-only", tmp_path], check=True
    )
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_bytes()
            for path in (PACKAGE / "vendor").iterdir()}
    assert sorted(made) == sorted(kept) == ["ilb.c", "ilb.h"]
    for name in made:
        assert made[name] == kept[name], f"vendor/{name} is old: make vendor"


@pytest.mark.skipif(
    not AMALGAMATE.exists(),
    reason="the repository is not around: this is the sdist alone",
)
def test_the_licence_is_the_librarys() -> None:
    theirs = PACKAGE.parent.parent / "LICENSE"
    assert (PACKAGE / "LICENSE").read_text() == theirs.read_text()
