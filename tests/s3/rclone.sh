#!/usr/bin/env bash
# Runs `rclone serve s3` on loopback port PORT: rclone.sh VENV FOLDER PORT...
# Accepts only the credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
set -euo pipefail
venv=$1 folder=$2 port=$3

mkdir "$folder/data"
HOME=$folder TMPDIR=$folder exec "$venv/bin/rclone" serve s3 "$folder/data" --config /dev/null \
  --addr "127.0.0.1:$port" --auth-key "$AWS_ACCESS_KEY_ID,$AWS_SECRET_ACCESS_KEY" --vfs-cache-mode full
