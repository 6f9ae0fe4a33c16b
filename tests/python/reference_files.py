"""The raw files of a lake read in plain Python: their records, or why a file is broken as a whole."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

Values = dict[str, str | None]

MODELLED = ("api_events", "customers", "events", "orders", "products", "users")
PRODUCT_COLUMNS = ("product_id", "name", "category", "department", "brand", "price", "updated_at")
EVENT_COLUMNS = ("event_id", "customer_id", "event_type", "product_id", "occurred_at", "session_id", "properties")
CUSTOMER_FACTS = ("name", "segment", "region", "email", "phone", "address", "age", "income")
CUSTOMER_COLUMNS = ("op", "commit_ts", "customer_id", *CUSTOMER_FACTS)


class BrokenFileError(Exception):
    """A file that cannot be read, with its reason."""


@dataclass(frozen=True)
class RawFile:
    """A raw file: where it lies, and its rows or why it has none."""

    key: str
    dataset: str
    source: str | None
    arrived: str | None
    reason: str | None
    records: tuple[Record, ...] = ()


@dataclass(frozen=True)
class Record:
    """A raw row: its text, and its values; None where it is malformed."""

    text: str
    values: Values | None


def read_files(root: Path) -> list[RawFile]:
    """Return the files under `raw/`; one whose name begins with a dot or `_` is not meant to be read."""
    keys = [str(path.relative_to(root)) for path in sorted((root / "raw").rglob("*")) if path.is_file()]
    keys = [key for key in keys if not key.split("/")[-1].startswith((".", "_"))]
    return [_read_file(root, key) for key in keys]


_PLACE = re.compile(
    r"raw/[^/]+/(?:source=(?P<source>[^/=]+)/)?"
    r"(?P<arrived>year=[0-9]{4}/month=(?:0[1-9]|1[0-2])/day=(?:0[1-9]|[12][0-9]|3[01]))/(?:hour=(?:[01][0-9]|2[0-3])/)?[^/]+"
)


def _read_file(root: Path, key: str) -> RawFile:
    dataset = key.split("/")[1]
    name = key.encode(errors="surrogateescape").decode(errors="backslashreplace")
    place = _PLACE.fullmatch(key) if re.fullmatch("[a-z][a-z0-9_]*", dataset) else None
    if place and not _is_a_day(place["arrived"]):
        place = None
    source, arrived = (place["source"], place["arrived"]) if place else (None, None)
    reason: str | None = None
    records: tuple[Record, ...] = ()
    if dataset not in MODELLED:
        reason = "undeclared_dataset"
    elif place is None or (source is None) == (dataset == "api_events"):
        reason = "outside_layout"
    elif name != key or set(key) & set("*?[\n"):
        reason = "unreadable_name"
    else:
        try:
            records = tuple(_READERS[dataset]((root / key).read_bytes(), key))
        except BrokenFileError as broken:
            reason = str(broken)
    return RawFile(name, dataset, source, arrived, reason, records)


def _is_a_day(arrived: str) -> bool:
    """Tell whether the calendar of this century has the day `year=YYYY/month=MM/day=DD`."""
    try:
        return datetime.strptime(arrived, "year=%Y/month=%m/day=%d").year // 100 == 20
    except ValueError:
        return False


def _text(body: bytes, key: str) -> str:
    """Return a file's text. The first line at fault gives the reason."""
    if key.endswith(".gz"):
        body = _unzipped(body)
    for line in body.split(b"\n"):
        if b"\r" in line.removesuffix(b"\r"):
            raise BrokenFileError("bare_carriage_return")
        try:
            line.decode()
        except UnicodeDecodeError:
            raise BrokenFileError("not_utf8") from None
    if body.endswith(b"\r"):
        raise BrokenFileError("bare_carriage_return")
    return body.decode()


def _unzipped(body: bytes) -> bytes:
    """Return what all the members of a gzip hold; anything after a member is another one or none of a gzip."""
    text = b""
    while body:
        member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        try:
            text += member.decompress(body)
        except zlib.error:
            raise BrokenFileError("not_gzip") from None
        if not member.eof:
            raise BrokenFileError("truncated_gzip")
        body = member.unused_data
    return text


def _json_records(body: bytes, key: str) -> Iterator[Record]:
    text = _text(body, key).removeprefix("\ufeff")  # a byte order mark at its start is no part of a text
    for line in text.split("\n"):
        if line.strip(" \t\r"):
            yield Record(line.removesuffix("\r"), members(line))


_STRICT = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=lambda name: _malformed())
_BLANKS = re.compile(r"[ \t\n\r]*")


def _malformed() -> None:
    raise ValueError("no JSON")


