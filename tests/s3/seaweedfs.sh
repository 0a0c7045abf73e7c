#!/usr/bin/env bash
# Runs SeaweedFS with S3 on the first loopback PORT, other services on the next: seaweedfs.sh VENV FOLDER PORT...
# Accepts only the credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
set -euo pipefail
venv=$1 folder=$2 ports=("${@:3}")

# Each bucket has its own volumes: growing by a single small volume lets many buckets fit on any disk.
export WEED_MASTER_VOLUME_GROWTH_COPY_1=1
mkdir "$folder/data"
HOME=$folder TMPDIR=$folder exec "$venv/bin/weed" -logtostderr=true server -dir="$folder/data" \
  -ip=127.0.0.1 -ip.bind=127.0.0.1 -master.telemetry=false \
  -master.port="${ports[1]}" -master.port.grpc="${ports[2]}" -master.volumeSizeLimitMB=64 \
  -volume.port="${ports[3]}" -volume.port.grpc="${ports[4]}" -volume.max=1000 -volume.preStopSeconds=0 \
  -filer.port="${ports[5]}" -filer.port.grpc="${ports[6]}" -filer.localSocket="$folder/filer.sock" \
  -s3 -s3.port="${ports[0]}" -s3.port.grpc="${ports[7]}" -s3.localSocket="$folder/s3.sock" \
  -s3.port.iceberg=0 -s3.port.lance=0 -s3.autoCreateBucket=false -s3.allowDeleteBucketNotEmpty=false
