#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The documents tell the truth.

    check_docs.py [--lang c|python|sh] [--python INTERPRETER]

Every public function's comment in include/ilb.h says "Thread safety:",
"Blocks:", "Allocates:" and "Since:". And every snippet in the READMEs runs. A
snippet in one of the languages c, python and sh (and one in no language at
all, which counts as sh) stands behind a line

    <!-- run: NAME -->

(the name may be left out) and is run as a program that must end with 0:

    c       compiled with warnings as errors: against the installed library if
            it includes <ilb.h>, else against the one-file forms
    python  in an empty directory, by INTERPRETER, which has the package
    sh      in the document's directory of a fresh copy of the source tree,
            with nothing built or installed in it; `make install` and `pip install` go to places of
            their own. All of a file's snippets run in the same copy, in order.
            SHORTER says which commands run in their short forms.

Text that is not to be run is fenced as ```text. Without --lang, all languages.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
DOCUMENTS = ("README.md", "bindings/python/README.md")
LANGUAGES = ("c", "python", "sh")
FIELDS = ("Thread safety:", "Blocks:", "Allocates:", "Since:")
LIMIT_S = 400.0
# In a test of a document, these would take minutes or start themselves.
SHORTER = {"./demo": "./demo --seconds 12", "./check": "./check --quick"}

FENCE = re.compile(
    r"(?P<mark>^<!-- run(?:: (?P<name>[\w-]+))? -->\n)?"
    r"^```(?P<lang>\w*)\n(?P<code>.*?)^```$",
    re.M | re.S,
)


@dataclass(frozen=True)
class Snippet:
    """A fenced piece of a document; `line` is that of its fence."""

    document: str
    line: int
    name: str
    lang: str
    code: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line} ({self.name or self.lang})"


def header_faults() -> list[str]:
    """Return the public functions whose comments leave something out."""
    text = (TOP / "include/ilb.h").read_text()
    functions = list(re.finditer(r"^ILB_API\b[^;]*?\b(ilb_\w+)\(", text, re.M))
    faults = [] if len(functions) >= 10 else ["include/ilb.h: cannot read it"]
    for function in functions:
        before = text[: function.start()].rstrip()
        begin = before.rfind("/**")
        comment = before[begin:] if before.endswith("*/") and begin >= 0 else ""
        comment = re.sub(r"\n \* ?", " ", comment)
        faults += [
            f"include/ilb.h: {function.group(1)}: its comment has no {field!r}"
            for field in FIELDS
            if field not in comment
        ]
    return faults


def snippets(document: str) -> tuple[list[Snippet], list[str]]:
    """Return a document's snippets, and what is wrong with their marks."""
    path = TOP / document
    if not path.exists():
        return [], [f"{document}: there is no such file"]
    text = path.read_text()
    found, faults = [], []
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start("code"))
        lang = match["lang"] or "sh"
        if lang not in LANGUAGES:
            continue
        if match["mark"] is None:
            faults.append(
                f"{document}:{line}: a snippet in {match['lang'] or 'no language'} "
                "without <!-- run: NAME --> before it"
            )
            continue
        found.append(Snippet(document, line, match["name"] or "", lang, match["code"]))
    names = [snippet.name for snippet in found if snippet.name]
    faults += [f"{document}: two snippets are called {name}"
               for name in sorted(set(names)) if names.count(name) > 1]
    return found, faults


def run(command: list[str], cwd: Path, env: dict[str, str] | None = None) -> str:
    """Run a command; return "" or what it printed before it failed."""
    try:
        done = subprocess.run(
            command, cwd=cwd, env=env, timeout=LIMIT_S, text=True, errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
    except subprocess.TimeoutExpired as late:
        return f"longer than {LIMIT_S:.0f} s: {late.output!r}"
    if done.returncode == 0:
        return ""
    return f"{shlex.join(command)} ended with {done.returncode}:\n{done.stdout[-6000:]}"


def pkg_config(stage: Path) -> list[str]:
    """Return the flags for the library that is installed under `stage`."""
    files = list(stage.rglob("libilb.pc"))
    if len(files) != 1:
        sys.exit(f"check_docs: no library in {stage}: run tests/check_install.sh")
    env = dict(os.environ, PKG_CONFIG_PATH=str(files[0].parent),
               PKG_CONFIG_SYSROOT_DIR=str(stage))
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libilb"], env=env,
                           check=True, capture_output=True, text=True).stdout.split()
    return [*flags, f"-Wl,-rpath,{files[0].parent.parent}"]


def run_c(snippet: Snippet, scratch: Path) -> str:
    """Compile and run a C snippet."""
    (scratch / "snippet.c").write_text(snippet.code)
    if "<ilb.h>" in snippet.code:
        flags = pkg_config(TOP / "build/check/stage")
    else:
        failed = run([sys.executable, str(TOP / "build-aux/amalgamate.py"), "."], scratch)
        if failed:
            return failed
        flags = ["-I.", "-lpthread"]
    compiler = ["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror"]
    return run([*compiler, "snippet.c", "-o", "snippet", *flags], scratch) or run(
        ["./snippet"], scratch
    )


def run_python(snippet: Snippet, scratch: Path, interpreter: str) -> str:
    """Run a Python snippet in a directory that has nothing else."""
    return run([interpreter, "-I", "-W", "error::ResourceWarning", "-c", snippet.code], scratch)


def fresh_copy(to: Path) -> None:
    """Copy the source tree, without anything that was built."""
    if (TOP / ".git").exists():
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=TOP, check=True, capture_output=True, text=True,
        ).stdout
        names = [name for name in listed.split("\0") if name and (TOP / name).exists()]
    else:
        names = [str(path.relative_to(TOP)) for path in TOP.rglob("*")
                 if path.is_file() and "build" not in path.relative_to(TOP).parts]
    for name in names:
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(TOP / name, to / name)


def run_sh(snippets_of_file: list[Snippet], scratch: Path) -> list[str]:
    """Run the shell snippets of one document in one fresh copy."""
    copy = scratch / "copy"
    copy.mkdir()
    fresh_copy(copy)
    failed = run([sys.executable, "-m", "venv", str(scratch / "venv")], scratch)
    if failed:
        return [failed]
    env = {name: value for name, value in os.environ.items()
           if name not in ("ILB_BUILD", "VIRTUAL_ENV", "MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    tools = str(TOP / "build/venv/bin")
    path = [part for part in env.get("PATH", os.defpath).split(":") if part != tools]
    env["PATH"] = ":".join([str(scratch / "venv/bin"), *path])
    env["DESTDIR"] = str(scratch / "installed")
    faults = []
    for snippet in snippets_of_file:
        code = snippet.code
        for long, short in SHORTER.items():
            code = re.sub(rf"^{re.escape(long)}(?= *(#.*)?$)", short, code, flags=re.M)
        print(f"check_docs: {snippet}:\n{code}", flush=True)
        directory = (copy / snippet.document).parent
        failed = run(["bash", "-euo", "pipefail", "-c", code], directory, env)
        if failed:
            faults.append(f"{snippet}: {failed}")
    return faults


def main() -> int:
    """Check everything, print each fault, and say how much was run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--lang", choices=LANGUAGES)
    parser.add_argument("--python", default=sys.executable)
    args = parser.parse_args()
    languages = [args.lang] if args.lang else LANGUAGES
    # Once is enough where ./check comes here for each language.
    texts_too = args.lang in (None, "c")
    faults = header_faults() if texts_too else []
    n_run = 0
    for document in DOCUMENTS:
        found, wrong = snippets(document)
        faults += wrong if texts_too else []
        chosen = [one for one in found if one.lang in languages]
        n_run += len(chosen)
        shell = [one for one in chosen if one.lang == "sh"]
        if shell:
            with tempfile.TemporaryDirectory() as name:
                faults += run_sh(shell, Path(name))
        for snippet in chosen:
            with tempfile.TemporaryDirectory() as name:
                scratch, failed = Path(name), ""
                if snippet.lang == "c":
                    failed = run_c(snippet, scratch)
                elif snippet.lang == "python":
                    failed = run_python(snippet, scratch, args.python)
            if failed:
                faults.append(f"{snippet}: {failed}")
    for fault in faults:
        print(f"check_docs: {fault}", file=sys.stderr)
    if n_run == 0:
        faults.append("nothing was run")
        print(f"check_docs: no snippet in {', '.join(languages)}", file=sys.stderr)
    if not faults:
        print(f"check_docs: {n_run} snippets in {', '.join(languages)} run"
              + ("; every public function documents its contract" if texts_too else ""))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
