#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The Python package's source distribution is complete: it installs from an
# empty directory into an empty environment, builds a wheel there, and the
# documents' Python snippets run in it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
top=$PWD
work=$top/build/check/sdist

rm -rf "$work"
mkdir -p "$work/src" "$work/empty"
(cd bindings/python && tar cf - --exclude=build --exclude='*.egg-info' \
    --exclude=__pycache__ --exclude='*.so' .) | tar xf - -C "$work/src"
build/venv/bin/python -m build -q --sdist --no-isolation \
    --outdir "$work" "$work/src"
archive=$(echo "$work"/*.tar.gz)
for name in ilb.c ilb.h; do
    tar tzf "$archive" | grep "/vendor/$name\$" >/dev/null || {
        echo "check_sdist: no vendor/$name in $archive" >&2
        exit 1
    }
done
build/venv/bin/python -m venv "$work/venv"
cd "$work/empty"
"$work/venv/bin/python" -m pip -q install --disable-pip-version-check \
    "${archive}[requests]"
"$work/venv/bin/python" -c '
import sys, ilb
assert ilb.__file__.startswith(sys.prefix), ilb.__file__
print("check_sdist: installed", ilb.__file__)'
exec "$top/tests/check_docs.py" --lang python --python "$work/venv/bin/python"
