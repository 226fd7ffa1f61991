# SPDX-License-Identifier: MIT
"""The extension module itself: twice, in subinterpreters, without the GIL."""

from __future__ import annotations

import importlib
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ilb
from ilb import _ilb

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


@pytest.fixture
def fresh() -> Iterator[Callable[[], Any]]:
    """A function that imports the extension module once more."""
    original = sys.modules["ilb._ilb"]

    def again() -> Any:
        del sys.modules["ilb._ilb"]
        return importlib.import_module("ilb._ilb")

    yield again
    sys.modules["ilb._ilb"] = original
    ilb._ilb = original  # type: ignore[attr-defined]


def test_two_imports_are_two_modules(fresh: Callable[[], Any]) -> None:
    first, second = fresh(), fresh()
    assert len({first.Balancer, second.Balancer, ilb.Balancer}) == 3
    ticket = first.Balancer("billing", ["a:1"]).pick()
    with pytest.raises(TypeError):
        second.Balancer("billing", ["a:1"]).pick(exclude=ticket)
    with pytest.raises(TypeError):
        second.Balancer("billing", clock=first.ManualClock())
    ticket.done(ilb.Outcome.TIMEOUT)
    assert ticket.outcome is ilb.Outcome.TIMEOUT
    with pytest.raises(ilb.EmptyError):  # the classes of errors are shared
        second.Balancer("billing").pick()


def test_a_module_that_is_dropped_leaves_its_objects_usable(
    fresh: Callable[[], Any],
) -> None:
    import gc

    lb = fresh().Balancer("billing", ["a:1"])
    fresh()
    gc.collect()
    with lb.pick() as ticket:
        assert ticket.address == "a:1"
    assert lb.snapshot()[0].done["success"] == 1


SCRIPT = """
import ilb
lb = ilb.Balancer('billing', ['a:1', 'b:2'])
with lb.pick() as t:
    pass
assert t.outcome is ilb.Outcome.SUCCESS
try:
    t.done()
except ilb.TicketError:
    pass
else:
    raise AssertionError
assert sum(s.done['success'] for s in lb.snapshot()) == 1
clock = ilb.ManualClock()
lb = ilb.Balancer('billing', ['a:1'], clock=clock, fail_mode='closed',
                  consecutive_failures=1, detectors_off=['latency'])
lb.pick(cost=2).failure(retry_after=ilb.retry_after_seconds(
    'Wed, 21 Oct 2015 07:28:01 GMT', 'Wed, 21 Oct 2015 07:28:00 GMT'))
for call, error in ((lb.pick, ilb.EjectedError),
                    (lb.probe_next, ilb.NotDueError)):
    try:
        call()
    except error:
        pass
    else:
        raise AssertionError(call)
clock.advance(1000)
lb.probe_next().done()
lb.report_check('a:1', True)
assert lb.snapshot()[0].ejected_by is None
"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="needs Python 3.12")
def test_subinterpreters_with_a_lock_of_their_own(
    run_python: Callable[..., str],
) -> None:
    """Four at once, each with its own module; 3.12 has no public way to one."""
    run_python(f"""
import threading
try:
    from concurrent import interpreters
    def run():
        i = interpreters.create()
        try:
            i.exec({SCRIPT!r})
        finally:
            i.close()
except ImportError:
    try:
        import _interpreters
    except ImportError:
        import _xxsubinterpreters as _interpreters
    def run():
        i = _interpreters.create()
        try:
            failed = _interpreters.run_string(i, {SCRIPT!r})
            assert failed is None, failed
        finally:
            _interpreters.destroy(i)

errors = []
def work():
    try:
        for _ in range(3):
            run()
    except BaseException as exc:
        errors.append(exc)
threads = [threading.Thread(target=work) for _ in range(4)]
for t in threads: t.start()
for t in threads: t.join()
assert not errors, errors
exec({SCRIPT!r})
""")


@pytest.mark.skipif(
    not sysconfig.get_config_var("Py_GIL_DISABLED"),
    reason="not a free-threaded Python",
)
def test_the_gil_stays_off() -> None:
    assert not sys._is_gil_enabled()  # type: ignore[attr-defined]


def test_importing_takes_no_network_modules_along(
    run_python: Callable[..., str],
) -> None:
    run_python("import sys; before = set(sys.modules); import ilb; "
               "assert not (set(sys.modules) - before) & "
               "{'socket', 'ssl', 'asyncio', 'requests', 'urllib3'}")


def test_importing_takes_no_module_along_that_kills_interpreters(
    run_python: Callable[..., str],
) -> None:
    """_datetime of CPython 3.12 and 3.13, imported by several at once."""
    run_python("import sys; before = set(sys.modules); import ilb; "
               "ilb.retry_after_seconds('Wed, 21 Oct 2015 07:28:00 GMT'); "
               "assert not (set(sys.modules) - before) & {'_datetime'}")


def test_versions_agree() -> None:
    from importlib.metadata import version

    assert ilb.__version__ == _ilb.VERSION == version("libilb")
    assert ilb.library_version().split(".")[0] == ilb.__version__.split(".")[0]
    if PYPROJECT.exists():
        assert f'\nversion = "{ilb.__version__}"\n' in PYPROJECT.read_text()


def test_nothing_but_the_init_function_is_exported() -> None:
    """The library inside is this module's own, whatever else is loaded."""
    try:
        text = subprocess.check_output(
            ["nm", "-D", "--defined-only", _ilb.__file__], text=True
        )
    except FileNotFoundError:
        pytest.skip("no nm here")
    names = {line.split()[-1] for line in text.splitlines()}
    assert names - {"_init", "_fini"} == {"PyInit__ilb"}


def test_everything_is_listed() -> None:
    public = {name for name in vars(ilb) if not name.startswith("_")}
    modules = {n for n in public if type(getattr(ilb, n)) is type(sys)}
    assert public - modules == set(ilb.__all__) - {"__version__"}
