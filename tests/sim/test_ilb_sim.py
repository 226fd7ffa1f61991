# SPDX-License-Identifier: MIT
"""ilb-sim as its user sees it: commands, errors, files, signals, and the rules
of its verdict on results made up for them.

ILB_SIM names the program; the default is the build's.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Callable, Iterator, Sequence

import pytest

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
PROGRAM = os.environ.get("ILB_SIM", str(TOP / "build/tests/sim/ilb-sim"))
PATIENCE_S = 60.0  # for a loaded machine or a sanitizer; a good run is quick

sys.path.insert(0, str(HERE))
import sim_plot  # noqa: E402

# Programs that we start inherit it where it is ignored: in a shell's background.
signal.signal(signal.SIGINT, signal.default_int_handler)

COLUMNS = [
    "scenario", "policy", "passive", "seed", "requests", "failed", "timed_out", "cancelled",
    "no_endpoint", "attempts", "to_bad", "hidden", "hidden_timed_out", "probes", "p50_ns",
    "p90_ns", "p99_ns", "p999_ns", "max_ns", "mean_ns", "ejections", "events", "hash",
]

WORLD = """\
about {about}
why it is for tests
duration {duration}
rate {rate}/s
deadline 200ms
service exponential 5ms
servers 4 workers 4
"""
SLOW = "at 1s slow 0 20x\nat 2s heal 0\nmeasure regained share 0 from 2s\n"
REFUSE = "at 1s refuse 0\nmeasure lost failed from 1s\nmeasure regained share 1 from 1s\n"


@pytest.fixture(scope="session")
def scenarios(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with three scenarios; only `endless` is long."""
    directory = tmp_path_factory.mktemp("scenarios")
    short = {"duration": "3s", "rate": 300}
    (directory / "one-slow.sim").write_text(WORLD.format(about="one is slow", **short) + SLOW)
    (directory / "one-refuses.sim").write_text(
        WORLD.format(about="one refuses", **short) + REFUSE)
    endless = WORLD.format(about="takes for ever", duration="3000s", rate=100000)
    (directory / "endless.sim").write_text(endless.replace("workers 4", "workers 0"))
    return directory


