"""Tables with a partition strategy on Athena: by date, by category or by hash, as Iceberg or as Hive Parquet.

The strategies are those of `macros/engines/partition_by.sql`. Iceberg derives a partition from a column, so that a
filter on the column leaves partitions out. Hive's partition columns are folders beside the files: where the strategy
is not the plain column, the table has one more column, whose value the writer computes and a query names (`Derived`).

No text of a caller goes into a statement as it is: names, types and the location are taken apart first, and what is
written is put together anew from the parts.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING

from datalake.errors import TableDefinitionError

if TYPE_CHECKING:
    from datalake.athena import Athena

LONGEST_STATEMENT = 262_144
"""In bytes of UTF-8: what Athena takes ("Service Quotas" in its user guide)."""

_DEEPEST_TYPE = 32
"""Types within types; no limit of Athena's is known, and a deeper one is a mistake."""

_MOST_BUCKETS = 1_000_000

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,254}", re.ASCII)
_LOCATION = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/(?!\.{1,2}/)[A-Za-z0-9_=.-]+)+/", re.ASCII)
_TYPE_TOKEN = re.compile(r"\s*(?P<token>[A-Za-z_][A-Za-z0-9_]*|[0-9]{1,9}|[<>(),:`])", re.ASCII)

_PLAIN = ("boolean", "tinyint", "smallint", "int", "bigint", "float", "double", "date", "timestamp", "string", "binary")
_NOT_IN_ICEBERG = {"tinyint": "int", "smallint": "int", "char": "string", "varchar": "string"}
"""What Iceberg lacks, and what to take for it ("Supported data types for Iceberg tables in Athena")."""

_DATES = frozenset({"date", "timestamp"})
_INTEGERS = frozenset({"tinyint", "smallint", "int", "bigint"})
_CATEGORIES = frozenset({"string", "varchar", "char", "boolean", "date"}) | _INTEGERS
_HASHED = frozenset({"string", "varchar", "date"}) | _INTEGERS
"""Types whose values have one text, the same on Athena and in Python, for `ByHash.bucket_of`."""


class TableFormat(StrEnum):
    """What the files of a table are to Athena; both are Parquet, packed with Snappy."""

    iceberg = "iceberg"
    hive = "hive"


class Part(StrEnum):
    """What a partition by date holds."""

    day = "day"
    month = "month"
    year = "year"


_DATE_FORMATS = {Part.day: "%Y-%m-%d", Part.month: "%Y-%m", Part.year: "%Y"}


@dataclass(frozen=True)
class Column:
    """A column: its name, in lower case, and its type as Athena's DDL names it, e.g. `array<decimal(10,2)>`."""

    name: str
    type: str


@dataclass(frozen=True)
class ByDate:
    """A partition a day, month or year of a date or a timestamp."""

    column: str
    part: Part = Part.day


@dataclass(frozen=True)
class ByCategory:
    """A partition a value, for a column of few values."""

    column: str


@dataclass(frozen=True)
class ByHash:
    """A partition a bucket of hashed values, for a column of many values that queries name one by one."""

    column: str
    buckets: int

    def bucket_of(self, value: str | int | date | None) -> int | None:
        """Return the bucket of a value in a Hive table, as `Derived.expression` computes it; None is in none.

        Iceberg has a hash of its own.
        """
        return None if value is None else zlib.crc32(str(value).encode()) % self.buckets


Strategy = ByDate | ByCategory | ByHash


@dataclass(frozen=True)
class Derived:
    """The partition column of a Hive table.

    Attributes:
        name: its name.
        type: its type.
        expression: its value in Athena's SQL, from the columns of the row; the column itself where nothing is derived.
    """

    name: str
    type: str
    expression: str


@dataclass(frozen=True)
class _Type:
    """A type that was read: its kind, as `decimal`, and its whole text, written anew."""

    kind: str
    text: str


def create_optimized_table(
    athena: Athena,
    name: str,
    schema: Sequence[Column],
    strategy: Strategy,
    *,
    location: str,
    table_format: TableFormat = TableFormat.iceberg,
) -> str:
    """Make an empty table, and its database where that is missing; return the table's statement.

    A table that has the name is left as it is, and an error says so. One statement writes to 100 partitions at most
    ("Service Quotas" in Athena's user guide); a write to more is to be split. Files that are in a Hive table's folder
    already are seen once its partitions are known: by `datalake register`, or MSCK REPAIR TABLE.

    Args:
        athena: runs the statements.
        name: `database.table`.
        schema: the columns; those of a Hive table are put in another order, its partition column last.
        strategy: how it is partitioned.
        location: its folder, `s3://bucket/folder/`, of its own.
        table_format: Iceberg, or Hive Parquet.

    Raises:
        TableDefinitionError: a name, a type, the strategy or the location is none; nothing was run.
        QueryFailedError: Athena refused it, e.g. since there is such a table.
    """
    statement = ddl(name, schema, strategy, location=location, table_format=table_format)
    database, _ = _table_name(name)
    athena.run(f"create database if not exists `{database}`")
    athena.run(statement)
    return statement


