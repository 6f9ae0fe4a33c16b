"""The database of a pull request: what its build made beside the lake, and how it goes when the pull request closes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from datalake.storage import S3Store


@dataclass(frozen=True)
class Dropped:
    """What was removed: how many tables of the catalog, and how many objects of the bucket."""

    tables: int
    objects: int


def database(number: int) -> str:
    """Return the name of the database of a pull request, as `profiles.yml` has it.

    Raises:
        ValueError: it is no number of a pull request.
    """
    if number < 1:
        raise ValueError(f"{number} is no number of a pull request; they begin with 1.")
    return f"pr_{number}"


def drop(glue: Any, store: S3Store, number: int) -> Dropped:  # noqa: ANN401 - boto3's clients have no type
    """Remove a pull request's database with its tables, and their files; what is not there is no error.

    Only a number is taken, so that no other database can be named. The catalog goes first: a table without files would
    fail the queries that read it.

    Args:
        glue: boto3's client of Glue.
        store: the lake's bucket, in which dbt writes a table under the name of its database.
        number: the pull request's number.
    """
    name = database(number)
    tables = 0
    try:
        for page in glue.get_paginator("get_tables").paginate(DatabaseName=name):
            for table in page["TableList"]:
                glue.delete_table(DatabaseName=name, Name=table["Name"])
                tables += 1
        glue.delete_database(Name=name)
    except glue.exceptions.EntityNotFoundException:
        pass  # it was never built, or is dropped already
    return Dropped(tables, store.remove_folder(name))
