"""Real AWS clients of a bench's server, that tests share."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from athena_bench.server import Server

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_lakeformation import LakeFormationClient


# One session, as each reads the models of the services anew.
_SESSION = boto3.Session(aws_access_key_id="bench", aws_secret_access_key="bench")


class Clients:
    """Clients that do not try again, so that a test sees the first answer."""

    def __init__(self, server: Server, region: str = "us-east-1") -> None:
        self._server = server
        self._region = region

    def _client(self, service: Any) -> Any:
        config = Config(retries={"total_max_attempts": 1}, max_pool_connections=16)
        return _SESSION.client(service, region_name=self._region, endpoint_url=self._server.url, config=config)

    @cached_property
    def athena(self) -> AthenaClient:
        return cast("AthenaClient", self._client("athena"))

    @cached_property
    def glue(self) -> GlueClient:
        return cast("GlueClient", self._client("glue"))

    @cached_property
    def lake_formation(self) -> LakeFormationClient:
        return cast("LakeFormationClient", self._client("lakeformation"))

    @cached_property
    def s3(self) -> Any:
        return self._client("s3")

    @cached_property
    def kinesis(self) -> Any:
        return self._client("kinesis")


def error_of(call: Callable[..., object], **request: object) -> tuple[str, str]:
    """Code and message of the error that a call ends with; two empty strings where it is answered."""
    try:
        call(**request)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    return "", ""


def code_of(call: Callable[..., object], **request: object) -> str:
    """The code alone of the error that a call ends with."""
    return error_of(call, **request)[0]
