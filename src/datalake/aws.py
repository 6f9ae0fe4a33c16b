"""boto3's clients, made when they are asked for, and what they can't do, told to a person."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from datalake.errors import AwsError


def client(service: str, **settings: Any) -> Any:  # noqa: ANN401 - the clients have no common type
    """Return boto3's client of a service, in the region that `AWS_REGION` names, by default us-east-1.

    Args:
        service: the service's name.
        settings: of botocore's Config, beside those that all clients have.
    """
    import boto3  # a third of a second, of no use on the local target
    from botocore.config import Config

    session: Any = boto3.Session(region_name=os.environ.get("AWS_REGION") or "us-east-1")  # as in profiles.yml
    # A check reads as many files at once as it has threads, 32 at most.
    common: dict[str, Any] = {"retries": {"mode": "standard", "max_attempts": 5}, "max_pool_connections": 32}
    config = Config(**common | settings)
    return session.client(service, config=config)


@contextmanager
def errors_told() -> Iterator[None]:
    """Let an error of boto3's be one of this package.

    Raises:
        AwsError: AWS could not be reached, or refused a request.
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise AwsError(f"AWS could not do it: {error}") from error
