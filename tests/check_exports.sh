#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The shared library exports the functions of include/ilb.h, no more and no
# less, and needs no library but libc.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
library=${ILB_BUILD:-$top/build}/.libs/libilb.so

if [ ! -e "$library" ]; then
    echo "check_exports: no $library: built without --enable-shared?" >&2
    exit 77
fi

# Without directives and comments, a declaration is what stands between
# ILB_API and a semicolon; its name stands before the first parenthesis.
declared=$(sed -e '/^ *#/d' "$top/include/ilb.h" | tr '\n' ' ' |
    sed -e 's|/\*\([^*]\|\*[^/]\)*\*/||g' | grep -o 'ILB_API [^;]*;' |
    sed -e 's/(.*//' -e 's/.*[ *]//' | sort)
exported=$(nm -D --defined-only "$library" | awk '{ print $3 }' | sort)
needed=$(readelf -d "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
status=0

if [ "$(wc -l <<<"$declared")" -lt 10 ]; then
    echo "check_exports: could not read include/ilb.h" >&2
    exit 1
fi
if ! diff <(echo "$declared") <(echo "$exported"); then
    echo "check_exports: < is declared ILB_API, > is exported" >&2
    status=1
fi
# The dynamic loader counts as libc; libpthread is part of it since glibc 2.34.
others=$(grep -vE '^(libc|ld-[a-z0-9.-]+|libpthread|ld-musl.*)\.so' \
    <<<"$needed" || true)
if [ -n "$others" ]; then
    echo "check_exports: needs more than libc: $others" >&2
    status=1
fi
[ "$status" != 0 ] ||
    echo "check_exports: $(wc -l <<<"$declared") functions; needs" $needed
exit $status
