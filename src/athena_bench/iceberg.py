"""What Athena's commits write in Glue beside what the engine's do: the fields that columns of an Iceberg table are."""

from __future__ import annotations

import json
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends


def with_fields(table: dict[str, Any]) -> dict[str, Any]:
    """Return a table of Glue with the Iceberg field of each column; any other table as it is.

    Args:
        table: a TableInput whose parameters say where its metadata is.
    """
    parameters = table.get("Parameters") or {}
    location = parameters.get("metadata_location", "")
    if parameters.get("table_type", "").lower() != "iceberg" or not location:
        return table
    bucket, _, key = location.removeprefix("s3://").partition("/")
    file = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].get_object(bucket, key)
    if file is None:
        return table
    metadata = json.loads(file.value)
    (schema,) = (one for one in metadata["schemas"] if one["schema-id"] == metadata["current-schema-id"])
    fields = {field["name"].lower(): field for field in schema["fields"]}
    storage = table["StorageDescriptor"]
    columns = [_with_field(column, fields.get(column["Name"].lower())) for column in storage["Columns"]]
    return {**table, "StorageDescriptor": {**storage, "Columns": columns}}


def _with_field(column: dict[str, Any], field: dict[str, Any] | None) -> dict[str, Any]:
    if field is None:
        return column
    told = {"current": True, "id": field["id"], "optional": not field["required"]}
    parameters = {f"iceberg.field.{name}": str(value).lower() for name, value in told.items()}
    return {**column, "Parameters": {**column.get("Parameters", {}), **parameters}}
