"""What Glue must be told: the statements of Hive's grammar that never reach the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from athena_bench.errors import QueryError, RefusedError
from athena_bench.server import ApiError
from athena_bench.statement import Reader, engine_type

Call = Callable[[str, dict[str, Any]], dict[str, Any]]

_FORMATS = {
    "TEXTFILE": (
        "org.apache.hadoop.mapred.TextInputFormat",
        "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
        "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
    ),
    "PARQUET": (
        "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
        "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
    ),
    "ORC": (
        "org.apache.hadoop.hive.ql.io.orc.OrcInputFormat",
        "org.apache.hadoop.hive.ql.io.orc.OrcOutputFormat",
        "org.apache.hadoop.hive.ql.io.orc.OrcSerde",
    ),
    "AVRO": (
        "org.apache.hadoop.hive.ql.io.avro.AvroContainerInputFormat",
        "org.apache.hadoop.hive.ql.io.avro.AvroContainerOutputFormat",
        "org.apache.hadoop.hive.serde2.avro.AvroSerDe",
    ),
    "SEQUENCEFILE": (
        "org.apache.hadoop.mapred.SequenceFileInputFormat",
        "org.apache.hadoop.hive.ql.io.HiveSequenceFileOutputFormat",
        "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
    ),
    "RCFILE": (
        "org.apache.hadoop.hive.ql.io.RCFileInputFormat",
        "org.apache.hadoop.hive.ql.io.RCFileOutputFormat",
        "org.apache.hadoop.hive.serde2.columnar.LazyBinaryColumnarSerDe",
    ),
}
_DELIMITERS = {
    ("FIELDS", "TERMINATED", "BY"): "field.delim",
    ("ESCAPED", "BY"): "escape.delim",
    ("COLLECTION", "ITEMS", "TERMINATED", "BY"): "collection.delim",
    ("MAP", "KEYS", "TERMINATED", "BY"): "mapkey.delim",
    ("LINES", "TERMINATED", "BY"): "line.delim",
    ("NULL", "DEFINED", "AS"): "serialization.null.format",
}
_ONLY_STRINGS = "org.apache.hadoop.hive.serde2.OpenCSVSerde"
_SERDES = {
    *(serde for _, _, serde in _FORMATS.values()),
    _ONLY_STRINGS,
    "org.apache.hadoop.hive.serde2.JsonSerDe",
    "org.apache.hadoop.hive.serde2.RegexSerDe",
    "org.apache.hadoop.hive.serde2.columnar.ColumnarSerDe",
    "org.apache.hive.hcatalog.data.JsonSerDe",
    "org.openx.data.jsonserde.JsonSerDe",
}
"""What Athena reads tables by, but for those of Grok, Ion and CloudTrail, which the engine does not have."""


class Catalog:
    """The databases and tables of Glue.

    Args:
        call: asks an operation of an API, as `call("AWSGlue.GetTable", {...})`, and returns its response.
    """

    def __init__(self, call: Call) -> None:
        self._call = call

    # Reading

    def table(self, database: str, table: str) -> dict[str, Any] | None:
        """Return a table as Glue holds it; None where there is none."""
        try:
            found = self._call("AWSGlue.GetTable", {"DatabaseName": database, "Name": table})
        except ApiError as error:
            if error.code == "EntityNotFoundException":
                return None
            raise
        return dict(found["Table"])

    def existing(self, database: str, table: str) -> dict[str, Any]:
        """Return a table as Glue holds it.

        Raises:
            QueryError: there is none.
        """
        found = self.table(database, table)
        if found is None:
            raise QueryError("TABLE_NOT_FOUND", "USER_ERROR", f"Table '{database}.{table}' does not exist")
        return found

    def databases(self) -> list[str]:
        """Return the names of the databases, in order."""
        return sorted(item["Name"] for item in self._pages("GetDatabases", "DatabaseList", {}))

    def tables(self, database: str) -> list[dict[str, Any]]:
        """Return the tables and views of a database, in the order of their names."""
        found = self._pages("GetTables", "TableList", {"DatabaseName": database})
        return sorted(found, key=lambda table: str(table["Name"]))

    def partitions(self, database: str, table: str) -> list[dict[str, Any]]:
        """Return the partitions that Glue has of a table."""
        return list(self._pages("GetPartitions", "Partitions", {"DatabaseName": database, "TableName": table}))

    # Databases

    def create_database(self, statement: Reader) -> None:
        """CREATE DATABASE [IF NOT EXISTS] name [COMMENT] [LOCATION] [WITH DBPROPERTIES]."""
        statement.skip(2)
        exists_ok = statement.accept("IF", "NOT", "EXISTS")
        database: dict[str, Any] = {"Name": statement.name().parts[-1].lower()}
        while not statement.done:
            if statement.accept("COMMENT"):
                database["Description"] = statement.string()
            elif statement.accept("LOCATION"):
                database["LocationUri"] = statement.string()
            else:
                statement.expect("WITH", "DBPROPERTIES")
                database["Parameters"] = statement.properties()
        self._tell(
            "CreateDatabase", {"DatabaseInput": database}, ignore="AlreadyExistsException" if exists_ok else None
        )

    def alter_database(self, statement: Reader) -> None:
        """ALTER DATABASE name SET DBPROPERTIES."""
        statement.skip(2)
        name = statement.name().parts[-1].lower()
        statement.expect("SET", "DBPROPERTIES")
        given = statement.properties()
        statement.expect_end()
        found = self._call("AWSGlue.GetDatabase", {"Name": name})["Database"]
        kept = {key: found[key] for key in ("Name", "Description", "LocationUri") if found.get(key)}
        changed = kept | {"Parameters": found.get("Parameters", {}) | given}
        self._tell("UpdateDatabase", {"Name": name, "DatabaseInput": changed})

    def drop_database(self, name: str, missing_ok: bool) -> None:
        """Take a database, and the tables in it, out of Glue; their files stay."""
        self._tell("DeleteDatabase", {"Name": name}, ignore="EntityNotFoundException" if missing_ok else None)

    # Tables

    def create_external_table(self, statement: Reader, database: str) -> None:
        """CREATE EXTERNAL TABLE, in the clauses that Athena knows."""
        statement.expect("CREATE", "EXTERNAL", "TABLE")
        exists_ok = statement.accept("IF", "NOT", "EXISTS")
        schema, name = statement.name().within(database)
        parameters = {"EXTERNAL": "TRUE"}
        columns = _columns(statement)
        partitions: list[dict[str, str]] = []
        formats = _FORMATS["TEXTFILE"]
        serde: str | None = None
        settings: dict[str, str] = {}
        storage: dict[str, Any] = {}
        while not statement.done:
            if statement.accept("COMMENT"):
                parameters["comment"] = statement.string()
            elif statement.accept("PARTITIONED", "BY"):
                partitions = _columns(statement)
            elif statement.accept("CLUSTERED", "BY"):
                storage["BucketColumns"] = [item.strip("` ").lower() for item in statement.items()]
                statement.expect("INTO")
                storage["NumberOfBuckets"] = statement.number()
                statement.expect("BUCKETS")
            elif statement.accept("ROW", "FORMAT", "SERDE"):
                serde = statement.string()
                if statement.accept("WITH", "SERDEPROPERTIES"):
                    settings = statement.properties()
            elif statement.accept("ROW", "FORMAT", "DELIMITED"):
                settings = _delimiters(statement)
            elif statement.accept("STORED", "AS", "INPUTFORMAT"):
                read_by = statement.string()
                statement.expect("OUTPUTFORMAT")
                formats = (read_by, statement.string(), serde or formats[2])
            elif statement.accept("STORED", "AS"):
                formats = _format(statement.identifier())
            elif statement.accept("LOCATION"):
                storage["Location"] = _place(statement)
            else:
                statement.expect("TBLPROPERTIES")
                parameters |= statement.properties()
        if "Location" not in storage:
            raise RefusedError("CREATE EXTERNAL TABLE needs a LOCATION")
        if parameters.get("table_type", "").upper() == "ICEBERG":
            raise RefusedError("CREATE EXTERNAL TABLE makes no ICEBERG table: leave EXTERNAL out")
        storage |= {
            "Columns": columns,
            "InputFormat": formats[0],
            "OutputFormat": formats[1],
            "SerdeInfo": {
                "SerializationLibrary": serde or formats[2],
                "Parameters": {"serialization.format": "1"} | settings,
            },
        }
        if (serde or formats[2]) not in _SERDES:
            raise RefusedError(f"Cannot validate serde: {serde}")
        twice = {column["Name"] for column in columns} & {key["Name"] for key in partitions}
        if twice:
            raise RefusedError(f"Column repeated in partitioning columns: {min(twice)}")
        typed = [column["Name"] for column in columns if column["Type"] != "string"]
        if serde == _ONLY_STRINGS and typed:
            raise RefusedError(f"The bench reads OpenCSVSerde with string columns only; {typed[0]} has another type")
        table = {
            "Name": name,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": parameters,
            "PartitionKeys": partitions,
            "StorageDescriptor": storage,
        }
        self._tell(
            "CreateTable",
            {"DatabaseName": schema, "TableInput": table},
            ignore="AlreadyExistsException" if exists_ok else None,
        )

    def drop_table(self, database: str, table: str) -> None:
        """Take a table out of Glue; its files stay."""
        self._tell("DeleteTable", {"DatabaseName": database, "Name": table})

    def alter_table(self, statement: Reader, database: str, table: str) -> None:
        """Change a Hive table by what follows its name in ALTER TABLE.

        Raises:
            RefusedError: Athena has no such change.
        """
        found = self.existing(database, table)
        storage = found["StorageDescriptor"]
        if statement.accept("SET", "TBLPROPERTIES"):
            found["Parameters"] = found.get("Parameters", {}) | statement.properties()
        elif statement.accept("SET", "LOCATION"):
            storage["Location"] = _place(statement)
        elif statement.accept("ADD", "COLUMNS"):
            storage["Columns"] = storage["Columns"] + _columns(statement)
        elif statement.accept("REPLACE", "COLUMNS"):
            storage["Columns"] = _columns(statement)
        elif statement.accept("CHANGE"):
            statement.accept("COLUMN")
            old = statement.identifier().lower()
            (new,) = _parse_columns([statement.rest()])
            if old not in [column["Name"] for column in storage["Columns"]]:
                raise QueryError("COLUMN_NOT_FOUND", "USER_ERROR", f"{database}.{table} has no column {old}")
            storage["Columns"] = [new if column["Name"] == old else column for column in storage["Columns"]]
        elif statement.peek(1) == ("ADD",):
            self._add_partitions(statement, found)
            return
        elif statement.peek(2) in (("DROP", "PARTITION"), ("DROP", "IF")):
            self._drop_partitions(statement, found)
            return
        elif statement.accept("PARTITION"):
            self._move_partition(statement, found)
            return
        else:
            raise RefusedError(f"ALTER TABLE of a Hive table knows no '{statement.rest()}'")
        statement.expect_end()
        self._replace(found)

    def set_view_columns(self, database: str, view: str, columns: list[tuple[str, str]]) -> None:
        """Give a view that the engine made the columns that Glue shows, by name and Hive type."""
        found = self.existing(database, view)
        found["StorageDescriptor"]["Columns"] = [{"Name": name.lower(), "Type": type_} for name, type_ in columns]
        found["StorageDescriptor"]["Location"] = ""
        self._replace(found)

    def _replace(self, found: dict[str, Any]) -> None:
        request = {"DatabaseName": found["DatabaseName"], "TableInput": _input(found)}
        self._tell("UpdateTable", request | ({"VersionId": found["VersionId"]} if "VersionId" in found else {}))

    def _add_partitions(self, statement: Reader, found: dict[str, Any]) -> None:
        statement.expect("ADD")
        exists_ok = statement.accept("IF", "NOT", "EXISTS")
        while not statement.done:
            statement.expect("PARTITION")
            values, folder = _partition(statement, found)
            location = _place(statement) if statement.accept("LOCATION") else folder
            self._tell(
                "CreatePartition",
                {
                    "DatabaseName": found["DatabaseName"],
                    "TableName": found["Name"],
                    "PartitionInput": {
                        "Values": values,
                        "StorageDescriptor": found["StorageDescriptor"] | {"Location": location},
                    },
                },
                ignore="AlreadyExistsException" if exists_ok else None,
            )

    def _drop_partitions(self, statement: Reader, found: dict[str, Any]) -> None:
        statement.expect("DROP")
        missing_ok = statement.accept("IF", "EXISTS")
        while not statement.done:
            statement.expect("PARTITION")
            values, _ = _partition(statement, found)
            statement.accept(",")
            self._tell(
                "DeletePartition",
                {"DatabaseName": found["DatabaseName"], "TableName": found["Name"], "PartitionValues": values},
                ignore="EntityNotFoundException" if missing_ok else None,
            )

    def _move_partition(self, statement: Reader, found: dict[str, Any]) -> None:
        values, _ = _partition(statement, found)
        where = {"DatabaseName": found["DatabaseName"], "TableName": found["Name"]}
        partition = self._call("AWSGlue.GetPartition", where | {"PartitionValues": values})["Partition"]
        change = {"Values": values, "StorageDescriptor": partition["StorageDescriptor"]}
        if statement.accept("SET", "LOCATION"):
            change["StorageDescriptor"]["Location"] = _place(statement)
        else:
            statement.expect("RENAME", "TO", "PARTITION")
            change["Values"], _ = _partition(statement, found)
        statement.expect_end()
        self._tell("UpdatePartition", where | {"PartitionValueList": values, "PartitionInput": change})

    # Asking Glue

    def _tell(self, operation: str, request: dict[str, Any], ignore: str | None = None) -> None:
        try:
            self._call(f"AWSGlue.{operation}", request)
        except ApiError as error:
            if error.code != ignore:
                raise QueryError(error.code, "USER_ERROR", error.message) from error

    def _pages(self, operation: str, key: str, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        token: str | None = None
        while True:
            try:
                page = self._call(f"AWSGlue.{operation}", request | ({"NextToken": token} if token else {}))
            except ApiError as error:
                raise QueryError(error.code, "USER_ERROR", error.message) from error
            yield from page[key]
            token = page.get("NextToken")
            if not token:
                return


def is_iceberg(table: dict[str, Any]) -> bool:
    """Tell whether a table of Glue is an Iceberg table."""
    return str(table.get("Parameters", {}).get("table_type", "")).lower() == "iceberg"


def is_view(table: dict[str, Any]) -> bool:
    """Tell whether a table of Glue is a view."""
    return table.get("TableType") == "VIRTUAL_VIEW"


def _input(found: dict[str, Any]) -> dict[str, Any]:
    """Return what UpdateTable takes of what GetTable gives."""
    given = (
        "Name",
        "Description",
        "Owner",
        "Retention",
        "StorageDescriptor",
        "PartitionKeys",
        "ViewOriginalText",
        "ViewExpandedText",
        "TableType",
        "Parameters",
    )
    return {key: found[key] for key in given if key in found}


def _columns(statement: Reader) -> list[dict[str, str]]:
    return _parse_columns(statement.items())


def _parse_columns(items: list[str]) -> list[dict[str, str]]:
    columns = []
    for item in items:
        reader = Reader(item, hive=True)
        column = {"Name": reader.identifier().lower(), "Type": _type(reader.until("COMMENT"))}
        if reader.accept("COMMENT"):
            column["Comment"] = reader.string()
        reader.expect_end()
        columns.append(column)
    return columns


def _type(text: str) -> str:
    """Return a Hive type as Glue holds it: small letters, no blanks, `int` for `integer`.

    Raises:
        RefusedError: there is no such type.
    """
    engine_type(text)
    written = "".join(text.lower().replace("`", "").split())
    return {"integer": "int"}.get(written, written)


def _format(name: str) -> tuple[str, str, str]:
    if name.upper() not in _FORMATS:
        raise RefusedError(f"The bench knows no STORED AS {name}; it knows {', '.join(_FORMATS)}")
    return _FORMATS[name.upper()]


def _place(statement: Reader) -> str:
    """Read a location as Athena gives it to Glue: without the slash at its end, unless it is a whole bucket."""
    location = statement.string()
    return location.rstrip("/") if location.count("/") > 3 else location


def _delimiters(statement: Reader) -> dict[str, str]:
    found = {}
    while words := next((words for words in _DELIMITERS if statement.accept(*words)), None):
        found[_DELIMITERS[words]] = statement.string()
    if "field.delim" in found:
        found["serialization.format"] = found["field.delim"]
    return found


def _partition(statement: Reader, found: dict[str, Any]) -> tuple[list[str], str]:
    """Read `(key = value, ...)`; return the values in the order of the table's keys, and Hive's folder for them."""
    given = {}
    for item in statement.items():
        reader = Reader(item, hive=True)
        name = reader.identifier().lower()
        reader.expect("=")
        written = reader.rest()
        given[name] = Reader(written, hive=True).string() if written[0] in "'\"" else written
    keys = [key["Name"] for key in found.get("PartitionKeys", [])]
    if sorted(given) != sorted(keys):
        raise QueryError(
            "INVALID_PARTITION", "USER_ERROR", f"The partition names {sorted(given)}; the table's keys are {keys}"
        )
    folder = "/".join(f"{key}={given[key]}" for key in keys)
    return [given[key] for key in keys], f"{found['StorageDescriptor']['Location'].rstrip('/')}/{folder}"
