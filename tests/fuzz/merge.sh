#!/usr/bin/env bash
# Keeps what fuzzing found: adds to tests/fuzz/corpus/<target> the inputs of a run that reach code which the corpus does not
# reach yet, the smallest that do (libFuzzer's -merge=1), and nothing larger than 64 KiB. Commit what it adds.
#   tests/fuzz/merge.sh build/asan FOLDER    # FOLDER/<target>: what a run left, for example with FUZZ_KEEP=FOLDER .ci/run asan
set -euo pipefail
binaries=$(cd "$1/tests" && pwd) found=$(cd "$2" && pwd)
cd "$(dirname "$0")/corpus"
for binary in "$binaries"/*_fuzz; do
  target=$(basename "$binary" _fuzz)
  [[ -d $found/$target ]] || continue
  mkdir -p "$target"
  before=$(find "$target" -type f | wc -l)
  "$binary" -merge=1 -max_len=65536 -rss_limit_mb=2048 -timeout=20 "$target" "$found/$target" 2>/dev/null
  echo "$target: $before inputs, now $(find "$target" -type f | wc -l)"
done
