#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# check_install.sh BUILD STAGE: installs BUILD into the directory STAGE, and
# builds and runs the quickstart against that as a user would, with pkg-config:
# once shared, once static.
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
# The simulator, away from here, with the scenarios that came with it.
sim() {
    (cd / && ILB_SIM_SCENARIOS=$stage$prefix/share/libilb/scenarios \
        "$stage$prefix/bin/ilb-sim" "$@")
}
sim list | grep 'linkerd-blog' >/dev/null
sim run fast-500 --seeds 1 --quiet --csv - | grep '^fast-500,ilb,' >/dev/null
for one in second/page-mix-cold-joiner third/checkout-one-pays-badly; do
    sim run "$one" --policy random --seeds 1 --quiet --csv - |
        grep "^${one#*/},random," >/dev/null # with the file that it replays
done
test -s "$stage$prefix/share/libilb/scenarios/FORMAT.md"
echo "check_install: version $(pkg-config --modversion libilb)"
(cd "$stage$prefix" && find . \( -type f -o -type l \) | sort)
