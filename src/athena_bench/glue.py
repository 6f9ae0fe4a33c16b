"""The Glue Data Catalog of the bench: moto's, with what it lacks or does otherwise than Glue."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from copy import deepcopy
from datetime import UTC
from types import SimpleNamespace
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.glue.models import glue_backends
from moto.glue.utils import PartitionFilter

from athena_bench.callers import CURRENT, ENGINE
from athena_bench.iceberg import with_fields
from athena_bench.projection import for_engine
from athena_bench.server import GLUE, ApiError, Operation, Server

# What takes names of databases, tables or columns and is moto's otherwise.
_WITH_NAMES = (
    *("CreateDatabase", "GetDatabase", "UpdateDatabase", "GetTableVersion", "GetTableVersions"),
    *("CreatePartition", "GetPartition", "BatchGetPartition", "UpdatePartition"),
    *("BatchUpdatePartition", "GetPartitionIndexes"),
)
_NAMES = {"DatabaseName", "TableName", "Name", "ColumnName", "ColumnNames", "TablesToDelete", "Column", "BucketColumns"}
_NOT_NAMES = {"Parameters", "SerdeInfo", "Tags"}

MOST_LISTED = 1000
"""Partitions on a page of GetPartitions, as Glue's API reference has it (`MaxResults`)."""

MOST_CREATED = 100
"""Partitions that one BatchCreatePartition takes, from the same place."""

_Owner = tuple[str, str, tuple[str, ...] | None]
"""Database, table and, for statistics of a partition, its values."""


