#!/usr/bin/env bash
# Measures the peak memory of server and clients during upload and download of a large file.
#
#   benches/memory.sh [SIZE]      (default: 1GiB)
#
# Needs GNU time (Debian package time). Builds sgsend first, unless SGSEND_BIN names the binary to measure.
set -euo pipefail

size=$(numfmt --from=iec-i --suffix=B "${1:-1GiB}")
size=${size%B}
examples=$(dirname "$0")/../examples
# Options for the services that services.sh starts.
SERVE_OPTIONS=(--max-size "${size}B")
# shellcheck source=examples/services.sh
. "$examples/services.sh"

"$sgsend" --quiet --server "$public" --admin-server "$admin" token create memory --login >/dev/null
file=$work/large.bin
head -c "$size" /dev/urandom >"$file"

# measured NAME COMMAND…: runs COMMAND and prints its wall time and peak resident memory.
measured() {
  local name=$1
  shift
  /usr/bin/time -f "%e %M" -o "$work/measured" "$@"
  read -r seconds kib <"$work/measured"
  printf '%-16s %8s s  %6d KiB peak\n' "$name" "$seconds" "$kib"
}

link=$work/link
measured "upload" sh -c '"$0" --server "$1" upload "$2" >"$3"' "$sgsend" "$public" "$file" "$link"
measured "download" sh -c '"$0" download "$(cat "$1")" -o "$2" >/dev/null' "$sgsend" "$link" "$work/back.bin"
cmp "$file" "$work/back.bin"
printf '%-16s %19d KiB peak\n' "serve public" "$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/${pids[0]}/status")"
