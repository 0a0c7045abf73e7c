#!/usr/bin/env bash
# Runs s3s-fs on loopback port PORT: s3s-fs.sh ROOT FOLDER PORT...
# Accepts only the credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
set -euo pipefail
root=$1 folder=$2 port=$3

mkdir "$folder/data"
HOME=$folder TMPDIR=$folder exec "$root/bin/s3s-fs" --host 127.0.0.1 --port "$port" \
  --access-key "$AWS_ACCESS_KEY_ID" --secret-key "$AWS_SECRET_ACCESS_KEY" "$folder/data"
