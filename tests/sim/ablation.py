#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What each default of libilb buys: the engine with one of them chosen
otherwise, in all scenarios.

The experiments are the lines of ablation.txt, beside this file. For each of
them ilb-sim is built with a changed copy of the library and judged against the
same rivals (ilb-sim verdict), and its figures are compared with those of the
library as it is: under the same policy, or under `ilb` where the policy is the
experiment. Worse is a figure that anybody would notice,

    failures     more than 3 in 100,000 and 1.3 times
    p99, p99.9   more than 1.12 times
    regained     more than 15 points

and better the other way round.

One experiment takes as long as 'ilb-sim run all --policy ilb'. With --work a
run that was interrupted goes on where it was.
"""

from __future__ import annotations

import argparse
import csv
import io
import math
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Sequence

from ablation_build import Builder, BuildError, Setting, run
from ablation_table import OPTION, POLICIES, Change, Experiment, Table, TableError
from ablation_table import check, read_sources, read_table, value_of

TOP = Path(__file__).resolve().parents[2]
SHOWN = 3  # cells that are named, of those that got worse and of the better
MORE_FAILURES, TIMES_FAILURES = 3.0, 1.3
TIMES_LATENCY = 1.12
POINTS_REGAINED = 15.0


@dataclass(frozen=True)
class Cell:
    """A figure of a scenario."""

    value: float  # worst of all if there is none
    shown: str
    verdict: str


Cells = dict[tuple[str, str], Cell]  # by scenario and figure


@dataclass(frozen=True)
class Difference:
    """A cell that is not what it was."""

    scenario: str
    figure: str
    before: str
    after: str
    size: float

    def __str__(self) -> str:
        return f"{self.scenario} {self.figure}: {self.before} to {self.after}"


@dataclass(frozen=True)
class Result:
    """What an experiment showed."""

    before: Cells
    after: Cells
    worse: list[Difference]
    better: list[Difference]
    same: bool  # every run was as before


def count(cells: Cells, verdict: str) -> int:
    """Return how many cells are 'short', 'better' ..."""
    return sum(cell.verdict == verdict for cell in cells.values())


# ---- Judging ------------------------------------------------------------------


def read_rows(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Return the columns and the lines of a CSV."""
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    if not reader.fieldnames:
        raise BuildError(f"{path}: the file is empty")
    return list(reader.fieldnames), rows


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[dict[str, str]]) -> None:
    """Write a CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(text.getvalue())


class Judge:
    """Judges our runs against those of the rivals."""

    def __init__(self, builder: Builder, rivals: Sequence[Path], scratch: Path) -> None:
        """`rivals` may have more than is needed, our own runs as well."""
        self.builder = builder
        self.scratch = scratch
        self.before: dict[str, Cells] = {}
        self.rivals: list[Path] = []
        scenarios = {row["scenario"] for row in read_rows(builder.baseline(POLICIES[0]))[1]}
        seeds = range(1, builder.setting.seeds + 1)
        for number, path in enumerate(rivals):
            columns, rows = read_rows(path)
            self.rivals.append(scratch / f"rivals-{number}.csv")
            write_rows(self.rivals[-1], columns, (
                row for row in rows if row["scenario"] in scenarios
                and not row["policy"].startswith("ilb") and int(row["seed"]) in seeds))

    def verdict(self, subject: Path, policy: str) -> Cells:
        """Return the verdict on some runs.

        In a CSV our variants are not among the passive policies, so that they
        are nobody's rivals; as the subject they are.
        """
        columns, rows = read_rows(subject)
        ours = self.scratch / "subject.csv"
        write_rows(ours, columns, ({**row, "passive": "1"} for row in rows))
        return read_verdict(run([self.builder.unchanged(), "verdict", "--markdown",
                                 "--subject", policy, ours, *self.rivals]))

    def baseline(self, policy: str) -> Cells:
        """Return the verdict on the library as it is."""
        if policy not in self.before:
            self.before[policy] = self.verdict(self.builder.baseline(policy), policy)
        return self.before[policy]


def read_verdict(text: str) -> Cells:
    """Read the table of cells that ilb-sim verdict writes."""
    cells: Cells = {}
    head: list[str] = []
    for line in text.splitlines():
        fields = [x.strip() for x in line.strip("|").split("|")]
        if fields[0] == "scenario":
            head = fields
        if len(fields) != len(head) or fields == head or set(fields[0]) == {"-"}:
            continue
        shown = fields[2]
        worst = 0.0 if fields[1].startswith("regained") else math.inf
        cells[fields[0], fields[1]] = Cell(worst if shown == "-" else float(shown), shown,
                                           fields[head.index("verdict")])
    if not cells:
        raise BuildError("ilb-sim verdict has no cells")
    return cells


def much_worse(figure: str, before: float, after: float) -> float:
    """Return how much worse a figure is, to sort by; 0: not so that anybody
    would notice."""
    if figure.startswith("failures"):
        if after > before + MORE_FAILURES and after > TIMES_FAILURES * before:
            return (after + MORE_FAILURES) / (before + MORE_FAILURES)
    elif figure.startswith("regained"):
        lost = min(before, 100.0) - min(after, 100.0)
        return 1 + lost / 20 if lost > POINTS_REGAINED else 0.0
    elif after > TIMES_LATENCY * before:
        return after / before if before > 0 else math.inf
    return 0.0


def differences(before: Cells, after: Cells) -> list[Difference]:
    """Return the cells that got worse, the worst first."""
    found = []
    for (scenario, figure), old in before.items():
        new = after[scenario, figure]
        size = much_worse(figure, old.value, new.value)
        if size > 0:
            found.append(Difference(scenario, figure, old.shown, new.shown, size))
    return sorted(found, key=lambda x: -x.size)


def swapped(found: Sequence[Difference]) -> list[Difference]:
    """Return what got worse from the new to the old as what got better."""
    return [Difference(x.scenario, x.figure, x.after, x.before, x.size) for x in found]


def measure(judge: Judge, experiment: Experiment) -> Result:
    """Run an experiment. Raises TableError and BuildError."""
    policy = experiment.policy if experiment.changes else POLICIES[0]
    runs = judge.builder.variant(experiment)
    before, after = judge.baseline(policy), judge.verdict(runs, experiment.policy)
    if before.keys() != after.keys():
        raise BuildError("it has other cells than the library as it is")
    same = hashes(runs) == hashes(judge.builder.baseline(policy))
    return Result(before, after, differences(before, after),
                  swapped(differences(after, before)), same)


def hashes(path: Path) -> list[str]:
    """Return what stands for all that happened, run by run."""
    return [row["hash"] for row in read_rows(path)[1]]


# ---- Reports ------------------------------------------------------------------


def named(found: Sequence[Difference], none: str) -> str:
    """Return the first differences as text, and how many there are."""
    if not found:
        return none
    more = f"; {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return "; ".join(map(str, found[:SHOWN])) + more


def of_what(change: Change, sources: dict[str, str]) -> str:
    """Return a change as Markdown: what it is now, and what instead."""
    if change.file == OPTION:
        return f"`{change.name}` to {change.new}"
    if not change.name:
        return f"{Path(change.file).name}: `{value_of(sources, change)}` to `{change.new}`"
    return f"`{change.name}` {value_of(sources, change)} to {change.new}"


def markdown_row(*fields: object) -> str:
    """Return a row of a Markdown table."""
    return "| " + " | ".join(str(x).replace("|", "\\|") for x in fields) + " |"


def report_head(setting: Setting, base: Cells) -> str:
    """Return what stands before the first experiment."""
    scenarios = len({x for x, _ in base})
    return (f"{' '.join(setting.scenarios)}: {scenarios} scenario{'s' * (scenarios != 1)}, medians "
            f"of {setting.seeds} seeds. As it is the engine is short in {count(base, 'short')} and "
            f"better in {count(base, 'better')} of {len(base)} cells; in brackets, where an "
            "experiment is with another policy, that policy as it is.")


def report_heading(heading: str, markdown: bool) -> str:
    """Return a heading, and the head of a table."""
    if not markdown:
        return f"\n== {heading}"
    return "\n".join((f"\n### {heading}\n",
                      markdown_row("instead", "of", "short", "better", "what gets worse",
                                   "what gets better"),
                      "|---|---|---:|---:|---|---|"))


def report(experiment: Experiment, result: Result, sources: dict[str, str],
           markdown: bool) -> str:
    """Return an experiment's lines."""
    name, counts = experiment.name, []
    for verdict in ("short", "better"):
        counts.append(str(count(result.after, verdict)))
        if experiment.changes and experiment.policy != POLICIES[0]:
            counts[-1] += f" ({count(result.before, verdict)})"
    none = "nothing: every run is the same" if result.same else "nothing"
    if markdown:
        return markdown_row(
            name, "; ".join(of_what(x, sources) for x in experiment.changes)
            or f"policy `{experiment.policy}`", *counts, named(result.worse, none),
            named(result.better, "nothing"))
    changes = "; ".join(map(str, experiment.changes)) or experiment.policy
    return "\n".join((f"{name}: short {counts[0]}, better {counts[1]}  [{changes}]",
                      f"    worse: {named(result.worse, none)}",
                      f"    better: {named(result.better, 'nothing')}"))


