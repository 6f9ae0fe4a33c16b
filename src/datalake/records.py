"""Records of a file that someone hands over: JSON lines, CSV or Parquet."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from datalake.errors import RecordError
from datalake.inspect import LONGEST_LINE
from datalake.sources import FileFormat

_SUFFIXES: dict[str, FileFormat] = {
    ".json": "json",
    ".ndjson": "json",
    ".jsonl": "json",
    ".csv": "csv",
    ".parquet": "parquet",
}
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_CHUNK = 1 << 20
_BROKEN = (EOFError, OSError, zlib.error)
"""What a gzip that is cut off, or damaged, raises."""


def format_of(path: Path) -> FileFormat:
    """Return the format that a file's name tells, with or without `.gz`.

    Raises:
        RecordError: it tells none.
    """
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if suffix not in _SUFFIXES:
        raise RecordError(f"The name of {path} tells no format. Give --format json, csv or parquet.")
    return _SUFFIXES[suffix]


def read_records(file: BinaryIO, file_format: FileFormat) -> Iterator[Any]:
    """Yield the records of a file, gzip or not, one after the other.

    A line of JSON is given in bytes, as it is written; blank lines are no records. A record of CSV holds texts, and
    None where a value is empty; one of Parquet holds what Arrow makes of it in Python.

    Args:
        file: the file; for Parquet, one that can seek.
        file_format: its format.

    Raises:
        RecordError: the file can't be read further; the text names the place.
    """
    match file_format:
        case "json":
            yield from _json_records(_unpacked(file))
        case "csv":
            yield from _csv_records(_unpacked(file))
        case "parquet":
            yield from _parquet_records(file)


def _unpacked(file: BinaryIO) -> BinaryIO:
    buffered = cast(io.BufferedReader, file) if hasattr(file, "peek") else io.BufferedReader(cast(Any, file))
    return cast(BinaryIO, gzip.GzipFile(fileobj=buffered)) if buffered.peek(2)[:2] == _GZIP else buffered


def _json_records(file: BinaryIO) -> Iterator[bytes]:
    line = 1
    rest = b""
    first = True
    try:
        while chunk := file.read(_CHUNK):
            *lines, rest = (rest + (chunk.removeprefix(_BOM) if first else chunk)).split(b"\n")
            first = False
            line += len(lines)
            yield from filter(bytes.strip, lines)
            if len(rest) > LONGEST_LINE:
                raise RecordError(f"Line {line} has over {LONGEST_LINE:,} bytes; the file was not read on.")
    except _BROKEN as error:
        raise RecordError(f"The file breaks off in line {line}: {error}") from error
    if rest.strip():
        yield rest


def _csv_records(file: BinaryIO) -> Iterator[dict[str, str | None]]:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    reader = csv.reader(text, strict=True)
    try:
        header = next(reader, [])
        if len(set(header)) < len(header):
            raise RecordError("The header names a column twice.")
        for values in reader:
            if not values:
                continue
            if len(values) != len(header):
                raise RecordError(f"Line {reader.line_num} has {len(values)} values, the header {len(header)}.")
            yield {name: value or None for name, value in zip(header, values, strict=True)}
    except (csv.Error, UnicodeDecodeError, *_BROKEN) as error:
        raise RecordError(f"The file can't be read in line {reader.line_num}: {error}") from error
    finally:
        text.detach()


def _parquet_records(file: BinaryIO) -> Iterator[dict[str, Any]]:
    import pyarrow as pa  # of no use for other files
    import pyarrow.parquet as pq

    try:
        for batch in pq.ParquetFile(file).iter_batches(batch_size=10_000):
            yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise RecordError(f"The file is not whole Parquet: {error}") from error
