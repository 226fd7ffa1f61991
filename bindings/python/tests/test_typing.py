# SPDX-License-Identifier: MIT
"""The stubs say what the extension does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")
pytest.importorskip("requests")

USE = '''
import ilb
import ilb.requests

lb = ilb.Balancer("billing", ["a:1", ("b:2", 3), ilb.Endpoint("c:3")])
with lb.pick(exclude=()) as endpoint:
    reveal_type(endpoint.port)
    endpoint.done(ilb.Outcome.FAILURE)
endpoint.done("sucess")
lb.set_readiness("a:1", "up")
ilb.Balancer("billing", policy="best")
for stats in lb.snapshot():
    reveal_type(stats.done)
ilb.Balancer("billing", on_event=ilb.log_event)
if lb.pick(explain=True).explanation.chosen_by == "cost":
    reveal_type(lb.events(after=3)[0].detector)
ilb.Balancer("billing", detectors_off=["latency", "slow"])
ilb.Balancer("billing", fail_mode="closed", detectors_shadow={"hang"},
             min_endpoints=2, slow_start=30, check_effect="unejects")
lb.report_check("a:1", passed="yes")
lb.probe_next().overload(retry_after=ilb.retry_after_seconds("3"))
reveal_type(lb.probe_due_ns)
reveal_type(lb.snapshot()[0].ejected_by)
http = ilb.requests.Session({"http://billing": lb, "http://user": ["a:1"]})
reveal_type(http.get("http://billing/").status_code)
'''


def mypy(*args: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *args], cwd=cwd, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    return done.stdout


@pytest.mark.slow
def test_stubtest_finds_no_difference(tmp_path: Path) -> None:
    said = mypy("mypy.stubtest", "ilb._ilb", cwd=tmp_path)
    assert "Success: no issues found" in said, said


@pytest.mark.slow
def test_users_are_told_of_their_mistakes(tmp_path: Path) -> None:
    (tmp_path / "use.py").write_text(USE)
    said = mypy("mypy", "--strict", "use.py", cwd=tmp_path)
    errors = [line for line in said.splitlines() if ": error:" in line]
    assert [int(e.split(":")[1]) for e in errors] == [
        9, 10, 11, 15, 17, 20,
    ], said
    assert 'Revealed type is "int | None"' in said or \
        'Revealed type is "Union[builtins.int, None]"' in said
