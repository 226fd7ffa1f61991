#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write libilb as one file, to be copied into another program.

    amalgamate.py [--pair-only] DIRECTORY

writes into DIRECTORY

    ilb.h         include/ilb.h as it is
    ilb.c         the library; needs ilb.h beside it
    ilb_single.h  the header and, where ILB_IMPLEMENTATION is defined, the
                  library (not with --pair-only)

The output depends on the sources alone: the same sources, the same bytes.
Internal functions are static in it (ILB_INTERNAL under ILB_AMALGAMATION); with
ILB_STATIC the public ones are static too. For that, a static name must not
occur in two files: this fails if one does. Every name that a source file has
for itself gets the prefix ilb__ or ILB__, so that none can meet one of the
program that the library is copied into.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from collections import defaultdict
from pathlib import Path

sys.dont_write_bytecode = True
from sources import read_list  # noqa: E402  (beside this file)

TOP = Path(__file__).resolve().parent.parent
HEADER = "include/ilb.h"
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"')
CONDITION = re.compile(r"^[ \t]*#[ \t]*(if|ifdef|ifndef|endif)\b")

USE_PAIR = """\
 * Compile this file with your program, as C11, with ilb.h beside it; link with
 * your system's thread library. Define ILB_STATIC and #include it instead to
 * keep every name inside one file of yours."""

USE_SINGLE = """\
 * Include it wherever you call libilb, and in exactly one C file write
 *
 *     #define ILB_IMPLEMENTATION
 *     #include "ilb_single.h"
 *
 * as that file's first include, compiled as C11. Define ILB_STATIC as well to
 * keep every name inside that file."""

# What the sources need of the system, before its first header.
POSIX = """\
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#if !defined(_DEFAULT_SOURCE) && !defined(_GNU_SOURCE)
#define _DEFAULT_SOURCE 1
#endif
"""

# In a user's own file, which goes on after the library: only where the
# compiler was told to be strict (-std=c11) is there something to ask for; to
# ask elsewhere would hide from that file what it can see now.
POSIX_SINGLE = """\
#if defined(ILB_IMPLEMENTATION) && defined(__STRICT_ANSI__) &&                 \\
    !defined(_POSIX_C_SOURCE) && !defined(_GNU_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
"""


class AmalgamationError(Exception):
    """The sources cannot be put into one file, and why."""


def without_comments(text: str) -> str:
    """Blank comments, strings and characters; lines stay where they are."""

    def blank(match: re.Match[str]) -> str:
        found = match.group(0)
        if found[0] == "/":
            return re.sub(r"[^\n]", " ", found)
        return found[0] + " " * (len(found) - 2) + found[-1]

    pattern = (
        r"/\*.*?\*/|//[^\n]*"
        r'|"(?:\\.|[^"\\\n])*"' + r"|'(?:\\.|[^'\\\n])*'"
    )
    return re.sub(pattern, blank, text, flags=re.S)


def static_names(text: str) -> set[str]:
    """Return the file-scope static functions and variables of a file.

    A static function or variable begins in column 0 here, as clang-format
    leaves it; one inside a function is indented and does not count.
    """
    code = re.sub(r"^[ \t]*#(?:.*\\\n)*.*$", "", without_comments(text),
                  flags=re.M)
    code = re.sub(r"__attribute__\s*\(\(.*?\)\)", " ", code, flags=re.S)
    names = set()
    for match in re.finditer(
        r"^(?:_Thread_local\s+)?static\b([^;{}=]*)", code, re.M
    ):
        head = match.group(1)
        pointer = re.search(r"\(\s*\*\s*(?:const\s+)?(\w+)", head)
        plain = re.search(r"(\w+)\s*(?:\(|\[|$)", head.strip())
        found = plain
        if pointer and (not plain or pointer.start() <= plain.end()):
            found = pointer
        if found is None:
            raise AmalgamationError(f"cannot read: static{head.rstrip()}")
        names.add(found.group(1))
    return names


def check_names(texts: dict[str, str]) -> None:
    """Raise if a static name occurs in two files."""
    places: dict[str, set[str]] = defaultdict(set)
    for path, text in texts.items():
        for name in static_names(text):
            places[name].add(path)
    twice = [
        f"static {name} is in {' and in '.join(sorted(paths))}"
        for name, paths in sorted(places.items())
        if len(paths) > 1
    ]
    if twice:
        raise AmalgamationError("\n".join(twice))


