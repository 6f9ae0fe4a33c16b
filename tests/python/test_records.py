"""Reading the records of a file that someone hands over."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datalake.errors import RecordError
from datalake.inspect import LONGEST_LINE
from datalake.records import format_of, read_records
from datalake.sources import FileFormat


def read(body: bytes, file_format: FileFormat) -> list[Any]:
    return list(read_records(io.BytesIO(body), file_format))


def damaged(body: bytes) -> bytes:
    packed = bytearray(gzip.compress(body))
    packed[12:20] = b"\xff" * 8
    return bytes(packed)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_lines_of_json_come_as_they_are_written_and_blank_ones_do_not(pack: Any) -> None:
    body = b'\xef\xbb\xbf{"a": 1.10}\r\n\n  \n[1]\n{"b"'
    assert read(pack(body), "json") == [b'{"a": 1.10}\r', b"[1]", b'{"b"']


def test_lines_that_cross_what_is_read_at_once_are_whole() -> None:
    lines = [b'{"a": "%s"}' % (b"x" * (number * 5_000)) for number in range(100)]
    assert read(b"\n".join(lines), "json") == lines


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_records_of_csv_have_texts_and_none_for_nothing(pack: Any) -> None:
    body = '\ufeffid,name\r\n1,"a, ""b""\nc"\r\n\r\n2,\r\n'.encode()
    assert read(pack(body), "csv") == [{"id": "1", "name": 'a, "b"\nc'}, {"id": "2", "name": None}]


def test_records_of_parquet_have_values() -> None:
    body = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([{"id": 1, "name": None}, {"id": 2, "name": "b"}]), body)
    assert read(body.getvalue(), "parquet") == [{"id": 1, "name": None}, {"id": 2, "name": "b"}]


@pytest.mark.parametrize(
    ("body", "file_format", "said"),
    [
        (gzip.compress(b'{"a": 1}\n' * 99)[:-9], "json", "The file breaks off in line "),
        (damaged(b'{"a": 1}\n' * 99), "json", "The file breaks off in line 1: "),
        (damaged(b"a,b\n1,2\n" * 99), "csv", "The file can't be read in line 0: "),
        (b'{"a": 1}\n' + b"x" * 2 * LONGEST_LINE, "json", "Line 2 has over 2,000,000 bytes"),
        (b"a,b\n1\n", "csv", "Line 2 has 1 values, the header 2."),
        (b"a,a\n1,2\n", "csv", "The header names a column twice."),
        (b'a,b\n1,"2', "csv", "The file can't be read in line 2: "),
        (b"a,b\n1,\xff\n", "csv", "The file can't be read in line "),
        (b"PAR1", "parquet", "The file is not whole Parquet: "),
    ],
    ids=[
        "gzip cut off",
        "gzip damaged, of JSON",
        "gzip damaged, of CSV",
        "line too long",
        "ragged row",
        "column twice",
        "quote left open",
        "not UTF-8",
        "no Parquet",
    ],
)
def test_file_that_cannot_be_read_says_where(body: bytes, file_format: FileFormat, said: str) -> None:
    with pytest.raises(RecordError, match=f"^{said}"):
        read(body, file_format)


@pytest.mark.parametrize(
    ("name", "file_format"),
    [("a.ndjson", "json"), ("a.b.json.gz", "json"), ("a.csv.gz", "csv"), ("a.parquet", "parquet")],
)
def test_format_is_told_by_the_name(name: str, file_format: str) -> None:
    assert format_of(Path(name)) == file_format
