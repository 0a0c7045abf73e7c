#!/usr/bin/env bash
# Runs LocalStack's S3 on loopback port PORT, without Docker: localstack.sh VENV FOLDER PORT...
set -euo pipefail
venv=$1 folder=$2 port=$3

export SERVICES=s3 EAGER_SERVICE_LOADING=1 STRICT_SERVICE_LOADING=1
export GATEWAY_LISTEN="[::ffff:127.0.0.1]:$port" # a plain 127.0.0.1 would listen on every address
export LOCALSTACK_HOST="127.0.0.1:$port"
export S3_SKIP_SIGNATURE_VALIDATION=0 # checks signatures of presigned URLs; LocalStack never checks other requests
export OVERRIDE_IN_DOCKER=0 FILESYSTEM_ROOT="$folder" HOME="$folder" TMPDIR="$folder"
export DISABLE_EVENTS=1 SKIP_SSL_CERT_DOWNLOAD=1 DNS_ADDRESS=0 USE_SSL=0 LS_LOG=warn

# By default, all LocalStack processes would share one folder of objects.
exec "$venv/bin/python" -c '
import os
from localstack.runtime import main
from localstack.services.s3 import provider
provider.DEFAULT_S3_TMP_DIR = os.environ["FILESYSTEM_ROOT"] + "/objects"
main.main()
'
