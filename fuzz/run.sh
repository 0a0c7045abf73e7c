#!/usr/bin/env bash
# Feeds the parsers with what nobody would send, and looks whether they keep what they promise.
#
#   fuzz/run.sh [SECONDS] [TARGET]...      each target for so long (30), two at once; all of them if none is named
#
# It begins with the inputs in fuzz/corpus and with those that earlier runs found, which stay below the target folder:
# fuzz/target, or CARGO_TARGET_DIR/fuzz. An input that breaks a promise is kept in fuzz/artifacts, and the exit status is
# 1. It takes a C++ compiler; a stable toolchain will do. cargo-fuzz is installed when first needed.
set -euo pipefail
cd "$(dirname "$0")"

seconds=${1:-30}
shift || true
if ! [[ $seconds =~ ^[1-9][0-9]*$ ]]; then
  echo "run.sh: $seconds is no number of seconds" >&2
  exit 2
fi
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  for file in fuzz_targets/*.rs; do targets+=("$(basename "$file" .rs)"); done
fi
for target in "${targets[@]}"; do
  if ! [ -f "fuzz_targets/$target.rs" ]; then
    echo "run.sh: there is no target $target" >&2
    exit 2
  fi
done

if ! cargo fuzz --version >/dev/null 2>&1; then cargo install --locked cargo-fuzz; fi

kept=${CARGO_TARGET_DIR:+$CARGO_TARGET_DIR/fuzz}
kept=${kept:-$PWD/target}
host=$(rustc -vV | sed -n 's/^host: //p')
# No address sanitizer: the crate forbids unsafe code, so what there is to find are panics and broken promises, and
# without it there are more tries. The coverage that guides them takes a flag that stable has for itself only.
RUSTC_BOOTSTRAP=1 cargo fuzz build --fuzz-dir . --sanitizer none --target "$host" --target-dir "$kept"

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

# fuzz TARGET: what came of it is its last line.
fuzz() {
  local target=$1 status=0 log=$logs/$1 said
  mkdir -p "$kept/corpus/$target" "artifacts/$target"
  RUST_BACKTRACE=0 "$kept/$host/release/$target" -max_total_time="$seconds" -timeout=10 -print_final_stats=1 \
    -artifact_prefix="artifacts/$target/" "$kept/corpus/$target" "corpus/$target" >"$log" 2>&1 || status=$?
  said=$(sed -n 's/^stat::number_of_executed_units: *//p; s/^stat::average_exec_per_sec: *//p' "$log" | xargs)
  # shellcheck disable=SC2086 # two words
  printf '%-16s %12s executions %9s a second   ' "$target" ${said:-? ?}
  if [ "$status" -eq 0 ]; then
    echo "nothing found"
  else
    echo "FOUND, see fuzz/artifacts/$target"
    # What broke, and by what; for an input that takes too long or too much there is no panic.
    grep -A 4 -e 'panicked at' -e 'ERROR: libFuzzer' "$log" | head -n 12
    grep 'Test unit written' "$log" || true
  fi
  return "$status"
}

failed=0
running=0
for target in "${targets[@]}"; do
  if [ "$running" -eq 2 ]; then
    wait -n || failed=1
    running=$((running - 1))
  fi
  fuzz "$target" &
  running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
  wait -n || failed=1
  running=$((running - 1))
done
exit "$failed"
