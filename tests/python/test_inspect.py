"""Reading raw files whole: every row counted, every fault found and placed."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import duckdb
import jinja2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from lakes import PROJECT, raw_table

from datalake.encode import csv_file
from datalake.inspect import LONGEST_LINE, Inspection, inspect
from datalake.sources import RawTable

JSON = raw_table("orders", "json", "order_id", "price")
CSV = raw_table("products", "csv", "id", "name")
PARQUET = raw_table("customers", "parquet", "op", "name")

blanks = st.text(" \t", max_size=3).map(str.encode)
words = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=8).map(str.encode)
lines = (blanks | words).filter(lambda line: b"\x1f\x1e\x1f" not in line)
line_ends = st.sampled_from([b"\n", b"\r\n"])
ended_lines = st.lists(st.tuples(lines, line_ends).map(b"".join), max_size=12)
chunk_sizes = st.integers(1, 40)


def look(body: bytes, name: str, table: RawTable, chunk: int | None = None) -> Inspection:
    """Inspect a file, reading as many bytes at a time as are given."""
    with pytest.MonkeyPatch.context() as patch:
        if chunk:
            patch.setattr("datalake.inspect._CHUNK", chunk)
        return inspect(io.BytesIO(body), name, table)


def parquet(table: pa.Table, **options: Any) -> bytes:
    body = io.BytesIO()
    pq.write_table(table, body, **options)
    return body.getvalue()


def members(body: bytes, cuts: list[int]) -> bytes:
    """Return the body as a gzip file of several members."""
    places = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    return b"".join(gzip.compress(body[start:end]) for start, end in pairwise(places))


NAMES = pa.table({"Op": pa.array(["I", "U"]), "name": pa.array(["a", None])})
MANY_NAMES = pa.table({"name": pa.array([str(number * 7919) for number in range(5_000)])})


@pytest.mark.parametrize(
    ("name", "table"),
    [(f"x.{suffix}", table) for table, suffix in ((JSON, "json"), (CSV, "csv"), (PARQUET, "parquet"))]
    + [(f"x.{suffix}.gz", table) for table, suffix in ((JSON, "json"), (CSV, "csv"))],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_file_of_no_bytes_is_sound_and_without_rows(name: str, table: RawTable) -> None:
    assert look(b"", name, table) == Inspection(rows=0)


@pytest.mark.parametrize(("name", "table"), [("x.json.gz", JSON), ("x.csv.gz", CSV)], ids=["json", "csv"])
def test_gzip_of_nothing_is_sound_and_without_rows(name: str, table: RawTable) -> None:
    assert look(gzip.compress(b""), name, table) == Inspection(rows=0)


@given(ended_lines, lines, chunk_sizes)
def test_rows_are_the_lines_that_are_not_blank(ended: list[bytes], last: bytes, chunk: int) -> None:
    body = b"".join(ended) + last
    found = look(body, "x.json", JSON, chunk)
    assert found.reason is None
    assert found.rows == sum(1 for line in body.split(b"\n") if line.strip(b" \t\r"))


@given(ended_lines, lines, chunk_sizes, st.lists(st.integers(0, 1_000), max_size=3))
def test_gzip_of_any_members_holds_the_rows_of_the_plain_file(
    ended: list[bytes], last: bytes, chunk: int, cuts: list[int]
) -> None:
    body = b"".join(ended) + last
    assert look(members(body, cuts), "x.json.gz", JSON, chunk) == look(body, "x.json", JSON)


@pytest.mark.parametrize("chunk", [1, 7, None])
def test_gzip_that_ends_early_is_broken_wherever_it_ends(chunk: int | None) -> None:
    whole = gzip.compress(b'{"order_id":"A"}\n{"order_id":"B"}\n')
    for length in range(1, len(whole)):
        found = look(whole[:length], "x.json.gz", JSON, chunk)
        assert (found.rows, found.reason) == (1, "truncated_gzip"), length
        assert found.detail == "The gzip stream ends before its end mark; the file is not whole."


def test_last_member_of_a_gzip_that_ends_early_is_found() -> None:
    member = gzip.compress(b'{"order_id":"A"}\n')
    assert look(member + member, "x.json.gz", JSON).rows == 2
    assert look(member + member[:-3], "x.json.gz", JSON).reason == "truncated_gzip"


@pytest.mark.parametrize(
    "body",
    [b'{"order_id":"A"}\n', gzip.compress(b"{}\n") + b"{}\n", gzip.compress(b"{}\n")[:-8] + bytes(8)],
    ids=["plain_text", "text_after_a_member", "wrong_checksum"],
)
def test_file_that_is_no_gzip_but_called_so_is_broken(body: bytes) -> None:
    found = look(body, "x.json.gz", JSON)
    assert (found.rows, found.reason) == (1, "not_gzip")
    assert found.detail is not None
    assert found.detail.startswith("Not gzip, though its name says so: ")


FAULTS = {
    "not_utf8": (b"caf\xe9", "Line {} is not UTF-8 (byte 0xe9)."),
    "bare_carriage_return": (b"a\rb", "Line {} has a carriage return without a line feed; end lines with LF."),
    "reserved_bytes": (b"a\x1f\x1e\x1fb", "Line {} has the control characters 1F 1E 1F in a row."),
}


@pytest.mark.parametrize("reason", FAULTS)
@given(before=ended_lines, after=ended_lines, chunk=chunk_sizes, zipped=st.booleans())
def test_fault_in_a_text_is_found_on_its_line(
    reason: str, before: list[bytes], after: list[bytes], chunk: int, zipped: bool
) -> None:
    fault, sentence = FAULTS[reason]
    body = b"".join([*before, fault, b"\n", *after])
    found = look(gzip.compress(body) if zipped else body, "x.json.gz" if zipped else "x.json", JSON, chunk)
    assert found == Inspection(1, reason, sentence.format(len(before) + 1))


@pytest.mark.parametrize("reason", FAULTS)
def test_fault_in_the_text_of_a_csv_is_found_on_its_line(reason: str) -> None:
    fault, sentence = FAULTS[reason]
    found = look(b"id,name\n1,a\n2," + fault + b"\n", "x.csv", CSV)
    assert found == Inspection(1, reason, sentence.format(3))


def test_carriage_return_at_the_end_of_the_file_is_bare() -> None:
    assert look(b"{}\n{}\r", "x.json", JSON).reason == "bare_carriage_return"


def test_utf8_cut_by_the_end_of_the_file_is_found() -> None:
    assert look(b'{"a":"\xc3', "x.json", JSON) == Inspection(1, "not_utf8", "Line 1 is not UTF-8 (byte 0xc3).")


WIDE = raw_table("wide", "csv", *(f"c{number}" for number in range(20)))
HEADER = ",".join(WIDE.column_names).encode() + b"\n"


def wide_row(size: int) -> bytes:
    """Return a CSV row of so many bytes without its line end, no value longer than a csv.reader takes."""
    return b",".join([b"x" * 100_000] * 19 + [b"x" * (size - 19 * 100_001)])


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("file_format", ["json", "csv"])
def test_line_longer_than_an_engine_takes_is_found_and_placed(file_format: str, zipped: bool) -> None:
    size = LONGEST_LINE + 1
    body = b"{}\n" + b"x" * size if file_format == "json" else HEADER + wide_row(size)
    body += b"\n"
    found = look(
        gzip.compress(body, 1) if zipped else body,
        f"x.{file_format}{'.gz' if zipped else ''}",
        JSON if file_format == "json" else WIDE,
    )
    assert (found.rows, found.reason) == (1, "line_too_long")
    assert found.detail == "Line 2 has over 2,000,000 bytes."


def test_longest_line_that_an_engine_takes_is_sound() -> None:
    body = b"x" * LONGEST_LINE + b"\n"
    assert look(body * 2, "x.json", JSON).rows == 2
    assert look(gzip.compress(body * 2, 1), "x.json.gz", JSON).rows == 2
    assert look(HEADER + wide_row(LONGEST_LINE) + b"\n", "x.csv", WIDE).rows == 1


def test_columns_of_json_are_the_keys_of_its_objects() -> None:
    body = b'{"order_id":"A","nested":{"inner":1}}\nno JSON\n["list"]\n\n{"order_id":"B","note":null}\n'
    found = look(body, "x.json", JSON)
    assert found == Inspection(4, columns=frozenset({"order_id", "nested", "note"}))


def test_column_that_only_a_late_line_has_is_found() -> None:
    body = b'{"order_id":"A"}\n' * 30 + b'{"order_id":"B","discount":1}\n'
    assert look(body, "x.json", JSON).columns == {"order_id", "discount"}


CSV_ROWS = {
    "header_only": (b"id,name\n", 0),
    "header_without_line_end": (b"id,name", 0),
    "blank_lines_only": (b"\n \t\r\n\n", 0),
    "lf": (b"id,name\n1,a\n2,b\n", 2),
    "crlf": (b"id,name\r\n1,a\r\n2,b\r\n", 2),
    "last_row_without_line_end": (b"id,name\n1,a\n2,b", 2),
    "blank_lines_between": (b"id,name\n1,a\n\n2,b\n\n", 2),
    "quoted_commas_and_quotes": (b'"id","name"\n1,"a, ""b"""\n', 1),
    "nothing_in_a_row": (b"id,name\n,\n", 1),
}