def members(line: str) -> Values | None:
    """Return the members of a JSON object, each value as it is written; None where the line is no JSON object."""
    try:
        values: Values = {}
        for name, value in _parse_members(line):
            values.setdefault(name, value)  # of a member written twice the first counts
    except (ValueError, IndexError, RecursionError):
        return None
    return values


def _parse_members(line: str) -> Iterator[tuple[str, str | None]]:
    at = _skip(line, 0, "{")
    separator = "{"
    while separator != "}":
        if separator == "{" and line[at] == "}":
            at += 1
            break
        name, at = _value(line, at)
        if not name.startswith('"'):
            _malformed()
        at = _skip(line, at, ":")
        value, at = _value(line, at)
        yield _unescaped(name) or "", _unescaped(value)
        at = _skip(line, at)
        separator, at = line[at], _skip(line, at, line[at])
        if separator not in ",}":
            _malformed()
    if _skip(line, at) != len(line):
        _malformed()


def _skip(line: str, at: int, token: str = "") -> int:
    """Return the place after blanks, the token and more blanks."""
    found = _BLANKS.match(line, at)
    at = found.end() if found else at
    if not line.startswith(token, at):
        _malformed()
    return _skip(line, at + len(token)) if token else at


def _value(line: str, at: int) -> tuple[str, int]:
    try:
        _, end = _STRICT.raw_decode(line, at)
    except StopIteration:
        _malformed()
    return line[at:end], end


def _unescaped(literal: str) -> str | None:
    """Return a value as text: a number as it is written, an object or an array without blanks between its tokens."""
    if literal == "null":
        return None
    if literal.startswith('"'):
        text = str(json.loads(literal))
        text.encode()  # half of a surrogate pair is no character: a UnicodeEncodeError is a ValueError
        return text
    return "".join(re.findall(r'"(?:\\.|[^"\\])*"|[^"\s]+', literal))


def _csv_records(body: bytes, key: str) -> Iterator[Record]:
    text = _text(body, key)
    if not text.strip(" \t\r\n"):
        return
    if "\r\n" in text and re.search(r"(?<!\r)\n", text):
        raise BrokenFileError("mixed_line_ends")
    lines = _csv_lines(text)
    header = next(lines)
    if tuple(name.lstrip(" ") for name in header) != PRODUCT_COLUMNS:
        raise BrokenFileError("unlike_header")
    for line in lines:
        if len(line) != len(header):
            raise BrokenFileError("ragged_row")
        yield _table_record({name: value or None for name, value in zip(PRODUCT_COLUMNS, line, strict=True)})


_CELL = re.compile(
    r' *"((?:[^"]|"")*)"|(?! *")([^,\r\n]*)'
)  # engines take a quote after blanks for the start of a value
_CELL_END = re.compile(r",|\r?\n|\Z")


def _csv_lines(text: str) -> Iterator[list[str]]:
    """Yield the values of each line that is not empty; of the header even if it is."""
    at, is_header = 0, True
    while at < len(text):
        cells: list[str] = []
        separator = ","
        while separator == ",":
            cell = _CELL.match(text, at)
            end = _CELL_END.match(text, cell.end()) if cell else None
            if cell is None or end is None:
                raise BrokenFileError("malformed_csv")
            if set(cell[1] or "") & set("\r\n"):
                raise BrokenFileError("line_break_in_value")
            cells.append(cell[2] if cell[1] is None else cell[1].replace('""', '"'))
            separator, at = end[0], end.end()
        if is_header or cells != [""]:
            yield cells
        is_header = False


def _parquet_records(columns: Sequence[str], body: bytes) -> Iterator[Record]:
    if not body:
        return
    try:
        table = pq.read_table(BytesIO(body))
    except (pa.ArrowException, OSError):
        raise BrokenFileError("not_parquet") from None
    table = table.rename_columns([name.lower() for name in table.column_names])
    kept = [name for name in columns if name in table.column_names]
    for name in kept:
        if table.schema.field(name).type not in (pa.string(), pa.large_string(), pa.null()):
            raise BrokenFileError("unlike_type")
    for row in table.select(kept).to_pylist() if kept else [{}] * table.num_rows:
        yield _table_record({name: row.get(name) for name in columns})


def _table_record(values: Values) -> Record:
    """Return the record of a CSV or Parquet file: its text is a JSON object, and an empty value is none."""
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return Record(text, {name: value or None for name, value in values.items()})


_READERS: dict[str, Callable[[bytes, str], Iterator[Record]]] = {
    "orders": _json_records,
    "users": _json_records,
    "api_events": _json_records,
    "products": _csv_records,
    "customers": lambda body, key: _parquet_records(CUSTOMER_COLUMNS, body),
    "events": lambda body, key: _parquet_records(EVENT_COLUMNS, body),
}