def ddl(
    name: str,
    schema: Sequence[Column],
    strategy: Strategy,
    *,
    location: str,
    table_format: TableFormat = TableFormat.iceberg,
) -> str:
    """Return the CREATE TABLE of a table, as `create_optimized_table` runs it.

    Raises:
        TableDefinitionError: a name, a type, the strategy or the location is none.
    """
    database, table = _table_name(name)
    types = _read_schema(schema, table_format)
    if not _LOCATION.fullmatch(folder := location.rstrip("/") + "/"):
        raise TableDefinitionError(
            f"The location {location!r} is no folder for a table: name one as s3://bucket/folder/, of letters, digits "
            "and . _ = -"
        )
    if table_format is TableFormat.iceberg:
        partition = _transform(types, strategy)
        head, stored, properties = "create table", "", _ICEBERG
    else:
        derived = _derive(types, strategy)
        partition = f"`{derived.name}` {derived.type}"
        types = {column: type_ for column, type_ in types.items() if column != derived.name}
        if not types:
            raise TableDefinitionError(f"{name} needs a column beside {derived.name}, which is its partition.")
        head, stored, properties = "create external table", "stored as parquet\n", _HIVE
    columns = ",\n".join(f"    `{column}` {type_.text}" for column, type_ in types.items())
    statement = (
        f"{head} `{database}`.`{table}` (\n{columns}\n)\n"
        f"partitioned by ({partition})\n{stored}location '{folder}'\ntblproperties ({properties})"
    )
    if len(statement.encode()) > LONGEST_STATEMENT:
        raise TableDefinitionError(
            f"The statement for {name} has {len(statement.encode()):,} bytes; Athena takes {LONGEST_STATEMENT:,}."
        )
    return statement


def derived_column(schema: Sequence[Column], strategy: Strategy) -> Derived:
    """Return the partition column of a Hive table of these columns, for its writers and its queries.

    Raises:
        TableDefinitionError: a name, a type or the strategy is none.
    """
    return _derive(_read_schema(schema, TableFormat.hive), strategy)


_ICEBERG = "'table_type' = 'ICEBERG', 'format' = 'PARQUET', 'write_compression' = 'SNAPPY'"
_HIVE = "'parquet.compression' = 'SNAPPY'"


# Names and columns


def _table_name(name: str) -> tuple[str, str]:
    parts = name.split(".")
    if len(parts) != 2:
        raise TableDefinitionError(f"{name!r} names no table; name it as database.table.")
    return _checked_name(parts[0], "a database"), _checked_name(parts[1], "a table")


def _checked_name(name: str, what: str) -> str:
    """Return a name that all of Athena and Glue take; it is quoted wherever it stands, so that it may be any word."""
    if not _NAME.fullmatch(name):
        raise TableDefinitionError(
            f"{name!r} can't name {what}; use up to 255 lower case letters, digits and _, no digit first."
        )
    return name


def _read_schema(schema: Sequence[Column], table_format: TableFormat) -> dict[str, _Type]:
    types: dict[str, _Type] = {}
    for column in schema:
        if _checked_name(column.name, "a column") in types:
            raise TableDefinitionError(f"The column {column.name} is there twice.")
        types[column.name] = _TypeReader(column, table_format).read()
    if not types:
        raise TableDefinitionError("A table needs a column.")
    return types


# Strategies


def _transform(types: Mapping[str, _Type], strategy: Strategy) -> str:
    """Return Iceberg's transform of a column."""
    _check_strategy(types, strategy)
    match strategy:
        case ByDate(column, part):
            return f"{Part(part)}(`{column}`)"
        case ByCategory(column):
            return f"`{column}`"
        case ByHash(column, buckets):
            return f"bucket({buckets}, `{column}`)"


def _derive(types: Mapping[str, _Type], strategy: Strategy) -> Derived:
    """Return Hive's column for a strategy.

    Hive's own buckets (CLUSTERED BY) are not used: Athena inserts into no such table, and a file of another writer that
    was not named and hashed by Hive's rules would be left out of answers without a word.
    """
    kind = _check_strategy(types, strategy)
    column = strategy.column
    if isinstance(strategy, ByCategory) or (kind == "date" and strategy == ByDate(column)):
        return Derived(column, types[column].text, f'"{column}"')
    if isinstance(strategy, ByDate):
        # A text, since Glue itself leaves partitions of texts out, and Athena those of other types.
        text = f"date_format(\"{column}\", '{_DATE_FORMATS[Part(strategy.part)]}')"
        derived = Derived(f"{column}_{strategy.part}", "string", text)
    else:
        bucket = f'crc32(to_utf8(cast("{column}" as varchar))) % {strategy.buckets}'
        derived = Derived(f"{column}_bucket", "int", f"cast({bucket} as integer)")
    if derived.name in types:
        raise TableDefinitionError(
            f"The table gets a partition column {derived.name}, and has a column of that name; name that otherwise."
        )
    _checked_name(derived.name, "the partition column")
    return derived


