#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The one-file forms of the library (build-aux/amalgamate.py): the same bytes
# each time, no warning with gcc and clang, no name that leaks, the public unit
# tests pass, two copies live in one program, and the Python package's own copy
# is the current one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
top=$PWD
work=${ILB_BUILD:-$top/build}/check/amalgam
warnings=(-Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wvla
    -pedantic -Werror)
python=${PYTHON:-python3}

fail() { echo "check_amalgam: $*" >&2; exit 1; }
list() {
    "$python" -B -c 'import sys; sys.path.insert(0, "build-aux")
from pathlib import Path; from sources import read_list
print(*read_list(Path(sys.argv[1]), sys.argv[2]), sep="\n")' "$@"
}

rm -rf "$work"
mkdir -p "$work"
"$python" build-aux/amalgamate.py "$work/one"
"$python" build-aux/amalgamate.py "$work/two" >/dev/null
diff -r "$work/one" "$work/two" || fail "two runs differ"

# A static name in two files is refused: here is one, planted in a copy.
mkdir "$work/planted"
cp -r include libilb build-aux LICENSE "$work/planted"
for file in names balancer; do
    printf 'static const int\n    planted[2] = {1, 2};\n' \
        >>"$work/planted/libilb/api/$file.c"
done
if "$python" "$work/planted/build-aux/amalgamate.py" "$work/never" \
    2>"$work/planted.log"; then
    fail "a static name in two files was accepted"
fi
grep -q 'static planted is in libilb/api/balancer.c and in libilb/api/names.c' \
    "$work/planted.log" || fail "refused for another reason: $(<"$work/planted.log")"

cd "$work"
# Two files of one program, each with a library of its own.
cat >copy.h <<'EOF'
/* Returns 0 if a pick of the library in this file works. */
static int use_copy(const char *name)
{
    ilb_endpoint pods[] = {ILB_ENDPOINT("a:1"), ILB_ENDPOINT("b:2")};
    ilb_balancer *b;
    ilb_ticket t;
    int bad = 1;

    if (ilb_balancer_new(&b, name, NULL) != ILB_OK)
        return 1;
    if (ilb_balancer_update(b, pods, 2) == ILB_OK &&
        ilb_pick(b, &t, NULL) == ILB_OK)
        bad = ilb_ticket_address(b, &t) == NULL ||
              ilb_done(b, &t, ILB_SUCCESS) != ILB_OK;
    ilb_balancer_free(b);
    return bad;
}
EOF
for n in 1 2; do
    printf '%s\n' '#define ILB_STATIC' '#include "ilb.c"' '#include "copy.h"' \
        "int use_copy_$n(void);" \
        "int use_copy_$n(void) { return use_copy(\"copy-$n\"); }" >"static_$n.c"
    printf '%s\n' '#define ILB_STATIC' '#define ILB_IMPLEMENTATION' \
        '#include "ilb_single.h"' '#include "copy.h"' \
        "int use_copy_$n(void);" \
        "int use_copy_$n(void) { return use_copy(\"copy-$n\"); }" \
        >"static_single_$n.c"
done
printf '%s\n' 'int use_copy_1(void);' 'int use_copy_2(void);' \
    'int main(void) { return use_copy_1() | use_copy_2(); }' >both.c
# Two files that share one library; only the first implements it.
printf '%s\n' '#define ILB_IMPLEMENTATION' '#include "ilb_single.h"' \
    '#include "ilb_single.h"' 'int use_copy_1(void);' \
    'int use_copy_1(void) { return ilb_version()[0] == 0; }' >single_1.c
printf '%s\n' '#include "ilb_single.h"' '#include "copy.h"' \
    'int use_copy_2(void);' \
    'int use_copy_2(void) { return use_copy("single"); }' >single_2.c

globals() { nm "$1" | awk '$2 ~ /[A-Z]/ && $2 != "U" { print $3 }' | sort; }
declared=$(grep -v '^ *#' one/ilb.h | tr '\n' ' ' |
    grep -o 'ILB_API [^;]*;' | sed -e 's/(.*//' -e 's/.*[ *]//' | sort)

mapfile -t units < <(cd "$top" &&
    list tests/unit/sources.mk ILB_PUBLIC_UNIT_SOURCES | grep '\.c$')
[ "${#units[@]}" -gt 3 ] || fail "no public unit tests"

for cc in ${CCS:-gcc clang}; do
    for mode in -std=c11 -std=gnu11 '-std=c11 -O2 -DNDEBUG'; do
        # shellcheck disable=SC2086  # one word a flag
        "$cc" $mode "${warnings[@]}" -c one/ilb.c -o "ilb-$cc.o"
    done
    diff <(globals "ilb-$cc.o") <(echo "$declared") ||
        fail "$cc: ilb.o: < is global, > is declared ILB_API"

    for kind in static static_single single; do
        for n in 1 2; do
            "$cc" -std=c11 -Wall -Wextra -Werror -Ione -I. \
                -c "${kind}_$n.c" -o "${kind}_$n.o"
        done
        "$cc" both.c "${kind}_1.o" "${kind}_2.o" -o "$kind" -lpthread
        "./$kind" || fail "$cc: the program '$kind' failed"
    done
    [ "$(globals static_1.o)" = use_copy_1 ] ||
        fail "$cc: ILB_STATIC leaks: $(globals static_1.o | xargs)"

    # shellcheck disable=SC2046  # one word a flag
    "$cc" -std=c11 "${warnings[@]}" -Ione -I"$top/tests/unit" \
        $(pkg-config --cflags check) "${units[@]/#/$top/}" "ilb-$cc.o" \
        -o "unit-$cc" $(pkg-config --libs check) -lpthread
    "./unit-$cc" || fail "$cc: the public unit tests failed"
done

vendor=$top/bindings/python/vendor
for name in ilb.c ilb.h; do
    cmp "one/$name" "$vendor/$name" || fail \
        "bindings/python/vendor is not current: make vendor, or" \
        "build-aux/amalgamate.py --pair-only bindings/python/vendor"
done
echo "check_amalgam: reproducible, clean, ${#units[@]} public unit test files"