@pytest.fixture(autouse=True)
def environment(scenarios: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the program find these scenarios, and this Python for plots."""
    monkeypatch.setenv("ILB_SIM_SCENARIOS", str(scenarios))
    monkeypatch.setenv("ILB_SIM_PYTHON", sys.executable)


def sim(*words: str | Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the program to its end."""
    return subprocess.run([PROGRAM, *map(str, words)], input=stdin, text=True,
                          capture_output=True, timeout=PATIENCE_S)


def good(*words: str | Path, stdin: str | None = None) -> str:
    """Run the program, that must succeed and complain of nothing."""
    done = sim(*words, stdin=stdin)
    # Of a slow machine: it tells how far it is, after ten seconds.
    errors = re.sub(r"^\d+ of \d+ runs, .*\n", "", done.stderr, flags=re.M)
    assert (done.returncode, errors) == (0, "")
    return done.stdout


def rows_of(text: str) -> list[dict[str, str]]:
    """Return the lines of a CSV by column."""
    return list(csv.DictReader(io.StringIO(text)))


# ---- Help, list, show -------------------------------------------------------


def test_help_and_version() -> None:
    """Each command explains itself, in two ways that are the same."""
    text = good("help")
    assert text == good("--help") == good("-h")
    for command in ("list", "show", "run", "verdict"):
        assert f"ilb-sim {command}" in text
        assert good("help", command) == good(command, "--help") == good(command, "-h")
    assert re.fullmatch(r"ilb-sim (\d+\.\d+\.\d+) \(libilb \1\)\n", good("--version"))
    for column in ("failed/100k", "p99.9", "to bad/100k", "ejections", "regained"):
        assert column in good("run", "--help") + good("verdict", "--help")


def test_columns_are_documented() -> None:
    document = HERE.parents[1] / "docs" / "simulator.md"
    if not document.exists():
        pytest.skip("without the documents")
    table = document.read_text().split("With `--csv` a line is one run")[1].split("\n## ")[0]
    named = [name for line in table.splitlines() if line.startswith("| `")
             for name in re.findall(r"`([a-z0-9_]+)`", line.split("|")[1])]
    among = ["p90_ns", "p99_ns"]  # "..."
    assert set(named) | set(among) == set(COLUMNS)


def test_list(scenarios: Path) -> None:
    """It names scenarios, sorted, and policies, libilb first."""
    lines = good("list").splitlines()
    assert lines[0] == f"Scenarios, in {scenarios}:"
    assert [line.split()[0] for line in lines[1:4]] == ["endless", "one-refuses", "one-slow"]
    assert lines[3].split(maxsplit=1)[1] == "one is slow"
    policies = lines[lines.index("Policies:") + 1:]
    assert policies[0].split()[0] == "ilb"
    assert policies[-2].split()[0] == "oracle" and policies[-2].endswith("(not passive)")
    assert all(line.strip() for line in policies), "each has a source"


def test_list_tells_of_broken_files(tmp_path: Path, scenarios: Path,
                                    monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken file does not hide the others, and is an error."""
    (tmp_path / "good.sim").write_text((scenarios / "one-slow.sim").read_text())
    (tmp_path / "broken.sim").write_text("nonsense 5\n")
    monkeypatch.setenv("ILB_SIM_SCENARIOS", str(tmp_path))
    done = sim("list")
    assert done.returncode == 1
    assert "broken.sim:1: " in done.stderr and "  good " in done.stdout


def test_show(scenarios: Path) -> None:
    """It prints the file, found by name or by path."""
    text = (scenarios / "one-slow.sim").read_text()
    assert good("show", "one-slow") == text
    assert good("show", scenarios / "one-slow.sim") == text


def test_build_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a directory in the environment, the scenarios of the sources."""
    monkeypatch.delenv("ILB_SIM_SCENARIOS")
    name = min((HERE / "scenarios").glob("*.sim"))
    assert good("show", name.stem) == name.read_text()
    lines = good("list").splitlines()
    for name in ("second", "third"):
        files = sorted((HERE / "scenarios" / name).glob("*.sim"))
        assert good("show", f"{name}/{files[0].stem}") == files[0].read_text()
        at = lines.index(next(line for line in lines if line.startswith(f"The set {name}, in ")))
        assert [line.split()[0] for line in lines[at + 1:at + 1 + len(files)]] == [
            f"{name}/{path.stem}" for path in files]
        assert lines[at + 1 + len(files)] == ""


# ---- Sets -------------------------------------------------------------------


@pytest.fixture
def sets(tmp_path: Path, scenarios: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the program find two scenarios, two sets of them, and no set."""
    directory = tmp_path / "sets"
    texts = [(scenarios / f"{name}.sim").read_text() for name in ("one-slow", "one-refuses")]
    for number, name in enumerate(["slow", "refuses", "more/a-slow", "more/b-refuses",
                                   "other/with-a-name-that-is-longer-than-most"]):
        file = directory / f"{name}.sim"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(texts[number % 2])
    for name in ("none", ".hidden"):
        (directory / name).mkdir()
    (directory / "none/notes.txt").write_text("no scenario")
    (directory / ".hidden/x.sim").write_text(texts[0])
    monkeypatch.setenv("ILB_SIM_SCENARIOS", str(directory))
    return directory


def scenarios_of(*words: str | Path) -> list[str]:
    """Return which scenarios were run, in order."""
    text = good("run", *words, "--seeds", "1", "--policy", "random", "--csv", "-")
    return [row["scenario"] for row in rows_of(text)]


def test_sets_listed(sets: Path) -> None:
    """Each has a part of its own, with the words by which they are run."""
    lines = good("list").splitlines()
    assert lines[:lines.index("Policies:") - 1] == [
        f"Scenarios, in {sets}:",
        "  refuses                    one refuses",
        "  slow                       one is slow",
        "",
        f"The set more, in {sets}/more:",
        "  more/a-slow                one is slow",
        "  more/b-refuses             one refuses",
        "",
        f"The set other, in {sets}/other:",
        "  other/with-a-name-that-is-longer-than-most one is slow",
    ]
    (sets / "more/b-refuses.sim").write_text("nonsense 5\n")
    done = sim("list")
    assert done.returncode == 1 and "more/b-refuses.sim:1: " in done.stderr
    assert "  more/a-slow " in done.stdout and "  other/with" in done.stdout


def test_sets_run(sets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A set is all of its own, all is what is in none; each is taken once."""
    assert scenarios_of("all") == ["refuses", "slow"]
    assert scenarios_of("more") == ["a-slow", "b-refuses"]
    assert scenarios_of("more/b-refuses") == ["b-refuses"]
    assert scenarios_of("more/b-refuses", "more", "slow", "all") == [
        "b-refuses", "a-slow", "slow", "refuses"]
    assert good("show", "more/a-slow") == (sets / "more/a-slow.sim").read_text()
    # The same file by its path: what ends in .sim or begins with ./ is one.
    monkeypatch.chdir(sets)
    monkeypatch.setenv("ILB_SIM_SCENARIOS", ".")
    assert scenarios_of("more/a-slow.sim") == scenarios_of("./more/a-slow.sim") == ["a-slow"]
    assert "./more/a-slow: No such file" in sim("show", "./more/a-slow").stderr


def test_set_of_a_scenarios_name(sets: Path) -> None:
    """The scenario is meant; and results of one name are refused."""
    (sets / "more.sim").write_text((sets / "slow.sim").read_text())
    assert scenarios_of("more") == ["more"]
    (sets / "other/slow.sim").write_text((sets / "slow.sim").read_text())
    done = sim("run", "slow", "other")
    assert done.returncode == 2 and "two scenarios are called 'slow'" in done.stderr


@pytest.mark.parametrize(("words", "message"), [
    (["show", "more"], "'more' is a set of scenarios; one of them is more/NAME"),
    (["show", "mor"], "no scenario 'mor' in {0}; near it: more"),
    (["run", "a-slow"], "no scenario 'a-slow' in {0}; near it: slow, more/a-slow"),
    (["run", "more/a-slo"], "no scenario 'more/a-slo' in {0}/more; near it: more/a-slow"),
    (["run", "more/x.y"], "no scenario 'more/x.y' in {0}/more; 'ilb-sim list' shows them"),
    (["run", "none"], "no scenario 'none' in {0}; "),
    (["run", ".hidden"], "no scenario '.hidden' in {0}; "),
    (["run", ".."], "no scenario '..' in {0}; "),
])
def test_set_usage_errors(sets: Path, words: list[str], message: str) -> None:
    """Names in sets are told with near ones, like all others."""
    done = sim(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert message.format(sets) in done.stderr


@pytest.mark.parametrize("word", ["none/x", "nowhere/a-slow", "more/", "/more", "more/a/b"])
def test_no_set_is_a_path(sets: Path, word: str) -> None:
    """What has a slash and names no set is a file."""
    done = sim("show", word)
    assert done.returncode == 1 and f"show: {word}: No such file" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_set(sets: Path) -> None:
    """It is told, and hides nothing else."""
    (sets / "more").chmod(0)
    try:
        for words in (["list"], ["run", "more"], ["show", "more/a-slow"]):
            done = sim(*words)
            assert done.returncode == 1 and "more: Permission denied" in done.stderr
        assert "  slow " in sim("list").stdout
    finally:
        (sets / "more").chmod(0o755)


# ---- Errors -----------------------------------------------------------------


@pytest.mark.parametrize(("words", "message"), [
    ([], "ilb-sim: no command\nTry 'ilb-sim --help'.\n"),
    (["rum"], "ilb-sim: no command 'rum'; near it: run"),
    (["--verbose"], "ilb-sim: no command '--verbose'"),
    (["help", "rum"], "ilb-sim: no command 'rum'; near it: run"),
    (["help", "run", "list"], "one command at a time, not 2"),
    (["list", "x"], "ilb-sim list: 'x' is too much"),
    (["list", "--csv", "x"], "ilb-sim list: no option '--csv'"),
    (["show"], "ilb-sim show: one scenario at a time, not 0"),
    (["show", "one-slo"], "no scenario 'one-slo'"),
    (["run"], "ilb-sim run: no scenario; 'ilb-sim list' shows them"),
    (["run", "one-slov"], "no scenario 'one-slov' in "),
    (["run", "one-slov"], "near it: one-slow\nTry 'ilb-sim run --help'.\n"),
    (["run", "refuses"], "near it: one-refuses"),
    (["run", "zzzzzzzzz"], "; 'ilb-sim list' shows them"),
    (["run", ""], "no scenario ''"),
    (["run", "one-slow", "--policy", "rond-robin"], "no policy 'rond-robin'; near it: round-robin"),
    (["run", "one-slow", "--policy", "ilb,"], "--policy 'ilb,': a name is empty"),
    (["run", "one-slow", "--policy", ""], "--policy: its value is empty"),
    (["run", "one-slow", "--policy"], "--policy needs a value"),
    (["run", "one-slow", "--sedes", "3"], "no option '--sedes'; there is --seeds"),
    (["run", "one-slow", "--seeds", "0"], "--seeds needs a number from 1 to 10000000, not '0'"),
    (["run", "one-slow", "--seeds", "-1"], "--seeds needs a number from 1 to 10000000, not '-1'"),
    (["run", "one-slow", "--seeds=1e3"], "not '1e3'"),
    (["run", "one-slow", "--seeds", "18446744073709551617"], "not '18446744073709551617'"),
    (["run", "one-slow", "--first-seed", "18446744073709551615"], "--first-seed needs a number"),
    (["run", "one-slow", "--jobs", "257"], "--jobs needs a number from 1 to 256, not '257'"),
    (["run", "one-slow", "--quiet=yes"], "--quiet takes no value"),
    (["run", "one-slow", "--plot", "x.png"], "its file must end in .svg, not 'x.png'"),
    (["run", "one-slow", "--seeds", "10000000"], "are more than 10000000 runs"),
    (["verdict"], "no file; 'ilb-sim run --csv FILE' makes one"),
    (["verdict", "x.csv", "--mark"], "no option '--mark'; there is --markdown"),
])
def test_usage_errors(words: list[str], message: str) -> None:
    """A wrong command line is told, with a hint, and ends with 2."""
    done = sim(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr and "Try 'ilb-sim" in done.stderr


@pytest.mark.parametrize(("words", "message"), [
    (["run", "./none.sim"], "none.sim"),
    (["show", "./none.sim"], "none.sim: No such file or directory"),
    (["run", "one-slow", "--csv", "/nonexistent/x.csv"], "/nonexistent/x.csv: No such file"),
    (["run", "one-slow", "--csv", "/"], "/: Is a directory"),
    (["run", "one-slow", "--plot", "/nonexistent/x.svg"], "/nonexistent/x.svg: cannot write there"),
    (["verdict", "/nonexistent/x.csv"], "/nonexistent/x.csv: No such file"),
])
def test_files_that_cannot_be_used(words: list[str], message: str) -> None:
    """They are told before anything runs, and end with 1."""
    done = sim(*words)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr


def test_two_scenarios_of_one_name(tmp_path: Path, scenarios: Path) -> None:
    """Results that could not be told apart are refused."""
    other = tmp_path / "one-slow.sim"
    other.write_text((scenarios / "one-slow.sim").read_text())
    done = sim("run", "one-slow", other)
    assert done.returncode == 2 and "two scenarios are called 'one-slow'" in done.stderr


@pytest.mark.parametrize(("words", "policies", "told"), [
    (["one-slow", "one-slow"], "ilb", ["one-slow"]),
    (["one-slow"], "ilb,ilb", ["ilb"]),
    (["one-slow", "one-slow"], "ilb,round-robin,ilb", ["ilb", "one-slow"]),
    (["one-slow", "one-refuses"], "ilb,random", []),
    (["one-slow"], "ilb,passive", []),
    (["one-slow"], "passive,ilb", ["ilb"]),
])
def test_named_twice(words: list[str], policies: str, told: list[str]) -> None:
    """It runs once, and who has named it twice is told; a set may have it."""
    done = sim("run", *words, "--policy", policies, "--seeds", "1", "--csv", "-", "--quiet")
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        f"ilb-sim run: '{name}' is already in the list: it runs once" for name in told]
    runs = [(row["scenario"], row["policy"]) for row in rows_of(done.stdout)]
    assert len(runs) == len(set(runs)) and {name for name, _ in runs} == set(words)


def test_no_scenarios(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty or missing directory is told by its name."""
    monkeypatch.setenv("ILB_SIM_SCENARIOS", str(tmp_path))
    assert f"{tmp_path}: there is no .sim file in it" in sim("run", "all").stderr
    monkeypatch.setenv("ILB_SIM_SCENARIOS", str(tmp_path / "none"))
    done = sim("list")
    assert done.returncode == 1 and "none: No such file" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", [
    ["help"], ["list"], ["show", "one-slow"],
    ["run", "one-slow", "--seeds", "1"], ["run", "one-slow", "--seeds", "1", "--csv", "-"],
    ["run", "one-slow", "--seeds", "1", "--quiet", "--csv", "/dev/full"],
])
def test_full_disk(words: list[str]) -> None:
    """What could not be written is an error."""
    with open("/dev/full", "w") as full:
        done = subprocess.run([PROGRAM, *words], stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=PATIENCE_S)
    assert done.returncode == 1 and "No space left on device" in done.stderr


# ---- Runs -------------------------------------------------------------------


def test_tables() -> None:
    """Tables come scenario by scenario, policies in the order asked for."""
    text = good("run", "one-refuses", "one-slow", "--policy", "round-robin,ilb,oracle",
                "--seeds", "3")
    first, second = text.split("\none-slow: one is slow\n")
    assert first.startswith("one-refuses: one refuses\n(3 seeds from 1, 3 s, 0 of it warm-up)\n")
    heads = [line.split() for line in first.splitlines() if line.startswith("policy")]
    # One more where attempts were hidden.
    assert heads[0][:2] == ["policy", "failed/100k"]
    assert heads[0].count("worst") == 6 + ("hidden/100k" in heads[0])
    assert heads[1] == ["policy", "lost", "least", "most", "regained", "%", "least", "most"]
    for part in (first, second):
        names = [line.split()[0] for line in part.splitlines() if line[:1] not in ("", "(")]
        names = [name for name in names if name in ("round-robin", "ilb", "oracle")]
        assert names == ["round-robin", "ilb", "oracle"] * 2
    assert all(line == line.rstrip() for line in text.splitlines())


def test_table_is_of_the_csv(tmp_path: Path) -> None:
    """Median and worst in the table are those of the figures in the CSV."""
    file = tmp_path / "x.csv"
    text = good("run", "one-refuses", "--policy", "round-robin", "--seeds", "3", "--csv", file)
    rows = rows_of(file.read_text())
    failed = sorted(1e5 * int(row["failed"]) / int(row["requests"]) for row in rows)
    lost = sorted(float(row["measure:lost"]) for row in rows)
    assert failed[0] > 100, "round robin should lose requests here"
    lines = [line.split() for line in text.splitlines() if line.startswith("round-robin")]
    assert lines[0][1:3] == [f"{failed[1]:.0f}", f"{failed[2]:.0f}"]
    assert lines[1][1:4] == [f"{lost[1]:.0f}", f"{lost[0]:.0f}", f"{lost[2]:.0f}"]


def test_csv_columns() -> None:
    """Units are in the names; measures that a scenario lacks are empty."""
    text = good("run", "one-slow", "one-refuses", "--policy", "ilb,oracle", "--seeds", "2",
                "--first-seed", "7", "--csv", "-")
    assert text.splitlines()[0].split(",") == [*COLUMNS, "measure:regained", "measure:lost"]
    rows = rows_of(text)
    assert [(row["scenario"], row["policy"], row["passive"], row["seed"]) for row in rows] == [
        (scenario, policy, passive, seed) for scenario in ("one-slow", "one-refuses")
        for policy, passive in (("ilb", "1"), ("oracle", "0")) for seed in ("7", "8")]
    for row in rows:
        assert (row["measure:lost"] == "") == (row["scenario"] == "one-slow")
        assert row["measure:regained"] != ""
        assert int(row["timed_out"]) <= int(row["failed"]) <= int(row["requests"])
        assert int(row["attempts"]) > 0 and int(row["events"]) > 0
        p50, p90, p99, p999, most = (
            float(row[name]) for name in ("p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns"))
        assert 0 < p50 <= p90 <= p99 <= p999 <= most <= 200e6
        assert re.fullmatch(r"[0-9a-f]{16}", row["hash"])
    assert len({row["hash"] for row in rows}) == len(rows)


def test_help_has_the_csv_columns() -> None:
    """Each of them, and where the format of scenarios is described."""
    text = good("run", "--help")
    assert {*COLUMNS, "measure:NAME"} <= set(text.split("Columns of the CSV")[1].split())
    assert "FORMAT.md" in text


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    """Neither time nor the number of workers shows in what comes out."""
    words = ["run", "all", "--policy", "ilb,round-robin", "--seeds", "5"]
    words[1:2] = ["one-slow", "one-refuses"]
    texts, files = set(), set()
    for number, jobs in enumerate((1, 1, 4)):
        file = tmp_path / f"{number}.csv"
        texts.add(good(*words, "--jobs", str(jobs), "--csv", file))
        files.add(file.read_bytes())
    assert len(texts) == len(files) == 1
    later = good(*words, "--seeds", "2", "--first-seed", "3", "--csv", "-").splitlines()
    assert set(later) <= set(files.pop().decode().splitlines()) and len(later) == 9


def test_policy_lists() -> None:
    """all is all, passive those that learn from their own requests."""
    def names(policies: str) -> dict[str, str]:
        rows = rows_of(good("run", "one-slow", "--seeds", "1", "--policy", policies, "--csv", "-"))
        return {row["policy"]: row["passive"] for row in rows}

    everything = names("all")
    assert list(everything)[0] == "ilb" and list(everything)[-1] == "oracle"
    assert set(names("passive")) == {name for name, yes in everything.items() if yes == "1"}
    assert "oracle" not in names("passive") and "round-robin" in names("passive")
    assert list(names("oracle,passive"))[0] == "oracle"


def test_quiet_and_csv_replaced(tmp_path: Path) -> None:
    """--quiet prints nothing; the file is replaced, and leaves no part."""
    file = tmp_path / "x.csv"
    file.write_text("old")
    assert good("run", "one-slow", "--seeds", "1", "--quiet", "--csv", file) == ""
    assert len(rows_of(file.read_text())) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]


# ---- Processes --------------------------------------------------------------


def children(pid: int) -> list[int]:
    """Return the processes that one has started and that have not ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rsplit(")", 1)[1].split()[:2]
        except (OSError, IndexError):
            continue
        if int(parent) == pid and state != "Z":
            found.append(int(path.parent.name))
    return found


def alive(pids: Sequence[int]) -> list[int]:
    """Return those of these processes that have not ended."""
    found = []
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if state != "Z":
            found.append(pid)
    return found


def wait_until(what: str, condition: Callable[[], bool]) -> None:
    """Wait until a function returns something true."""
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s, f"{what}: not in {PATIENCE_S} s"
        time.sleep(0.02)


@pytest.fixture
def endless() -> Iterator[subprocess.Popen[str]]:
    """Start runs that do not end by themselves, in two workers."""
    words = ["run", "endless", "--policy", "round-robin", "--jobs", "2", "--csv", "/dev/null"]
    process = subprocess.Popen([PROGRAM, *words], text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, start_new_session=True)
    try:
        wait_until("two workers", lambda: len(children(process.pid)) == 2)
        time.sleep(0.1)  # until they have been given their runs
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("whole_group", [False, True])
def test_interrupted(endless: subprocess.Popen[str], number: signal.Signals,
                     whole_group: bool) -> None:
    """Ctrl-C reaches the group, kill one process; no worker is left."""
    workers = children(endless.pid)
    (os.killpg if whole_group else os.kill)(endless.pid, number)
    output, errors = endless.communicate(timeout=PATIENCE_S)
    assert endless.returncode == 128 + number
    assert (output, errors) == ("", "ilb-sim run: interrupted; no CSV written\n")
    assert alive(workers) == []


def test_crashed_worker(endless: subprocess.Popen[str]) -> None:
    """Its run is named, and the others are ended."""
    workers = sorted(children(endless.pid))
    os.kill(workers[0], signal.SIGKILL)
    # The first run is the one that counts: the other worker's is after it.
    output, errors = endless.communicate(timeout=PATIENCE_S)
    assert (endless.returncode, output) == (1, "")
    assert errors == ("ilb-sim run: endless, round-robin, seed 1: the worker was killed by "
                      "signal 9 (Killed)\n")
    assert alive(workers) == []


@pytest.mark.skipif(sys.platform != "linux", reason="others end after their run")
def test_parent_killed(endless: subprocess.Popen[str]) -> None:
    """Workers do not outlive their parent."""
    workers = children(endless.pid)
    endless.kill()
    wait_until("no worker", lambda: alive(workers) == [])


def test_progress_on_a_terminal() -> None:
    """A line that is rewritten, and gone at the end; none elsewhere."""
    master, terminal = pty.openpty()
    process = subprocess.Popen([PROGRAM, "run", "endless", "--jobs", "1"], stderr=terminal,
                               stdout=subprocess.DEVNULL, start_new_session=True,
                               env={**os.environ, "TERM": "xterm"})
    os.close(terminal)
    seen = b""
    try:
        end_s = time.monotonic() + PATIENCE_S
        while b"runs" not in seen and time.monotonic() < end_s:
            if select.select([master], [], [], 0.1)[0]:
                seen += os.read(master, 4096)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 130
        while not seen.endswith(b"interrupted\r\n"):
            seen += os.read(master, 4096)
    finally:
        process.kill()
        process.wait()
        os.close(master)
    assert re.match(rb"\r\x1b\[K0 of 20 runs, \d+ s", seen)
    assert seen.endswith(b"\r\x1b[Kilb-sim run: interrupted\r\n")


# ---- Verdict: made-up results -----------------------------------------------


def line(policy: str, failed: float = 0, p99: float = 100, p999: float = 200,
         regained: float | None = None, *, passive: bool = True, seed: int = 1,
         scenario: str = "s") -> str:
    """Return a line of a CSV: failures of 100,000, latencies in ms."""
    last = "" if regained is None else str(regained)
    return (f"{scenario},{policy},{int(passive)},{seed},1000000,{round(10 * failed)},"
            f"{p99 * 1e6},{p999 * 1e6},{last}\n")


HEAD = "scenario,policy,passive,seed,requests,failed,p99_ns,p999_ns,measure:regained\n"


def cells(text: str) -> dict[tuple[str, str], dict[str, str]]:
    """Return the first table of a verdict in Markdown, by scenario, figure."""
    table = [[cell.strip() for cell in one.strip("|").split("|")]
             for one in text.split("\nEach passive")[0].splitlines() if one.startswith("|")]
    found = [dict(zip(table[0], row)) for row in table[2:]]
    return {(row["scenario"], row["figure"]): row for row in found}


def judge(*lines: str, words: Sequence[str] = ()) -> dict[tuple[str, str], dict[str, str]]:
    """Return the cells of the verdict on some lines."""
    return cells(good("verdict", "-", "--markdown", *words, stdin=HEAD + "".join(lines)))


@pytest.mark.parametrize(("mine", "best", "verdict"), [
    (0, 0, "tie"), (1, 0, "tie"), (2, 0, "tie"), (2.1, 0, "short"), (3, 0, "short"),
    (11, 10, "tie"), (12, 10, "tie"), (12.1, 10, "short"),
    (110, 100, "tie"), (110.1, 100, "short"), (109, 100, "tie"),
    (0, 1.9, "tie"), (0, 2, "better"), (18, 19, "tie"), (17, 19, "better"), (95, 100, "tie"),
    (94.9, 100, "better"), (96, 100, "tie"),
])
def test_failures(mine: float, best: float, verdict: str) -> None:
    """Short above 1.1 x and by more than 2; better below 0.95 x and by 2."""
    cell = judge(line("ilb", mine), line("worse", best + 5), line("rival", best))[
        "s", "failures/100k"]
    assert (cell["verdict"], cell["rival"]) == (verdict, "rival")
    ratio = mine / best if best else 1.0 if mine == 0 else float("inf")
    assert cell["ratio"] == f"{ratio:.2f}"


@pytest.mark.parametrize("figure", ["p99", "p99.9"])
@pytest.mark.parametrize(("mine", "best", "verdict"), [
    (100, 100, "tie"), (110, 100, "tie"), (110.1, 100, "short"), (95, 100, "tie"),
    (94.9, 100, "better"), (55, 50, "tie"), (33, 30, "tie"), (0.0028, 0.0030, "better"),
    (float("nan"), 100, "short"), (100, float("nan"), "better"),
    (float("nan"), float("nan"), "tie"),
])
def test_latency(figure: str, mine: float, best: float, verdict: str) -> None:
    """Short above 1.1 x, better below 0.95 x; no answer is worse than any."""
    if figure == "p99":
        got = judge(line("ilb", p99=mine), line("rival", p99=best))
    else:
        got = judge(line("ilb", p999=mine), line("rival", p999=best))
    other = "p99.9" if figure == "p99" else "p99"
    assert got["s", f"{figure} ms"]["verdict"] == verdict
    assert got["s", f"{other} ms"]["verdict"] == "tie"


@pytest.mark.parametrize(("least", "failed", "near", "rule"), [
    (0, 30, True, "+30"), (0, 30.1, False, "+30"), (100, 130, True, "+30"),
    (100, 130.1, False, "+30"), (200, 230, True, "+30"), (200, 230.1, False, "+30"),
    (1000, 1150, True, "x1.15"), (1000, 1150.1, False, "x1.15"), (1000, 1040, True, "x1.15"),
])
def test_who_is_compared(least: float, failed: float, near: bool, rule: str) -> None:
    """A rival that fails much more is not compared, however fast it is."""
    cell = judge(line("ilb", least), line("slow", least, p99=400),
                 line("flattered", failed, p99=10))["s", "p99 ms"]
    assert (cell["rival"], cell["verdict"]) == (
        ("flattered", "short") if near else ("slow", "better"))
    limit = max(1.15 * least, least + 30)
    assert cell["compared"] == f"{2 if near else 1} of 2 up to {limit:.0f} ({rule})"


def test_the_subject_counts_for_the_least() -> None:
    """Alone near the least there is nothing to compare with."""
    got = judge(line("ilb", 0), line("a", 31), line("b", 500, p99=1))
    cell = got["s", "p99 ms"]
    assert (cell["verdict"], cell["rival"], cell["best"], cell["ratio"]) == ("alone", "-", "-", "-")
    assert got["s", "failures/100k"]["verdict"] == "better"


@pytest.mark.parametrize(("failed", "verdict"), [(30, "better"), (31, "tie")])
def test_who_fails_more_is_not_faster(failed: float, verdict: str) -> None:
    """The subject's own fast errors do not flatter it either."""
    cell = judge(line("ilb", failed, p99=50), line("rival", 0))["s", "p99 ms"]
    assert cell["verdict"] == verdict
    assert cell["compared"].endswith(", fails more") == (failed > 30)
    slow = judge(line("ilb", failed, p99=111), line("rival", 0))["s", "p99 ms"]
    assert slow["verdict"] == "short"


@pytest.mark.parametrize(("mine", "best", "verdict"), [
    (80, 100, "tie"), (79.9, 20, "short"), (0, 0, "short"), (100, 95, "better"),
    (100, 95.3, "tie"), (99, 95, "tie"), (120, 100, "tie"), (120, 90, "better"),
    (90, 180, "tie"), (float("nan"), 50, "short"), (80, None, "alone"), (79, None, "short"),
])
def test_regained(mine: float, best: float | None, verdict: str) -> None:
    """Short below 80 %; more than fair is not better than fair."""
    got = judge(line("ilb", regained=mine), line("rival", regained=best))
    assert got["s", "regained %"]["verdict"] == verdict


def test_regained_only_where_measured() -> None:
    """No cell where the scenario does not measure it, or has no column."""
    assert ("s", "regained %") not in judge(line("ilb"), line("rival"))
    text = (HEAD + line("ilb") + line("rival")).replace(",measure:regained", "")
    text = text.replace(",\n", "\n")
    assert len(cells(good("verdict", "-", "--markdown", stdin=text))) == 3


def test_rivals_are_passive() -> None:
    """Those with probes are no rivals, and the oracle is shown only."""
    cell = judge(line("ilb", 10), line("rival", 10), line("prequal", 0, passive=False),
                 line("oracle", 5, passive=False))["s", "failures/100k"]
    assert (cell["ilb"], cell["best"], cell["rival"], cell["oracle"], cell["verdict"]) == (
        "10", "10", "rival", "5", "tie")
    assert judge(line("ilb", 10), line("rival", 10))["s", "p99 ms"]["oracle"] == "-"


def test_the_worst_seed_is_told() -> None:
    """Of each figure another one may be; of what is regained it is the least."""
    got = judge(*(line(policy, failed, p99, 300 - p99, regained, seed=seed)
                  for policy in ("ilb", "rival")
                  for seed, (failed, p99, regained) in enumerate(
                      ((5, 100, 90), (1, 200, 100), (2, 150, 70)))))
    assert [got["s", figure]["worst"] for figure in
            ("failures/100k", "p99 ms", "p99.9 ms", "regained %")] == ["5", "200", "200", "70"]
    assert got["s", "failures/100k"]["ilb"] == "2"


def test_where_one_could_be_better() -> None:
    """The oracle is judged as a subject would be: near the least, and by the rules."""
    def told(*lines: str) -> str | None:
        text = good("verdict", "-", stdin=HEAD + "".join(lines))
        found = re.search(r"The oracle.* is better than the best rival in (.*)\n", text)
        return found and found[1]

    rest = line("ilb", 50), line("rival", 10, p99=100, p999=100)
    assert told(*rest) is None
    assert told(*rest, line("oracle", 10, 96, 96, passive=False)) is None
    assert told(*rest, line("oracle", 10, 94, 96, passive=False)) == "1 (33.3 %)."
    assert told(*rest, line("oracle", 8, 94, 94, passive=False)) == "3 (100.0 %)."
    assert told(*rest, line("oracle", 41, 94, 94, passive=False)) is None


def test_each_figure_has_its_best() -> None:
    """The first of equals is named."""
    got = judge(line("ilb"), line("a", 1, p99=90), line("b", 0, p999=150), line("c", 0))
    assert [got["s", figure]["rival"] for figure in ("failures/100k", "p99 ms", "p99.9 ms")] == [
        "b", "a", "b"]


@pytest.mark.parametrize(("failed", "median"), [
    ([0, 50, 7], "7"), ([0, 8, 50, 4], "6"), ([3], "3"), ([2, 1], "1.5")])
def test_medians(failed: list[float], median: str) -> None:
    """Of an even number of seeds the mean of the middle two."""
    lines = [line("ilb", value, seed=seed) for seed, value in enumerate(failed)]
    lines += [line("rival", 0, seed=seed) for seed in reversed(range(len(failed)))]
    assert judge(*lines)["s", "failures/100k"]["ilb"] == median


def test_totals() -> None:
    """Cells that are alone count neither way; rivals are judged the same."""
    text = HEAD + "".join([
        line("ilb", 0, p99=50, scenario="one"), line("a", 0, scenario="one"),
        line("b", 90, scenario="one"),
        line("ilb", 0, scenario="two"), line("a", 40, scenario="two"),
        line("b", 80, scenario="two"),
    ])
    output = good("verdict", "-", stdin=text)
    totals = {row[0]: row[1:] for row in map(str.split, output.splitlines())
              if len(row) == 8 and row[0] in ("ilb", "a", "b")}
    # cells, short, %, tie, better, %, alone
    assert totals["ilb"] == ["4", "0", "0.0", "2", "2", "50.0", "2"]
    # one: failures tie, p99 short, p99.9 tie; two: failures short, others tie
    assert totals["a"] == ["6", "2", "33.3", "4", "0", "0.0", "0"]
    assert totals["b"] == ["6", "3", "50.0", "3", "0", "0.0", "0"]
    assert "ilb is short in 0 of 4 cells (0.0 %) and better in 2 (50.0 %)." in output
    assert "No single rival is short in less than 33.3 % of its cells (a: 2 of 6)." in output
    other = good("verdict", "-", "--subject", "b", stdin=text)
    assert "b is short in 3 of 6 cells (50.0 %)" in other
    assert "But ilb is short in less: 0.0 % of its cells (0 of 4)." in other


def test_without() -> None:
    """Who is left out is named, and counts nowhere."""
    lines = [line("ilb", 50), line("ilb-variant", 0), line("rival", 50)]
    assert judge(*lines)["s", "failures/100k"]["verdict"] == "short"
    got = judge(*lines, words=["--without", "ilb-variant"])
    assert got["s", "failures/100k"]["verdict"] == "tie"
    output = good("verdict", "-", "--without", "ilb-variant", stdin=HEAD + "".join(lines))
    assert "Left out: ilb-variant\n" in output and output.count("ilb-variant") == 1


def test_several_files(tmp_path: Path) -> None:
    """Files are taken together; a run that is in two of them counts once."""
    one, two = tmp_path / "1.csv", tmp_path / "2.csv"
    one.write_text(HEAD + line("ilb", 5) + line("a", 4))
    two.write_text(HEAD + line("ilb", 5) + line("b", 3))
    text = good("verdict", "--markdown", one, two)
    assert cells(text)["s", "failures/100k"]["rival"] == "b"
    assert text == good("verdict", "--markdown", one, two, one)
    two.write_text(HEAD + line("ilb", 6) + line("b", 3))
    done = sim("verdict", one, two)
    assert done.returncode == 1
    assert "s, ilb, seed 1 is there twice, with different figures" in done.stderr


RIVALS = line("ilb") + line("rival")


@pytest.mark.parametrize(("text", "message"), [
    ("", "-:0: the file is empty"),
    (HEAD, "-:1: there is no result after the head line"),
    (HEAD.replace("failed", "fails") + RIVALS, "-:1: no column 'failed'"),
    (HEAD.replace("failed", "seed") + RIVALS, "-:1: two columns 'seed'"),
    (HEAD + RIVALS.replace("\n", ",1\n", 1), "-:2: 10 fields; the head line has 9"),
    (HEAD + RIVALS.replace("1000000,", "0,", 1), "-:2: 0 failed of 0 requests"),
    (HEAD + RIVALS.replace("1000000,0", "10,11", 1), "-:2: 11 failed of 10 requests"),
    (HEAD + line("ilb") + "s,rival,2,1,10,0,1,1,\n", "-:3: passive: '2' is not 0 or 1"),
    (HEAD + line("ilb") + "s,rival,1,x,10,0,1,1,\n", "-:3: seed: 'x' is no number"),
    (HEAD + line("ilb") + "s,rival,1,-1,10,0,1,1,\n", "-:3: seed: '-1' is no number"),
    (HEAD + line("ilb") + "s,rival,1,1,10,0,,1,\n", "-:3: p99_ns: '' is no number from 0"),
    (HEAD + line("ilb") + "s,rival,1,1,10,0,-5,1,\n", "-:3: p99_ns: '-5' is no number from 0"),
    (HEAD + line("ilb") + ",rival,1,1,10,0,1,1,\n", "-:3: no name of a scenario"),
    (HEAD + 's,"rival,1,1,10,0,1,1,\n', "-:2: field 2: its quotes are wrong"),
    (HEAD + RIVALS + line("ilb", seed=2), "s: ilb and rival do not have the same seeds (2 and 1)"),
    (HEAD + line("ilb", seed=2) + line("rival", seed=3), "do not have the same seeds (1 and 1)"),
    (HEAD + RIVALS + line("rival", seed=2, passive=False), "rival is passive in some lines"),
    (HEAD + RIVALS + line("rival", scenario="t"), "t was not run with ilb"),
    (HEAD + RIVALS + line("ilb", scenario="t"), "t was run with no passive rival of ilb"),
    (HEAD + line("ilb") + line("prequal", passive=False), "s was run with no passive rival"),
    (HEAD + line("ilb", regained=1) + line("ilb", seed=2), "regained is empty for some seeds"),
])
def test_results_that_cannot_be_judged(text: str, message: str) -> None:
    """They are told with file and line, and end with 1."""
    done = sim("verdict", "-", stdin=text)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr


@pytest.mark.parametrize(("words", "message"), [
    (["--subject", "ibl"], "no policy 'ibl' in the results; near it: ilb"),
    (["--without", "rivle"], "no policy 'rivle' in the results; near it: rival"),
    (["--without", "ilb"], "ilb cannot be the subject: it is left out"),
    (["--subject", "oracle"], "oracle cannot be the subject: it does not learn"),
])
def test_names_in_the_results(words: list[str], message: str) -> None:
    """Unknown names are told with near ones, and end with 2."""
    text = HEAD + RIVALS + line("oracle", passive=False)
    done = sim("verdict", "-", *words, stdin=text)
    assert done.returncode == 2 and message in done.stderr


def test_quoted_names_and_crlf() -> None:
    """Fields in quotes, empty lines and CR LF are read."""
    text = (HEAD + RIVALS + "\n").replace("s,", '"a ""b"", c",').replace("\n", "\r\n")
    text = text.replace('failed,"a', "failed,a").replace("\r\n", "\n", 1)
    head, rest = HEAD, text.split("\n", 1)[1]
    got = cells(good("verdict", "-", "--markdown", stdin=head + rest))
    assert ('a "b", c', "p99 ms") in got


def test_verdict_on_real_runs(tmp_path: Path) -> None:
    """What run writes, verdict reads: round robin is short where one refuses."""
    file = tmp_path / "x.csv"
    good("run", "one-refuses", "one-slow", "--policy", "ilb,round-robin,oracle", "--seeds", "3",
         "--quiet", "--csv", file)
    got = cells(good("verdict", file, "--markdown", "--subject", "round-robin"))
    assert len(got) == 8
    assert got["one-refuses", "failures/100k"]["verdict"] == "short"
    assert got["one-slow", "p99 ms"]["oracle"] != "-"


# ---- Plots ------------------------------------------------------------------

MATPLOTLIB = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="needs matplotlib")


def script(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the plotting script by itself."""
    return subprocess.run([sys.executable, str(HERE / "sim_plot.py"), *map(str, words)],
                          capture_output=True, text=True, timeout=PATIENCE_S)


def texts(path: Path) -> str:
    """Return what is written in an SVG; matplotlib notes it in comments."""
    ElementTree.parse(path)  # or it is no XML
    return "\n".join(re.findall(r"<!-- (.*?) -->", path.read_text(), re.S))


@MATPLOTLIB
def test_plot_of_runs(tmp_path: Path) -> None:
    """A few scenarios are in one file; the same runs give the same bytes."""
    files = [tmp_path / "1.svg", tmp_path / "2.svg"]
    for file in files:
        done = sim("run", "one-slow", "one-refuses", "--policy", "ilb,round-robin,oracle",
                   "--seeds", "2", "--plot", file)
        assert (done.returncode, done.stderr) == (0, f"sim_plot: {file}\n")
    assert sorted(tmp_path.iterdir()) == files
    assert files[0].read_bytes() == files[1].read_bytes()
    said = texts(files[0])
    for text in ("one-slow: failures", "one-refuses: failures", "ilb", "round-robin", "oracle"):
        assert text in said


@MATPLOTLIB
def test_plot_of_many(tmp_path: Path) -> None:
    """An overview of many scenarios, and a file of each."""
    nan = float("nan")
    text = HEAD + "".join(
        line("ilb", i, p999=100, scenario=f"s{i}") + line("rival", 100 * i, p999=150 * i + 1,
                                                          scenario=f"s{i}")
        + (line("mute", 1, p999=nan, scenario=f"s{i}") if i else "") for i in range(5))
    (tmp_path / "x.csv").write_text(text)
    before: dict[str, bytes] = {}
    for _ in range(2):
        done = script(tmp_path / "x.csv", "--output", tmp_path / "all.svg", "--quiet")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        after = {path.name: path.read_bytes() for path in tmp_path.glob("*.svg")}
        assert before in ({}, after)
        before = after
    assert set(before) == {"all.svg", *(f"all-s{i}.svg" for i in range(5))}
    assert "failures: ratio to the best passive policy" in texts(tmp_path / "all.svg")
    assert "no answer" in texts(tmp_path / "all-s3.svg")
    assert "no answer" not in texts(tmp_path / "all-s0.svg")


def test_plot_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told before the runs, and how to mend it."""
    bare = tmp_path / "bare-python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    bare.chmod(0o755)
    monkeypatch.setenv("ILB_SIM_PYTHON", str(bare))
    done = sim("run", "endless", "--plot", tmp_path / "x.svg")
    assert (done.returncode, done.stdout) == (1, "")
    assert "sim_plot: matplotlib is not installed for " in done.stderr
    assert "ILB_SIM_PYTHON" in done.stderr
    monkeypatch.setenv("ILB_SIM_PYTHON", str(tmp_path / "none"))
    done = sim("run", "endless", "--plot", tmp_path / "x.svg")
    assert done.returncode == 1 and f"cannot run {tmp_path / 'none'}: No such file" in done.stderr


@MATPLOTLIB
@pytest.mark.parametrize(("text", "words", "message"), [
    ("a,b\n1,2\n", [], "no column 'scenario'"),
    (HEAD, [], "there is no result in it"),
    (HEAD + "s,ilb,1,1,ten,0,1,1,\n", [], "x.csv:2: requests: 'ten' is no number"),
    (HEAD + RIVALS, ["--subject", "ibl"], "no policy 'ibl' in the results; there are: ilb, rival"),
])
def test_plot_of_nonsense(tmp_path: Path, text: str, words: list[str], message: str) -> None:
    """The script tells what is wrong with its input, without a traceback."""
    (tmp_path / "x.csv").write_text(text)
    done = script(tmp_path / "x.csv", "--output", tmp_path / "x.svg", *words)
    assert done.returncode == 1 and done.stderr.startswith("sim_plot: ")
    assert message in done.stderr and not (tmp_path / "x.svg").exists()


def test_plot_figures() -> None:
    """The overview's ratios: 0 to 0 is 1; who fails more is not the best."""
    text = HEAD + "".join([
        line("ilb", 0, p999=100), line("fast", 31, p999=10), line("near", 30, p999=50),
        line("probes", 0, p999=1, passive=False)])
    (scenario,) = sim_plot.read(io.StringIO(text), "x")
    policies = scenario.policies
    assert [sim_plot.is_near(scenario, policies[name]) for name in ("ilb", "fast", "near")] == [
        True, False, True]
    assert sim_plot.failures_ratio(scenario, policies["ilb"]) == 1
    assert sim_plot.failures_ratio(scenario, policies["near"]) == 16
    assert sim_plot.p999_ratio(scenario, policies["ilb"]) == 2
    assert sim_plot.p999_ratio(scenario, policies["probes"]) == pytest.approx(0.02)
    assert [policy.name for policy in sim_plot.ordered([scenario], "near")] == [
        "near", "ilb", "fast", "probes"]


@pytest.mark.parametrize(("value", "text"), [
    (0.25, "0.25"), (1.0, "1"), (2.34, "2.3"), (10.0, "10"), (12.34, "12.3"), (100.0, "100"),
    (1234.0, "1,234")])
def test_plot_numbers(value: float, text: str) -> None:
    """Numbers on axes are short and have no exponent."""
    assert sim_plot.plain(value) == text
