"""Athena's view of the Glue Data Catalog: catalogs, databases and tables."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from athena_bench.api import invalid, page
from athena_bench.server import ApiError, Operation

CATALOG = {"CatalogName": "AwsDataCatalog", "Type": "GLUE", "Status": "CREATE_COMPLETE"}


class Metadata:
    """The operations that tell of databases and tables.

    Args:
        call: asks another operation, as `call("AWSGlue.GetTables", {...})`.
    """

    def __init__(self, call: Callable[[str, dict[str, Any]], dict[str, Any]]) -> None:
        self._call = call

    @property
    def operations(self) -> dict[str, Operation]:
        """The functions of the operations by name."""
        return {
            "ListDataCatalogs": lambda request: page("DataCatalogsSummary", [CATALOG], request),
            "GetDataCatalog": self._get_data_catalog,
            "ListDatabases": self._list_databases,
            "GetDatabase": self._get_database,
            "ListTableMetadata": self._list_tables,
            "GetTableMetadata": self._get_table,
        }

    def _get_data_catalog(self, request: dict[str, Any]) -> dict[str, Any]:
        _check_catalog(request["Name"])
        return {"DataCatalog": {"Name": CATALOG["CatalogName"], "Type": CATALOG["Type"], "Parameters": {}}}

    def _list_databases(self, request: dict[str, Any]) -> dict[str, Any]:
        _check_catalog(request["CatalogName"])
        databases = map(_database, self._all("GetDatabases", "DatabaseList", {}))
        return page("DatabaseList", sorted(databases, key=_name), request)

    def _get_database(self, request: dict[str, Any]) -> dict[str, Any]:
        _check_catalog(request["CatalogName"])
        return {"Database": _database(self._ask("GetDatabase", {"Name": request["DatabaseName"]})["Database"])}

    def _list_tables(self, request: dict[str, Any]) -> dict[str, Any]:
        _check_catalog(request["CatalogName"])
        tables = map(_table, self._all("GetTables", "TableList", {"DatabaseName": request["DatabaseName"]}))
        try:
            wanted = re.compile(request.get("Expression") or ".*")
        except re.error as error:
            raise invalid(f"The expression {request['Expression']} is not a regular expression: {error}") from error
        listed = sorted((table for table in tables if wanted.fullmatch(table["Name"])), key=_name)
        return page("TableMetadataList", listed, request)

    def _get_table(self, request: dict[str, Any]) -> dict[str, Any]:
        _check_catalog(request["CatalogName"])
        asked = {"DatabaseName": request["DatabaseName"], "Name": request["TableName"]}
        return {"TableMetadata": _table(self._ask("GetTable", asked)["Table"])}

    def _ask(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Ask Glue; what is not there is a MetadataException, as Athena has it."""
        try:
            return self._call(f"AWSGlue.{operation}", request)
        except ApiError as error:
            raise ApiError("MetadataException", error.message) from error

    def _all(self, operation: str, key: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        token: str | None = None
        while True:
            page = self._ask(operation, request | ({"NextToken": token} if token else {}))
            found += page[key]
            token = page.get("NextToken")
            if not token:
                return found


def _check_catalog(name: str) -> None:
    if name.lower() != CATALOG["CatalogName"].lower():
        raise invalid(f"Data catalog {name} was not found; this bench has {CATALOG['CatalogName']} only")


def _name(entry: dict[str, Any]) -> str:
    return str(entry["Name"])


def _database(found: dict[str, Any]) -> dict[str, Any]:
    return {key: found[key] for key in ("Name", "Description", "Parameters") if key in found}


def _table(found: dict[str, Any]) -> dict[str, Any]:
    storage = found.get("StorageDescriptor", {})
    parameters = dict(found.get("Parameters", {}))
    serde = storage.get("SerdeInfo", {})
    told = {
        "location": storage.get("Location"),
        "inputformat": storage.get("InputFormat"),
        "outputformat": storage.get("OutputFormat"),
        "serde.serialization.lib": serde.get("SerializationLibrary"),
        **{f"serde.param.{name}": value for name, value in serde.get("Parameters", {}).items()},
    }
    times = {key: found[key] for key in ("CreateTime", "LastAccessTime") if found.get(key)}
    return {
        "Name": found["Name"],
        **times,
        "TableType": found.get("TableType", ""),
        "Columns": [_column(column) for column in storage.get("Columns", [])],
        "PartitionKeys": [_column(column) for column in found.get("PartitionKeys", [])],
        "Parameters": parameters | {name: value for name, value in told.items() if value is not None},
    }


def _column(column: dict[str, Any]) -> dict[str, Any]:
    return {key: column[key] for key in ("Name", "Type", "Comment") if column.get(key)}
