#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# check_dist.sh BUILD: the tarball that `make dist` left in BUILD has every file
# of the clone that a user needs, and nothing that the clone has not.
set -euo pipefail
archive=$(cd "$1" && echo "$PWD"/libilb-*.tar.xz)
cd "$(dirname "${BASH_SOURCE[0]}")/.."
git rev-parse --git-dir >/dev/null 2>&1 || {
    echo "check_dist: not a clone: nothing to compare with" >&2
    exit 1
}

# Only git needs these; only a tarball has those that bootstrap makes.
clone=$(git ls-files --cached --others --exclude-standard |
    while read -r file; do [ ! -e "$file" ] || echo "$file"; done |
    grep -v '^\.gitignore$' | sort)
tarball=$(tar tJf "$archive" | grep -v '/$' | cut -d/ -f2- |
    grep -vE '^(aclocal\.m4|configure|Makefile\.in|build-aux/autotools/.*)$' |
    sort)
if ! diff <(echo "$clone") <(echo "$tarball"); then
    echo "check_dist: < is only in the clone, > only in the tarball" >&2
    exit 1
fi
echo "check_dist: ${archive##*/}: $(wc -l <<<"$tarball") files, as the clone"
