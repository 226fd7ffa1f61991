#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Nothing in libilb/ includes upwards, nothing in a circle.

The library is a house of rooms, one above the other. A file may include its
own room and the rooms below, the public header, and the system's headers. And
libilb/sources.mk lists every file there is, each header after those that it
includes. Before it judges the tree, the check proves on copies with planted
faults that it finds each of them.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(TOP / "build-aux"))
from sources import read_list  # noqa: E402

ROOMS = (
    "base", "signal", "set", "health", "select", "traffic", "observe", "net",
    "api",
)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def floor(name: str) -> int:
    """Return how high a file of libilb/ stands; -1 if it has no place."""
    room = name.split("/")[0]
    return ROOMS.index(room) if "/" in name and room in ROOMS else -1


def cycles(graph: dict[str, list[str]]) -> list[str]:
    """Return one line for each circle of includes."""
    found: list[str] = []
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> None:
        if name in path:
            circle = path[path.index(name):] + [name]
            found.append("a circle of includes: " + " -> ".join(circle))
        elif name not in done:
            for other in graph.get(name, []):
                walk(other, [*path, name])
            done.add(name)

    for name in sorted(graph):
        walk(name, [])
    return found


def file_faults(lib: Path, name: str, includes: list[tuple[str, str]]) -> list[str]:
    """Return what is wrong with the includes of one file."""
    faults = []
    if floor(name) < 0:
        return [f"{name}: not in a room ({', '.join(ROOMS)})"]
    for kind, target in includes:
        if kind == "<":
            continue
        if target == "ilb.h":
            continue
        if not (lib / target).exists():
            faults.append(f'{name}: "{target}": write it as "room/file.h"')
        elif floor(target) > floor(name):
            faults.append(f"{name}: includes upwards: {target}")
    return faults


def list_faults(lib: Path, names: set[str], graph: dict[str, list[str]]) -> list[str]:
    """Return what is wrong with sources.mk."""
    makefile = lib / "sources.mk"
    headers = read_list(makefile, "ILB_HEADER_FILES")
    listed = headers + read_list(makefile, "ILB_SOURCES")
    faults = [f"{path}: twice in sources.mk" for path in sorted(set(listed))
              if listed.count(path) > 1]
    there = {f"libilb/{name}" for name in names}
    faults += [f"{path}: not in sources.mk" for path in sorted(there - set(listed))]
    faults += [f"{path}: in sources.mk, but no such file"
               for path in sorted(set(listed) - there)]
    place = {path: i for i, path in enumerate(headers)}
    for name, others in sorted(graph.items()):
        for other in others:
            if place.get(f"libilb/{name}", len(place)) < place.get(
                f"libilb/{other}", -1
            ):
                faults.append(f"sources.mk: {other} belongs above {name}")
    return faults


def faults_of(lib: Path) -> list[str]:
    """Return everything that is wrong in a libilb/ directory."""
    names = {str(path.relative_to(lib)) for path in lib.rglob("*.[ch]")}
    faults = []
    graph: dict[str, list[str]] = {}
    for name in sorted(names):
        includes = INCLUDE.findall((lib / name).read_text())
        faults += file_faults(lib, name, includes)
        graph[name] = [target for kind, target in includes
                       if kind == '"' and target in names]
    return faults + cycles(graph) + list_faults(lib, names, graph)


PLANTED = (
    # (file, text that is put at its end, what the check must say)
    ("base/hash.h", '#include "set/set.h"\n', "base/hash.h: includes upwards"),
    ("signal/load.c", '#  include "health/health.h"\n', "includes upwards"),
    ("base/internal.h", '#include "base/hash.h"\n', "a circle of includes"),
    ("base/hash.h", '#include "random.h"\n', 'write it as "room/file.h"'),
    ("base/planted.c", "int planted;\n", "not in sources.mk"),
    ("planted/planted.c", "int planted;\n", "not in a room"),
)


def self_test() -> None:
    """Plant each fault in a copy and see that it is found, and only then."""
    for name, text, wanted in PLANTED:
        with tempfile.TemporaryDirectory() as scratch:
            lib = Path(scratch) / "libilb"
            shutil.copytree(TOP / "libilb", lib)
            before = faults_of(lib)
            target = lib / name
            target.parent.mkdir(exist_ok=True)
            with target.open("a") as file:
                file.write(text)
            new = [fault for fault in faults_of(lib) if fault not in before]
            if not any(wanted in fault for fault in new):
                sys.exit(f"check_includes: planted {text.strip()!r} in {name} "
                         f"and did not find it; found: {new}")


def main() -> int:
    """Run the self-test, then check the tree."""
    self_test()
    faults = faults_of(TOP / "libilb")
    for fault in faults:
        print(f"check_includes: {fault}", file=sys.stderr)
    if not faults:
        n = len(list((TOP / "libilb").rglob("*.[ch]")))
        print(f"check_includes: {n} files, no include upwards or in a circle; "
              f"{len(PLANTED)} planted faults found")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
