#!/usr/bin/env bash
# Fuzzes the parsers and checks their invariants.
#
#   fuzz/run.sh [SECONDS] [TARGET]...      SECONDS per target (default: 30), two at a time; default: all targets
#   fuzz/run.sh build                      only builds the targets
#
# Starts from the inputs in fuzz/corpus and those found by earlier runs, which are kept in fuzz/ below the target folder.
# Saves each failing input in fuzz/artifacts and exits with status 1. Needs a C++ compiler; a stable toolchain suffices,
# without cargo-fuzz.
#
# A short run takes the dependencies as `cargo build` has built them. FUZZ_OPT=3 is for long runs: everything is built
# again with this optimisation, and the dependencies are instrumented too.
set -euo pipefail
cd "$(dirname "$0")"

build_only=''
if [ "${1:-}" = build ]; then build_only=1; shift; fi
seconds=${1:-30}
shift || true
if ! [[ $seconds =~ ^[1-9][0-9]*$ ]]; then
  echo "run.sh: $seconds is not a number of seconds" >&2
  exit 2
fi
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  for file in fuzz_targets/*.rs; do targets+=("$(basename "$file" .rs)"); done
fi
for target in "${targets[@]}"; do
  if ! [ -f "fuzz_targets/$target.rs" ]; then
    echo "run.sh: unknown target $target" >&2
    exit 2
  fi
done

target_folder=${CARGO_TARGET_DIR:-$(cd .. && pwd)/target}
kept=$target_folder/fuzz
packages=(--locked --package sgsend-fuzz)
instrument=$PWD/instrument.sh
if [ -n "${FUZZ_OPT:-}" ]; then
  host=$(rustc -vV | sed -n 's/^host: //p')
  binaries=$kept/$host/profiling
  # The wrapper prints the flags that it adds.
  flags=$("$instrument" echo)
  CARGO_TARGET_DIR=$kept CARGO_PROFILE_PROFILING_OPT_LEVEL=$FUZZ_OPT RUSTFLAGS=$flags \
    cargo build "${packages[@]}" --profile profiling --target "$host"
else
  binaries=$target_folder/debug
  CARGO_TARGET_DIR=$target_folder RUSTC_WORKSPACE_WRAPPER=$instrument cargo build "${packages[@]}"
fi
if [ -n "$build_only" ]; then exit; fi

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

# fuzz TARGET: fuzzes one target and prints its result.
fuzz() {
  local target=$1 status=0 log=$logs/$1 stats
  mkdir -p "$kept/corpus/$target" "artifacts/$target"
  RUST_BACKTRACE=0 "$binaries/$target" -max_total_time="$seconds" -timeout=10 -print_final_stats=1 \
    -artifact_prefix="artifacts/$target/" "$kept/corpus/$target" "corpus/$target" >"$log" 2>&1 || status=$?
  stats=$(sed -n 's/^stat::number_of_executed_units: *//p; s/^stat::average_exec_per_sec: *//p' "$log" | xargs)
  # shellcheck disable=SC2086 # two words
  printf '%-16s %12s executions %9s per second   ' "$target" ${stats:-? ?}
  if [ "$status" -eq 0 ]; then
    echo "passed"
  else
    echo "FAILED, see fuzz/artifacts/$target"
    # Prints the panic, if any; a timeout or an excess of memory has none.
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
