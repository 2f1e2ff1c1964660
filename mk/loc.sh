#!/bin/sh
# Lines of each part that git knows: all of them, and those that are neither
# blank nor only a comment.

set -eu

printf '%-14s %6s %6s %6s\n' part files lines code
for part in ngx_module lib include net coordinator node client t fuzz bench \
    demo mk; do
    files=$(git ls-files "$part" | grep -E '\.(c|h|t|pm|pl|sh|js|mk)$|/run$' ||
        true)
    [ -n "$files" ] || continue
    printf '%-14s %6d %6d %6d\n' "$part" "$(echo "$files" | wc -l)" \
        "$(cat $files | wc -l)" \
        "$(cat $files | grep -cvE '^[[:space:]]*($|/\*|\*|\*/|//|#[^a-z!]|#$)')"
done
