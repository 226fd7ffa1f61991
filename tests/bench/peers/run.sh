#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh ILB_BENCH DIRECTORY CSV: builds the peers in the directory, with what
# their package registries have, and measures them after libilb, all for one
# file. A peer whose language is not installed is left out, and said so.
#
# BENCH_RUN: put before each program, `chrt -r 1` on a machine that others use.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bench=$1
mkdir -p "$2"
work=$(cd "$2" && pwd)
csv=$3
repetitions=7
milliseconds=50
retries=20
run=(${BENCH_RUN:-})
missing=0

"${run[@]}" "$bench" --only pairs,floor --endpoints 2,10,100,1000,10000 \
    --repetitions $repetitions --milliseconds $milliseconds \
    --retries $retries --csv "$csv.part"

# peer NAME PROGRAM: its rows, at the end of the file
peer() {
    echo "$1 ..." >&2
    "${run[@]}" "$2" $repetitions $milliseconds $retries | tee "$work/$1.rows"
    cat "$work/$1.rows" >>"$csv.part"
}

# Built from copies: nothing is written where the sources are.
if command -v cargo >/dev/null; then
    rm -rf "$work/tower-src" && cp -R "$here/tower" "$work/tower-src"
    (cd "$work/tower-src" &&
        CARGO_TARGET_DIR=$work/tower cargo build --release --locked)
    peer tower "$work/tower/release/bench-tower"
else
    echo "bench-peers: no cargo (https://rustup.rs): tower is not measured" >&2
    missing=1
fi
if command -v go >/dev/null; then
    rm -rf "$work/go_zero-src" && cp -R "$here/go_zero" "$work/go_zero-src"
    (cd "$work/go_zero-src" && go build -o "$work/bench-go-zero" .)
    peer go_zero "$work/bench-go-zero"
else
    echo "bench-peers: no go (https://go.dev): go-zero is not measured" >&2
    missing=1
fi
mv "$csv.part" "$csv"
echo "all figures: $csv"
[ $missing = 0 ] || echo "bench-peers: not all peers were measured" >&2
