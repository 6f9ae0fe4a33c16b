"""The mended emulator, without Terraform."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError
from emulator import mended

from athena_bench.server import Server


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server, mended(server):
        server.reset()
        yield server


def client_of(server: Server, service: Any, invocation: str) -> Any:
    """A client all of whose calls bear one name, as the attempts of a single call do."""
    session = boto3.Session(aws_access_key_id="bench", aws_secret_access_key="bench", region_name=server.region)
    client: Any = session.client(service, endpoint_url=server.url)

    def name(request: Any, **_: object) -> None:
        request.headers["amz-sdk-invocation-id"] = invocation

    client.meta.events.register("before-send", name)
    return client


def test_call_that_comes_again_is_answered_as_the_first_time(server: Server) -> None:
    call = str(uuid4())
    first = client_of(server, "iam", call).create_user(UserName="one")["User"]
    assert client_of(server, "iam", call).create_user(UserName="one")["User"] == first
    assert len(client_of(server, "iam", str(uuid4())).list_users()["Users"]) == 1


def test_another_call_for_the_same_is_refused(server: Server) -> None:
    client_of(server, "iam", str(uuid4())).create_user(UserName="one")
    with pytest.raises(ClientError, match="EntityAlreadyExists"):
        client_of(server, "iam", str(uuid4())).create_user(UserName="one")


def test_length_of_an_object_is_told_without_its_body(server: Server) -> None:
    s3 = client_of(server, "s3", str(uuid4()))
    client_of(server, "s3", str(uuid4())).create_bucket(Bucket="one")
    client_of(server, "s3", str(uuid4())).put_object(Bucket="one", Key="a", Body=b"four")
    assert [s3.head_object(Bucket="one", Key="a")["ContentLength"] for _ in range(2)] == [4, 4]