class Glue:
    """The operations that the bench adds to moto's Glue.

    Names of databases, tables and columns are kept in lower case. An update of a table may say which version it
    replaces, and is refused when that is no longer the current one.

    Args:
        server: where the operations are registered, and whose moto keeps the tables.
        dropped: called with database and table when a table is dropped, and with database and None when a database is.
    """

    def __init__(self, server: Server, dropped: Callable[[str, str | None], None] | None = None) -> None:
        self._moto = server
        self._dropped = dropped
        self._statistics: dict[_Owner, dict[str, dict[str, Any]]] = {}
        own: dict[str, Operation] = {
            "CreateTable": self._create_table,
            "SearchTables": self._search_tables,
            "UpdateTable": self._update_table,
            "DeleteTable": self._delete_table,
            "BatchDeleteTable": self._batch_delete_table,
            "DeleteDatabase": self._delete_database,
            "DeleteTableVersion": self._delete_table_version,
            "BatchDeleteTableVersion": self._batch_delete_table_version,
            "GetTable": self._get_table,
            "GetTables": self._get_tables,
            "GetPartitions": self._get_partitions,
            "BatchCreatePartition": self._batch_create_partition,
            "DeletePartition": self._delete_partition,
            "BatchDeletePartition": self._batch_delete_partition,
            "GetUserDefinedFunctions": lambda _request: {"UserDefinedFunctions": []},
        }
        for kind in ("Table", "Partition"):
            own |= {
                f"GetColumnStatisticsFor{kind}": self._get_statistics,
                f"UpdateColumnStatisticsFor{kind}": self._update_statistics,
                f"DeleteColumnStatisticsFor{kind}": self._delete_statistics,
            }
        operations = {name: self._passed_on(name) for name in _WITH_NAMES} | own
        server.register(
            GLUE, {name: _with_lower_names(operation) for name, operation in operations.items()}, self._statistics.clear
        )

    def _passed_on(self, name: str) -> Operation:
        return lambda request: self._ask(name, request)

    def _ask(self, name: str, request: dict[str, Any]) -> dict[str, Any]:
        return self._moto.forward(f"{GLUE}.{name}", request)

    # Tables

    def _table(self, database: str, name: str) -> dict[str, Any]:
        """Return a table as moto keeps it; asked as moto's operation, the most frequent one would cost most of all."""
        try:
            table = glue_backends[DEFAULT_ACCOUNT_ID][self._moto.region].get_table(database, name)
        except JsonRESTError as error:
            raise ApiError(error.error_type, error.message) from None
        return deepcopy(table.as_dict()) | {
            name: int(moment.replace(tzinfo=UTC).timestamp() * 1000) / 1000
            for name, moment in (("CreateTime", table.created_time), ("UpdateTime", table.updated_time))
            if moment is not None
        }

    def _get_table(self, request: dict[str, Any]) -> dict[str, Any]:
        table = _complete(self._table(request["DatabaseName"], request["Name"]))
        return {"Table": for_engine(table) if CURRENT.get() is ENGINE else table}

    def _get_tables(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"TableList": [_complete(table) for table in self._ask("GetTables", request)["TableList"]]}

    def _create_table(self, request: dict[str, Any]) -> dict[str, Any]:
        return self._ask("CreateTable", {**request, "TableInput": with_fields(request["TableInput"])})

    def _search_tables(self, request: dict[str, Any]) -> dict[str, Any]:
        """The tables of all databases that have a text anywhere, and properties as asked for."""
        databases = [database["Name"] for database in self._ask("GetDatabases", {})["DatabaseList"]]
        tables = [table for name in databases for table in self._get_tables({"DatabaseName": name})["TableList"]]
        text = json.dumps(request.get("SearchText", "").strip('"').lower())[1:-1]
        wanted = {one["Key"]: one["Value"] for one in request.get("Filters", ())}
        found = [
            table
            for table in tables
            if text in json.dumps(table).lower() and all(table.get(key) == value for key, value in wanted.items())
        ]
        return {"TableList": found}

    def _update_table(self, request: dict[str, Any]) -> dict[str, Any]:
        database, name = request["DatabaseName"], request["TableInput"]["Name"]
        current = self._table(database, name)["VersionId"]
        if request.get("VersionId", current) != current:
            raise ApiError(
                "ConcurrentModificationException",
                f"Update table failed due to concurrent modifications: {database}.{name} is at version {current}, "
                f"not at {request['VersionId']}.",
            )
        self._ask("UpdateTable", {**request, "TableInput": with_fields(request["TableInput"])})
        if request.get("SkipArchive"):
            self._ask("DeleteTableVersion", {"DatabaseName": database, "TableName": name, "VersionId": current})
        return {}

    def _delete_table(self, request: dict[str, Any]) -> dict[str, Any]:
        self._ask("DeleteTable", request)
        self._forget(request["DatabaseName"], request["Name"])
        return {}

    def _batch_delete_table(self, request: dict[str, Any]) -> dict[str, Any]:
        database = request["DatabaseName"]
        self._ask("GetDatabase", {"Name": database})
        return _batch(
            request["TablesToDelete"],
            lambda name: self._delete_table({"DatabaseName": database, "Name": name}),
            lambda name: {"TableName": name},
        )

    def _delete_database(self, request: dict[str, Any]) -> dict[str, Any]:
        self._ask("DeleteDatabase", request)
        self._forget(request["Name"], None)
        return {}

    def _forget(self, database: str, table: str | None) -> None:
        for owner in list(self._statistics):
            if owner[0] == database and table in (None, owner[1]):
                del self._statistics[owner]
        if self._dropped is not None:
            self._dropped(database, table)

    def _delete_table_version(self, request: dict[str, Any]) -> dict[str, Any]:
        # moto fails where there is no such version.
        self._ask("GetTableVersion", request)
        if self._table(request["DatabaseName"], request["TableName"])["VersionId"] == request["VersionId"]:
            raise ApiError("InvalidInputException", f"Version {request['VersionId']} is the table's current version.")
        return self._ask("DeleteTableVersion", request)

    def _batch_delete_table_version(self, request: dict[str, Any]) -> dict[str, Any]:
        self._table(request["DatabaseName"], request["TableName"])
        return _batch(
            request["VersionIds"],
            lambda version: self._delete_table_version({**request, "VersionId": version}),
            lambda version: {"TableName": request["TableName"], "VersionId": version},
        )

    # Partitions

    def _get_partitions(self, request: dict[str, Any]) -> dict[str, Any]:
        """As moto's, but for keys whose type has a length or a precision, in segments, and page by page."""
        partitions = self._ask("GetPartitions", {**request, "Expression": None})["Partitions"]
        keys = self._table(request["DatabaseName"], request["TableName"]).get("PartitionKeys") or []
        plain_keys = [{**key, "Type": key["Type"].partition("(")[0]} for key in keys]
        table = SimpleNamespace(versions={"": {"PartitionKeys": plain_keys}})
        matches = PartitionFilter(request.get("Expression"), table)
        try:
            found = [partition for partition in partitions if matches(SimpleNamespace(partition_input=partition))]
        except JsonRESTError as error:
            raise ApiError(error.error_type, error.message) from None
        segment = request.get("Segment") or {"SegmentNumber": 0, "TotalSegments": 1}
        asked = found[segment["SegmentNumber"] :: segment["TotalSegments"]]
        begin = int(request.get("NextToken") or 0)
        end = begin + min(int(request.get("MaxResults") or MOST_LISTED), MOST_LISTED)
        return {"Partitions": asked[begin:end]} | ({"NextToken": str(end)} if end < len(asked) else {})

    def _batch_create_partition(self, request: dict[str, Any]) -> dict[str, Any]:
        if len(request["PartitionInputList"]) > MOST_CREATED:
            raise ApiError(
                "ValidationException",
                f"1 validation error detected: Value at 'partitionInputList' failed to satisfy constraint: Member must "
                f"have length less than or equal to {MOST_CREATED}",
            )
        return self._ask("BatchCreatePartition", request)

    def _delete_partition(self, request: dict[str, Any]) -> dict[str, Any]:
        self._ask("DeletePartition", request)
        owner = (request["DatabaseName"], request["TableName"], tuple(request["PartitionValues"]))
        self._statistics.pop(owner, None)
        return {}

    def _batch_delete_partition(self, request: dict[str, Any]) -> dict[str, Any]:
        self._table(request["DatabaseName"], request["TableName"])
        return _batch(
            request["PartitionsToDelete"],
            lambda partition: self._delete_partition({**request, "PartitionValues": partition["Values"]}),
            lambda partition: {"PartitionValues": partition["Values"]},
        )

    # Column statistics

    def _owner(self, request: dict[str, Any]) -> _Owner:
        """The table or partition whose statistics are asked for.

        Raises:
            ApiError: there is no such table or partition.
        """
        database, table = request["DatabaseName"], request["TableName"]
        values = request.get("PartitionValues")
        if values is None:
            self._table(database, table)
            return database, table, None
        self._ask("GetPartition", {"DatabaseName": database, "TableName": table, "PartitionValues": values})
        return database, table, tuple(values)

    def _get_statistics(self, request: dict[str, Any]) -> dict[str, Any]:
        kept = self._statistics.get(self._owner(request), {})
        error = {"ErrorCode": "EntityNotFoundException", "ErrorMessage": "The column has no statistics."}
        return {
            "ColumnStatisticsList": [kept[name] for name in request["ColumnNames"] if name in kept],
            "Errors": [{"ColumnName": name, "Error": error} for name in request["ColumnNames"] if name not in kept],
        }

    def _update_statistics(self, request: dict[str, Any]) -> dict[str, Any]:
        kept = self._statistics.setdefault(self._owner(request), {})
        kept.update({statistics["ColumnName"]: statistics for statistics in request["ColumnStatisticsList"]})
        return {"Errors": []}

    def _delete_statistics(self, request: dict[str, Any]) -> dict[str, Any]:
        # A column without statistics is no error: Trino deletes those of all columns that it did not write.
        self._statistics.get(self._owner(request), {}).pop(request["ColumnName"], None)
        return {}


