"""Copies a file or a directory to or from a bucket by boto3 and the AWS Common Runtime.

    boto3_crt.py up|down ENDPOINT BUCKET KEY PATH
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

way, endpoint, bucket, key, path = sys.argv[1:]
client = boto3.client("s3", endpoint_url=endpoint, config=Config(s3={"addressing_style": "path"}))
transfer = TransferConfig(preferred_transfer_client="crt")


def up(key, path):
    client.upload_file(path, bucket, key, Config=transfer)


def down(key, path):
    client.download_file(bucket, key, path, Config=transfer)


def many(copy, pairs):
    with ThreadPoolExecutor(16) as threads:
        for done in [threads.submit(copy, *pair) for pair in pairs]:
            done.result()


if way == "up" and os.path.isdir(path):
    many(up, [(f"{key}/{name}", os.path.join(path, name)) for name in os.listdir(path)])
elif way == "up":
    up(key, path)
elif key.endswith("/"):
    os.makedirs(path, exist_ok=True)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
    names = [item["Key"] for page in pages for item in page.get("Contents", [])]
    many(down, [(name, os.path.join(path, name.removeprefix(key))) for name in names])
else:
    down(key, path)
