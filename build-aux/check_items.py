# SPDX-License-Identifier: MIT
"""What ./check runs: one Item each, in the order of their start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent

NO_RECOVER = "-O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all"
ASAN = f"-fsanitize=address,undefined {NO_RECOVER}"
# gcc warns that it does not model fences; the core pairs its fences with
# atomics only, so that there is no plain access for it to misjudge.
TSAN = f"-fsanitize=thread -Wno-tsan {NO_RECOVER}"

# Old sanitizer runtimes refuse the address layouts of new kernels; they start
# in a fixed layout, where the system lets us choose.
FIXED = "$(setarch -R true 2>/dev/null && echo setarch -R)"
ASAN_RUN = (
    "ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1 "
    f"UBSAN_OPTIONS=print_stacktrace=1 CK_FORK=no {FIXED}"
)
TSAN_RUN = f"TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1 CK_FORK=no {FIXED}"

PROGRAMS = (
    "tests/unit/check_ilb tests/stress/stress_balancer tests/stress/stress_events "
    "tests/stress/stress_balancer_yield tests/stress/stress_events_yield "
    "tests/stress/stress_processes tests/stress/kill_points"
)
SIM_TESTS = " ".join(
    f"tests/sim/test_sim_{x}"
    for x in ("run", "elsewhere", "policies", "scenario", "published", "promises",
              "invariants", "healthy")
)

BENCH = "tests/bench/ilb-bench tests/bench/test_bench"


@dataclass(frozen=True)
class Item:
    """One thing that ./check does."""

    name: str
    about: str
    command: str  # bash, in the top directory
    needs: tuple[str, ...] = ()
    runner: str = ""  # "libcheck" or "pytest" where its tests are counted
    quick: bool = False
    alone: bool = False  # measures time, or wants the whole machine
    limit_s: float = 300.0


def build(directory: str, options: str, targets: str) -> str:
    """Return the command that configures a build directory and makes targets.

    Configured anew only when the options change: make sees to the rest.
    """
    up = "/".join([".."] * (directory.count("/") + 1))
    return f"""
[ -x configure ] || ./bootstrap
mkdir -p {directory}
cd {directory}
want="{options}"
if [ ! -e Makefile ] || [ "$(cat check.configured 2>/dev/null)" != "$want" ] ||
    [ check.configured -ot config.status ]; then
    {up}/configure --enable-werror --with-check {options}
    echo "$want" >check.configured