@pytest.mark.parametrize("case", CSV_ROWS)
def test_rows_of_csv_are_its_records(case: str) -> None:
    body, rows = CSV_ROWS[case]
    found = look(body, "x.csv", CSV)
    assert (found.rows, found.reason) == (rows, None)
    assert found.columns == (set() if case == "blank_lines_only" else {"id", "name"})
    assert look(gzip.compress(body), "x.csv.gz", CSV, 3) == found


@given(st.lists(st.tuples(words, words), min_size=1, max_size=6), chunk_sizes)
def test_csv_that_was_landed_is_sound(records: list[tuple[bytes, bytes]], chunk: int) -> None:
    body = csv_file([{"id": first.decode(), "name": second.decode()} for first, second in records])
    assume(b"\x1f\x1e\x1f" not in body)
    assert look(body, "x.csv", CSV, chunk) == Inspection(len(records), columns=frozenset({"id", "name"}))


BROKEN_CSV = {
    "columns_that_moved": (
        b"name,id\na,1\n",
        "unlike_header",
        "The header is name,id, but the source YAML declares id,name.",
    ),
    "column_too_few": (b"id\n1\n", "unlike_header", "The header is id, but the source YAML declares id,name."),
    "column_too_many": (
        b"id,name,price\n1,a,2\n",
        "unlike_header",
        "The header is id,name,price, but the source YAML declares id,name.",
    ),
    "column_in_capitals": (
        b"ID,name\n",
        "unlike_header",
        "The header is ID,name, but the source YAML declares id,name.",
    ),
    "other_delimiter": (
        b"id;name\n1;a\n",
        "unlike_header",
        "The header is id;name, but the source YAML declares id,name.",
    ),
    "no_header": (b"1,a\n2,b\n", "unlike_header", "The header is 1,a, but the source YAML declares id,name."),
    "value_too_many": (b"id,name\n1,a\n2,b,c\n", "ragged_row", "Line 3 has 3 values, the header 2."),
    "value_too_few": (b"id,name\n1,a\n\n2\n", "ragged_row", "Line 4 has 1 values, the header 2."),
    "line_break": (
        b'id,name\n1,a\n2,"b\nc"\n',
        "line_break_in_value",
        "A value that ends on line 4 has a line break.",
    ),
    "crlf_break": (
        b'id,name\r\n1,"a\r\nb"\r\n',
        "line_break_in_value",
        "A value that ends on line 3 has a line break.",
    ),
    "quote_that_never_ends": (b'id,name\n1,a\n2,"b\n', "malformed_csv", "Line 3: unexpected end of data."),
    "text_after_a_quote": (b'id,name\n1,"a"b\n', "malformed_csv", "Line 2: ',' expected after '\"'."),
}


