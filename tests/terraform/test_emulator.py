"""The mended emulator, without Terraform."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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


def iam(server: Server, invocation: str | None) -> Any:
    """A client all of whose calls bear one name, as the attempts of a single call do."""
    session = boto3.Session(aws_access_key_id="bench", aws_secret_access_key="bench", region_name=server.region)
    client: Any = session.client("iam", endpoint_url=server.url)

    def name(request: Any, **_: object) -> None:
        if invocation is not None:
            request.headers["amz-sdk-invocation-id"] = invocation

    client.meta.events.register("before-send.iam", name)
    return client


def test_call_that_comes_again_is_answered_as_the_first_time(server: Server) -> None:
    client = iam(server, "one-call")
    first = client.create_user(UserName="one")["User"]
    assert client.create_user(UserName="one")["User"] == first
    assert len(iam(server, None).list_users()["Users"]) == 1


def test_another_call_for_the_same_is_refused(server: Server) -> None:
    iam(server, "one-call").create_user(UserName="one")
    with pytest.raises(ClientError, match="EntityAlreadyExists"):
        iam(server, "another-call").create_user(UserName="one")
