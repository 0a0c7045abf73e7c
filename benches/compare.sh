#!/usr/bin/env bash
# Measures sgsend beside programs that do the same work without encryption, or without a server, and prints a table.
#
#   benches/compare.sh [ROUNDS] [SIZE]      (default: 5 and 1GiB)
#
# Each row alternates both programs in one run, after one round that is not counted: ratios of consecutive runs hardly
# depend on the machine. The table is Markdown: medians with the least and the largest value, and the median of the
# rounds' ratios. Uploads are durable, those of nginx are not. A failed or wrong run ends the script without a table.
# Needs nginx with its WebDAV module (Debian package nginx-light), curl and age. Builds sgsend in release mode, unless
# SGSEND_BIN names the binary. ROWS names the rows to measure, separated by spaces.
set -euo pipefail

rounds=${1:-5}
named=${2:-1GiB}
size=$(numfmt --from=iec-i --suffix=B "$named")
for tool in nginx curl age age-keygen; do
  PATH=$PATH:/usr/sbin command -v "$tool" >/dev/null || { echo "needs $tool" >&2; exit 2; }
done
PATH=$PATH:/usr/sbin
root=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${SGSEND_BIN:-}" ]; then
  cargo build --release --locked --manifest-path "$root/Cargo.toml"
  SGSEND_BIN=${CARGO_TARGET_DIR:-$root/target}/release/sgsend
fi
SERVE_OPTIONS=(--max-size "$size")
# shellcheck source=examples/services.sh
. "$root/examples/services.sh"
# shellcheck source=benches/statistics.sh
. "$root/benches/statistics.sh"
"$sgsend" --quiet --server "$public" --admin-server "$admin" token create compare --login >/dev/null
export SGSEND_SERVER=$public

# nginx on a free port of loopback.
mkdir -p "$work/nginx/files/each"
for _ in 1 2 3 4 5; do
  port=$((20000 + RANDOM % 20000))
  cat >"$work/nginx/conf" <<N
worker_processes 2; daemon off; pid $work/nginx/pid; error_log $work/nginx/errors; user $(id -un);
events {}
http {
  access_log off; sendfile on; client_max_body_size 0; client_body_temp_path $work/nginx/temp; keepalive_requests 100000;
  server { listen 127.0.0.1:$port; root $work/nginx/files; dav_methods PUT DELETE; }
}
N
  nginx -c "$work/nginx/conf" -p "$work/nginx" 2>/dev/null &
  nginx=$!
  pids+=("$nginx")
  for _ in $(seq 50); do
    if curl --silent --output "$work/output" "http://127.0.0.1:$port/"; then break 2; fi
    kill -0 "$nginx" 2>/dev/null || break
    sleep 0.1
  done
done
there=http://127.0.0.1:$port
request() { curl --silent --show-error --fail "$@"; }

