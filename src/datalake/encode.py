"""Records as the bytes of raw files: JSON lines, CSV and Parquet."""

from __future__ import annotations

import csv
import gzip
import io
import math
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any, BinaryIO, Protocol, cast

import orjson

from datalake.errors import RecordError
from datalake.sources import RawTable

Record = Mapping[str, Any]

GZIP_LEVEL = 6
"""The level that the command `gzip` takes when none is named."""

_NO_CSV_VALUE = re.compile(r"[\r\n]|\x1f\x1e\x1f")
"""What a value of a raw CSV file may not hold: see `datalake.inspect`."""


def json_line(record: object) -> bytes:
    """Return a record as a line of JSON; one that is bytes is such a line already and is kept as it is written.

    Raises:
        ValueError: it is no JSON object; the text goes on after "Record 7 ".
    """
    if isinstance(record, bytes):
        return _kept_line(record)
    if not isinstance(record, dict):
        raise ValueError(f"is a {type(record).__name__}, not an object")  # noqa: TRY004 - one error for what is unfit
    try:
        line = orjson.dumps(record, _unknown_to_orjson, orjson.OPT_APPEND_NEWLINE)
    except TypeError as error:
        raise ValueError(f"has a value that JSON can't hold: {error.__cause__ or error}") from error
    if b"null" in line and _has_no_number(record):
        raise ValueError("has a value that JSON can't hold: a number that is none or infinite")
    return line


def json_lines(records: Sequence[object]) -> list[bytes]:
    """Return `json_line` of each record, faster where all are objects or all are lines.

    Raises:
        ValueError: one of them is no JSON object.
    """
    kinds = set(map(type, records))
    if kinds == {dict}:
        try:
            lines = [orjson.dumps(record, _unknown_to_orjson, orjson.OPT_APPEND_NEWLINE) for record in records]
        except TypeError as error:
            raise ValueError("one has a value that JSON can't hold") from error
        if b"null" not in b"".join(lines):
            return lines
    elif kinds == {bytes}:
        kept = cast(Sequence[bytes], records)
        text = b"".join(kept)
        if b"\r" not in text and b"\n" not in text and set(map(type, map(orjson.loads, kept))) == {dict}:
            return [line + b"\n" for line in kept]
    return [json_line(record) for record in records]


def _kept_line(line: bytes) -> bytes:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"is a {type(value).__name__}, not an object")  # noqa: TRY004
    # Within a text JSON has neither: between values, they are blanks.
    return line.rstrip(b"\r\n").replace(b"\r", b" ").replace(b"\n", b" ") + b"\n"


def _unknown_to_orjson(value: object) -> object:
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(format(value, "f").encode())
    raise TypeError(f"a {type(value).__name__}")


def _has_no_number(value: object) -> bool:
    """Tell whether a float that orjson writes as null is somewhere in the value."""
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, Mapping):
        return any(map(_has_no_number, value.values()))
    return isinstance(value, list | tuple) and any(map(_has_no_number, value))


def ndjson(records: Sequence[Record]) -> bytes:
    """Return the records as gzip NDJSON, one object a line, the same bytes for the same records.

    Raises:
        RecordError: a record is no JSON object.
    """
    lines = bytearray()
    for position, record in enumerate(records, 1):
        try:
            lines += json_line(record)
        except ValueError as error:
            raise RecordError(f"Record {position} {error}.") from error
    return gzip.compress(lines, compresslevel=GZIP_LEVEL, mtime=0)


def csv_file(records: Sequence[Record]) -> bytes:
    """Return the records as CSV with a header; the first record's keys are the columns."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue().encode()


def parquet(records: Sequence[Record]) -> bytes:
    """Return the records as Parquet with Snappy, every column text; the first record's keys are the columns."""
    names = list(records[0])
    file = io.BytesIO()
    body = ParquetBody(names, file)
    body.write(b"".join(_line([record[name] for name in names]) for record in records))
    body.close()
    return file.getvalue()


class Body(Protocol):
    """The body of a file that is being written."""

    def write(self, block: bytes, /) -> object:
        """Add rows, as `Encoding.row` makes them, one or more."""

    def close(self) -> None:
        """Write its end; the file stays open."""


