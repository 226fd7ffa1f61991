# SPDX-License-Identifier: MIT
"""The experiments behind the defaults: each default that is a choice has one,
each fits the sources, and what is built for one is the engine with that change.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
PROGRAM = os.environ.get("ILB_SIM", str(TOP / "build/tests/sim/ilb-sim"))
SCENARIO, CHANGE = "third-hangs", "two candidates, never more"

sys.path.insert(0, str(HERE))
import ablation  # noqa: E402
import ablation_build  # noqa: E402
import ablation_table  # noqa: E402


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a copy of the sources, to change."""
    shutil.copytree(TOP / "libilb", tmp_path / "libilb")
    (tmp_path / "include").mkdir()
    shutil.copy(TOP / "include/ilb.h", tmp_path / "include")
    return tmp_path


def replace(path: Path, old: str, new: str) -> None:
    """Replace the one place in a file."""
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def read(path: Path, text: str) -> ablation_table.Table:
    """Read a table from text."""
    path.write_text(text)
    return ablation_table.read_table(path)


# ---- The table ----------------------------------------------------------------


def test_every_default_has_an_experiment() -> None:
    """No default is left out, none is in the table that is gone, and each
    change does change something."""
    assert ablation_table.check(ablation_table.read_table(), TOP) == []


@pytest.mark.parametrize("file, old, new, complaint", [
    # A new default without an experiment; one of more than one line.
    ("libilb/select/score.c", "#define SCORE_NOISE 2.0f",
     "#define SCORE_NOISE 2.0f\n#define SCORE_NEW \\\n    7", "SCORE_NEW of libilb/select/score.c"),
    ("libilb/health/ladder.c", "#define LADDER_RATE_ANY",
     "static const int ladder_new[] = {1};\n#define LADDER_RATE_ANY", "ladder_new of libilb/"),
    ("include/ilb.h", "} ilb_options;", "    uint32_t new_one; /**< 0: 7; */\n} ilb_options;",
     "new_one of ilb_options"),
    # What an experiment changes is gone, there twice, or as the experiment has it.
    ("libilb/select/score.c", "#define SCORE_NOISE ", "#define SCORE_NOISY ",
     "#define SCORE_NOISE is 0 times in libilb/select/score.c"),
    ("libilb/select/score.c", "#define SCORE_NOISE 2.0f",
     "#define SCORE_NOISE 2.0f\n#define SCORE_NOISE 2.0f", "#define SCORE_NOISE is 2 times"),
    ("libilb/select/policy.c", "POLICY_CANDIDATES_MAX 16", "POLICY_CANDIDATES_MAX (2) /* few */",
     "POLICY_CANDIDATES_MAX = 2 is so already"),
    ("libilb/health/health.c", "h.good < 4 ?", "h.good < 5 ?", "is 0 times in libilb/health/"),
    ("include/ilb.h", "    uint64_t slow_start_ns;", "    uint64_t slow_begin_ns;",
     "no option slow_start_ns"),
    # What needs none is gone.
    ("libilb/set/order.c", "#define ORDER_FEW ", "#define ORDER_SHORT ", "no ORDER_FEW in set/"),
])
def test_table_that_does_not_fit(tree: Path, file: str, old: str, new: str,
                                 complaint: str) -> None:
    """A change of the sources that the table does not know is found."""
    replace(tree / file, old, new)
    errors = ablation_table.check(ablation_table.read_table(), tree)
    assert any(complaint in error for error in errors), errors


@pytest.mark.parametrize("text, complaint", [
    ("a name alone", "line 1: 'a name alone' is not"),
    ("x | select/score.c SCORE_NOISE", "is not 'FILE NAME VALUE'"),
    ("x | text select/score.c: a = b", "is not 'text FILE: OLD => NEW'"),
    ("x | -", "'x' changes nothing"),
    ("x | - | ilb-plian", "no policy 'ilb-plian'; one of ilb, ilb-plain, ilb-unjudged"),
    ("x | - | ilb-plain\nx | - | ilb-plain", "line 2: another 'x'"),
    ("  x | - | ilb-plain", "line 1: it goes on from nothing"),
    ("not a choice | select/score.c | y", "'select/score.c' is not 'FILE NAME...'"),
    ("not a choice | select/score.c SCORE_NOISE", "no reason"),
])
def test_bad_table(tmp_path: Path, text: str, complaint: str) -> None:
    """A line that cannot be read is an error."""
    with pytest.raises(ablation_table.TableError, match="line") as error:
        read(tmp_path / "table.txt", text + "\n")
    assert complaint in str(error.value)


