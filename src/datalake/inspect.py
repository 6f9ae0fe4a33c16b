"""Reading one raw file for what an engine would pass over in silence.

A truncated gzip gives an engine half its rows without an error, a foreign file stops the whole query, a
CSV whose columns moved is read by position. So each file is read once, whole, before a model sees it.
"""

from __future__ import annotations

import csv
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

import orjson

from datalake.sources import RawTable

if TYPE_CHECKING:
    import pyarrow as pa

LONGEST_LINE = 2_000_000
"""In bytes; DuckDB's CSV reader takes lines of up to 2 MiB, Firehose records end at 1,000 KiB."""

_SAMPLED_LINES = 20
_CHUNK = 1 << 20
_BOM = b"\xef\xbb\xbf"
_BARE_CR = re.compile(rb"\r(?!\n)")
_SEPARATOR = b"\x1f\x1e\x1f"  # what macros/engines/read_lines.sql takes as the separator that no line has

csv.field_size_limit(LONGEST_LINE)


@dataclass(frozen=True)
class Inspection:
    """What a file holds.

    Attributes:
        rows: raw rows: non-blank lines, CSV records or Parquet records; 1 for a broken file.
        reason: why it is broken, in a word, or None.
        detail: the same in a sentence, with the place in the file.
        columns: names of columns seen in it, lower case; a sample for JSON.
    """

    rows: int
    reason: str | None = None
    detail: str | None = None
    columns: frozenset[str] = field(default_factory=frozenset)


class _Broken(Exception):  # noqa: N818 - a finding, not an error
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def inspect(file: BinaryIO, name: str, table: RawTable) -> Inspection:
    """Read `file` to its end and say what it holds, for a file of `table` called `name`."""
    try:
        match table.external.file_format:
            case "json":
                return _inspect_json(_chunks(file, name), table)
            case "csv":
                return _inspect_csv(_chunks(file, name), table)
            case "parquet":
                return _inspect_parquet(file, table)
    except _Broken as broken:
        return Inspection(rows=1, reason=broken.reason, detail=broken.detail)


def _chunks(file: BinaryIO, name: str) -> Iterator[bytes]:
    if not name.endswith(".gz"):
        while chunk := file.read(_CHUNK):
            yield chunk
        return
    member = None
    while chunk := file.read(_CHUNK):
        while chunk:
            member = member or zlib.decompressobj(wbits=31)
            try:
                text = member.decompress(chunk)
            except zlib.error as error:
                raise _Broken("not_gzip", f"Not gzip, though its name says so: {error}.") from error
            yield text
            chunk = member.unused_data
            if member.eof:
                member = None
    if member is not None:
        raise _Broken("truncated_gzip", "The gzip stream ends before its end mark; the file is not whole.")


def _lines(chunks: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield each chunk's whole lines as one block with the number of its first line."""
    line, rest = 1, b""
    for chunk in chunks:
        whole, newline, rest_of_chunk = chunk.rpartition(b"\n")
        if newline:
            block = rest + whole + newline
            yield line, block
            line += block.count(b"\n")
            rest = rest_of_chunk
        else:
            rest += chunk
        if len(rest) > LONGEST_LINE:
            raise _Broken("line_too_long", f"Line {line} has over {LONGEST_LINE:,} bytes.")
    if rest:
        yield line, rest


def _check_text(first_line: int, block: bytes) -> str:
    def place(position: int) -> int:
        return first_line + block.count(b"\n", 0, position)

    if len(block) > LONGEST_LINE:
        for line, text in enumerate(block.split(b"\n"), first_line):
            if len(text) > LONGEST_LINE:
                raise _Broken("line_too_long", f"Line {line} has over {LONGEST_LINE:,} bytes.")
    if found := _BARE_CR.search(block):
        raise _Broken(
            "bare_carriage_return",
            f"Line {place(found.start())} has a carriage return without a line feed; end lines with LF.",
        )
    if (position := block.find(_SEPARATOR)) >= 0:
        raise _Broken("reserved_bytes", f"Line {place(position)} has the control characters 1F 1E 1F in a row.")
    try:
        return block.decode()
    except UnicodeDecodeError as error:
        raise _Broken(
            "not_utf8", f"Line {place(error.start)} is not UTF-8 (byte 0x{block[error.start]:02x})."
        ) from error


def _inspect_json(chunks: Iterator[bytes], table: RawTable) -> Inspection:
    rows = 0
    required = {column.name for column in table.columns if not column.config.meta.optional}
    columns: set[str] = set()
    for first_line, block in _lines(chunks):
        _check_text(first_line, block)
        lines = block.split(b"\n")
        if first_line == 1:
            lines[0] = lines[0].removeprefix(_BOM)  # as engines do
        rows += sum(1 for line in lines if line.strip(b" \t\r"))
        if first_line == 1:
            columns = _keys(lines[:_SAMPLED_LINES])
        if not required <= columns:
            columns |= _keys(lines)
    return Inspection(rows, columns=frozenset(columns))


def _keys(lines: list[bytes]) -> set[str]:
    keys: set[str] = set()
    for line in lines:
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(record, dict):
            keys.update(record)
    return keys


def _inspect_csv(chunks: Iterator[bytes], table: RawTable) -> Inspection:
    text = "".join(_check_text(line, block) for line, block in _lines(chunks))
    if not text.strip(" \t\r\n"):
        return Inspection(rows=0)
    if 0 < text.count("\r\n") < text.count("\n"):
        raise _Broken("mixed_line_ends", "Some lines end with CR LF, some with LF; end all with LF.")
    # Engines take a quote after blanks for the start of a quoted value.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    rows = 0
    expected = list(table.column_names)
    try:
        header = next(reader)
        if header != expected:
            raise _Broken(
                "unlike_header",
                f"The header is {','.join(header)}, but the source YAML declares {','.join(expected)}.",
            )
        for record in reader:
            if not record:
                continue
            if len(record) != len(expected):
                raise _Broken(
                    "ragged_row",
                    f"Line {reader.line_num} has {len(record)} values, the header {len(expected)}.",
                )
            if any("\n" in value for value in record):
                raise _Broken("line_break_in_value", f"A value that ends on line {reader.line_num} has a line break.")
            rows += 1
    except csv.Error as error:
        raise _Broken("malformed_csv", f"Line {reader.line_num}: {error}.") from error
    return Inspection(rows, columns=frozenset(header))


def _inspect_parquet(file: BinaryIO, table: RawTable) -> Inspection:
    import pyarrow as pa  # of no use for other files
    import pyarrow.parquet as pq

    body = file.read()
    if not body:
        return Inspection(rows=0)
    try:
        parquet = pq.ParquetFile(io.BytesIO(body))
        schema = parquet.schema_arrow
        declared = set(table.column_names)
        for column in schema:
            if column.name.lower() in declared and not _is_text(column.type):
                raise _Broken(
                    "unlike_type",
                    f"Column {column.name} is {column.type}, but the source YAML declares string.",
                )
        for group in range(parquet.num_row_groups):
            parquet.read_row_group(group)  # decodes every page, so that a damaged one is found here
    except (pa.ArrowException, OSError) as error:
        raise _Broken("not_parquet", f"Not whole Parquet: {error}.") from error
    return Inspection(parquet.metadata.num_rows, columns=frozenset(name.lower() for name in schema.names))


def _is_text(type_: pa.DataType) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(type_):  # Arrow's, not Parquet's
        type_ = type_.value_type
    return type_ in (pa.string(), pa.large_string(), pa.string_view(), pa.null())
