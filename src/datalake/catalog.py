"""The Glue catalog: which folders of a table are its partitions, and which of them no query sees.

A table with partition projection needs nothing told: its partitions are the folders within the projected range, and a
folder outside of it is passed over by every query without a word. Any other partitioned table sees the partitions
that Glue holds, which are made known here from a listing of its folders.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from datalake.errors import CatalogError
from datalake.sources import RawTable
from datalake.storage import S3Client, is_hidden

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient

RAW_DATABASE = "raw_db"

_BATCH = 100
"""Partitions that Glue takes in one BatchCreatePartition."""

_NULL = "__HIVE_DEFAULT_PARTITION__"
"""What Hive, Spark and Athena write for NULL; Glue holds the same text, and Athena reads it as NULL."""

_INTEGER_BITS = {"tinyint": 8, "smallint": 16, "int": 32, "bigint": 64}
_ADDRESS = re.compile(r"s3[an]?://(?P<bucket>[^/]+)/?(?P<key>.*)", re.DOTALL)
_PLACEHOLDER = re.compile(r"\$\{(?P<name>[^}]+)\}")
_DATE_PART = re.compile(r"'(?P<quoted>[^']*)'|(?P<field>yyyy|MM|dd)|(?P<plain>[^A-Za-z'])")
_DATE_FIELDS = {"yyyy": r"\d{4}", "MM": r"\d{2}", "dd": r"\d{2}"}
_ERRORS_NAMED = 5


@dataclass(frozen=True)
class Outside:
    """Something in a table's folders that no query of it sees.

    Attributes:
        place: the folder, `s3://.../`.
        reason: why.
    """

    place: str
    reason: str


@dataclass(frozen=True)
class Registered:
    """What a table's folders hold.

    Attributes:
        table: `database.table`.
        is_projected: whether its partitions are projected.
        created: the folders whose partitions were made known now; none of a projected table.
        known: the number of folders that queries saw before.
        outside: what they do not see now either.
    """

    table: str
    is_projected: bool
    created: tuple[str, ...]
    known: int
    outside: tuple[Outside, ...]


def raw_tables(sources: Mapping[str, RawTable]) -> tuple[str, ...]:
    """Return the tables on Athena of declared data sets: the typed table, and that of lines where there is one."""
    return tuple(
        f"{RAW_DATABASE}.{name}"
        for source in sources.values()
        for name in (source.name, f"{source.name}_lines")
        if name == source.name or source.external.file_format != "parquet"
    )


def register(glue: GlueClient, s3: S3Client, tables: Iterable[str]) -> tuple[Registered, ...]:
    """Make the partitions of tables known that Glue does not hold yet, and tell what no query sees.

    S3 is asked once for each folder above the partitions (a page of 1,000 at a time), not for the objects in them. It
    only adds: a partition whose folder is gone stays. Two at once do no harm, and one that was killed is started again.

    Args:
        glue: boto3's client of Glue.
        s3: boto3's client of S3.
        tables: each as `database.table`; all are looked up before anything is made known.

    Raises:
        CatalogError: there is no such table, it has no partitions to be made known, its projection is of a kind that
            can't be told, or Glue did not take a partition.
    """
    found = [(name, _find(glue, name)) for name in tables]
    layouts = [_projected(name, table) if _is_projected(table) else _hive(name, table) for name, table in found]
    return tuple(_register(glue, s3, name, table, layout) for (name, table), layout in zip(found, layouts, strict=True))


class _OutsideError(Exception):
    """A folder is of a layout, but is no partition that a query sees."""


@dataclass(frozen=True)
class _Level:
    """How the folders of one level are named: for a machine, and for a person."""

    pattern: re.Pattern[str]
    form: str


@dataclass(frozen=True)
class _Layout:
    """Where a table's partitions are.

    Attributes:
        root: the folder, `s3://.../`, that the first level lies in.
        levels: of folders, down to those of the partitions.
        values: the partition's values, from the groups of the levels' patterns; raises _OutsideError.
    """

    root: str
    levels: tuple[_Level, ...]
    values: Callable[[Mapping[str, str]], tuple[str, ...]]


def _find(glue: GlueClient, name: str) -> Mapping[str, Any]:
    database, _, table = name.partition(".")
    if not database or not table:
        raise CatalogError(f"{name!r} names no table; name it as database.table.")
    try:
        return glue.get_table(DatabaseName=database, Name=table)["Table"]
    except glue.exceptions.EntityNotFoundException as error:
        hint = "`dbt run-operation create_raw_views` makes the raw tables." if database == RAW_DATABASE else ""
        raise CatalogError(f"The catalog has no table {name}. {hint}".rstrip()) from error


def _is_projected(table: Mapping[str, Any]) -> bool:
    return str(table.get("Parameters", {}).get("projection.enabled", "")).lower() == "true"


# Hive's layout: a folder `key=value` for each key


def _hive(name: str, table: Mapping[str, Any]) -> _Layout:
    keys = table.get("PartitionKeys") or []
    if str(table.get("Parameters", {}).get("table_type", "")).lower() == "iceberg":
        raise CatalogError(f"{name} is an Iceberg table, which knows its files itself; there is nothing to register.")
    if not keys:
        raise CatalogError(f"{name} has no partition columns; queries see all files in its folder.")
    levels = tuple(
        # Spark keeps the capitals of a column in its folders, Glue does not.
        _Level(re.compile(rf"(?i:{re.escape(key['Name'])})=(?P<value{index}>.*)", re.DOTALL), f"{key['Name']}=...")
        for index, key in enumerate(keys)
    )

    def values(groups: Mapping[str, str]) -> tuple[str, ...]:
        return tuple(
            _value(key["Name"], key.get("Type", "string"), groups[f"value{index}"]) for index, key in enumerate(keys)
        )

    return _Layout(_folder(name, table["StorageDescriptor"].get("Location", "")), levels, values)


def _value(key: str, type_: str, written: str) -> str:
    """Return a value as Glue holds it; Hive writes a character that a path can't hold as %XX, its code."""
    value = unquote(written, encoding="latin-1")
    if value == _NULL:
        return value
    if not value:
        raise _OutsideError(f"the value of {key} is empty")
    if not _fits(value, type_):
        raise _OutsideError(f"{value!r} is no {type_}, which {key} is")
    return value