def test_excused_and_changed(tmp_path: Path) -> None:
    """What is said to need no experiment has none."""
    table = read(tmp_path / "table.txt", "x | select/score.c SCORE_NOISE 1.0f\n"
                 "not a choice | select/score.c SCORE_NOISE | why\n")
    assert any("SCORE_NOISE is not a choice, but line 1" in error
               for error in ablation_table.check(table, TOP))


def test_changes_are_made(tmp_path: Path) -> None:
    """Only the value is replaced, and only the file that is named."""
    table = read(tmp_path / "table.txt", "x | health/health.c HEALTH_GOOD_TO_HEALTHY 5;\n"
                 "    text health/health.c: h.good < 4 ? h.good + 1 : 8 => 1\n")
    before = ablation_table.read_sources(TOP)
    after = ablation_table.changed(before, table.experiments[0], [])
    assert [x for x in before if before[x] != after[x]] == ["health/health.c"]
    assert "#define HEALTH_GOOD_TO_HEALTHY 5\n" in after["health/health.c"]
    assert "    return 1;\n" in after["health/health.c"]
    assert len(after["health/health.c"].splitlines()) == len(
        before["health/health.c"].splitlines())


# ---- What is worse ------------------------------------------------------------


@pytest.mark.parametrize("figure, before, after, is_worse", [
    ("failures/100k", 1, 4, False), ("failures/100k", 1, 4.1, True),
    ("failures/100k", 100, 129, False), ("failures/100k", 100, 131, True),
    ("p99 ms", 10, 11, False), ("p99.9 ms", 10, 11.3, True), ("p99 ms", 11.3, 10, False),
    ("p99 ms", 10, float("inf"), True), ("p99 ms", float("inf"), float("inf"), False),
    ("regained %", 130, 86, False), ("regained %", 100, 84, True), ("regained %", 50, 0, True),
])
def test_worse(figure: str, before: float, after: float, is_worse: bool) -> None:
    """What nobody would notice is not reported."""
    assert (ablation.much_worse(figure, before, after) > 0) == is_worse


def test_verdict_is_read() -> None:
    """A figure that is not there is the worst that there can be."""
    head = ("| scenario | figure | ilb | worst | best | rival | oracle | ratio | verdict "
            "| compared |\n")
    cells = ablation.read_verdict(
        head + "| --- | --- | --: | --: | --: | --- | --: | --: | --- | --- |\n"
        "| a | p99 ms | - | - | 3 | envoy | 1 | - | short | 1 of 1 |\n"
        "| a | regained % | - | - | 3 | envoy | 1 | - | short | 1 of 1 |\n"
        "| a | failures/100k | 4.5 | 5 | 3 | envoy | 1 | 1.5 | better | 1 of 1 |\n")
    assert [cell.value for cell in cells.values()] == [float("inf"), 0, 4.5]
    assert ablation.count(cells, "short") == 2 and ablation.count(cells, "better") == 1
    with pytest.raises(ablation_build.BuildError):
        ablation.read_verdict(head)


