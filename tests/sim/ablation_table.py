# SPDX-License-Identifier: MIT
"""The table of experiments, ablation.txt, and what its lines do to the sources.

A line is one of

    == HEADING
    NAME | CHANGE; CHANGE... | POLICY
    not a choice | FILE NAME...; FILE NAME... | REASON
    not in the simulator | FILE NAME...; FILE NAME... | REASON

and goes on in the next line if that is indented. POLICY may be left out: ilb.
A CHANGE is one of

    FILE NAME VALUE             the value of a #define; FILE is below libilb/
    text FILE: OLD => NEW       what has no name; spaces and line ends are alike
    option NAME VALUE           of ilb_options, where the caller does not set it
    -                           none: the policy is the experiment

A table that does not fit the sources any more is an error, never passed over:
what is replaced must be there exactly once, and change.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Mapping

TABLE = Path(__file__).resolve().parent / "ablation.txt"
ROOMS = ("select", "signal", "health", "set", "observe")  # all their files
FILES = ("base/options.c",)  # and these of other rooms
OPTION = "option"  # in the place of a file
EXCUSES = ("not a choice", "not in the simulator")
POLICIES = ("ilb", "ilb-plain", "ilb-unjudged")

DEFINE = r"^[ \t]*#[ \t]*define[ \t]+{name}[ \t]+(?P<value>(?:[^\n]*\\\n)*[^\n]*)$"
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
ARRAY = re.compile(r"^static const (?:double|float|int|unsigned|u?int\d+_t) (\w+)\s*"
                   r"(?:\[[^\]]*\]\s*)?=", re.M)


class TableError(Exception):
    """The table is wrong, or does not fit the sources."""


@dataclass(frozen=True)
class Change:
    """One change to the library."""

    file: str  # below libilb/, or OPTION
    name: str  # of a #define or an option; empty: a text
    old: str  # of a text only
    new: str
    line: int  # of the table

    def __str__(self) -> str:
        return f"{self.name} = {self.new}" if self.name else f"{self.old} => {self.new}"


@dataclass(frozen=True)
class Experiment:
    """The engine with some of its defaults chosen otherwise."""

    name: str
    heading: str
    policy: str
    changes: tuple[Change, ...]
    line: int


@dataclass(frozen=True)
class Excuse:
    """Constants that need no experiment."""

    kind: str  # one of EXCUSES
    constants: tuple[tuple[str, str], ...]  # file or OPTION, and name
    reason: str
    line: int


@dataclass
class Table:
    """All of ablation.txt."""

    experiments: list[Experiment] = field(default_factory=list)
    excuses: list[Excuse] = field(default_factory=list)


# ---- Reading the table --------------------------------------------------------


def logical_lines(text: str) -> list[tuple[int, str]]:
    """Return lines with their numbers, those that go on put together."""
    lines: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#") or not line.strip():
            continue
        if line[0] not in " \t":
            lines.append((number, line.strip()))
        elif not lines:
            raise TableError(f"line {number}: it goes on from nothing")
        else:
            lines[-1] = (lines[-1][0], f"{lines[-1][1]} {line.strip()}")
    return lines


def read_change(text: str, line: int) -> Change:
    """Read one change."""
    words = text.split(None, 2)
    if words and words[0] == "text":
        match = re.fullmatch(r"text (\S+): (.+) => (.+)", text)
        if match is None:
            raise TableError(f"line {line}: '{text}' is not 'text FILE: OLD => NEW'")
        return Change(match.group(1), "", match.group(2), match.group(3), line)
    if len(words) != 3:
        raise TableError(f"line {line}: '{text}' is not 'FILE NAME VALUE'")
    return Change(words[0], words[1], "", words[2], line)


def read_excuse(kind: str, constants: str, reason: str, line: int) -> Excuse:
    """Read a line of constants that need no experiment."""
    found: list[tuple[str, str]] = []
    for part in constants.split(";"):
        words = part.split()
        if len(words) < 2:
            raise TableError(f"line {line}: '{part.strip()}' is not 'FILE NAME...'")
        found += [(words[0], word) for word in words[1:]]
    if not reason:
        raise TableError(f"line {line}: no reason")
    return Excuse(kind, tuple(found), reason, line)


def read_table(path: Path = TABLE) -> Table:
    """Read the whole file. Raises TableError, with the line, if it is wrong."""
    table = Table()
    heading = ""
    names: set[str] = set()
    for line, text in logical_lines(path.read_text()):
        if text.startswith("=="):
            heading = text.strip("= ")
            continue
        fields = [x.strip() for x in text.split(" | ")]
        if not 2 <= len(fields) <= 3:
            raise TableError(f"line {line}: '{text}' is not 'NAME | CHANGES | POLICY'")
        name, what, last = [*fields, ""][:3]
        if name in EXCUSES:
            table.excuses.append(read_excuse(name, what, last, line))
            continue
        policy = last or POLICIES[0]
        changes = () if what == "-" else tuple(
            read_change(x.strip(), line) for x in what.split(";"))
        if policy not in POLICIES:
            raise TableError(f"line {line}: no policy '{policy}'; one of {', '.join(POLICIES)}")
        if not changes and policy == POLICIES[0]:
            raise TableError(f"line {line}: '{name}' changes nothing")
        if name in names:
            raise TableError(f"line {line}: another '{name}'")
        names.add(name)
        table.experiments.append(Experiment(name, heading, policy, changes, line))
    return table


# ---- The sources --------------------------------------------------------------


def read_sources(top: Path) -> dict[str, str]:
    """Return the text of each file of libilb/, by its path below it."""
    root = top / "libilb"
    return {str(path.relative_to(root)): path.read_text()
            for path in sorted(root.rglob("*.[ch]"))}


def read_options(top: Path) -> list[str]:
    """Return the names of ilb_options' members but its size."""
    text = COMMENT.sub("", (top / "include/ilb.h").read_text())
    match = re.search(r"typedef struct ilb_options \{(.*?)\} ilb_options;", text, re.S)
    if match is None:
        raise TableError("include/ilb.h: no struct ilb_options")
    return [name for name in re.findall(r"(\w+);", match.group(1)) if name != "size"]


