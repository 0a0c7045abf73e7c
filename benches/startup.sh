#!/usr/bin/env bash
# Compares the start-up time of sgsend with that of /bin/true, which does nothing. Needs hyperfine and jq.
#
# Builds in release mode, unless SGSEND_BIN names the binary to measure. The goal is at most 10 ms more than /bin/true.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${SGSEND_BIN:-}" ]; then
  cargo build --release --locked --manifest-path "$root/Cargo.toml"
  SGSEND_BIN=${CARGO_TARGET_DIR:-$root/target}/release/sgsend
fi
sgsend=$(realpath "$SGSEND_BIN")
results=$(mktemp)
trap 'rm -f "$results"' EXIT

hyperfine --shell=none --warmup 20 --runs 200 --style none --export-json "$results" \
  /bin/true "$sgsend --version" "$sgsend --help" >/dev/null

jq -r '.results[0].mean as $nothing | .results[]
  | "\(.command | sub("^.*/"; "")): \(.mean * 1000 * 100 | round / 100) ms, \((.mean - $nothing) * 1000 * 100 | round / 100) ms more than true"' \
  "$results"
