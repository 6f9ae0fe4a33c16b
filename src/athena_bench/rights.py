"""What the engine is told that a caller may do: rules of Trino's file-based access control."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from athena_bench.callers import CURRENT
from athena_bench.catalog import Catalog
from athena_bench.engine import HIVE_CATALOG, ICEBERG_CATALOG, USER, Engine
from athena_bench.errors import QueryError
from athena_bench.grants import Readable
from athena_bench.guard import Access, Guard
from athena_bench.policies import object_arn
from athena_bench.server import GLUE, ApiError
from athena_bench.statement import Reader

_CATALOGS = f"{HIVE_CATALOG}|{ICEBERG_CATALOG}"
_DENIED = re.compile(
    r"Access Denied: Cannot (?P<verb>\w+) .*?(?P<catalog>\w+)\.(?P<database>[^.\s]+)\.(?P<name>[^.\s]+)", re.DOTALL
)
_LOST = re.compile(r"(line \d+:\d+): Column '([^']*)' cannot be resolved")
_NOTHING_SHOWN = "Relation not found or not allowed"
_WANTED = {
    "select": "SELECT",
    "insert": "INSERT",
    "delete": "DELETE",
    "update": "INSERT",
    "create": "CREATE_TABLE",
    "drop": "DROP",
}
_EVERYTHING = {"user": USER}
"""A condition may look at columns that the caller may not."""

_ALL = ("SELECT", "INSERT", "DELETE", "UPDATE", "OWNERSHIP", "GRANT_SELECT")


class Rights:
    """What the caller at work may do, in the engine's words and in Athena's.

    Args:
        engine: which is told.
        catalog: of Glue, with all that is in it.
        guard: tells what callers may do.
    """

    def __init__(self, engine: Engine, catalog: Catalog, guard: Guard) -> None:
        self._engine = engine
        self._catalog = catalog
        self._guard = guard

    def user(self) -> str:
        """Return the engine's user that may do what the caller may do now, and tell the engine of it.

        A user's rules never change: other rights are another user. So what runs goes on under the rights it began with.
        """
        caller = CURRENT.get()
        if not caller.is_held:
            return USER
        access = self._guard.access(caller)
        databases = self._catalog.databases()
        tables = (table for database in databases for table in self._catalog.tables(database))
        rules = [*(rule for table in tables for rule in _of_table(access, table)), *_of_databases(access, databases)]
        user = f"caller-{hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()[:16]}"
        self._engine.permit(user, [{"user": user, "catalog": _CATALOGS, **rule} for rule in rules])
        return user

    def check_results(self, location: str) -> None:
        """Make sure that the caller may write the results of a query where they are to go.

        Raises:
            QueryError: it may not.
        """
        try:
            self._guard.check_object("s3:PutObject", object_arn(location))
        except ApiError as error:
            message = f"Access denied when writing output to url: {location}. {error.message}"
            raise QueryError("PERMISSION_DENIED", "USER_ERROR", message) from error

    def check_partitions(self, database: str, table: str) -> None:
        """Make sure that the caller may add partitions to a table.

        Raises:
            ApiError: it may not.
        """
        self._guard(f"{GLUE}.BatchCreatePartition", {"DatabaseName": database, "TableName": table}, dict)

    def made(self, database: str, table: str) -> None:
        """Grant a table that the engine made to the caller."""
        self._guard.note_table(database, table, CURRENT.get())

    def explained(self, error: QueryError, statement: str) -> QueryError:
        """Return an error of the engine in Athena's words, where it is of what is not there or not for the caller.

        Args:
            error: the engine's.
            statement: what was asked.
        """
        if lost := _LOST.fullmatch(error.message):
            return QueryError(error.name, error.kind, _unresolved(lost[1], lost[2]))
        if _NOTHING_SHOWN in error.message:
            message = error.message.replace(_NOTHING_SHOWN, "Relation contains no accessible columns")
            return QueryError("COLUMN_NOT_FOUND", error.kind, message)
        denied = _DENIED.match(error.message)
        if not denied:
            return error
        verb, database, name = denied.group("verb", "database", "name")
        access = self._guard.access(CURRENT.get())
        table = self._catalog.table(database, name)
        if table is not None and verb == "select" and (found := _hidden(access, table, statement)):
            return QueryError("COLUMN_NOT_FOUND", error.kind, _unresolved(*found))
        why = _why(access, verb, database, name, table)
        return QueryError("PERMISSION_DENIED", error.kind, f"Insufficient permissions to execute the query. {why}")


def _hidden(access: Access, table: dict[str, Any], statement: str) -> tuple[str, str] | None:
    """Return where a statement names a column that is held back of a table whose others are not."""
    columns = _columns(table)
    readable = access.readable(table["DatabaseName"], table["Name"], columns).columns
    found = Reader(statement, hive=False).find({column for column in columns if column not in readable})
    return found if readable else None


def _why(access: Access, verb: str, database: str, name: str, table: dict[str, Any] | None) -> str:
    wanted = _WANTED.get(verb, "ALTER")
    what = database if wanted == "CREATE_TABLE" else name
    why = None
    if table is not None:
        why = access.why_no_data(table, "s3:GetObject" if verb == "select" else "s3:PutObject")
    elif verb == "create":
        why = access.why_no_table(database)
    return why or f"Insufficient Lake Formation permission(s): Required {wanted.replace('_', ' ').title()} on {what}"


def _unresolved(position: str, column: str) -> str:
    """Return what Athena says of a column that is not there, or not for who asks."""
    return (
        f"{position}: Column '{column}' cannot be resolved or requester is not authorized to access requested resources"
    )


def _of_table(access: Access, table: dict[str, Any]) -> Iterator[dict[str, Any]]:
    database, name = table["DatabaseName"], table["Name"]
    granted = access.of_table(database, name)
    columns = _columns(table)
    readable = access.readable(database, name, columns)
    privileges = []
    if readable.columns and not access.why_no_data(table, "s3:GetObject"):
        privileges.append("SELECT")
    if not access.why_no_data(table, "s3:PutObject"):
        privileges += [one for one in ("INSERT", "DELETE") if one in granted]
        privileges += ["UPDATE"] if {"INSERT", "DELETE"} <= granted else []
    if granted & {"ALTER", "DROP"} and not access.lacks_change(database, name):
        privileges.append("OWNERSHIP")
    is_whole = set(readable.columns) >= set(columns) and not any(readable.columns.values())
    where = {"schema": re.escape(database)}
    rule: dict[str, Any] = {**where, "table": re.escape(name), "privileges": privileges}
    if "SELECT" in privileges and not is_whole:
        rule["columns"] = list(_masks(readable, columns))
        if readable.rows:
            rule |= {"filter": _any(readable.rows), "filter_environment": _EVERYTHING}
    yield rule
    # The tables that tell of a table, such as `name$files`, show what is in all of its rows.
    yield {**where, "table": re.escape(name) + r"\$.*", "privileges": privileges if is_whole else []}


def _columns(table: dict[str, Any]) -> list[str]:
    kept = (*table.get("StorageDescriptor", {}).get("Columns", ()), *(table.get("PartitionKeys") or ()))
    return [column["Name"] for column in kept]


def _masks(readable: Readable, columns: list[str]) -> Iterator[dict[str, Any]]:
    for column in columns:
        conditions = readable.columns.get(column)
        if conditions is None:
            yield {"name": column, "allow": False}
        elif conditions and conditions != readable.rows:
            mask = f'CASE WHEN {_any(conditions)} THEN "{column}" END'
            yield {"name": column, "mask": mask, "mask_environment": _EVERYTHING}


def _any(conditions: set[str]) -> str:
    return " OR ".join(f"({condition})" for condition in sorted(conditions))


def _of_databases(access: Access, databases: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The tables that are not there yet: whoever may make them may do all with them."""
    for database in databases:
        if not access.why_no_table(database):
            yield {"schema": re.escape(database), "table": ".*", "privileges": list(_ALL)}