@pytest.mark.parametrize("case", BROKEN_CSV)
def test_broken_csv_counts_as_one_row_and_says_where(case: str) -> None:
    body, reason, detail = BROKEN_CSV[case]
    assert look(body, "x.csv", CSV) == Inspection(1, reason, detail)


def test_long_value_is_no_fault_of_a_csv() -> None:
    found = look(b"id,name\n1," + b"x" * 200_000 + b"\n", "x.csv", CSV)
    assert (found.rows, found.reason) == (1, None)


@pytest.mark.parametrize("group", [1, 1_000, 5_000])
def test_rows_of_parquet_are_those_of_all_its_groups(group: int) -> None:
    found = look(parquet(MANY_NAMES, row_group_size=group * 2), "x.parquet", PARQUET)
    assert found == Inspection(5_000, columns=frozenset({"name"}))


def test_columns_of_parquet_are_told_in_lower_case() -> None:
    assert look(parquet(NAMES), "x.parquet", PARQUET) == Inspection(2, columns=frozenset({"op", "name"}))


@pytest.mark.parametrize(
    "break_it",
    [
        lambda body: b"op,name\nI,a\n",
        lambda body: body[:-1],
        lambda body: body[: len(body) // 2],
        lambda body: body[:4] + bytes(20) + body[24:],
        lambda body: body[:2_000] + bytes(100) + body[2_100:],
    ],
    ids=["csv", "last_byte_missing", "half", "damaged_page_header", "damaged_page"],
)
def test_parquet_that_is_not_whole_is_found(break_it: Callable[[bytes], bytes]) -> None:
    found = look(break_it(parquet(MANY_NAMES, use_dictionary=False)), "x.parquet", PARQUET)
    assert (found.rows, found.reason) == (1, "not_parquet")
    assert found.detail is not None
    assert found.detail.startswith("Not whole Parquet: ")


@pytest.mark.parametrize(
    "type_", [pa.int64(), pa.float64(), pa.bool_(), pa.date32(), pa.binary(), pa.list_(pa.string())]
)
def test_declared_column_of_parquet_that_is_no_text_is_found_and_named(type_: pa.DataType) -> None:
    table = pa.table({"Op": pa.array([None], type_), "name": pa.array(["a"])})
    found = look(parquet(table), "x.parquet", PARQUET)
    assert (found.rows, found.reason) == (1, "unlike_type")
    assert found.detail is not None
    assert found.detail.startswith("Column Op is ")
    assert found.detail.endswith(", but the source YAML declares string.")


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["a"], pa.string()),
        pa.array(["a"], pa.large_string()),
        pa.array([None], pa.null()),
        pa.array(["a"]).dictionary_encode(),
        pa.array(["a"], pa.string_view()),
    ],
    ids=["string", "large_string", "null", "dictionary", "string_view"],
)
def test_column_that_parquet_stores_as_text_is_sound(column: pa.Array) -> None:
    assert look(parquet(pa.table({"name": column})), "x.parquet", PARQUET).reason is None