def is_searched(file: str) -> bool:
    """Tell whether the constants of a file must be in the table."""
    return file.split("/")[0] in ROOMS or file in FILES


def constants(sources: Mapping[str, str], options: list[str]) -> list[tuple[str, str]]:
    """Return all that somebody may have chosen: file or OPTION, and name.

    An option whose default has a #define is found by that.
    """
    found: list[tuple[str, str]] = []
    for file, text in sources.items():
        if not is_searched(file):
            continue
        for match in re.finditer(DEFINE.format(name=r"(?P<name>\w+)"), text, re.M):
            found.append((file, match.group("name")))
        found += [(file, name) for name in ARRAY.findall(text)]
    defines = {name for _, name in found}
    return found + [(OPTION, x) for x in options if f"OPTIONS_{x.upper()}" not in defines]


def value_of(sources: Mapping[str, str], change: Change) -> str:
    """Return the present value of what a change replaces."""
    match = find(sources, change)
    if not change.name:
        return " ".join(match.group(0).split())
    return " ".join(COMMENT.sub("", match.group("value")).replace("\\\n", " ").split())


def find(sources: Mapping[str, str], change: Change) -> re.Match[str]:
    """Return the one place that a change replaces."""
    where = f"line {change.line} of the table"
    if change.file not in sources:
        raise TableError(f"{where}: no file libilb/{change.file}")
    if change.name:
        pattern = DEFINE.format(name=re.escape(change.name))
    else:
        pattern = r"\s+".join(map(re.escape, change.old.split()))
    what = f"#define {change.name}" if change.name else f"'{change.old}'"
    found = list(re.finditer(pattern, sources[change.file], re.M))
    if len(found) != 1:
        raise TableError(f"{where}: {what} is {len(found)} times in libilb/{change.file}, "
                         "not once")
    return found[0]


def plain(value: str) -> str:
    """Return a value without what makes no difference to it."""
    value = re.sub(r"\s+", "", value)
    while re.fullmatch(r"\([^()]*\)", value):
        value = value[1:-1]
    return value


def changed(sources: Mapping[str, str], experiment: Experiment,
            options: list[str]) -> dict[str, str]:
    """Return the sources with an experiment's changes but those of options."""
    new = dict(sources)
    for change in experiment.changes:
        where = f"line {change.line} of the table"
        if change.file == OPTION:
            if change.name not in options:
                raise TableError(f"{where}: no option {change.name} in include/ilb.h")
            if plain(change.new) == "0":
                raise TableError(f"{where}: {change.name} 0 is the default")
            continue
        match = find(new, change)
        if plain(value_of(new, change)) == plain(change.new):
            raise TableError(f"{where}: {change} is so already")
        begin, end = match.span("value") if change.name else match.span()
        text = new[change.file]
        new[change.file] = text[:begin] + change.new + text[end:]
    return new


def check(table: Table, top: Path) -> list[str]:
    """Return what is wrong with a table: it must fit the sources and leave out
    nothing that is a choice."""
    sources, options = read_sources(top), read_options(top)
    known = constants(sources, options)
    errors: list[str] = []
    covered: dict[tuple[str, str], int] = {}
    for experiment in table.experiments:
        try:
            changed(sources, experiment, options)
        except TableError as error:
            errors.append(str(error))
        for change in experiment.changes:
            names = [change.name] if change.name else re.findall(r"\w+", change.old)
            for name in names:
                covered[change.file, name] = experiment.line
    for excuse in table.excuses:
        for constant in excuse.constants:
            file, name = constant
            if constant not in known:
                errors.append(f"line {excuse.line} of the table: no {name} in {file}")
            if constant in covered:
                errors.append(f"line {excuse.line} of the table: {name} is {excuse.kind}, "
                              f"but line {covered[constant]} has it as well")
            covered[constant] = excuse.line
    for file, name in known:
        if (file, name) not in covered:
            place = "ilb_options" if file == OPTION else f"libilb/{file}"
            errors.append(f"{name} of {place} has no experiment; add one to "
                          f"{TABLE.name}, or say there why it needs none")
    return errors
