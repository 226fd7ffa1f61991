# SPDX-License-Identifier: MIT
"""The package as a stranger gets it: the sdist, alone, in an empty place."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent
README = PACKAGE / "README.md"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (PACKAGE / "setup.py").exists(), reason="the sources are not here"
    ),
]


def snippets() -> list[str]:
    """The Python snippets of README.md that are whole programs."""
    return re.findall(
        r"<!-- run -->\n```python\n(.*?)```", README.read_text(), re.S
    )


def run(*command: object, cwd: Path, **env: str) -> str:
    plain = {k: v for k, v in os.environ.items()
             if not k.startswith(("PYTHON", "ILB_"))}
    done = subprocess.run(
        [str(c) for c in command], cwd=cwd, env={**plain, **env}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, built of a copy: the sources stay clean."""
    place = tmp_path_factory.mktemp("sdist")
    copy = place / "copy"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns(
        "build", "dist", "*.egg-info", "__pycache__", ".*"))
    run(sys.executable, "-c",
        "import setuptools.build_meta as b; print(b.build_sdist('dist'))",
        cwd=copy)
    (path,) = (copy / "dist").iterdir()
    return path


@pytest.fixture(scope="module")
def empty_python(
    sdist: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The Python of an empty environment with only the sdist put in.

    What builds it (setuptools) and what `ilb.requests` needs come from the
    environment of the tests, so that no network is needed.
    """
    place = tmp_path_factory.mktemp("empty")
    venv.create(place / "venv", with_pip=True)
    python = place / "venv" / "bin" / "python"
    tools = os.pathsep.join(p for p in sys.path if p.endswith("-packages"))
    run(python, "-m", "pip", "install", "--no-build-isolation", "--no-deps",
        "--no-index", "--no-cache-dir", sdist, cwd=place, PYTHONPATH=tools)
    yield python


def test_the_sdist_has_all_that_it_takes(sdist: Path) -> None:
    with tarfile.open(sdist) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    for path in [*PACKAGE.glob("src/_ilb/*"), *PACKAGE.glob("src/ilb/*.py*"),
                 *PACKAGE.glob("vendor/*"), *PACKAGE.glob("tests/*.py"),
                 README, PACKAGE / "LICENSE", PACKAGE / "setup.py"]:
        name = str(path.relative_to(PACKAGE))
        assert name in names or path.suffix == ".pyc", name
    assert not [n for n in names if n.endswith((".so", ".o", ".pyc"))]


def test_it_installs_alone_and_the_readme_runs(
    empty_python: Path, tmp_path: Path
) -> None:
    where = run(empty_python, "-c", "import ilb; print(ilb.__file__)",
                cwd=tmp_path)
    assert str(empty_python.parent.parent) in where
    programs = snippets()
    assert len(programs) >= 2
    for text in programs:
        (tmp_path / "snippet.py").write_text(text)
        if "ilb.requests" in text:
            pytest.importorskip("requests")
            import requests

            packages = str(Path(requests.__file__).parent.parent)
            run(empty_python, "-W", "error", "-c",
                "import sys, ilb; sys.path.append(sys.argv[1]); "
                "exec(open('snippet.py').read())", packages, cwd=tmp_path)
        else:
            run(empty_python, "-W", "error", "snippet.py", cwd=tmp_path)


def test_what_is_installed_is_what_should_be(empty_python: Path) -> None:
    (package,) = empty_python.parent.parent.glob("lib/python*/*/ilb")
    names = {p.name.partition(".")[0] + "".join(p.suffixes[-1:])
             for p in package.iterdir() if p.name != "__pycache__"}
    assert {"__init__.py", "_ilb.pyi", "py.typed", "requests.py",
            "_ilb.so"} <= names
    (info,) = package.parent.glob("libilb-*.dist-info")
    metadata = (info / "METADATA").read_text()
    assert "License-Expression: MIT" in metadata
    assert "Requires-Dist: requests" in metadata
    assert list(info.rglob("LICENSE"))
