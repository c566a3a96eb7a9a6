"""A local S3 server, and an empty bucket in it that a connection leads to; for the tests of deliveries and of the hub."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from moto.server import ThreadedMotoServer

from oncoweave.engine.servers.connections import PREFIX

REGION = "eu-west-1"


@contextmanager
def s3_server() -> Iterator[str]:
    """A local S3 server; its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@contextmanager
def empty_bucket(endpoint: str, name: str, secret: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of an empty bucket, which the connection of the same name leads to."""
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    url = f"s3://KEY:{quote(secret, safe='')}@/?region_name={REGION}&endpoint_url={endpoint}"
    monkeypatch.setenv(f"{PREFIX}{name.upper()}", url)
    options = {"region_name": REGION, "aws_access_key_id": "KEY", "aws_secret_access_key": secret}
    client = boto3.client("s3", endpoint_url=endpoint, **options)
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    yield client
    for each in client.list_objects_v2(Bucket=name).get("Contents", []):
        client.delete_object(Bucket=name, Key=each["Key"])
    client.delete_bucket(Bucket=name)
    client.close()
