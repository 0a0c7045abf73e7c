#!/usr/bin/env bash
# Prints what works over the S3 server of this environment, as lines of text: row.sh SGSEND. `tests/s3.sh servers` runs it.
set -euo pipefail
sgsend=$1

home=$(mktemp -d) service=''
finish() {
  if [ -n "$service" ]; then kill "$service" 2>/dev/null || true; wait "$service" 2>/dev/null || true; fi
  rm -rf "$home"
}
trap finish EXIT
export HOME=$home SGSEND_MIN_FREE=0
SGSEND_ADMIN_KEY=$(od -An -tx1 -N32 /dev/urandom | tr -d ' \n')
export SGSEND_ADMIN_KEY
cd "$home"

curl -sf -o answer -m 10 --aws-sigv4 aws:amz:us-east-1:s3 --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
  -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' -X PUT "$SGSEND_TEST_S3_ENDPOINT/row" || true
storage="s3://row/row?endpoint=$SGSEND_TEST_S3_ENDPOINT&path_style=1"

"$sgsend" doctor --json --storage "$storage" >doctor.json 2>doctor.err || true
python3 - doctor.json <<'PYTHON'
import json, sys
checks = json.load(open(sys.argv[1]))["checks"]
print("doctor:", ", ".join(sum(c["verdict"] == v for c in checks).__str__() + " " + v.replace("_", " ")
                           for v in ("ok", "warning", "problem", "cannot_tell")))
for check in checks:
    if check["verdict"] == "problem":
        print("problem:", check["name"] + ":", check["detail"])
PYTHON

"$sgsend" serve all --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --storage "$storage" 2>log &
service=$!
public='' admin=''
for _ in $(seq 300); do
  public=$(sed -n 's/^public listening on //p' log) admin=$(sed -n 's/^admin listening on //p' log)
  if [ -n "$public" ] && [ -n "$admin" ]; then break; fi
  if ! kill -0 "$service" 2>/dev/null; then break; fi
  sleep 0.1
done
if [ -z "$public" ] || [ -z "$admin" ]; then
  echo "start check: refused: $(sed -n 's/^error: //p' log)"
  exit
fi
echo "start check: passed"
"$sgsend" --admin-server "$admin" --server "$public" token create row --login >answer 2>&1
for size in 1000 30000000; do
  head -c "$size" /dev/urandom >content
  for flow in presigned bytes; do
    result=works
    rm -f back
    { link=$("$sgsend" --server "$public" --timeout 20s upload content --flow "$flow" -d 1 2>error) &&
      "$sgsend" --timeout 20s download "$link" -o back --flow "$flow" >answer 2>error && cmp -s content back; } ||
      result="fails: $(sed -n 's/^error: //p' error)"
    echo "$flow, $size bytes: $result"
  done
done