def _fits(value: str, type_: str) -> bool:
    if type_ == "date":
        return re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII) is not None and _is_day(value)
    if bits := _INTEGER_BITS.get(type_):
        digits = re.fullmatch(r"[+-]?\d{1,20}", value, re.ASCII)
        return digits is not None and -(1 << bits - 1) <= int(value) < 1 << bits - 1
    return True


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


# Projected partitions


def _projected(name: str, table: Mapping[str, Any]) -> _Layout:
    parameters = table.get("Parameters", {})
    keys = [key["Name"] for key in table.get("PartitionKeys") or []]
    if not keys:
        raise CatalogError(f"{name} has no partition columns; queries see all files in its folder.")
    location = _folder(name, table["StorageDescriptor"].get("Location", ""))
    template = parameters.get("storage.location.template") or location + "".join(f"{key}=${{{key}}}/" for key in keys)
    template = template.rstrip("/") + "/"
    readers = {
        key: _projection(name, key, index, {of.lower(): text for of, text in parameters.items()})
        for index, key in enumerate(keys)
    }
    named = _PLACEHOLDER.findall(template)
    if sorted(named) != sorted(keys):
        raise CatalogError(f"{name}: can't tell its folders: its location template does not name each key once.")
    root = template[: template.index("${")].rpartition("/")[0] + "/"
    form, pattern = "", ""
    for index, piece in enumerate(_PLACEHOLDER.split(template.removeprefix(root))):
        form += readers[piece].form if index % 2 else piece
        pattern += readers[piece].pattern if index % 2 else re.escape(piece)
    levels = tuple(
        _Level(re.compile(of, re.ASCII | re.DOTALL), shown)
        for of, shown in zip(pattern.rstrip("/").split("/"), form.rstrip("/").split("/"), strict=True)
    )
    return _Layout(_folder(name, root), levels, lambda groups: tuple(readers[key].value(groups) for key in keys))


