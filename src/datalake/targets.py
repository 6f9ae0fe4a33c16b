"""The targets of the dbt profile: where the lake of each is, and how to open it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datalake.athena import Athena
from datalake.athena_ledger import AthenaLedger
from datalake.aws import client, errors_told
from datalake.errors import BucketError
from datalake.lake import open_lake
from datalake.ledger import DuckDBLedger, Ledger
from datalake.settings import workgroup
from datalake.storage import FolderStore, S3Store, Store

if TYPE_CHECKING:
    pass


class Target(StrEnum):
    """A target of the dbt profile: the local lake, or one on Athena."""

    local = "local"
    dev = "dev"
    ci = "ci"
    prod = "prod"


@contextmanager
def open_store(target: Target, root: Path) -> Iterator[Store]:
    """Open the objects of a target's lake.

    Args:
        target: the target.
        root: the lake's folder, on the local target.

    Raises:
        LakeRootError, BucketError: the folder or the bucket can't be used.
        AwsError: AWS could not be reached, or refused a request.
    """
    if target is Target.local:
        yield FolderStore.open(root)
    else:
        with _bucket_and_athena() as (store, _):
            yield store


@contextmanager
def open_ledger(target: Target, root: Path) -> Iterator[tuple[Store, Ledger]]:
    """Open the objects of a target's lake and its ledger, for writing.

    Args:
        target: the target.
        root: the lake's folder, on the local target.

    Raises:
        LakeRootError, BucketError: the folder or the bucket can't be used.
        LakeBusyError: another process has the local lake open.
        AwsError: AWS could not be reached, or refused a request.
    """
    if target is Target.local:
        folder = FolderStore.open(root)
        with open_lake(folder) as connection:
            yield folder, DuckDBLedger(connection)
    else:
        with _bucket_and_athena() as (bucket, athena):
            yield bucket, AthenaLedger(athena, bucket)


@contextmanager
def open_athena() -> Iterator[Athena]:
    """Open Athena for questions to the lake.

    Raises:
        BucketError: the bucket can't be used.
        AwsError: AWS could not be reached, or refused a request.
    """
    with _bucket_and_athena() as (_, athena):
        yield athena


@contextmanager
def open_client(service: str) -> Iterator[Any]:
    """Open boto3's client of a service of AWS, e.g. glue.

    Raises:
        AwsError: AWS could not be reached, or refused a request.
    """
    with errors_told():
        yield client(service)


def lake_bucket(otherwise: str = "take the target local") -> str:
    """Return the name of the lake's bucket.

    Args:
        otherwise: what a person may do in place of naming it.

    Raises:
        BucketError: none is named.
    """
    name = os.environ.get("DATALAKE_BUCKET")
    if not name:
        raise BucketError(f"The lake's bucket is not named. Set DATALAKE_BUCKET, or {otherwise}.")
    return name


@contextmanager
def _bucket_and_athena() -> Iterator[tuple[S3Store, Athena]]:
    name = lake_bucket()
    with errors_told():
        s3, athena = client("s3"), client("athena")
        bucket = S3Store.open(s3, name)
        yield bucket, Athena(athena, s3, workgroup(), bucket.uri("query-results/"))