@dataclass(frozen=True)
class Encoding:
    """How a raw table's files are written.

    Attributes:
        suffix: the end of their names.
        content_type: their media type.
        content_encoding: how that is packed, or None.
        row: makes the line that stands for a record; a ValueError says what is unfit in it.
        rows: makes those of several records; a ValueError tells that one is unfit.
        body: begins the body in an empty file.
    """

    suffix: str
    content_type: str
    content_encoding: str | None
    row: Callable[[object], bytes]
    rows: Callable[[Sequence[object]], list[bytes]]
    body: Callable[[BinaryIO], Body]


def encoding_of(table: RawTable) -> Encoding:
    """Return how the files of a raw table are written: as its source YAML declares."""
    columns = table.column_names

    def csv_row(record: object) -> bytes:
        return _csv_line(_texts(record, columns))

    def parquet_row(record: object) -> bytes:
        return _line(_texts(record, columns))

    match table.external.file_format:
        case "json":
            return JSON_LINES
        case "csv":
            return Encoding(".csv", "text/csv; charset=utf-8", None, csv_row, _each(csv_row), partial(CsvBody, columns))
        case "parquet":
            kind = "application/vnd.apache.parquet"
            return Encoding(".parquet", kind, None, parquet_row, _each(parquet_row), partial(ParquetBody, columns))


def _each(row: Callable[[object], bytes]) -> Callable[[Sequence[object]], list[bytes]]:
    return lambda records: list(map(row, records))


class GzipBody:
    """Lines, compressed; the same bytes for the same blocks."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 31)  # gzip without a name and a time

    def write(self, block: bytes) -> None:
        """Add rows."""
        self._file.write(self._packer.compress(block))

    def close(self) -> None:
        """Write the end mark."""
        self._file.write(self._packer.flush())


JSON_LINES = Encoding(".json.gz", "application/x-ndjson", "gzip", json_line, json_lines, GzipBody)
"""Lines of JSON, compressed."""


class CsvBody:
    """Lines after a header."""

    def __init__(self, columns: Sequence[str], file: BinaryIO) -> None:
        file.write(_csv_line(columns))
        self.write = file.write

    def close(self) -> None:
        """Do nothing: every line is written."""


class ParquetBody:
    """Columns of text, in Snappy; a row is its values as a list in JSON. A block makes a row group."""

    def __init__(self, columns: Sequence[str], file: BinaryIO) -> None:
        import pyarrow as pa  # of no use where no Parquet is written
        import pyarrow.parquet as pq

        self._schema = pa.schema([(name, pa.string()) for name in columns])
        self._writer = pq.ParquetWriter(file, self._schema, compression="snappy")

    def write(self, block: bytes) -> None:
        """Add rows."""
        import pyarrow as pa

        rows = map(orjson.loads, block.splitlines())
        columns = [pa.array(values, pa.string()) for values in zip(*rows, strict=True)]
        self._writer.write_table(pa.table(columns, schema=self._schema))

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()


def _line(values: Sequence[str | None]) -> bytes:
    return orjson.dumps(values, option=orjson.OPT_APPEND_NEWLINE)


def _texts(record: object, columns: Sequence[str]) -> list[str | None]:
    """Return a record's values as text, in the order of the columns; a column that it lacks is None."""
    if not isinstance(record, dict):
        raise ValueError(f"is a {type(record).__name__}, not an object")  # noqa: TRY004
    if unknown := [name for name in record if name not in columns]:
        raise ValueError(f"has the key {unknown[0]!r}, which the source YAML does not declare")
    return [_text(name, record.get(name)) for name in columns]


def _text(name: str, value: object) -> str | None:
    match value:
        case None | str():
            text = value
        case bool():
            text = str(value).lower()
        case Decimal() | float() | int() if math.isfinite(value):
            text = format(value, "f") if isinstance(value, Decimal) else str(value)
        case datetime() | date():
            text = value.isoformat()
        case _:
            raise ValueError(f"has a {type(value).__name__} in {name}, which has no text of its own")
    if text is not None:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"has a character in {name} that UTF-8 lacks") from error
    return text


def _csv_line(values: Sequence[str | None]) -> bytes:
    for value in values:
        if value is not None and _NO_CSV_VALUE.search(value):
            raise ValueError("has a line break or a reserved character in a value, which a raw CSV file can't hold")
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue().encode()