def report_excuses(table: Table) -> str:
    """Return what needs no experiment, and why, as Markdown."""
    rows = [markdown_row(", ".join(f"`{name}`" for _, name in x.constants), x.kind, x.reason)
            for x in table.excuses]
    return "\n".join(("\n### What needs no experiment\n", markdown_row("constant", "", "why"),
                      "|---|---|---|", *rows))


# ---- The command --------------------------------------------------------------


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    about, _, more = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(description=about, epilog=more,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], metavar="NAME",
                        help="the experiments whose name has this in it; may be repeated")
    parser.add_argument("--seeds", type=int, default=10, help="seeds a scenario (%(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1,
                        help="runs at the same time (%(default)s)")
    parser.add_argument("--scenarios", default="all", metavar="LIST",
                        help="as 'ilb-sim run' takes them, with commas between (%(default)s)")
    parser.add_argument("--rivals", nargs="+", type=Path, default=[], metavar="CSV",
                        help="runs of the rivals, of 'ilb-sim run --csv' (else they are run)")
    parser.add_argument("--work", type=Path, metavar="DIR",
                        help="where results are kept (else nowhere)")
    parser.add_argument("--markdown", action="store_true", help="tables for documents")
    parser.add_argument("--cc", default=os.environ.get("CC") or "cc", help="compiler (%(default)s)")
    parser.add_argument("--list", action="store_true", help="only names the experiments")
    parser.add_argument("--check", action="store_true",
                        help="only looks whether the table fits the sources")
    parser.add_argument("--build", action="store_true",
                        help="only builds each experiment, and runs none")
    args = parser.parse_args(words)
    if args.seeds < 1 or args.jobs < 1:
        parser.error("--seeds and --jobs are 1 or more")
    return args