@dataclass(frozen=True)
class _Projection:
    """How a column is projected: the text of its values, and whether one is among them (else an _OutsideError)."""

    pattern: str
    form: str
    value: Callable[[Mapping[str, str]], str]


def _projection(table: str, key: str, index: int, parameters: Mapping[str, str]) -> _Projection:
    def setting(name: str, default: str = "") -> str:
        return parameters.get(f"projection.{key}.{name}".lower(), default)

    match setting("type").lower():
        case "injected":  # a query names the value, whatever it is
            return _Projection(f"(?P<value{index}>.+)", f"{{{key}}}", lambda groups: groups[f"value{index}"])
        case "date":
            if setting("interval", "1") != "1" or setting("interval.unit", "DAYS").upper() != "DAYS":
                raise CatalogError(f"{table}: can't tell the range of {key}: its interval is not a day.")
            return _date_projection(table, key, index, setting("format"), setting("range"))
        case other:
            raise CatalogError(
                f"{table}: can't tell which folders queries see: {key} is projected as {other or 'nothing'}, and only "
                "date and injected are known here."
            )


def _date_projection(table: str, key: str, index: int, format_: str, range_: str) -> _Projection:
    form, pattern, fields = "", "", []
    at = 0
    while found := _DATE_PART.match(format_, at):
        at = found.end()
        if field := found["field"]:
            fields.append(field)
            form += field.upper()
            pattern += f"(?P<{field}{index}>{_DATE_FIELDS[field]})"
        else:
            text = found["plain"] if found["quoted"] is None else found["quoted"]
            form += text
            pattern += re.escape(text)
    if at < len(format_) or sorted(fields) != sorted(_DATE_FIELDS):
        raise CatalogError(f"{table}: can't tell the days of {key}: its format {format_!r} is not of yyyy, MM and dd.")

    def day(groups: Mapping[str, str]) -> date:
        return date(*(int(groups[f"{field}{index}"]) for field in ("yyyy", "MM", "dd")))

    try:
        first, last = (day(_groups(pattern, bound.strip())) for bound in range_.split(","))
    except ValueError as error:
        raise CatalogError(
            f"{table}: can't tell the days of {key}: its range {range_!r} is not two days of its format."
        ) from error

    def value(groups: Mapping[str, str]) -> str:
        try:
            there = day(groups)
        except ValueError:
            raise _OutsideError("the calendar has no such day") from None
        if not first <= there <= last:
            raise _OutsideError(f"{there} is outside of the projected range, {first} to {last}")
        return there.isoformat()

    return _Projection(pattern, form, value)


def _groups(pattern: str, text: str) -> Mapping[str, str]:
    found = re.fullmatch(pattern, text, re.ASCII)
    if not found:
        raise ValueError(f"{text!r} is of another form")
    return found.groupdict()


# What is there


def _folder(table: str, location: str) -> str:
    if not _ADDRESS.fullmatch(location):
        raise CatalogError(f"{table} has no folder on S3: its location is {location!r}.")
    return location.rstrip("/") + "/"


def _register(glue: GlueClient, s3: S3Client, name: str, table: Mapping[str, Any], layout: _Layout) -> Registered:
    is_projected = _is_projected(table)
    outside: list[Outside] = []
    places = _Folders(s3, layout, outside)
    if is_projected:
        return Registered(name, True, (), sum(1 for _ in places), tuple(outside))
    held = _held(glue, name)
    new: dict[tuple[str, ...], str] = {}
    known = 0
    for place, values in places:
        there = held.get(values) or new.get(values)
        if there is None:
            new[values] = place
        elif there.rstrip("/") == place.rstrip("/"):
            known += 1
        else:
            outside.append(Outside(place, f"the partition {_shown(table, values)} has another folder, {there}"))
    created = _create(glue, name, table, new)
    return Registered(name, False, created, known + len(new) - len(created), tuple(outside))