def _check_strategy(types: Mapping[str, _Type], strategy: Strategy) -> str:
    """Return the kind of the type that a strategy's column has."""
    if strategy.column not in types:
        raise TableDefinitionError(
            f"The table is partitioned by {strategy.column!r}, which is none of its columns: {', '.join(types)}."
        )
    kind = types[strategy.column].kind
    match strategy:
        case ByDate(part=part):
            if part not in set(Part):
                raise TableDefinitionError(f"A partition by date holds a day, month or year, not {part!r}.")
            fitting, what = _DATES, "by date"
        case ByCategory():
            fitting, what = _CATEGORIES, "by category"
        case ByHash(buckets=buckets):
            if not isinstance(buckets, int) or not 2 <= buckets <= _MOST_BUCKETS:
                raise TableDefinitionError(f"A table has 2 to {_MOST_BUCKETS:,} buckets, not {buckets!r}.")
            fitting, what = _HASHED, "by hash"
    if kind not in fitting:
        raise TableDefinitionError(
            f"A table can't be partitioned {what} of {strategy.column}, a {kind}; it can be of "
            f"{', '.join(sorted(fitting))}."
        )
    return kind


# Types


class _TypeReader:
    """Reads the type of a column, word by word."""

    def __init__(self, column: Column, table_format: TableFormat) -> None:
        self._column = column
        self._format = table_format
        self._words: list[str] = []
        at, text = 0, column.type.rstrip()
        while at < len(text):
            found = _TYPE_TOKEN.match(text, at)
            if not found:
                raise self._error(f"{text[at:].lstrip()[:1]!r} has no place in it")
            self._words.append(found["token"])
            at = found.end()
        self._words.reverse()

    def read(self) -> _Type:
        read = self._type(1)
        if self._words:
            raise self._error(f"{self._words[-1]!r} is too much")
        return read

    def _type(self, depth: int) -> _Type:
        if depth > _DEEPEST_TYPE:
            raise self._error(f"it is nested more than {_DEEPEST_TYPE} deep")
        kind = {"integer": "int"}.get(word := self._next("a type").lower(), word)
        if self._format is TableFormat.iceberg and kind in _NOT_IN_ICEBERG:
            raise self._error(f"Iceberg has no {kind}; take {_NOT_IN_ICEBERG[kind]}")
        match kind:
            case "decimal":
                return _Type(kind, self._decimal())
            case "char" | "varchar":
                self._expect("(")
                length = self._number(1, 255 if kind == "char" else 65_535)
                self._expect(")")
                return _Type(kind, f"{kind}({length})")
            case "array":
                self._expect("<")
                item = self._type(depth + 1)
                self._expect(">")
                return _Type(kind, f"array<{item.text}>")
            case "map":
                self._expect("<")
                key = self._type(depth + 1)
                if key.kind in ("array", "map", "struct"):
                    raise self._error(f"the key of a map can't be a {key.kind}")
                self._expect(",")
                value = self._type(depth + 1)
                self._expect(">")
                return _Type(kind, f"map<{key.text},{value.text}>")
            case "struct":
                return _Type(kind, self._struct(depth))
            case _ if kind in _PLAIN:
                return _Type(kind, kind)
        known = ", ".join((*_PLAIN, "decimal(p,s)", "char(n)", "varchar(n)", "array<>", "map<,>", "struct<name:type>"))
        raise self._error(f"there is no type {word}; there are {known}")

    def _decimal(self) -> str:
        self._expect("(")
        precision, scale = self._number(1, 38), 0
        if self._accept(","):
            scale = self._number(0, precision)
        self._expect(")")
        return f"decimal({precision},{scale})"

    def _struct(self, depth: int) -> str:
        fields: dict[str, str] = {}
        self._expect("<")
        while True:
            quoted = self._accept("`")
            name = self._next("a field's name")
            if not _NAME.fullmatch(name):
                raise self._error(f"{name!r} can't name a field; use lower case letters, digits and _")
            if quoted:
                self._expect("`")
            if name in fields:
                raise self._error(f"the field {name} is there twice")
            self._expect(":")
            fields[name] = self._type(depth + 1).text
            if not self._accept(","):
                break
        self._expect(">")
        return f"struct<{','.join(f'`{name}`:{text}' for name, text in fields.items())}>"

    def _number(self, least: int, most: int) -> int:
        word = self._next("a number")
        if not word.isdigit() or not least <= int(word) <= most:
            raise self._error(f"{word!r} is no number from {least} to {most:,}")
        return int(word)

    def _next(self, expected: str) -> str:
        if not self._words:
            raise self._error(f"it ends where {expected} is expected")
        return self._words.pop()

    def _accept(self, word: str) -> bool:
        if self._words[-1:] == [word]:
            self._words.pop()
            return True
        return False

    def _expect(self, word: str) -> None:
        found = self._next(repr(word))
        if found != word:
            raise self._error(f"{found!r} stands where {word!r} is expected")

    def _error(self, why: str) -> TableDefinitionError:
        shown = self._column.type if len(self._column.type) <= 100 else f"{self._column.type[:100]}..."
        return TableDefinitionError(f"The column {self._column.name} has no type of Athena's, {shown!r}: {why}.")
