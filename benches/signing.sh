#!/usr/bin/env bash
# Measures what a signature costs: upload and download of a large file with and without `--sign`.
#
#   benches/signing.sh [SIZE] [ROUNDS]      (default: 1GiB and 5)
#
# Prints the median times, and the medians of the per-round ratios. Signing hashes each encrypted segment. Needs
# ssh-keygen. Builds sgsend first, unless SGSEND_BIN names the binary to measure.
set -euo pipefail

size=$(numfmt --from=iec-i --suffix=B "${1:-1GiB}")
rounds=${2:-5}
SERVE_OPTIONS=(--max-size "$size" --durability "${DURABILITY:-none}")
# shellcheck source=examples/services.sh
. "$(dirname "$0")/../examples/services.sh"
# shellcheck source=benches/statistics.sh
. "$(dirname "$0")/statistics.sh"

file=$work/large.bin
head -c "${size%B}" /dev/urandom >"$file"
"$sgsend" --quiet --server "$public" --admin-server "$admin" token create bench --login >/dev/null
ssh-keygen -q -t ed25519 -N '' -f "$work/key"

# timed NAME COMMAND…: runs COMMAND and records its seconds.
timed() {
  cp "$file" "$work/warm" && rm "$work/warm"
  note_seconds "$work/$1.times" "${@:2}" >"$work/output"
}

for _ in $(seq "$rounds"); do
  for name in plain signed; do
    options=()
    if [ "$name" = signed ]; then options=("--sign=$work/key"); fi
    timed "upload-$name" "$sgsend" --quiet --server "$public" upload "$file" "${options[@]}"
    link=$(cat "$work/output")
    timed "download-$name" "$sgsend" --quiet download "$link" -o "$work/back"
    cmp "$file" "$work/back" && rm "$work/back"
    "$sgsend" --quiet delete "$link" >/dev/null
  done
done

for name in upload-plain upload-signed download-plain download-signed; do
  printf '%-16s %6s s\n' "$name" "$(median <"$work/$name.times")"
done
echo "upload, signed / plain    $(ratios "$work"/upload-{signed,plain}.times | median)"
echo "download, signed / plain  $(ratios "$work"/download-{signed,plain}.times | median)"
