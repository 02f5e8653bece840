#!/usr/bin/env bash
# Proves both ways to embed Sterna: builds the example in this folder against an installed Sterna and against the source
# tree, and checks that both continue a text with the packaged model, and alike.
#   run.sh [BUILD]     BUILD: a configured build folder to install from; without it one is made.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
model=$root/python/sterna/data/sterna-tiny.gguf
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
jobs=${JOBS:-2}

build=${1:-}
if [[ -z $build ]]; then
  build=$scratch/library
  cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release
  cmake --build "$build" -j "$jobs"
fi
cmake --install "$build" --prefix "$scratch/prefix" >"$scratch/installed"
"$scratch/prefix/bin/sterna-run" selftest -m "$model" >"$scratch/selftest"
tail -n 1 "$scratch/selftest"

consume() {  # NAME CMAKE-ARGUMENTS...: builds the example and prints what it generates
  local name=$1
  shift
  cmake -S "$here" -B "$scratch/$name" -DCMAKE_BUILD_TYPE=Release "$@" >"$scratch/log" || { cat "$scratch/log" >&2; return 1; }
  cmake --build "$scratch/$name" -j "$jobs" >"$scratch/log" || { cat "$scratch/log" >&2; return 1; }
  "$scratch/$name/continue_text" "$model" "The options are" 16 >"$scratch/$name.txt"
  echo "$name: $(tr '\n' ' ' <"$scratch/$name.txt")"
}
consume find_package -Dsterna_ROOT="$scratch/prefix"
consume add_subdirectory -DSTERNA_SOURCE="$root"
cmp "$scratch/find_package.txt" "$scratch/add_subdirectory.txt"
echo "install: find_package and add_subdirectory generate the same text"
