"""SHOW and DESCRIBE: what Glue has, in the lines of text that Athena answers."""

from __future__ import annotations

import base64
import fnmatch
import json
from typing import Any

from athena_bench.catalog import Catalog, is_iceberg, is_view
from athena_bench.errors import RefusedError
from athena_bench.statement import Reader

_DESCRIBED = "col_name\tdata_type\tcomment"
_PARTITIONED = (
    "\t \t ",
    "# Partition Information\t \t ",
    f"{'# col_name':<20}\t{'data_type':<20}\t{'comment':<20}",
    "\t \t ",
)
"""What DESCRIBE has, as Hive does, between all columns and the keys of partitions."""


_OF_COMMITS = frozenset({"metadata_location", "previous_metadata_location", "EXTERNAL"})
"""Parameters that a statement does not give."""


def show(catalog: Catalog, statement: Reader, database: str) -> tuple[str, list[str]]:
    """Return the heading and the lines of a SHOW or DESCRIBE statement; tabs are between names and between values.

    Raises:
        RefusedError: there is nothing of that name to show.
    """
    if statement.accept("SHOW", "DATABASES") or statement.accept("SHOW", "SCHEMAS"):
        return "database_name", _matching(statement, catalog.databases())
    if (views_only := statement.accept("SHOW", "VIEWS")) or statement.accept("SHOW", "TABLES"):
        within = statement.identifier().lower() if statement.accept("IN") or statement.accept("FROM") else database
        names = [
            table["Name"]
            for table in catalog.tables(within)
            if not views_only or table.get("TableType") == "VIRTUAL_VIEW"
        ]
        return ("views" if views_only else "tab_name"), _matching(statement, names)
    if statement.accept("SHOW", "COLUMNS"):
        found = _named(catalog, statement, database)
        return "field", [f"{column['Name']:<20}" for column in _all_columns(found)]
    if statement.accept("SHOW", "PARTITIONS"):
        found = catalog.existing(*statement.name().within(database))
        keys = [key["Name"] for key in found.get("PartitionKeys", [])]
        if not keys:
            raise RefusedError(f"Table {found['Name']} is not a partitioned table")
        listed = catalog.partitions(found["DatabaseName"], found["Name"])
        pairs = [zip(keys, partition["Values"], strict=True) for partition in listed]
        return "partition", ["/".join(f"{key}={value}" for key, value in pair) for pair in pairs]
    if statement.accept("SHOW", "TBLPROPERTIES"):
        found = catalog.existing(*statement.name().within(database))
        parameters = found.get("Parameters", {})
        heading = "prpt_name\tprpt_value"
        if statement.done:
            return heading, [f"{name}\t{value}" for name, value in sorted(parameters.items())]
        (name,) = (Reader(item, hive=True).string() for item in statement.items())
        return heading, [parameters.get(name, f"Table {found['Name']} does not have property: {name}")]
    if statement.accept("SHOW", "CREATE", "VIEW"):
        found = catalog.existing(*statement.name().within(database))
        if not is_view(found):
            raise RefusedError(f"{found['DatabaseName']}.{found['Name']} is not a view")
        query = _view_query(found)
        return "Create View", [
            f"CREATE VIEW {found['DatabaseName']}.{found['Name']} AS",
            *query.splitlines(),
        ]
    if statement.accept("SHOW", "CREATE", "TABLE"):
        asked = statement.name()
        return "createtab_stmt", _ddl_of(catalog.existing(*asked.within(database)), ".".join(asked.parts[-2:]).lower())
    if statement.accept("DESCRIBE") or statement.accept("DESC"):
        statement.accept("EXTENDED")
        statement.accept("FORMATTED")
        found = catalog.existing(*statement.name().within(database))
        lines, keys = map(_described, _all_columns(found)), list(map(_described, found.get("PartitionKeys", [])))
        return _DESCRIBED, [*lines, *([*_PARTITIONED, *keys] if keys else [])]
    raise RefusedError(f"The bench knows no '{statement.text}'")


def _named(catalog: Catalog, statement: Reader, database: str) -> dict[str, Any]:
    if not statement.accept("IN"):
        statement.expect("FROM")
    name = statement.name()
    if statement.accept("IN") or statement.accept("FROM"):
        database = statement.identifier().lower()
    return catalog.existing(*name.within(database))


def _described(column: dict[str, str]) -> str:
    return f"{column['Name']:<20}\t{column.get('Type', ''):<20}\t{column.get('Comment', ''):<20}"


def _matching(statement: Reader, names: list[str]) -> list[str]:
    """Return the names that the pattern at the end of SHOW takes: `*` is anything, `|` is or."""
    statement.accept("LIKE")
    if statement.done:
        return names
    patterns = statement.string().replace(".*", "*").split("|")
    statement.expect_end()
    return [name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]


def _all_columns(found: dict[str, Any]) -> list[dict[str, str]]:
    return [*found["StorageDescriptor"]["Columns"], *found.get("PartitionKeys", [])]


def _view_query(found: dict[str, Any]) -> str:
    """Return the query in the text that the engine stores for a view."""
    stored = str(found.get("ViewOriginalText", "")).removeprefix("/* Presto View: ").removesuffix(" */")
    return str(json.loads(base64.b64decode(stored))["originalSql"])


def _ddl_of(found: dict[str, Any], name: str) -> list[str]:
    """Return the statement that would make a table, with blanks at the ends of lines as Hive has them."""
    storage = found["StorageDescriptor"]
    parameters = {key: value for key, value in found.get("Parameters", {}).items() if key not in _OF_COMMITS}
    serde = storage.get("SerdeInfo", {})
    lines = [f"CREATE {'' if is_iceberg(found) else 'EXTERNAL '}TABLE `{name}`(", *_listed(storage["Columns"])]
    if found.get("PartitionKeys"):
        lines += ["PARTITIONED BY ( ", *_listed(found["PartitionKeys"])]
    if serde.get("SerializationLibrary"):
        lines += ["ROW FORMAT SERDE ", f"  '{serde['SerializationLibrary']}' "]
        if set(serde.get("Parameters", {})) - {"serialization.format"}:
            lines += ["WITH SERDEPROPERTIES ( ", *_pairs(serde["Parameters"])]
    if storage.get("InputFormat") and not is_iceberg(found):
        lines += ["STORED AS INPUTFORMAT ", f"  '{storage['InputFormat']}' "]
        lines += ["OUTPUTFORMAT ", f"  '{storage['OutputFormat']}'"]
    return [*lines, "LOCATION", f"  '{storage.get('Location', '')}'", "TBLPROPERTIES (", *_pairs(parameters)]


def _listed(columns: list[dict[str, str]]) -> list[str]:
    lines = [
        f"  `{column['Name']}` {column['Type']}" + (f" COMMENT '{column['Comment']}'" if column.get("Comment") else "")
        for column in columns
    ]
    return _closed(lines)


def _pairs(properties: dict[str, str]) -> list[str]:
    return _closed([f"  '{name}'='{value}'" for name, value in sorted(properties.items())])


def _closed(lines: list[str]) -> list[str]:
    return [*(f"{line}, " for line in lines[:-1]), f"{lines[-1]})"] if lines else [")"]
