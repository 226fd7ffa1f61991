#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every ordered atomic step in libilb/ says what it pairs with, and why.

Orders stand in the names of the operations of libilb/base/atomics.h; nobody
else uses <stdatomic.h>. Where one is not relaxed, the comment before it says

    Pairs with the acquire in FUNCTION: why.

The function must be there and have such a step, and one of its comments must
name this function in turn. A step that both acquires and releases says what
either is for. And the model (tests/model) names every function that has one,
and no function that is not there. Before it judges the tree, the check proves on copies with
planted faults that it finds each of them.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
HOME = "base/atomics.h"
STEP = re.compile(r"\bilb__(?:\w+_)?(load|store|add|sub|cas|fence|load_pointer|"
                  r"store_pointer|cas_strong)_(acquire|release|acq_rel)\(")
DIRECT = re.compile(r"\batomic_\w+\(|\bmemory_order_\w+|\b__(?:atomic|sync)_\w+\(|\b_Atomic\b")
PAIR = re.compile(r"(?:[Pp]airs|[Aa]nd) with the (acquire|release|fence|two) in "
                  r"((?:\w*_\w+)(?:(?:, | and )\w*_\w+)*)")
MIN_REASON_WORDS = 3


@dataclass
class Step:
    """An ordered step: where, what, and the words of the comment before it."""

    place: str
    function: str
    kind: str  # "fence" or "other"
    order: str
    comment: str
    pairs: list[tuple[str, str]] = field(default_factory=list)


def functions(text: str) -> list[tuple[str, int, int]]:
    """Return name, begin and end of every function that has a body."""
    found = []
    for match in re.finditer(r"^\{$(.*?)^\}$", text, re.M | re.S):
        head = text[:match.start()]
        begin = max(head.rfind("\n\n"), head.rfind("*/\n"), 0)
        names = re.findall(r"(\w+)\(", head[begin:])
        if names:
            found.append((names[0], match.start(), match.end()))
    return found


def words(comment: str) -> str:
    """Return a comment's text in one line."""
    return " ".join(re.sub(r"/\*|\*/|^\s*\*", " ", comment, flags=re.M).split())


def steps_of(name: str, text: str) -> list[Step]:
    """Return every ordered step of a file, with its own comment."""
    steps = []
    for function, begin, end in functions(text):
        body = text[begin:end]
        blank = re.sub(r"/\*.*?\*/", lambda m: " " * len(m[0]), body, flags=re.S)
        last = 0
        for match in STEP.finditer(blank):
            comments = re.findall(r"/\*.*?\*/", body[last:match.start()], re.S)
            step = Step(
                f"{name}:{text.count(chr(10), 0, begin + match.start()) + 1}", function,
                "fence" if match[1] == "fence" else "other", match[2],
                words(comments[-1]) if comments else "",
            )
            for kind, names in PAIR.findall(step.comment):
                step.pairs += [(kind, other) for other in re.findall(r"\w*_\w+", names)]
            steps.append(step)
            last = match.end()
    return steps


def answers(step: Step, kind: str, other: Step) -> bool:
    """Return whether `other` may be what `step` pairs with as a `kind`."""
    gives = {"acquire": {"acquire"}, "release": {"release"},
             "acq_rel": {"acquire", "release"}}
    wanted = {"acquire": {"release"}, "release": {"acquire"},
              "acq_rel": {"acquire", "release"}}[step.order]
    if not gives[other.order] & wanted:
        return False
    if kind == "fence":
        return other.kind == "fence"
    return kind == "two" or kind in gives[other.order]


def step_faults(step: Step, steps: list[Step]) -> list[str]:
    """Return what is wrong with one step's comment."""
    where = f"{step.place}: {step.function}"
    if not step.pairs:
        return [f"{where}: does not say what its {step.order} pairs with"]
    faults = []
    for kind, name in step.pairs:
        there = [other for other in steps if other.function == name]
        if not there:
            faults.append(f"{where}: pairs with {name}, which has no ordered step")
        elif not any(answers(step, kind, other) for other in there):
            faults.append(f"{where}: {name} has no {kind} that answers a {step.order}")
        elif not any(back == step.function for other in there for _, back in other.pairs):
            faults.append(f"{where}: {name} does not name {step.function} in turn")
    reason = PAIR.sub("", step.comment)
    if len(re.findall(r"\w+", reason)) < MIN_REASON_WORDS:
        faults.append(f"{where}: does not say why")
    if step.order == "acq_rel" and not all(
        re.search(word, reason, re.I) for word in ("acquire", "release")
    ):
        faults.append(f"{where}: says only half of what an acq_rel is for")
    return faults


