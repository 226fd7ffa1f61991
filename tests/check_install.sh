#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# check_install.sh BUILD STAGE: installs BUILD into the directory STAGE, and
# builds and runs the quickstart against that as a user would, with pkg-config:
# once shared, once static. The installed ilb-sim finds its scenarios.
set -euo pipefail
build=$(cd "$1" && pwd)
mkdir -p "$2"
stage=$(cd "$2" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/.."
prefix=$(sed -n 's/^prefix = //p' "$build/Makefile")

rm -rf "$stage"
make -s -C "$build" install DESTDIR="$stage" >/dev/null
export PKG_CONFIG_PATH=$stage$prefix/lib/pkgconfig
export PKG_CONFIG_SYSROOT_DIR=$stage

compile() {
    # shellcheck disable=SC2046  # one word a flag
    gcc -std=c11 -Wall -Wextra -Werror examples/quickstart/quickstart.c \
        -o "$stage/$1" "${@:2}" $(pkg-config --cflags --libs ${3:+--static} libilb)
}

compile quickstart-shared "-Wl,-rpath,$stage$prefix/lib"
compile quickstart-static -static --static
"$stage/quickstart-shared"
"$stage/quickstart-static"
readelf -d "$stage/quickstart-shared" | grep 'NEEDED.*libilb' >/dev/null || {
    echo "check_install: the shared one does not use the shared library" >&2
    exit 1
}
# In the stage its scenarios are not where the prefix says: it is told.
ILB_SIM_SCENARIOS=$(find "$stage$prefix" -type d -name scenarios)
export ILB_SIM_SCENARIOS
"$stage$prefix/bin/ilb-sim" list >"$stage/ilb-sim-list.txt"
for word in fast-500 second/crash-loop promises/errs-for-4m round-robin oracle; do
    grep -E "^ +$word " "$stage/ilb-sim-list.txt" >/dev/null || {
        echo "check_install: the installed 'ilb-sim list' does not have $word" >&2
        exit 1
    }
done
[ -f "$ILB_SIM_SCENARIOS/FORMAT.md" ]
echo "check_install: version $(pkg-config --modversion libilb)"
(cd "$stage$prefix" && find . \( -type f -o -type l \) | sort)