def selected(table: Table, only: Sequence[str]) -> list[Experiment]:
    """Return the experiments that are asked for."""
    for part in only:
        if not any(part.lower() in x.name.lower() for x in table.experiments):
            raise TableError(f"no experiment has '{part}' in its name; --list shows them")
    return [x for x in table.experiments
            if not only or any(part.lower() in x.name.lower() for part in only)]


def say(text: str) -> None:
    """Tell how far it is."""
    print(f"ablation: {text}", file=sys.stderr, flush=True)


def run_all(builder: Builder, table: Table, args: argparse.Namespace,
            experiments: Sequence[Experiment], scratch: Path) -> int:
    """Run experiments and print what they show. Returns how many failed."""
    sources, began, failed, heading = read_sources(TOP), time.monotonic(), 0, ""
    if not args.rivals:
        say("the rivals")
    rivals = args.rivals or [builder.rivals()]
    say("the library as it is")
    judge = Judge(builder, rivals, scratch)
    print(report_head(builder.setting, judge.baseline(POLICIES[0])))
    for number, experiment in enumerate(experiments, 1):
        say(f"{number} of {len(experiments)}, {time.monotonic() - began:.0f} s: "
            f"{experiment.name}")
        if experiment.heading != heading:
            heading = experiment.heading
            print(report_heading(heading, args.markdown))
        try:
            result = measure(judge, experiment)
            print(report(experiment, result, sources, args.markdown), flush=True)
        except (TableError, BuildError) as error:
            failed += 1
            say(f"{experiment.name}: FAILED: {error}")
    if args.markdown and not args.only:
        print(report_excuses(table))
    say(f"{len(experiments)} experiments, {failed} failed, {time.monotonic() - began:.0f} s")
    return failed


def build_all(builder: Builder, experiments: Sequence[Experiment]) -> int:
    """Build experiments. Returns how many cannot be."""
    failed = 0
    for experiment in experiments:
        try:
            if experiment.changes:
                with builder.scratch() as to:
                    builder.build_variant(experiment, Path(to))
        except BuildError as error:
            failed += 1
            say(f"{experiment.name}: FAILED: {error}")
    say(f"{len(experiments)} experiments, {failed} cannot be built")
    return failed


def work(args: argparse.Namespace) -> int:
    """Do what the command line says. Returns the exit status."""
    table = read_table()
    experiments = selected(table, args.only)
    if args.list:
        print("\n".join(x.name for x in experiments))
        return 0
    errors = check(table, TOP)
    for error in errors:
        say(error)
    if errors or args.check:
        return 1 if errors else 0
    if args.work is not None:
        args.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        setting = Setting(TOP, (args.work or Path(scratch)).resolve(), args.cc,
                          tuple(args.scenarios.split(",")), args.seeds, args.jobs)
        builder = Builder(setting)
        failed = (build_all(builder, experiments) if args.build else
                  run_all(builder, table, args, experiments, Path(scratch)))
    return 1 if failed > 0 else 0


def main(words: Sequence[str] | None = None) -> int:
    """Return the exit status of the command."""
    try:
        return work(parse(words))
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    except (TableError, BuildError, OSError) as error:
        say(str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main())
