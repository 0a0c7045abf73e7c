#!/usr/bin/env bash
# Measures a service with many transfers in a folder: creation, start, lists, `store check`, and the expiry of all of them
# in one `sweep`, beside requests to the running service.
#
#   benches/many.sh [TRANSFERS]      (default: 100000; 960000 for the long form)
#
# The transfers are created without a payload, over 64 connections and by one token. Fails if a count is wrong. Needs wrk,
# curl, jq, GNU time and faketime, which lets the sweep run two days later. Builds sgsend in release mode, unless
# SGSEND_BIN names the binary to measure.
set -euo pipefail

transfers=${1:-100000}
root=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${SGSEND_BIN:-}" ]; then
  cargo build --release --locked --manifest-path "$root/Cargo.toml"
  SGSEND_BIN=${CARGO_TARGET_DIR:-$root/target}/release/sgsend
fi
# shellcheck source=examples/services.sh
. "$root/examples/services.sh"

fail() { echo "failed: $*" >&2; exit 1; }
now() { date +%s%N; }
# timed NAME COMMAND...: runs a command, and prints its seconds and its peak memory.
timed() {
  local name=$1
  shift
  command time -f "%e %M" -o "$work/time" "$@" >"$work/output"
  awk -v name="$name" '{ printf "%s: %s s, %d MiB of memory\n", name, $1, $2 / 1024 }' "$work/time"
}

token=$("$sgsend" --admin-server "$admin" --quiet token create many)
cat >"$work/create.lua" <<LUA
wrk.method = "POST"
wrk.headers["Authorization"] = "Bearer $token"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"size_bytes": 1000, "expires_in_s": 86400}'
LUA
created() { "$sgsend" --admin-server "$admin" --json stats | jq '.transfers.pending'; }

while count=$(created) && [ "$count" -lt "$transfers" ]; do
  wrk --threads 2 --connections 64 --duration 20s --script "$work/create.lua" "$public/transfers/create" >"$work/wrk"
  if grep Non-2xx "$work/wrk"; then fail "transfers were refused"; fi
  awk -v before="$count" '/^Requests\/sec/ { printf "create, with %d transfers: %.0f/s\n", before, $2 }' "$work/wrk"
done

# list NAME OPTIONS...: prints the median of 9 lists by the command.
list() {
  local name=$1 began
  shift
  for _ in {1..9}; do
    began=$(now)
    "$sgsend" --admin-server "$admin" --json admin list --limit 100 "$@" >"$work/output"
    echo $(($(now) - began))
  done | sort -n | awk -v name="$name" 'NR == 5 { printf "list of 100, %s: %.0f ms with the start of the command\n", name, $1 / 1e6 }'
}
list "newest first"
list "largest first" --order size

kill "${pids[0]}"
wait "${pids[0]}" || true
began=$(now)
start_service public
public=$url
echo "start: $((($(now) - began) / 1000000)) ms, as seen every 20 ms"

timed "store check of a store of $(du -sh "$work/store" | cut -f1)" "$sgsend" store check "file:$work/store"

# Requests to the service during the sweep: their latencies show pauses.
curl -sf -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -d '{"size_bytes": 1, "expires_in_s": 86400}' \
  "$public/transfers/create" >"$work/one"
one=$(jq -r .transfer_id "$work/one")
count=$(created)
while sleep 0.02; do
  curl -s -o /dev/null -w '%{http_code} %{time_total}\n' "$public/transfers/id/$one/status"
done >"$work/latencies" &
probe=$!
timed "sweep of $count transfers" faketime -f +2d "$sgsend" sweep --storage "file:$work/store"
kill "$probe"
wait "$probe" 2>/dev/null || true
if grep -v '^200' "$work/latencies"; then fail "requests failed during the sweep"; fi
sort -k2n "$work/latencies" | awk '{ all[NR] = $2 * 1000 }
  END { printf "%d requests meanwhile: median %.1f ms, 99 %% %.1f ms, most %.1f ms\n", NR, all[int(NR / 2) + 1], all[int(NR * .99) + 1], all[NR] }'
expired=$("$sgsend" --admin-server "$admin" --json stats | jq '.transfers.expired')
[ "$expired" = "$count" ] || fail "$expired of $count transfers have expired"
timed "store check after the sweep" "$sgsend" store check "file:$work/store"