fi
make -j2 {targets}
"""


ITEMS: tuple[Item, ...] = (
    Item("build", "gcc, warnings are errors: all, with the gateway, in build/",
         build("build", "--with-gateway CC=gcc",
               f"all {PROGRAMS} {SIM_TESTS} {BENCH} tests/stress/hot_path "
               "tests/model/model"), quick=True),
    Item("format", "clang-format and licence lines on every source",
         "tests/check_format.sh", quick=True),
    Item("lint", "ruff on every Python file",
         "ruff check --config build-aux/ruff.toml .", quick=True),
    Item("includes", "nothing in libilb/ includes upwards or in a circle",
         "tests/check_includes.py", quick=True),
    Item("header", "ilb.h alone as C and C++; the version is one everywhere",
         "tests/check_header.sh", quick=True),
    Item("atomics", "every ordered atomic says what it pairs with",
         "tests/check_atomics.py", quick=True),
    Item("unit", "unit tests of the core",
         "cd build && tests/unit/check_ilb", ("build",), "libcheck", quick=True),
    Item("exports", "exported names are those of the header; needs only libc",
         "tests/check_exports.sh", ("build",), quick=True),
    Item("python", "the package in a new environment, and its tests",
         "tests/check_python.sh", (), "pytest", quick=True, limit_s=400),
    Item("quickstart", "the header's example as a program",
         "build/examples/quickstart/quickstart", ("build",), quick=True),
    Item("sim", "the simulator: its parts, its engine, every fault and figure",
         "cd build && tests/sim/test_sim_run && tests/sim/test_sim_elsewhere",
         ("build",), "libcheck"),
    Item("sim-rivals", "the simulator: its rivals by their formulas, its scenario files",
         "cd build && tests/sim/test_sim_policies && "
         "tests/sim/test_sim_scenario ../tests/sim/scenarios", ("build",)),
    Item("sim-published", "the simulator: its rivals against published figures",
         "build/tests/sim/test_sim_published", ("build",)),
    Item("sim-promises", "what the library promises under faults; a policy misses each",
         "cd build && tests/sim/test_sim_promises --proof && tests/sim/test_sim_promises",
         ("build",)),
    Item("sim-invariants", "what must hold in random scenarios; 53 mutants are found",
         "cd build && tests/sim/test_sim_invariants --mutants && "
         "tests/sim/test_sim_invariants", ("build",)),
    Item("sim-healthy", "healthy fleets are left alone, for simulated hours",
         "cd build && (tests/sim/test_sim_healthy --hours 5 --nervous "
         ">check/healthy-nervous.txt; [ $? = 1 ]) && tests/sim/test_sim_healthy",
         ("build",)),
    Item("sim-cli", "the ilb-sim command",
         "ILB_SIM=$PWD/build/tests/sim/ilb-sim python -m pytest -q "
         "-p no:cacheprovider tests/sim", ("build",), "pytest"),
    Item("hot-path", "no lock and no allocation in pick and done, counted",
         "build/tests/stress/hot_path", ("build",), quick=True),
    Item("bench-unit", "the benchmark: medians, percentiles, options, its gate",
         "cd build && tests/bench/test_bench", ("build",), "libcheck", quick=True),
    Item("bench", "a pick and its done against a naive balancer: no gross slowdown",
         "build/tests/bench/ilb-bench --gate --milliseconds 30",
         ("build",), alone=True),
    Item("build-clang", "clang, warnings are errors: all, in build/clang",
         build("build/clang", "--with-gateway CC=clang", f"all {PROGRAMS}")),
    Item("unit-clang", "unit tests, by clang",
         "cd build/clang && tests/unit/check_ilb", ("build-clang",), "libcheck"),
    Item("build-asan", "clang with ASan and UBSan, in build/asan",
         build("build/asan", "--without-gateway --disable-shared CC=clang "
               f"CFLAGS='{ASAN}' LDFLAGS='{ASAN}'", PROGRAMS)),
    Item("build-tsan", "gcc with TSan, in build/tsan",
         build("build/tsan", "--without-gateway --disable-shared CC=gcc "
               f"CFLAGS='{TSAN}' LDFLAGS='{TSAN}'", PROGRAMS)),
    Item("unit-asan", "unit tests under ASan and UBSan",
         f"cd build/asan && {ASAN_RUN} tests/unit/check_ilb",
         ("build-asan",), "libcheck"),
    Item("unit-tsan", "unit tests under TSan",
         f"cd build/tsan && {TSAN_RUN} tests/unit/check_ilb",
         ("build-tsan",), "libcheck", limit_s=900),
    Item("amalgam", "the one-file forms: clean, complete, twice in a program",
         "tests/check_amalgam.sh"),
    Item("install", "installed and found by pkg-config, shared and static",
         "tests/check_install.sh build build/check/stage", ("build",)),
    Item("docs", "every function documents its contract; C snippets run",
         "tests/check_docs.py --lang c", ("install",)),
    Item("sdist", "sdist alone in an empty environment; Python snippets run there",
         "tests/check_sdist.sh", limit_s=400),
    Item("python-slow", "the package's tests that build and type-check",
         "cd bindings/python && ../../build/check/python-venv/bin/python "
         "-m pytest -q -p no:cacheprovider --durations=5 -m slow tests",
         ("python",), "pytest"),
    Item("distcheck", "make distcheck; the tarball has what the clone has",
         "VERBOSE=1 make -C build -j2 distcheck && tests/check_dist.sh build", ("build",),
         limit_s=400),
    Item("model", "every run of the lock-free protocols in the small; 45 mutants",
         "build/tests/model/model", ("build",), limit_s=600),
    Item("stress", "pickers against 1000 updates a second, 10 s",
         "build/tests/stress/stress_balancer --seconds 10", ("build",)),
    Item("stress-asan", "the same under ASan and UBSan",
         f"{ASAN_RUN} build/asan/tests/stress/stress_balancer --seconds 10",
         ("build-asan",), alone=True),
    Item("stress-tsan", "the same under TSan",
         f"{TSAN_RUN} build/tsan/tests/stress/stress_balancer --seconds 10",
         ("build-tsan",), alone=True),
    Item("events", "writers and readers of one event ring, 10 s",
         "build/tests/stress/stress_events --seconds 10", ("build",)),
    Item("events-tsan", "the same under TSan",
         f"{TSAN_RUN} build/tsan/tests/stress/stress_events --seconds 10",
         ("build-tsan",), alone=True),
    Item("calm", "two threads pick from a healthy set, 10^7 operations",
         "build/tests/stress/stress_balancer --healthy 1 --operations 1e7", ("build",),
         alone=True),
    Item("yields", "stress and events, held up between their steps",
         "build/tests/stress/stress_balancer_yield --seconds 5 --threads 4 "
         "--endpoints 3 --rate 0 && build/tests/stress/stress_events_yield --seconds 5",
         ("build",), alone=True),
    Item("yields-asan", "the same under ASan and UBSan",
         f"{ASAN_RUN} build/asan/tests/stress/stress_balancer_yield --seconds 5 "
         f"--threads 4 --endpoints 3 --rate 0 && {ASAN_RUN} "
         "build/asan/tests/stress/stress_events_yield --seconds 5",
         ("build-asan",), alone=True),
    Item("yields-tsan", "the same under TSan",
         f"{TSAN_RUN} build/tsan/tests/stress/stress_balancer_yield --seconds 5 "
         f"--threads 4 --endpoints 3 --rate 0 && {TSAN_RUN} "
         "build/tsan/tests/stress/stress_events_yield --seconds 5",
         ("build-tsan",), alone=True),
    Item("processes", "workers that share a balancer, killed at random, 10 s",
         "build/tests/stress/stress_processes --seconds 10", ("build",)),
    Item("processes-asan", "the same under ASan and UBSan",
         f"{ASAN_RUN} build/asan/tests/stress/stress_processes --seconds 10",
         ("build-asan",), alone=True),
    Item("kill-points", "a process is killed at each instruction of a request",
         "build/tests/stress/kill_points --stride 5", ("build",)),
    Item("e2e", "gateway and services, as processes",
         "python -m pytest -q -p no:cacheprovider tests/e2e",
         ("build",), "pytest", alone=True, limit_s=400),
    Item("demo", "the demo in short",
         "./demo --seconds 12", ("build",), alone=True),
    Item("fresh", "shell snippets of the documents, in a fresh copy",
         "tests/check_docs.py --lang sh", alone=True, limit_s=500),
)
