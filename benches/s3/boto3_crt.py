"""Copies a file or a directory to or from a bucket by the AWS Common Runtime, as boto3[crt] does.

    boto3_crt.py up|down ENDPOINT BUCKET KEY PATH

boto3 itself uses this runtime over TLS only, so this calls its transfer manager (s3transfer) for an endpoint with http://.
Path-style addresses come from AWS_CONFIG_FILE.
"""

import os
import sys

import botocore.session
from s3transfer.crt import (
    BotocoreCRTCredentialsWrapper,
    BotocoreCRTRequestSerializer,
    CRTTransferManager,
    create_s3_crt_client,
)

way, endpoint, bucket, key, path = sys.argv[1:]
session = botocore.session.get_session()
credentials = BotocoreCRTCredentialsWrapper(session.get_credentials()).to_crt_credentials_provider()
client = create_s3_crt_client("us-east-1", crt_credentials_provider=credentials, use_ssl=False)
serializer = BotocoreCRTRequestSerializer(session, {"region_name": "us-east-1", "endpoint_url": endpoint})

with CRTTransferManager(client, serializer) as manager:
    if way == "up" and os.path.isdir(path):
        done = [manager.upload(os.path.join(path, name), bucket, f"{key}/{name}") for name in os.listdir(path)]
    elif way == "up":
        done = [manager.upload(path, bucket, key)]
    elif key.endswith("/"):
        os.makedirs(path, exist_ok=True)
        listing = session.create_client("s3", endpoint_url=endpoint, region_name="us-east-1")
        pages = listing.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
        names = [item["Key"] for page in pages for item in page.get("Contents", [])]
        done = [manager.download(bucket, name, os.path.join(path, name.removeprefix(key))) for name in names]
    else:
        done = [manager.download(bucket, key, path)]
    for transfer in done:
        transfer.result()
