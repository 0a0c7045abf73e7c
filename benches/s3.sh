#!/usr/bin/env bash
# Uploads and downloads a large file through a bucket, and compares with `aws s3 cp`, which does not encrypt.
#
#   tests/s3.sh run SERVER -- benches/s3.sh [SIZE] [ROUNDS]      (default: 1GiB and 3)
#
# Prints peak memory, the bytes that the server moved for one upload and download (all its sockets, files and pipes),
# the median times, and the medians of the per-round ratios. Needs aws, GNU time and strace (Debian packages awscli,
# time and strace). Builds sgsend first, unless SGSEND_BIN names the binary to measure.
set -euo pipefail

size=$(numfmt --from=iec-i --suffix=B "${1:-1GiB}")
rounds=${2:-3}
endpoint=$SGSEND_TEST_S3_ENDPOINT
bucket=sgsend-bench-$RANDOM$RANDOM
s3() { aws --endpoint-url "$endpoint" "$@"; }
s3 s3api create-bucket --bucket "$bucket" >/dev/null
SERVE_STORAGE="s3://$bucket/bench?endpoint=$endpoint&path_style=1"
SERVE_OPTIONS=(--max-size "$size")
# shellcheck source=examples/services.sh
. "$(dirname "$0")/../examples/services.sh"

file=$work/large.bin
head -c "${size%B}" /dev/urandom >"$file"
"$sgsend" --quiet --server "$public" --admin-server "$admin" token create bench --login >/dev/null

# timed NAME COMMAND…: runs COMMAND and records its wall time in seconds and its peak resident memory in KiB.
timed() {
  local name=$1
  shift
  /usr/bin/time -f "%e %M" -o "$work/measured" "$@" >"$work/output"
  read -r seconds kib <"$work/measured"
  echo "$seconds" >>"$work/$name.times"
  echo "$kib" >>"$work/$name.kib"
}

upload_and_download() {
  timed upload "$sgsend" --quiet --server "$public" upload "$file"
  link=$(cat "$work/output")
  timed download "$sgsend" --quiet download "$link" -o "$work/back"
  cmp "$file" "$work/back" && rm "$work/back"
  "$sgsend" --quiet delete "$link" >/dev/null
}

strace -f -q -e trace=network,read,write,readv,writev -e signal=none -o "$work/trace" -p "${pids[0]}" &
strace=$!
until [ -e "$work/trace" ]; do kill -0 "$strace"; done
upload_and_download
kill "$strace"
wait "$strace" 2>/dev/null || true
moved=$(sed -nE 's/.*(recv|send|read|write)[a-z]*(\(| resumed).* = ([0-9]+)$/\3/p' "$work/trace" | awk '{ n += $1 } END { print n }')
rm "$work/upload.times" "$work/download.times"

for _ in $(seq "$rounds"); do
  timed aws-up aws --endpoint-url "$endpoint" s3 cp --only-show-errors "$file" "s3://$bucket/aws"
  upload_and_download
  timed aws-down aws --endpoint-url "$endpoint" s3 cp --only-show-errors "s3://$bucket/aws" "$work/downloaded"
  rm "$work/downloaded"
done

median() { sort -n | sed -n "$(((rounds + 1) / 2))p"; }
for name in upload aws-up download aws-down; do
  printf '%-10s %8s s  %7d KiB peak\n' "$name" "$(median <"$work/$name.times")" "$(sort -n "$work/$name.kib" | tail -1)"
done
ratio() { paste "$work/$1.times" "$work/$2.times" | awk '{ print $1 / $2 }' | median; }
printf 'upload   / aws s3 cp  %s\n' "$(ratio upload aws-up)"
printf 'download / aws s3 cp  %s\n' "$(ratio download aws-down)"
printf 'serve public          %d KiB peak, %d bytes moved\n' \
  "$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/${pids[0]}/status")" "$moved"
