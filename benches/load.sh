#!/usr/bin/env bash
# A mixed load on a service over a store on disk: transfers that are made, sent, fetched, compared and deleted at a set
# rate of requests, beside 1 000 idle connections.
#
#   benches/load.sh [SECONDS] [RATE]      (30 seconds and 300 requests a second if none are given; 600 for the long form)
#
# The first quarter is for warming up, with three short stalls of the server in it. Of the rest, prints latencies from the
# moment at which each request was meant to begin, which decide nothing. Fails on any error, any wrong byte, and memory of
# the server that keeps growing. Builds sgsend and the load in release mode first, unless SGSEND_BIN names the binary to
# try and LOAD_BIN the load.
set -euo pipefail

seconds=${1:-30}
rate=${2:-300}
# 1 000 idle connections, those of the load, and a file for each payload under way; the same again in the load itself.
ulimit -n "$(ulimit -Hn)"
if [ "$(ulimit -n)" != unlimited ] && [ "$(ulimit -n)" -lt 8192 ]; then
  echo "needs 8192 open files at once; this user may have $(ulimit -n)" >&2
  exit 2
fi

root=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${LOAD_BIN:-}" ]; then
  cargo build --release --locked --example load --manifest-path "$root/Cargo.toml"
  LOAD_BIN=${CARGO_TARGET_DIR:-$root/target}/release/examples/load
fi
load=$(realpath "$LOAD_BIN")
. "$root/examples/services.sh"

# After a stall, one sender would have more under way than a token may.
tokens=()
for sender in {1..16}; do
  tokens+=("$("$sgsend" --admin-server "$admin" --quiet token create "load $sender")")
done
TOKENS=$(IFS=,; echo "${tokens[*]}") \
  "$load" "$public" "${pids[0]}" "$seconds" "$rate"

# What was deleted is gone, also from the disk.
left=$(find "$work/store/payloads" -type f | wc -l)
if [ "$left" != 0 ]; then
  echo "failed: $left payloads were left in the store" >&2
  exit 1
fi
