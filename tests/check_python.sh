#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs the Python package into a new environment and runs its tests there.
# Only the tools for testing are borrowed from build/venv. The slow ones (they
# build distributions, or run a type checker) are another item of ./check.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tools=$PWD/build/venv
venv=$PWD/build/check/python-venv

rm -rf "$venv" build/check/python-src
"$tools/bin/python" -m venv --without-pip "$venv"
python=$venv/bin/python
site() { "$1" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; }
site "$tools/bin/python" >"$(site "$python")/tools.pth"

# From a copy: setuptools leaves its work in the directory it builds from.
mkdir -p build/check/python-src
(cd bindings/python && tar cf - --exclude=build --exclude='*.egg-info' \
    --exclude=__pycache__ --exclude='*.so' .) |
    tar xf - -C build/check/python-src
CFLAGS='-O2 -Wall -Wextra -Werror' "$tools/bin/python" -m pip -q --python "$python" install \
    --no-build-isolation --no-deps ./build/check/python-src
cd bindings/python
exec "$python" -m pytest -q -p no:cacheprovider --durations=5 -m "not slow" tests
