#!/usr/bin/env bash
# Puts a mixed load on a service with a file store: transfers are created, uploaded, downloaded, compared and deleted at
# a fixed request rate, next to 1 000 idle connections.
#
#   benches/load.sh [SECONDS] [RATE]      (default: 30 s and 300 requests per second; 600 s for the long form)
#
# The first quarter is the warm-up and contains three short stalls of the server. Prints the latencies of the rest,
# measured from each request's scheduled start; they decide nothing. Fails on an error, a wrong byte, or growing memory
# of the server. Builds sgsend and the load program in release mode, unless SGSEND_BIN and LOAD_BIN name the binaries.
set -euo pipefail

seconds=${1:-30}
rate=${2:-300}
# Open files: 1 000 idle connections, those of the load, and one file per upload in progress; in both processes.
ulimit -n "$(ulimit -Hn)"
if [ "$(ulimit -n)" != unlimited ] && [ "$(ulimit -n)" -lt 8192 ]; then
  echo "needs 8192 open files; the limit of this user is $(ulimit -n)" >&2
  exit 2
fi

root=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${LOAD_BIN:-}" ]; then
  cargo build --release --locked --example load --manifest-path "$root/Cargo.toml"
  LOAD_BIN=${CARGO_TARGET_DIR:-$root/target}/release/examples/load
fi
load=$(realpath "$LOAD_BIN")
# shellcheck source=examples/services.sh
. "$root/examples/services.sh"

# After a stall, the open uploads of a single sender would exceed the limit of a token.
tokens=()
for sender in {1..16}; do
  tokens+=("$("$sgsend" --admin-server "$admin" --quiet token create "load $sender")")
done
TOKENS=$(IFS=,; echo "${tokens[*]}") \
  "$load" "$public" "${pids[0]}" "$seconds" "$rate"

# Deleted payloads must be gone from the disk.
left=$(find "$work/store/payloads" -type f | wc -l)
if [ "$left" != 0 ]; then
  echo "failed: $left payloads are left in the store" >&2
  exit 1
fi
