#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every C file is formatted as .clang-format says, and every source file begins
# with its licence and has no space at the end of a line.
#
#   tests/check_format.sh          checks
#   tests/check_format.sh --fix    formats the C files
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Another version formats differently: first the one that is pinned.
format=build/venv/bin/clang-format
[ -x "$format" ] || format=clang-format

# Not the generated copy of the library in the Python package.
sources() {
    find include libilb examples tests bindings build-aux docs \
        \( -name vendor -o -name autotools -o -name build \) -prune -o \
        -type f \( "$@" \) -print | sort
}

mapfile -t c_files < <(sources -name '*.[ch]')
mapfile -t files < <(
    sources -name '*.[ch]' -o -name '*.py' -o -name '*.sh' -o -name '*.mk' \
        -o -name setup
    printf '%s\n' bootstrap check demo configure.ac Makefile.am .ci/run
)
[ "${#c_files[@]}" -gt 30 ] || { echo "check_format: no sources?" >&2; exit 1; }
if [ "${1:-}" = --fix ]; then
    exec "$format" -i "${c_files[@]}"
fi

# All at once; one by one, which is slow, only to say where.
bad=()
if ! "$format" --dry-run -Werror "${c_files[@]}" 2>/dev/null; then
    for file in "${c_files[@]}"; do
        "$format" "$file" | cmp -s - "$file" || bad+=("$file")
    done
fi
for file in "${bad[@]}"; do
    "$format" "$file" | diff -u --label "$file" --label formatted "$file" - |
        head -n 12 || true
done
if [ "${#bad[@]}" != 0 ]; then
    printf 'check_format: not formatted: %s\n' "${bad[@]}"
    echo "check_format: tests/check_format.sh --fix formats them all"
fi

unlicensed=$(for file in "${files[@]}"; do
    head -n 3 "$file" |
        grep -qE 'SPDX-License-Identifier: MIT( \*/)?$' || echo "$file"
done)
if [ -n "$unlicensed" ]; then
    bad+=(licence)
    echo "check_format: no SPDX line in the first three of:" $unlicensed
fi
if grep -nE '[[:blank:]]+$' "${files[@]}"; then
    bad+=(space)
    echo "check_format: space at the end of these lines"
fi
[ "${#bad[@]}" = 0 ] || exit 1
echo "check_format: ${#c_files[@]} C files formatted, ${#files[@]} licence lines"
