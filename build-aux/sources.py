# SPDX-License-Identifier: MIT
"""Reads the lists of source files, `NAME = a b \\ c`, from a sources.mk."""

from __future__ import annotations

import re
from pathlib import Path


def read_list(makefile: Path, name: str) -> list[str]:
    """Return the words of one list.

    A `$(OTHER)` among them stands for the words of that list, as in make.
    Raises ValueError if the file has no such list.
    """
    text = makefile.read_text().replace("\\\n", " ")
    match = re.search(rf"^{name}[ \t]*=(.*)$", text, re.M)
    if match is None:
        raise ValueError(f"{makefile}: no list {name}")
    words: list[str] = []
    for word in match.group(1).split():
        other = re.fullmatch(r"\$\((\w+)\)", word)
        words += read_list(makefile, other.group(1)) if other else [word]
    return words
