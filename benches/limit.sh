#!/usr/bin/env bash
# Measures how exactly `--limit-rate` is kept on the wire, over 20 seconds: up and down, from the start and resumed.
#
#   benches/limit.sh [RATE] [BUFFER]      (default: 2MiB; buffers as the system sets them)
#
# The command speaks to the service through a proxy that counts bytes; BUFFER is the size of its receive buffers in bytes,
# as of a slow network with short queues. Each transfer is interrupted after 28 seconds and resumed. Counts from 6 seconds
# after the first 64 KiB: until then, buffers of the systems on the way are filled at once, and emptied at the rate.
# Needs Python 3. Builds sgsend first, unless SGSEND_BIN names the binary to measure.
set -euo pipefail

named=${1:-2MiB}
rate=$(numfmt --from=iec-i --suffix=B "$named")
rate=${rate%B}
size=$((rate * 57))
SERVE_OPTIONS=(--max-size "$((size * 2))")
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=examples/services.sh
. "$here/../examples/services.sh"

python3 "$here/limit/proxy.py" "${public#http://}" "$work/passed" ${2:+"$2"} >"$work/proxy.url" &
pids+=($!)
until through=$(grep -s http "$work/proxy.url"); do kill -0 "$!"; sleep 0.1; done
"$sgsend" --quiet --server "$through" --admin-server "$admin" token create limit --login >/dev/null

# measure NAME COLUMN SECONDS COMMAND...: runs a command, interrupts it after SECONDS, unless these are 0, and prints the
# rate in a column of the proxy's log.
measure() {
  local name=$1 column=$2 seconds=$3 status=0 earlier
  shift 3
  earlier=$(wc -l <"$work/passed")
  if [ "$seconds" = 0 ]; then
    "$@" >"$work/output"
  else
    timeout --signal INT "$seconds" "$@" >"$work/output" || status=$?
    [ "$status" = 124 ] || { echo "$name ended with status $status before its interruption" >&2; exit 1; }
  fi
  awk -v name="$name" -v column="$column" -v rate="$rate" -v earlier="$earlier" '
    NR <= earlier { next }
    zero == "" { zero = $column }
    !start && $column - zero > 65536 { start = $1 + 6 }
    start && $1 >= start && !first { first = $1; before = $column }
    first && $1 >= first + 20 {
      measured = ($column - before) / ($1 - first)
      printf "%-18s %9.0f bytes/s  %+.2f %%\n", name, measured, (measured / rate - 1) * 100
      exit
    }
    END { if (!measured) { print name ": shorter than the window" > "/dev/stderr"; exit 1 } }' "$work/passed"
}

head -c "$size" /dev/urandom >"$work/large"
upload=("$sgsend" --quiet --server "$through" upload "$work/large" --limit-rate "$named")
measure "upload" 2 28 "${upload[@]}"
measure "upload, resumed" 2 0 "${upload[@]}" --resume
download=("$sgsend" --quiet download "$(cat "$work/output")" -o "$work/got" --limit-rate "$named")
measure "download" 3 28 "${download[@]}"
measure "download, resumed" 3 0 "${download[@]}" --resume
cmp "$work/large" "$work/got"
