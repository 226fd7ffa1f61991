# SPDX-License-Identifier: MIT
"""Builds ilb-sim with another libilb in it, and runs it.

The library is compiled as one file, from a copy with the changes; the objects
of the simulator are compiled once. Results are kept by what they depend on:
all sources, the scenarios, the compiler. So a run that was interrupted goes on,
and nothing old is ever taken for new.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Mapping, Sequence

from ablation_table import OPTION, Change, Experiment, changed, read_options, read_sources

# As the makefile has it, but without its warnings.
FLAGS = ("-std=c11", "-O2", "-fvisibility=hidden", "-D_GNU_SOURCE")

# Puts itself between the simulator's client and the library.
WRAPPER = """\
#undef ilb_balancer_new
int ilb_balancer_new(ilb_balancer **balancer, const char *name,
                     const ilb_options *given)
{{
    ilb_options o = *given;

{lines}
    return ilb__ablation_new(balancer, name, &o);
}}
"""


class BuildError(Exception):
    """A variant cannot be built or run, and why."""


@dataclass(frozen=True)
class Setting:
    """What all runs have in common."""

    top: Path  # the source tree
    work: Path  # where results are kept
    compiler: str
    scenarios: tuple[str, ...]  # as ilb-sim run takes them
    seeds: int
    jobs: int


def run(command: Sequence[str | Path], **more: object) -> str:
    """Run a command to its end and return its output. Raises BuildError."""
    done = subprocess.run([str(x) for x in command], text=True, errors="replace",
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip()
        raise BuildError(f"{Path(str(command[0])).name}: exit status {done.returncode}: "
                         f"{said[-2000:]}")
    return done.stdout


def digest(*parts: object) -> str:
    """Return a name for what the parts say."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


def texts(top: Path, pattern: str) -> dict[str, str]:
    """Return files below a directory, by path."""
    return {str(path.relative_to(top)): path.read_text() for path in sorted(top.rglob(pattern))}