class _Folders:
    """The folders of partitions with their values; what else is found is added to `outside`."""

    def __init__(self, s3: S3Client, layout: _Layout, outside: list[Outside]) -> None:
        found = _ADDRESS.fullmatch(layout.root)
        assert found
        self._bucket, self._key = found["bucket"], found["key"]
        self._address = layout.root.removesuffix(self._key)
        self._s3 = s3
        self._layout = layout
        self._outside = outside

    def __iter__(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        return self._below(self._key, 0, {})

    def _below(self, key: str, depth: int, groups: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, ...]]]:
        level = self._layout.levels[depth]
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=key, Delimiter="/")
        strays, first_stray = 0, ""
        for page in pages:
            # Engines pass over hidden names, and an object without a byte, by which consoles mark a folder, has no row.
            names = (found["Key"].removeprefix(key) for found in page.get("Contents", ()) if found["Size"])
            for name in names:
                if not is_hidden(name):
                    strays, first_stray = strays + 1, first_stray or name
            for folder in (found["Prefix"] for found in page.get("CommonPrefixes", ())):
                name = folder.removeprefix(key).removesuffix("/")
                if is_hidden(name):
                    continue
                found = level.pattern.fullmatch(name)
                if not found:
                    self._tell(folder, f"a folder here is named {level.form}")
                elif depth + 1 < len(self._layout.levels):
                    yield from self._below(folder, depth + 1, {**groups, **found.groupdict()})
                else:
                    try:
                        values = self._layout.values({**groups, **found.groupdict()})
                    except _OutsideError as error:
                        self._tell(folder, str(error))
                    else:
                        yield self._address + folder, values
        if strays:
            self._tell(key, f"{strays:,} files lie beside the folders {level.form}, as {first_stray}")

    def _tell(self, key: str, reason: str) -> None:
        self._outside.append(Outside(self._address + key, reason))


def _held(glue: GlueClient, name: str) -> dict[tuple[str, ...], str]:
    """Return the folder of each partition that Glue holds, by its values."""
    database, _, table = name.partition(".")
    pages = glue.get_paginator("get_partitions").paginate(
        DatabaseName=database, TableName=table, ExcludeColumnSchema=True
    )
    return {
        tuple(partition["Values"]): partition.get("StorageDescriptor", {}).get("Location", "")
        for page in pages
        for partition in page["Partitions"]
    }


def _create(
    glue: GlueClient, name: str, table: Mapping[str, Any], new: Mapping[tuple[str, ...], str]
) -> tuple[str, ...]:
    """Make partitions known and return their folders; one that someone else made known meanwhile is not among them."""
    database, _, table_name = name.partition(".")
    created: list[str] = []
    refused: list[str] = []
    partitions = list(new.items())
    storage: Any = table["StorageDescriptor"]
    for begin in range(0, len(partitions), _BATCH):
        batch = dict(partitions[begin : begin + _BATCH])
        answer = glue.batch_create_partition(
            DatabaseName=database,
            TableName=table_name,
            PartitionInputList=[
                {"Values": list(values), "StorageDescriptor": storage | {"Location": place}}
                for values, place in batch.items()
            ],
        )
        for error in answer.get("Errors", ()):
            values, detail = tuple(error["PartitionValues"]), error["ErrorDetail"]
            del batch[values]
            if detail["ErrorCode"] != "AlreadyExistsException":
                refused.append(f"{_shown(table, values)}: {detail.get('ErrorMessage') or detail['ErrorCode']}")
        created += batch.values()
    if refused:
        more = f" and {len(refused) - _ERRORS_NAMED:,} more" if len(refused) > _ERRORS_NAMED else ""
        raise CatalogError(
            f"Glue did not take {len(refused):,} partitions of {name}: {'; '.join(refused[:_ERRORS_NAMED])}{more}. "
            "The others are known; run it again."
        )
    return tuple(created)


def _shown(table: Mapping[str, Any], values: Iterable[str]) -> str:
    return "/".join(f"{key['Name']}={value}" for key, value in zip(table["PartitionKeys"], values, strict=True))
