#!/bin/sh
# Runs a fuzzer: mk/fuzz.sh BUILD NAME SECONDS; 0 seconds: its samples only.
# Says in one line what came of it; after a find, what it was.

set -u
build=$1 name=$2 seconds=$3

learnt=$build/corpus/$name
mkdir -p "$learnt" "$build/found"
set -- "$learnt"
[ ! -d "fuzz/corpus/$name" ] || set -- "$@" "fuzz/corpus/$name"

if [ "$seconds" = 0 ]; then
    set -- -runs=0 "$@"
else
    set -- "-max_total_time=$seconds" "$@"
fi
[ ! -f "fuzz/$name.dict" ] || set -- "-dict=fuzz/$name.dict" "$@"

log=$build/$name.log
if ! nice "$build/$name" -timeout=5 -rss_limit_mb=2048 -print_final_stats=1 \
    "-artifact_prefix=$build/found/$name-" "$@" > "$log" 2>&1; then
    echo "fuzz $name: FOUND something, see $log:" >&2
    grep -E 'SUMMARY|ERROR|runtime error|Assertion|Test unit' "$log" >&2
    exit 255
fi
echo "fuzz $name: $(sed -n \
    's/^stat::number_of_executed_units: *//p' "$log") inputs, nothing found"
