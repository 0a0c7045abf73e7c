#!/usr/bin/env bash
# Compares upload and download of a large file with curl and nginx, which do not encrypt, and with a plain copy by dd.
#
#   benches/transfer.sh [SIZE] [ROUNDS]      (default: 1GiB and 5)
#
# Prints the median times, and the medians of the per-round ratios: absolute times depend on the machine, ratios of
# consecutive runs hardly do. Needs nginx with its WebDAV module (Debian package nginx-light) and curl. Builds sgsend
# first, unless SGSEND_BIN names the binary to measure.
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

mkdir -p "$work/nginx/files"
cat >"$work/nginx/conf" <<N
worker_processes 1; daemon off; pid $work/nginx/pid; error_log $work/nginx/errors; user $(id -un);
events {}
http {
  access_log off; sendfile on; client_max_body_size 0; client_body_temp_path $work/nginx/temp;
  server { listen unix:$work/nginx/socket; root $work/nginx/files; dav_methods PUT DELETE; }
}
N
nginx -c "$work/nginx/conf" -p "$work/nginx" 2>/dev/null &
pids+=($!)
until [ -S "$work/nginx/socket" ]; do kill -0 "${pids[-1]}"; done
nginx_curl() { curl --silent --show-error --fail --unix-socket "$work/nginx/socket" "$@"; }

# timed NAME COMMAND…: runs COMMAND and records its seconds.
timed() { note_seconds "$work/$1.times" "${@:2}" >"$work/output"; }
# Warms up the page cache: the first use of a memory page is expensive, so every run finds pages in use before.
warm() { cp "$file" "$work/warm" && rm "$work/warm"; }

for _ in $(seq "$rounds"); do
  warm; timed nginx-put nginx_curl -T "$file" http://localhost/large
  warm; timed upload "$sgsend" --quiet --server "$public" upload "$file"
  link=$(cat "$work/output")
  warm; timed dd dd if="$file" of="$work/copy" bs=1M conv=fsync status=none
  rm "$work/copy"
  warm; timed nginx-get nginx_curl -o "$work/got" http://localhost/large
  rm "$work/got"
  warm; timed download "$sgsend" --quiet download "$link" -o "$work/back"
  cmp "$file" "$work/back" && rm "$work/back"
  "$sgsend" --quiet delete "$link" >/dev/null
  nginx_curl -X DELETE http://localhost/large
done

for name in nginx-put upload dd nginx-get download; do printf '%-10s %6s s\n' "$name" "$(median <"$work/$name.times")"; done
echo "upload / nginx PUT by curl    $(ratios "$work"/{upload,nginx-put}.times | median)"
echo "upload / dd conv=fsync        $(ratios "$work"/{upload,dd}.times | median)"
echo "download / nginx GET by curl  $(ratios "$work"/{download,nginx-get}.times | median)"