def test_undeclared_column_of_parquet_may_have_any_type() -> None:
    table = NAMES.append_column("age", pa.array([1, 2]))
    assert look(parquet(table), "x.parquet", PARQUET) == Inspection(2, columns=frozenset({"op", "name", "age"}))


class Engine:
    """The engine, reading files by the macros that the models use."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.numbers = count()
        self.connection = duckdb.connect()
        macros = "".join((PROJECT / f"macros/engines/{name}.sql").read_text() for name in ("read_lines", "read_rows"))
        environment = jinja2.Environment(autoescape=False)
        environment.globals["var"] = {"lake_root": str(root)}.__getitem__
        self.macros: Any = environment.from_string(macros).module

    def rows(self, body: bytes, suffix: str, table: RawTable) -> list[tuple[str | None, ...]]:
        name = f"{next(self.numbers)}{suffix}"
        (self.root / name).write_bytes(body)
        if table.external.file_format == "json":
            return self._ask("line", self.macros.duckdb__read_lines(table.name, [name]))
        columns = list(table.column_names)
        rows = self.macros.duckdb__read_rows(table.name, table.external.file_format, columns, [name])
        return self._ask(", ".join(columns), rows)

    def _ask(self, columns: str, rows: str) -> list[tuple[str | None, ...]]:
        return self.connection.execute(f"select {columns} from {rows}").fetchall()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine(tmp_path_factory.mktemp("engine"))


@given(ended_lines, lines, st.booleans())
def test_engine_reads_the_lines_that_were_counted(
    engine: Engine, ended: list[bytes], last: bytes, zipped: bool
) -> None:
    body = b"".join(ended) + last
    assume(not body.startswith(b"\xef\xbb\xbf"))
    found = look(body, "x.json", JSON)
    assume(found.rows)  # the models leave a file without rows out
    read = engine.rows(gzip.compress(body) if zipped else body, ".json.gz" if zipped else ".json", JSON)
    assert [line.encode() for (line,) in read if line] == [
        line.removesuffix(b"\r") for line in body.split(b"\n") if line.strip(b" \t\r")
    ]


@given(
    st.lists(st.tuples(words, words), min_size=1, max_size=6),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    line_ends,
)
def test_engine_reads_the_csv_records_that_were_counted(
    engine: Engine, records: list[tuple[bytes, bytes]], quoting: Any, line_end: bytes
) -> None:
    text = io.StringIO()
    values = [(first.decode(), second.decode()) for first, second in records]
    csv.writer(text, quoting=quoting, lineterminator=line_end.decode()).writerows([CSV.column_names, *values])
    body = text.getvalue().encode()
    assume(b"\x1f\x1e\x1f" not in body)
    assert look(body, "x.csv", CSV).rows == len(values)
    assert [(first or "", second or "") for first, second in engine.rows(body, ".csv", CSV)] == values


@pytest.mark.parametrize(
    ("body", "suffix", "table"),
    [
        (b"\xef\xbb\xbf\n{}\n", ".json", JSON),
        (b"id,name\n1,a\n\r\n2,b\n", ".csv", CSV),
        (b"id,name\n1,a\r\n2,b\r\n", ".csv", CSV),
        (b'id,name\n1, "a\n2,b\n', ".csv", CSV),
    ],
    ids=[
        "byte_order_mark_alone",
        "one_crlf_among_lf",
        "header_lf_rows_crlf",
        "quote_after_a_blank",
    ],
)
def test_file_that_the_engine_reads_otherwise_is_not_called_sound(
    engine: Engine, body: bytes, suffix: str, table: RawTable
) -> None:
    found = look(body, f"x{suffix}", table)
    if found.reason is None:
        assert len(engine.rows(body, suffix, table)) == found.rows