class Builder:
    """Builds and runs variants of one source tree."""

    def __init__(self, setting: Setting) -> None:
        sys.path.insert(0, str(setting.top / "build-aux"))
        from sources import read_list

        top = setting.top
        self.setting = setting
        self.compiler = shlex.split(setting.compiler)
        if not self.compiler or shutil.which(self.compiler[0]) is None:
            raise BuildError(f"no compiler '{setting.compiler}'; --cc names another")
        self.sources = read_sources(top)
        self.options = read_options(top)
        self.library = [x for x in read_list(top / "libilb/sources.mk", "ILB_SOURCES")
                        if x.endswith(".c")]
        self.simulator = [x for x in read_list(top / "tests/sim/sources.mk", "ILB_SIM_SOURCES")
                          if x.endswith(".c")] + ["tests/sim/ilb_sim.c"]
        self.scenario_dir = top / "tests/sim/scenarios"
        # By what the results depend on.
        version = run([*self.compiler, "--version"])
        self.simulator_key = digest(
            version, FLAGS, texts(top / "include", "*.h"),
            {x: (top / x).read_text() for x in self.simulator}, texts(top / "tests/sim", "sim_*.h"),
            texts(top / "tests/sim/policies", "*.h"))
        self.runs_key = digest(self.simulator_key, setting.scenarios, setting.seeds, {
            str(x.relative_to(self.scenario_dir)): x.read_text()
            for x in sorted(self.scenario_dir.rglob("*")) if x.suffix in (".sim", ".txt")})
        self.objects = setting.work / f"simulator-{self.simulator_key}"
        (setting.work / "runs").mkdir(parents=True, exist_ok=True)

    # ---- Compiling ----

    def compile(self, source: Path, to: Path, includes: Sequence[Path]) -> None:
        """Compile one file; `to` is whole or not there."""
        part = to.with_suffix(".part.o")
        run([*self.compiler, *FLAGS, "-DILB_SIM_DATA=\"\"", "-DILB_SIM_SOURCE=\"\"",
             *(f"-I{x}" for x in includes), "-c", source, "-o", part])
        part.replace(to)

    def simulator_objects(self) -> list[Path]:
        """Return the simulator's objects, compiled if they are not yet."""
        top = self.setting.top
        includes = [top / "include", top / "tests/sim", top / "tests/sim/policies"]
        objects = [self.objects / (Path(x).stem + ".o") for x in self.simulator]
        self.objects.mkdir(parents=True, exist_ok=True)
        with concurrent.futures.ThreadPoolExecutor(self.setting.jobs) as pool:
            list(pool.map(lambda x: x[1].exists() or self.compile(top / x[0], x[1], includes),
                          zip(self.simulator, objects)))
        return objects

    def build(self, sources: Mapping[str, str], options: Sequence[Change],
              to: Path) -> bytes:
        """Build ilb-sim into a directory; return the library's object."""
        for name, text in sources.items():
            path = to / "libilb" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        lines = [f'#include "{x[len("libilb/"):]}"' for x in self.library]
        if options:
            lines = ['#include "ilb.h"', "#define ilb_balancer_new ilb__ablation_new", *lines,
                     WRAPPER.format(lines="\n".join(
                         f"    if (o.{x.name} == 0)\n        o.{x.name} = {x.new};"
                         for x in options))]
        whole = to / "library.c"
        whole.write_text("\n".join(lines) + "\n")
        self.compile(whole, to / "library.o", [self.setting.top / "include", to / "libilb"])
        run([*self.compiler, *self.simulator_objects(), to / "library.o", "-o", to / "ilb-sim",
             "-lm", "-lpthread"])
        return (to / "library.o").read_bytes()

    def scratch(self) -> tempfile.TemporaryDirectory[str]:
        """Return a directory for what is not kept."""
        return tempfile.TemporaryDirectory(prefix="variant-", dir=self.setting.work)

    def unchanged(self) -> Path:
        """Return ilb-sim with the library as it is, built if it is not yet."""
        key = digest(self.simulator_key, self.sources)
        path = self.setting.work / f"ilb-sim-{key}"
        if not path.exists():
            with self.scratch() as to:
                self.build(self.sources, (), Path(to))
                (Path(to) / "library.o").replace(path.with_suffix(".o"))
                (Path(to) / "ilb-sim").replace(path)
        return path

    # ---- Running ----

    def simulate(self, program: Path, policies: str, to: Path) -> None:
        """Run all scenarios; `to` is whole or not there."""
        run([program, "run", *self.setting.scenarios, "--policy", policies, "--seeds",
             str(self.setting.seeds), "--jobs", str(self.setting.jobs), "--quiet",
             "--csv", to], env=self.environment())

    def environment(self) -> dict[str, str]:
        """Return the environment in which ilb-sim finds its scenarios."""
        return {**os.environ, "ILB_SIM_SCENARIOS": str(self.scenario_dir)}

    def kept(self, name: str, *depends: object,
             make: Callable[[Path], None]) -> Path:
        """Return the CSV of some runs, made if it is not kept."""
        path = self.setting.work / "runs" / f"{name}-{digest(self.runs_key, *depends)}.csv"
        if not path.exists():
            make(path)
        return path

    def rivals(self) -> Path:
        """Return the runs of the passive rivals."""
        names = []
        listed = run([self.unchanged(), "list"], env=self.environment())
        for line in listed[listed.index("\nPolicies:\n"):].splitlines():
            words = line.split()
            if (line.startswith("  ") and line[2] != " " and not words[0].startswith("ilb")
                    and not line.endswith("(not passive)")):
                names.append(words[0])
        return self.kept("rivals", names, make=lambda to: self.simulate(
            self.unchanged(), ",".join(names), to))

    def baseline(self, policy: str) -> Path:
        """Return the runs of the library as it is."""
        return self.kept("unchanged", policy, self.sources, make=lambda to: self.simulate(
            self.unchanged(), policy, to))

    def build_variant(self, experiment: Experiment, to: Path) -> Path:
        """Build an experiment's ilb-sim into a directory; return it. Raises
        TableError and BuildError."""
        library = self.build(changed(self.sources, experiment, self.options),
                             settings(experiment), to)
        if library == self.unchanged().with_suffix(".o").read_bytes():
            raise BuildError("the compiler makes the same of it")
        return to / "ilb-sim"

    def variant(self, experiment: Experiment) -> Path:
        """Return an experiment's runs. Raises TableError and BuildError."""
        if not experiment.changes:
            return self.baseline(experiment.policy)

        def make(to: Path) -> None:
            with self.scratch() as directory:
                self.simulate(self.build_variant(experiment, Path(directory)),
                              experiment.policy, to)

        return self.kept("variant", experiment.policy,
                         changed(self.sources, experiment, self.options),
                         [(x.name, x.new) for x in settings(experiment)], make=make)


def settings(experiment: Experiment) -> list[Change]:
    """Return an experiment's changes of options."""
    return [x for x in experiment.changes if x.file == OPTION]
