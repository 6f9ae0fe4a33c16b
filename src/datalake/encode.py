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
from typing import Any, BinaryIO, Protocol

import orjson

from datalake.errors import RecordError
from datalake.sources import FileFormat, RawTable

Record = Mapping[str, Any]

GZIP_LEVEL = 6
"""The level that the command `gzip` takes when none is named."""

_CHUNK = 1 << 18
"""In bytes: what is compressed at once."""

_ROW_GROUP = 50_000
"""Rows of a Parquet file that are in memory at once."""

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


def _kept_line(line: bytes) -> bytes:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"is a {type(value).__name__}, not an object")  # noqa: TRY004
    # Within a text JSON has neither: between values, they are blanks.
    return line.strip(b" \t\r\n").replace(b"\r", b" ").replace(b"\n", b" ") + b"\n"


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
    file = io.BytesIO()
    body = ParquetBody(list(records[0]), file)
    for record in records:
        body.write(orjson.dumps(list(record.values())))
    body.close()
    return file.getvalue()


class Body(Protocol):
    """The body of a file that is being written."""

    def write(self, row: bytes, /) -> object:
        """Add a row."""

    def close(self) -> None:
        """Write its end; the file stays open."""


@dataclass(frozen=True)
class Encoding:
    """How a raw table's files are written.

    Attributes:
        suffix: the end of their names.
        content_type: their media type.
        content_encoding: how that is packed, or None.
        row: makes the bytes that stand for a record; a ValueError says what is unfit in it.
        body: begins the body in an empty file; it takes rows in bytes as `row` makes them.
    """

    suffix: str
    content_type: str
    content_encoding: str | None
    row: Callable[[object], bytes]
    body: Callable[[BinaryIO], Body]


def encoding_of(table: RawTable) -> Encoding:
    """Return how the files of a raw table are written: as its source YAML declares."""
    columns = table.column_names
    kinds: dict[FileFormat, Encoding] = {
        "json": Encoding(".json.gz", "application/x-ndjson", "gzip", json_line, GzipBody),
        "csv": Encoding(
            ".csv",
            "text/csv; charset=utf-8",
            None,
            lambda record: _csv_line(_texts(record, columns)),
            lambda file: CsvBody(columns, file),
        ),
        "parquet": Encoding(
            ".parquet",
            "application/vnd.apache.parquet",
            None,
            lambda record: orjson.dumps(_texts(record, columns)),
            lambda file: ParquetBody(columns, file),
        ),
    }
    return kinds[table.external.file_format]


class GzipBody:
    """Lines, compressed; the same bytes for the same rows."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 31)  # gzip without a name and a time
        self._waiting: list[bytes] = []
        self._bytes = 0

    def write(self, row: bytes) -> None:
        """Add a row."""
        self._waiting.append(row)
        self._bytes += len(row)
        if self._bytes >= _CHUNK:
            self._pack()

    def close(self) -> None:
        """Write what is waiting, and the end mark."""
        self._pack()
        self._file.write(self._packer.flush())

    def _pack(self) -> None:
        self._file.write(self._packer.compress(b"".join(self._waiting)))
        self._waiting.clear()
        self._bytes = 0


class CsvBody:
    """Lines after a header."""

    def __init__(self, columns: Sequence[str], file: BinaryIO) -> None:
        file.write(_csv_line(columns))
        self.write = file.write

    def close(self) -> None:
        """Do nothing: every line is written."""


class ParquetBody:
    """Columns of text, in Snappy; a row is its values as a list in JSON."""

    def __init__(self, columns: Sequence[str], file: BinaryIO) -> None:
        import pyarrow as pa  # of no use where no Parquet is written
        import pyarrow.parquet as pq

        self._schema = pa.schema([(name, pa.string()) for name in columns])
        self._writer = pq.ParquetWriter(file, self._schema, compression="snappy")
        self._waiting: list[list[str | None]] = []

    def write(self, row: bytes) -> None:
        """Add a row."""
        self._waiting.append(orjson.loads(row))
        if len(self._waiting) == _ROW_GROUP:
            self._flush()

    def close(self) -> None:
        """Write what is waiting, and the footer."""
        if self._waiting:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa

        columns = [pa.array(values, pa.string()) for values in zip(*self._waiting, strict=True)]
        self._writer.write_table(pa.table(columns, schema=self._schema))
        self._waiting.clear()


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
