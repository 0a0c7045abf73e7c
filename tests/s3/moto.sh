#!/usr/bin/env bash
# Runs moto's S3 on loopback port PORT: moto.sh VENV FOLDER PORT...
# Keeps everything in memory, and checks no signatures: for comparison only.
set -euo pipefail
venv=$1 folder=$2 port=$3

HOME=$folder TMPDIR=$folder exec "$venv/bin/moto_server" -H 127.0.0.1 -p "$port"