def own_names(path: str, text: str) -> set[str]:
    """Return what a .c file declares for itself alone: static functions and
    variables, types and macros."""
    code = without_comments(text)
    names = static_names(text)
    names |= set(re.findall(r"^typedef struct (\w+) \{", code, re.M))
    names |= set(re.findall(r"^\} (\w+);", code, re.M))
    names |= set(re.findall(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", code, re.M))
    names -= {"_POSIX_C_SOURCE", "_DEFAULT_SOURCE"}
    for name in names:
        member = re.search(rf"(\.|->)\s*{name}\b", code)
        if member:
            raise AmalgamationError(
                f"{path}: {name} is also the name of a member")
    return names


def with_prefix(path: str, text: str, taken: set[str]) -> str:
    """Put ilb__ or ILB__ before all names of a .c file's own: the program
    that this library becomes a part of may well have a `pool_insert`."""
    names = own_names(path, text)
    if not names:
        return text
    new = {name: ("ILB__" if name.isupper() else "ilb__") + name
           for name in names}
    for name in sorted(names):
        if new[name] in taken:
            raise AmalgamationError(
                f"{path}: {name} would become {new[name]}, which exists")
    return re.sub(rf"\b({'|'.join(sorted(names))})\b",
                  lambda match: new[match.group(1)], text)


class Amalgamation:
    """The sources, and the text they make together."""

    def __init__(self, top: Path) -> None:
        makefile = top / "libilb/sources.mk"
        self.sources = read_list(makefile, "ILB_SOURCES")
        headers = read_list(makefile, "ILB_HEADER_FILES")
        self.texts = {
            path: (top / path).read_text()
            for path in [HEADER, *headers, *self.sources]
        }
        version = re.search(
            r'^#define ILB_VERSION "(.+)"', self.texts[HEADER], re.M
        )
        if version is None:
            raise AmalgamationError(f"{HEADER}: no ILB_VERSION")
        self.version = version.group(1)
        digest = hashlib.sha256()
        for path, text in sorted(self.texts.items()):
            digest.update(f"{path}\0{text}\0".encode())
        self.source_hash = digest.hexdigest()[:16]
        check_names(self.texts)
        shared = set(re.findall(r"\bilb__\w+|\bILB__\w+",
                                "".join(self.texts.values())))
        for path in self.sources:
            self.texts[path] = with_prefix(path, self.texts[path], shared)
        self.body = self._body()

    def _expand(self, path: str, seen: set[str]) -> list[str]:
        """Return the lines of a file with its own includes put in, once."""
        out = [f"/* ==== {path} ".ljust(76, "=") + " */"]
        guard = 1 if path.endswith(".h") else 0
        depth = 0
        for number, line in enumerate(self.texts[path].splitlines(), 1):
            include = INCLUDE.match(line)
            condition = CONDITION.match(line)
            if condition:
                depth += -1 if condition.group(1) == "endif" else 1
            if include is None:
                out.append(line)
                continue
            if depth > guard:
                raise AmalgamationError(
                    f'{path}:{number}: #include "..." under a condition '
                    "cannot be put in once for all"
                )
            out += self._include(path, number, include.group(1), seen)
        return out

    def _include(
        self, path: str, number: int, name: str, seen: set[str]
    ) -> list[str]:
        target = HEADER if name == "ilb.h" else f"libilb/{name}"
        if target not in self.texts:
            raise AmalgamationError(
                f'{path}:{number}: "{name}" is not in libilb/sources.mk'
            )
        if target == HEADER or target in seen:
            return []
        seen.add(target)
        return [*self._expand(target, seen), f"/* ==== back in {path} */"]

    def _body(self) -> str:
        lines = ["#define ILB_AMALGAMATION 1"]
        seen: set[str] = set()
        for path in self.sources:
            lines += self._expand(path, seen)
        body = "\n".join(lines)
        # A file's own licence line and the empty lines that includes leave.
        body = re.sub(
            r"^/\* SPDX-License-Identifier: MIT( \*/)?\n",
            lambda m: "" if m.group(1) else "/*\n", body, flags=re.M,
        )
        return re.sub(r"\n{3,}", "\n\n", body) + "\n"

    def _head(self, name: str, use: str) -> str:
        licence = (TOP / "LICENSE").read_text().split("\n\n", 1)[1]
        comment = "\n".join(
            f" * {line}".rstrip() for line in licence.strip().splitlines()
        )
        return (
            f"/* SPDX-License-Identifier: MIT\n *\n"
            f" * {name}: libilb {self.version} in one file.\n"
            f" * Made by build-aux/amalgamate.py from sources"
            f" {self.source_hash}; do not edit.\n *\n"
            f"{use}\n *\n{comment}\n */\n"
        )

    def pair(self) -> dict[str, str]:
        """Return ilb.h and ilb.c."""
        return {
            "ilb.h": self.texts[HEADER],
            "ilb.c": self._head("ilb.c", USE_PAIR)
            + POSIX
            + '#include "ilb.h"\n\n'
            + self.body,
        }

    def single(self) -> dict[str, str]:
        """Return ilb_single.h; the library stands outside of its guard."""
        return {
            "ilb_single.h": self._head("ilb_single.h", USE_SINGLE)
            + POSIX_SINGLE
            + "\n"
            + self.texts[HEADER]
            + "\n#if defined(ILB_IMPLEMENTATION) && !defined(ILB_IMPLEMENTED)\n"
            + "#define ILB_IMPLEMENTED 1\n"
            + self.body
            + "#endif /* ILB_IMPLEMENTATION */\n"
        }


def main() -> int:
    """Parse the command line and write the files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pair-only", action="store_true")
    parser.add_argument("directory", type=Path)
    args = parser.parse_args()
    try:
        whole = Amalgamation(TOP)
    except (AmalgamationError, OSError, ValueError) as error:
        print(f"amalgamate: {error}", file=sys.stderr)
        return 1
    files = whole.pair() if args.pair_only else whole.pair() | whole.single()
    args.directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (args.directory / name).write_text(text)
        print(f"amalgamate: {args.directory / name}: {len(text)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
