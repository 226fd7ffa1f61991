#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# include/ilb.h alone compiles as C99 and as C++11, with gcc and clang, with
# warnings as errors; and every place that states the version agrees.
#
# Other compilers: CCS="gcc-13 clang-19" CXXS="g++-13" tests/check_header.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
warnings=(-Wall -Wextra -Wshadow -Wconversion -pedantic -Werror -fsyntax-only)
n=0

# All that a user's file can do with the header alone: include it twice, and
# use each initialiser.
use='#include <ilb.h>
#include <ilb.h>
int use_header(void);
int use_header(void)
{
    ilb_options options = ILB_OPTIONS_INIT;
    ilb_endpoint endpoint = ILB_ENDPOINT("10.0.0.1:80");
    ilb_pick_options pick = ILB_PICK_OPTIONS_INIT;
    ilb_result result = ILB_RESULT_INIT;
    return options.size + endpoint.size + pick.size + result.size > 0;
}'

compile() {
    "$@" "${warnings[@]}" -Iinclude - <<<"$use" || {
        echo "check_header: failed: $*" >&2
        exit 1
    }
    n=$((n + 1))
}

for cc in ${CCS:-gcc clang}; do
    for std in c99 c11 c17; do
        compile "$cc" -Wstrict-prototypes -x c -std=$std
    done
done
for cxx in ${CXXS:-g++ clang++}; do
    for std in c++11 c++17; do
        compile "$cxx" -x c++ -std=$std
    done
done

number() { sed -n "s/^#define ILB_VERSION_$1 //p" include/ilb.h; }
parts=$(number MAJOR).$(number MINOR).$(number PATCH)
declare -A version=(
    ["ILB_VERSION"]=$(sed -n 's/^#define ILB_VERSION "\(.*\)"/\1/p' \
        include/ilb.h)
    ["configure.ac"]=$(sed -n 's/^AC_INIT(\[libilb\], \[\(.*\)\])/\1/p' \
        configure.ac)
    ["ChangeLog"]=$(sed -n '1s/^libilb \([0-9.]*\).*/\1/p' ChangeLog)
    ["pyproject.toml"]=$(sed -n 's/^version = "\(.*\)"/\1/p' \
        bindings/python/pyproject.toml)
)
for place in "${!version[@]}"; do
    if [ "${version[$place]}" != "$parts" ]; then
        echo "check_header: version is $parts in ILB_VERSION_MAJOR.." \
            "and '${version[$place]}' in $place" >&2
        exit 1
    fi
done
echo "check_header: $n compilations; version $parts everywhere"