head -c "${size%B}" /dev/urandom >"$work/large"
head -c 1048576 /dev/urandom >"$work/medium"
head -c 1000 /dev/urandom >"$work/small"
mkdir "$work/many"
head -c 1024000 /dev/urandom | split --bytes 1024 --suffix-length 4 --numeric-suffixes - "$work/many/"
age-keygen -o "$work/identity" 2>"$work/output"
recipient=$(age-keygen -y "$work/identity")
age -r "$recipient" -o "$work/large.age" "$work/large"
for file in "$work"/many/*; do printf 'upload-file = "%s"\nurl = "%s/each/"\n' "$file" "$there"; done >"$work/each.curl"
status_link=$("$sgsend" --quiet upload "$work/small" --expires 1d)
cp "$work/small" "$work/nginx/files/status"

# Each row: what it is, our command, the command beside it, and the check of both outputs. Commands write to $work only.
rows=(large-up large-down medium-up small-up status many-up many-down each age-up open)
declare -A title=(
  [large-up]="upload of $named|nginx PUT by curl" [large-down]="download of $named|nginx GET by curl"
  [medium-up]="upload of 1 MiB|nginx PUT by curl" [small-up]="upload of 1 kB|nginx PUT by curl"
  [status]="\`status\`|nginx GET of 1 kB by curl" [many-up]="directory of 1 000 × 1 KiB, up|\`tar\` and nginx PUT by curl"
  [many-down]="directory of 1 000 × 1 KiB, down|nginx GET by curl, and \`tar\`"
  [each]="1 000 transfers of 1 KiB by \`upload --each\`|1 000 nginx PUT by one curl"
  [age-up]="encryption and upload of $named|\`age\`, nginx PUT by curl" [open]="\`open\` of $named|\`age -d\`"
)
ours() {
  case $1 in
    large-up) "$sgsend" --quiet upload "$work/large" >"$work/link" ;;
    large-down) "$sgsend" --quiet download "$(cat "$work/large.link")" -o "$work/got" ;;
    medium-up) "$sgsend" --quiet upload "$work/medium" >"$work/link" ;;
    small-up) "$sgsend" --quiet upload "$work/small" >"$work/link" ;;
    status) "$sgsend" --quiet status "$status_link" ;;
    many-up) "$sgsend" --quiet upload "$work/many" >"$work/link" ;;
    many-down) "$sgsend" --quiet download "$(cat "$work/many.link")" -o "$work/unpacked" ;;
    each) "$sgsend" --quiet upload --each "$work"/many/* >"$work/links" ;;
    age-up) "$sgsend" --quiet upload "$work/large" >"$work/link" ;;
    open) "$sgsend" --quiet open "$work/sealed" --key-file "$work/key" -o "$work/got" ;;
  esac
}
theirs() {
  case $1 in
    large-up) request -T "$work/large" "$there/large" ;;
    large-down) request -o "$work/got" "$there/large" ;;
    medium-up) request -T "$work/medium" "$there/medium" ;;
    small-up) request -T "$work/small" "$there/small" ;;
    status) request "$there/status" ;;
    many-up) tar -C "$work" -c many | request -T - "$there/many.tar" ;;
    many-down) mkdir "$work/unpacked" && request "$there/many.tar" | tar -C "$work/unpacked" -x --strip-components 1 ;;
    each) request --config "$work/each.curl" ;;
    age-up) age -r "$recipient" "$work/large" | request -T - "$there/large.age" ;;
    open) age -d -i "$work/identity" -o "$work/got" "$work/large.age" ;;
  esac
}
# prepare ROW: what the row needs beforehand. The first use of a memory page is expensive, so large rows warm pages.
prepare() {
  case $1 in large-* | age-up | open) cp "$work/large" "$work/warm" && rm "$work/warm" ;; esac
  case $1 in
    large-down)
      [ -s "$work/large.link" ] || "$sgsend" --quiet upload "$work/large" >"$work/large.link"
      [ -s "$work/nginx/files/large" ] || request -T "$work/large" "$there/large"
      ;;
    many-down)
      [ -s "$work/many.link" ] || "$sgsend" --quiet upload "$work/many" >"$work/many.link"
      [ -s "$work/nginx/files/many.tar" ] || tar -C "$work" -c many | request -T - "$there/many.tar"
      ;;
    open)
      if [ ! -s "$work/sealed" ]; then
        touch "$work/before"
        "$sgsend" --quiet upload "$work/large" --separate-key >"$work/link"
        sed -n 2p "$work/link" >"$work/key"
        find "$work/store/payloads" -type f -newer "$work/before" -exec cp {} "$work/sealed" \;
        "$sgsend" --quiet delete "$(sed -n 1p "$work/link")" >/dev/null
      fi
      ;;
  esac
}
# check ROW: fails if the last run of either program did not do its work; removes what it left.
check() {
  case $1 in
    large-up | age-up | medium-up | small-up | many-up)
      if [ "$2" = ours ]; then
        grep -q '#v1\.' "$work/link"
        "$sgsend" --quiet delete "$(cat "$work/link")" >/dev/null
      fi
      ;;
    large-down | open) cmp "$work/large" "$work/got" && rm "$work/got" ;;
    many-down) diff -r "$work/many" "$work/unpacked" && rm -r "$work/unpacked" ;;
    each)
      if [ "$2" = ours ]; then
        [ "$(wc -l <"$work/links")" = 1000 ]
      else
        [ "$(find "$work/nginx/files/each" -type f | wc -l)" = 1000 ] && rm -r "$work"/nginx/files/each/*
      fi
      ;;
    status) grep -q . "$work/output" ;;
  esac
}

# timed ROW ours|theirs ROUND: runs a program, and notes its seconds, unless the round is 0.
timed() {
  local times=$work/$1.$2
  if [ "$3" = 0 ]; then times=/dev/null; fi
  prepare "$1"
  note_seconds "$times" "$2" "$1" >"$work/output" || { echo "failed: $2 of $1" >&2; exit 1; }
  check "$1" "$2" || { echo "wrong result: $2 of $1" >&2; exit 1; }
}

read -ra chosen <<<"${ROWS:-${rows[*]}}"
for row in "${chosen[@]}"; do
  for round in $(seq 0 "$rounds"); do
    timed "$row" ours "$round"
    timed "$row" theirs "$round"
  done
  scale=(1 1000) unit=ms
  case $row in large-* | age-up | open) scale=(2 1) unit=s ;; esac
  what=${title[$row]%|*} beside=${title[$row]#*|}
  ratio=$(ratios "$work/$row.ours" "$work/$row.theirs" | spread)
  # Printed at the end only, so that a table is that of a run without a failure.
  echo "| $what | $(spread "${scale[@]}" <"$work/$row.ours") $unit | $beside | $(spread "${scale[@]}" <"$work/$row.theirs") $unit | $ratio |" >>"$work/table"
done

cat <<T
Measured on $(date -u +%F) at commit $(git -C "$root" rev-parse --short=10 HEAD 2>/dev/null || echo unknown), $rounds rounds, \
$(nproc) processors ($(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)). Median (least to largest).

| Work | sgsend, durable | Beside it | Time | Ratio |
|---|---|---|---|---|
$(cat "$work/table")
T