def faults_of(lib: Path) -> tuple[list[str], int]:
    """Return everything that is wrong in a libilb/ directory, and how many steps."""
    faults: list[str] = []
    steps: list[Step] = []
    for path in sorted(lib.rglob("*.[ch]")):
        name = str(path.relative_to(lib))
        text = path.read_text()
        if name == HOME:
            continue
        code = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.S)
        for match in DIRECT.finditer(code):
            line = code.count("\n", 0, match.start()) + 1
            faults.append(f"{name}:{line}: {match[0]}: only {HOME} may")
        inside = [(begin, end) for _, begin, end in functions(text)]
        for match in STEP.finditer(code):
            if not any(begin < match.start() < end for begin, end in inside):
                faults.append(f"{name}: an ordered step in no function")
        steps += steps_of(name, text)
    for step in steps:
        faults += step_faults(step, steps)
    return faults, len(steps)


def model_faults(lib: Path, model: Path) -> list[str]:
    """Return where the model (tests/model) and the library do not match by name."""
    text = "".join(path.read_text() for path in sorted(model.glob("protocol_*.c")))
    there = {name for path in lib.rglob("*.[ch]")
             for name, _, _ in functions(path.read_text())}
    ordered = {step.function for path in sorted(lib.rglob("*.[ch]"))
               if str(path.relative_to(lib)) != HOME
               for step in steps_of(str(path.relative_to(lib)), path.read_text())}
    named = set(re.findall(r"\b(?:ilb_\w+|events_\w+|load_\w+|set_(?:enter|new_slot))\b",
                           " ".join(re.findall(r'"([^"\n]*)"', text))))
    faults = [f"tests/model names {name}, which is no function of libilb/"
              for name in sorted(named - there)]
    faults += [f"tests/model does not name {name}, which orders memory"
               for name in sorted(ordered) if not re.search(rf"\b{name}\b", text)]
    return faults


PLANTED = (
    # (file, what is there, what is planted, what the check must say)
    ("set/table.h", "Pairs with the release in ilb__table_publish", "Goes along",
     "does not say what its acquire pairs with"),
    ("set/table.h", "the release in ilb__table_publish", "the release in ilb__table_init",
     "which has no ordered step"),
    ("set/slot.c", "Pairs with the fence in ilb__slot_set_address",
     "Pairs with the fence in ilb__slot_address", "no fence that answers"),
    ("observe/stats.c", ": what it points to is there", "", "does not say why"),
    ("set/set.c", "ilb_ticket_user and ilb__stats_of", "ilb_ticket_user",
     "does not name ilb__stats_of in turn"),
    ("observe/events.c", "Release: nothing depends on it", "Nothing depends on it",
     "only half"),
    ("signal/load.c", "ilb__add_relaxed(&l->word", "atomic_fetch_add(&l->word",
     "only base/atomics.h may"),
)


def self_test() -> None:
    """Plant each fault in a copy and see that it is found."""
    with tempfile.TemporaryDirectory() as scratch:
        for path in (TOP / "tests/model").glob("protocol_*.c"):
            text = path.read_text().replace("events_claim", "events_clam")
            (Path(scratch) / path.name).write_text(text)
        found = " ".join(model_faults(TOP / "libilb", Path(scratch)))
        if "names events_clam" not in found or "name events_claim" not in found:
            sys.exit("check_atomics: the model's events_claim is not missed")
    before, _ = faults_of(TOP / "libilb")
    for name, there, planted, wanted in PLANTED:
        with tempfile.TemporaryDirectory() as scratch:
            lib = Path(scratch) / "libilb"
            shutil.copytree(TOP / "libilb", lib)
            text = (lib / name).read_text()
            if there not in text:
                sys.exit(f"check_atomics: {name} has no {there!r} to plant {planted!r} for")
            (lib / name).write_text(text.replace(there, planted, 1))
            new = [fault for fault in faults_of(lib)[0] if fault not in before]
            if not any(wanted in fault for fault in new):
                sys.exit(f"check_atomics: planted {planted!r} in {name} and did not find "
                         f"it; found: {new}")


def main() -> int:
    """Run the self-test, then check the tree."""
    self_test()
    faults, n = faults_of(TOP / "libilb")
    faults += model_faults(TOP / "libilb", TOP / "tests/model")
    for fault in faults:
        print(f"check_atomics: {fault}", file=sys.stderr)
    if n < 20:
        print(f"check_atomics: only {n} ordered steps found", file=sys.stderr)
        return 1
    if not faults:
        print(f"check_atomics: {n} ordered steps say what they pair with; "
              f"{len(PLANTED)} planted faults found")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