# ---- A variant ----------------------------------------------------------------


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the results of these tests are kept."""
    return tmp_path_factory.mktemp("ablation")


@pytest.fixture(scope="module")
def rivals(work: Path) -> Path:
    """Return runs of the engine and two rivals, by the build's ilb-sim, with
    more seeds than are needed."""
    path = work / "rivals.csv"
    subprocess.run([PROGRAM, "run", SCENARIO, "--policy", "ilb,envoy,nginx", "--seeds", "3",
                    "--quiet", "--csv", path], check=True,
                   env={**os.environ, "ILB_SIM_SCENARIOS": str(HERE / "scenarios")})
    return path


def hashes(path: Path, policy: str, seeds: int) -> list[str]:
    """Return what stands for all that happened, of some runs."""
    with path.open(newline="") as file:
        return [row["hash"] for row in csv.DictReader(file)
                if row["policy"] == policy and int(row["seed"]) <= seeds]


def run(capfd: pytest.CaptureFixture[str], work: Path, rivals: Path,
        *more: str) -> tuple[int, str, str]:
    """Run the command; return its exit status and what it wrote."""
    status = ablation.main(["--scenarios", SCENARIO, "--seeds", "2", "--jobs", "2", "--work",
                            str(work), "--rivals", str(rivals), *more])
    out, err = capfd.readouterr()
    return status, out, err


def test_experiment(capfd: pytest.CaptureFixture[str], work: Path, rivals: Path) -> None:
    """Two candidates hang where sixteen do not. What was run is not run again,
    and the library as it is gives the figures of the build."""
    status, out, err = run(capfd, work, rivals, "--only", CHANGE)
    assert (status, "1 experiments, 0 failed" in err) == (0, True), err
    assert f"\n{CHANGE}: short " in out and "[POLICY_CANDIDATES_MAX = 2]" in out
    assert f"    worse: {SCENARIO} " in out and "failures/100k: " in out
    kept = {x.name: x.stat().st_mtime_ns for x in (work / "runs").iterdir()}
    assert sorted(x.split("-")[0] for x in kept) == ["unchanged", "variant"]
    unchanged = next(work.glob("runs/unchanged-*.csv"))
    assert hashes(unchanged, "ilb", 2) == hashes(rivals, "ilb", 2) != []
    variant = next(work.glob("runs/variant-*.csv"))
    assert not set(hashes(variant, "ilb", 2)) & set(hashes(unchanged, "ilb", 2))
    assert not list(work.glob("variant-*")), "nothing is left of what was built"

    status, again, err = run(capfd, work, rivals, "--only", CHANGE)
    assert (status, again) == (0, out)
    assert kept == {x.name: x.stat().st_mtime_ns for x in (work / "runs").iterdir()}
    status, out, err = run(capfd, work, rivals, "--only", CHANGE, "--markdown")
    assert status == 0 and f"\n| {CHANGE} | `POLICY_CANDIDATES_MAX` 16 to 2 | " in out
    assert "\n### Choosing\n\n| instead |" in out


def test_policy_and_option(capfd: pytest.CaptureFixture[str], work: Path, rivals: Path) -> None:
    """A policy is an experiment, and so is an option; a policy with a change is
    compared with that policy."""
    status, out, err = run(capfd, work, rivals, "--only", "trials not tried elsewhere",
                           "--only", "at random", "--only", "probes each 30 s, clients")
    assert status == 0, err
    random = re.search(r"^at random: short (\d).*  \[policy = ILB_POLICY_RANDOM\]\n"
                       rf"    worse: {SCENARIO} ", out, re.M)
    plain = re.search(r"^trials not tried elsewhere: short (\d), .*  \[ilb-plain\]$", out, re.M)
    rare = re.search(r"^probes each 30 s, .*: short \d \((\d)\), better \d \(\d\)", out, re.M)
    assert random and plain and rare, out
    assert int(random[1]) >= 2 and rare[1] == plain[1]


@pytest.mark.parametrize("value, complaint", [
    ("(8.0f * 2.0f - 14.0f)", "the compiler makes the same of it"),
    ("nonsense", "nonsense"),
])
def test_variant_that_is_none(work: Path, value: str, complaint: str) -> None:
    """A change that changes nothing, or that does not compile, is an error."""
    builder = ablation_build.Builder(ablation_build.Setting(
        TOP, work, os.environ.get("CC") or "cc", (SCENARIO,), 2, 2))
    change = ablation_table.Change("select/score.c", "SCORE_NOISE", "", value, 1)
    with pytest.raises(ablation_build.BuildError, match=complaint):
        builder.variant(ablation_table.Experiment("x", "", "ilb", (change,), 1))
    assert not list(work.glob("variant-*"))


def test_command_line(capfd: pytest.CaptureFixture[str]) -> None:
    """What is asked for and is not there is an error, before anything is run."""
    assert ablation.main(["--only", "nonsense"]) == 1
    assert "no experiment has 'nonsense' in its name" in capfd.readouterr().err
    assert ablation.main(["--only", CHANGE, "--cc", "no-such-compiler"]) == 1
    assert "no compiler 'no-such-compiler'" in capfd.readouterr().err
    assert ablation.main(["--list", "--only", "CANDIDATES, never"]) == 0
    assert capfd.readouterr().out == f"{CHANGE}\n"
    with pytest.raises(SystemExit):
        ablation.main(["--seeds", "0"])