def _complete(table: dict[str, Any]) -> dict[str, Any]:
    """A table with the list of partition keys that Glue gives for each, and its parameters in Glue's order."""
    given = table.get("Parameters") or {}
    parameters = {name: given[name] for name in sorted(given, key=lambda name: _place_in_map(name, len(given)))}
    return {**table, "PartitionKeys": table.get("PartitionKeys") or [], "Parameters": parameters}


def _place_in_map(name: str, size: int) -> int:
    """Return where a name stands in a map of Java, whose order Glue gives to parameters and clients compare."""
    places = 16
    while size > places * 3 // 4:
        places *= 2
    hashed = 0
    for character in name:
        hashed = (31 * hashed + ord(character)) & 0xFFFFFFFF
    return (hashed ^ (hashed >> 16)) & (places - 1)


def _batch(items: Iterable[Any], do: Callable[[Any], object], name: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """Do something for each item, and list those that failed."""
    errors = []
    for item in items:
        try:
            do(item)
        except ApiError as error:
            errors.append({**name(item), "ErrorDetail": {"ErrorCode": error.code, "ErrorMessage": error.message}})
    return {"Errors": errors}


def _with_lower_names(operation: Operation) -> Operation:
    return lambda request: operation(_lower_names(request))


def _lower_names(members: dict[str, Any]) -> dict[str, Any]:
    """A request with the names of databases, tables and columns in lower case, as Glue keeps them."""
    return {
        key: value if key in _NOT_NAMES else _lower(value) if key in _NAMES else _lower_within(value)
        for key, value in members.items()
    }


def _lower(value: Any) -> Any:  # noqa: ANN401 - a name or a list of names
    return value.lower() if isinstance(value, str) else [name.lower() for name in value]


def _lower_within(value: Any) -> Any:  # noqa: ANN401 - any member of a request
    if isinstance(value, dict):
        return _lower_names(value)
    if isinstance(value, list):
        return [_lower_within(item) for item in value]
    return value
