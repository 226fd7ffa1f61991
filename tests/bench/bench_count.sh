#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bench_count.sh ILB_BENCH [CSV]: instructions that a pick and its done execute,
# counted by valgrind's callgrind: those of many pairs less those of few, by the
# difference. Adds rows to the file, which may be there, and prints a table.
#
# Only with the caller's time: under valgrind the system's clock is a system
# call, time passes fifty times as fast for each pair, and two runs differ by
# how much of the pool's upkeep fell into them, by more than what is counted.
set -euo pipefail
bench=$1
csv=${2:-}
few=40000
many=60000

if ! command -v valgrind >/dev/null; then
    echo "bench_count: no valgrind (Debian: valgrind): instructions are not" \
        "counted" >&2
    exit 0
fi

# count SUBJECT ENDPOINTS PAIRS: instructions of the whole program
count() {
    local log
    log=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null \
        "$bench" --count "$1" --endpoints "$2" --pairs "$3" 2>&1) || {
        echo "bench_count: $1 fails under valgrind: $log" >&2
        exit 1
    }
    sed -n 's/^==[0-9]*== Collected : \([0-9]*\).*/\1/p' <<<"$log"
}

printf '\n%s\n%-32s %9s %12s\n' 'Instructions of a pair, one thread:' '' \
    endpoints instructions
for subject in naive:caller naive:paced peak_ewma:caller peak_ewma:paced \
    least_request:caller round_robin:caller random:caller; do
    for endpoints in 2 100 1000; do
        a=$(count "$subject" "$endpoints" "$few")
        b=$(count "$subject" "$endpoints" "$many")
        [ -n "$a" ] && [ -n "$b" ] || {
            echo "bench_count: callgrind says no number" >&2
            exit 1
        }
        each=$(awk "BEGIN {printf \"%.1f\", ($b - $a) / ($many - $few)}")
        way=${subject#*:} request_us=0
        [ "$way" != paced ] || { way=caller request_us=1000; }
        printf '%-32s %9s %12s\n' "$subject" "$endpoints" "$each"
        [ -z "$csv" ] ||
            echo "instructions,${subject%:*},$way,$request_us,1,$endpoints,,,,,,,,,,$each,," \
                >>"$csv"
    done
done
