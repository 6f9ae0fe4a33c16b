"""What every table of the lake must hold, computed from the raw files in plain Python.

Written from the requirements and the descriptions of the columns, not from the models: no SQL, no engine. It reads the
whole raw folder at once, so it knows nothing of increments, either.
"""

from __future__ import annotations

import json
import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Row = tuple[Any, ...]
Values = dict[str, str | None]

MODELLED = ("api_events", "customers", "events", "orders", "products", "users")
PRODUCT_COLUMNS = ("product_id", "name", "category", "department", "brand", "price", "updated_at")
EVENT_COLUMNS = ("event_id", "customer_id", "event_type", "product_id", "occurred_at", "session_id", "properties")
CUSTOMER_FACTS = ("name", "segment", "region", "email", "phone", "address", "age", "income")
CUSTOMER_COLUMNS = ("op", "commit_ts", "customer_id", *CUSTOMER_FACTS)

BEGINNING_OF_TIME = datetime(1, 1, 1)
UNKNOWN = "(unknown)"
LARGEST_INTEGER = 2**31 - 1
LARGEST_PRICE = Decimal("99999999.99")
EXACT = Context(prec=10_000)


@dataclass(frozen=True)
class Table:
    """A table as it must be: the columns that are computed here, and the rows in any order."""

    columns: tuple[str, ...]
    rows: list[Row]


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


@dataclass
class Version:
    """A raw row, typed, or with the reasons why it is broken."""

    file: RawFile
    record: Record
    key: str | None
    reasons: list[str]
    version_at: datetime | None
    facts: dict[str, Any]

    @property
    def arrival(self) -> str:
        """When it arrived, as its path says: `year=.../hour=HH/name`."""
        return self.file.key[self.file.key.index("year=") :]

    @property
    def recency(self) -> tuple[Any, ...]:
        """What is larger for the newer of two versions: their time, then their arrival, then their values.

        An event has no versions, only repeats. The values decide between two versions of one time in one file: a file
        is read in parallel, so its rows have no order.
        """
        values = tuple((self.facts[name] is not None, self.facts[name]) for name in _TIE_BREAKERS[self.file.dataset])
        if self.file.dataset in ("events", "api_events"):
            return self.arrival, self.file.key, *values
        return self.version_at, self.arrival, *values


_EVENT_TIES = ("occurred_at", "event_type", "customer_id", "product_id", "session_id", "properties")
_TIE_BREAKERS = {
    "orders": ("price", "quantity", "discount", "customer_id", "product_id", "created_at", "updated_at"),
    "users": ("customer_id", "email", "phone", "newsletter", "created_at", "updated_at"),
    "products": ("price", "name", "category", "department", "brand"),
    "customers": ("operation_rank", *CUSTOMER_FACTS),
    "events": _EVENT_TIES,
    "api_events": _EVENT_TIES,
}


# -- files


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
            yield Record(line.removesuffix("\r"), _members(line))


_STRICT = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=lambda name: _malformed())
_BLANKS = re.compile(r"[ \t\n\r]*")


def _malformed() -> None:
    raise ValueError("no JSON")


def _members(line: str) -> Values | None:
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


# -- values


class BadValueError(ValueError):
    """A value that does not cast or fit."""


def to_integer(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]+(\.0+)?", text):
        raise BadValueError(text)
    number = int(text.partition(".")[0])
    if not -LARGEST_INTEGER - 1 <= number <= LARGEST_INTEGER:
        raise BadValueError(text)
    return number


def to_price(text: str) -> Decimal:
    if not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", text):
        raise BadValueError(text)
    return fits(Decimal(text).quantize(Decimal("0.01"), ROUND_HALF_UP, EXACT))


def to_list_price(text: str) -> Decimal:
    price = to_price(text)
    if price < 0:
        raise BadValueError(text)
    return price


def fits(price: Decimal) -> Decimal:
    """Return the price if DECIMAL(10,2) holds it."""
    if abs(price) > LARGEST_PRICE:
        raise BadValueError(str(price))
    return price


_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d(?::?\d\d)?)?)?", re.ASCII
)


def to_utc(text: str) -> datetime:
    """Return an ISO 8601 time in UTC, to the microsecond; the years are 1000 to 9998, offsets go up to 14 hours."""
    found = _TIME.fullmatch(text)
    if not found or not 1000 <= int(found[1]) <= 9998:
        raise BadValueError(text)
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    micros = int((found[7] or "").ljust(6, "0")[:6])
    try:
        local = datetime(year, month, day, hour, minute, second, micros)
    except ValueError:
        raise BadValueError(text) from None
    return local - _offset(found[8])


def _offset(text: str | None) -> timedelta:
    if text in (None, "", "Z"):
        return timedelta()
    assert text is not None
    digits = text[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 14 or minutes > 59:
        raise BadValueError(text)
    return (-1 if text[0] == "-" else 1) * timedelta(hours=hours, minutes=minutes)


def to_boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise BadValueError(text)
    return text.lower() == "true"


class _Caster:
    """Casts the values of one row, and notes what is wrong with them."""

    def __init__(self, values: Values | None) -> None:
        self.values = values
        self.reasons: list[str] = [] if values is not None else ["malformed_json"]

    def text(self, name: str) -> str | None:
        return (self.values or {}).get(name)

    def reference(self, name: str) -> str | None:
        """Return the key of another table; an empty one is none."""
        return self.text(name) or None

    def needed(self, name: str) -> str | None:
        """Return a text that must be there; blanks alone, an object or an array are none."""
        value = self.text(name)
        stripped = (value or "").strip(" \t\r\n")
        if self.values is not None and (not stripped or (value or "")[0] + (value or "")[-1] in ("{}", "[]")):
            self.reasons.append(f"missing_{name}")
        return value

    def cast(self, name: str, to: Callable[[str], Any], missing: Any = None, needed: bool = False) -> Any:
        """Return the value, `missing` for one that isn't there, None for one that does not cast."""
        if self.values is None:
            return None
        text = self.text(name)
        if text is None:
            if needed:
                self.reasons.append(f"missing_{name}")
            return missing
        try:
            return to(text)
        except BadValueError:
            self.reasons.append(f"bad_{name}")
            return None


def _order(row: _Caster) -> tuple[str | None, datetime | None, dict[str, Any]]:
    order_id = row.needed("order_id")
    quantity = row.cast("quantity", to_integer, missing=0)
    price = row.cast("price", to_price)
    discount = row.cast("discount", to_price, missing=Decimal(0))
    created_at = row.cast("created_at", to_utc, needed=True)
    updated_at = row.cast("updated_at", to_utc)
    total = None
    if None not in (quantity, price, discount):
        total = price * quantity - discount
        if abs(total) > LARGEST_PRICE:
            row.reasons.append("total_out_of_range")
        if total <= 0:
            row.reasons.append("total_not_above_zero")
        if abs(total) > LARGEST_PRICE:
            total = None
    if row.values is not None and row.text("price") is None:
        row.reasons.append("missing_price")
    return (
        order_id,
        created_at if row.text("updated_at") is None else updated_at,
        {
            "order_id": order_id,
            "customer_id": row.reference("customer_id"),
            "product_id": row.reference("product_id"),
            "quantity": quantity,
            "price": price,
            "discount": discount,
            "total": total,
            "order_date": created_at and created_at.date(),
            "created_at": created_at,
            "updated_at": updated_at,
        },
    )


def _user(row: _Caster) -> tuple[str | None, datetime | None, dict[str, Any]]:
    user_id = row.needed("user_id")
    facts = {
        "user_id": user_id,
        "customer_id": row.reference("customer_id"),
        "email": row.text("email"),
        "phone": row.text("phone"),
        "newsletter": row.cast("newsletter", to_boolean),
        "created_at": row.cast("created_at", to_utc),
        "updated_at": row.cast("updated_at", to_utc),
    }
    if row.values is not None and row.text("updated_at") is None and row.text("created_at") is None:
        row.reasons.append("missing_updated_at")
    return user_id, facts["created_at"] if row.text("updated_at") is None else facts["updated_at"], facts


def _product(row: _Caster) -> tuple[str | None, datetime | None, dict[str, Any]]:
    product_id = row.needed("product_id")
    facts = {
        "product_id": product_id,
        **{name: row.text(name) for name in ("name", "category", "department", "brand")},
        "price": row.cast("price", to_list_price),
        "updated_at": row.cast("updated_at", to_utc, needed=True),
    }
    return product_id, facts["updated_at"], facts


def _event(row: _Caster) -> tuple[str | None, datetime | None, dict[str, Any]]:
    event_id = row.needed("event_id")
    event_type = row.needed("event_type")
    occurred_at = row.cast("occurred_at", to_utc, needed=True)
    return (
        event_id,
        occurred_at,
        {
            "event_id": event_id,
            "customer_id": row.reference("customer_id"),
            "event_type": event_type,
            "product_id": row.reference("product_id"),
            "occurred_at": occurred_at,
            "session_id": row.text("session_id"),
            "properties": row.text("properties"),
        },
    )


def _customer(row: _Caster) -> tuple[str | None, datetime | None, dict[str, Any]]:
    customer_id = row.needed("customer_id")
    operation = row.text("op") or "I"
    if operation not in ("I", "U", "D"):
        row.reasons.append("bad_op")
    # A full load without a time came before every change.
    committed_at = row.cast("commit_ts", to_utc, missing=BEGINNING_OF_TIME)
    if row.text("commit_ts") is None and operation != "I":
        row.reasons.append("missing_commit_ts")
    facts = {
        "customer_id": customer_id,
        "is_delete": operation == "D",
        "operation_rank": "IUD".find(operation),  # of one commit in one file the delete comes last
        **{name: row.text(name) for name in CUSTOMER_FACTS},
    }
    return customer_id, committed_at, facts


_TYPED: dict[str, Callable[[_Caster], tuple[str | None, datetime | None, dict[str, Any]]]] = {
    "orders": _order,
    "users": _user,
    "products": _product,
    "events": _event,
    "api_events": _event,
    "customers": _customer,
}


def _versions(file: RawFile) -> Iterator[Version]:
    for record in file.records:
        row = _Caster(record.values)
        key, version_at, facts = _TYPED[file.dataset](row)
        facts["source_file"] = file.key
        facts["source"] = file.source or "events-stream"
        yield Version(file, record, key, row.reasons, version_at, facts)


def is_sound(dataset: str, line: str) -> bool:
    """Tell whether a line of JSON is a sound row of the data set."""
    row = _Caster(_members(line))
    _TYPED[dataset](row)
    return not row.reasons


# -- the lake


@dataclass(frozen=True)
class Settings:
    """The vars of the project that the tables depend on."""

    calendar_start: date = date(2020, 1, 1)
    calendar_end: date = date(2029, 12, 31)
    completeness_of_customer_id: float = 0.99
    uniqueness_of_order_id: float = 0.9999
    row_count: int = 1000


def expected_tables(root: Path, settings: Settings | None = None) -> dict[str, Table]:
    """Return every table by its name, for the files of a lake."""
    return _Lake(read_files(root), settings or Settings()).tables()


class _Lake:
    def __init__(self, files: list[RawFile], settings: Settings) -> None:
        self.files = files
        self.settings = settings
        self.versions: dict[str, list[Version]] = {dataset: [] for dataset in MODELLED}
        for file in files:
            if file.dataset in MODELLED:
                self.versions[file.dataset].extend(_versions(file))
        self.orders = _newest(self.sound("orders"))
        self.users = _newest(self.sound("users"))
        self.products = _newest(self.sound("products"))
        self.events = _newest(self.sound("events") + self.sound("api_events"))
        self.history = _history(self.sound("customers"))
        self.customers = {
            key: changes[-1] for key, changes in self.history.items() if not changes[-1].facts["is_delete"]
        }

    def sound(self, dataset: str) -> list[Version]:
        return [version for version in self.versions[dataset] if not version.reasons]

    def tables(self) -> dict[str, Table]:
        order_columns = "order_id customer_id product_id quantity price discount total order_date created_at updated_at"
        return {
            "curated_db.orders": _current(self.orders, f"{order_columns} source_file"),
            "curated_db.users": _current(
                self.users, "user_id customer_id email phone newsletter created_at updated_at source_file"
            ),
            "curated_db.products": _current(self.products, f"{' '.join(PRODUCT_COLUMNS)} source_file"),
            "curated_db.events": _current(self.events, f"{' '.join(EVENT_COLUMNS)} source source_file"),
            "curated_db.customers": self.customer_table(),
            "curated_db.customer_versions": self.version_table(),
            "curated_db.quarantine": self.quarantine(),
            "curated_db.reconciliation": self.reconciliation(),
            "analytics_db.daily_sales": self.daily_sales(),
            "analytics_db.product_metrics": self.product_metrics(),
            "analytics_db.product_performance": self.product_performance(),
            "analytics_db.customer_360": self.customer_360(),
            "analytics_db.dim_date": self.dim_date(),
            "analytics_db.dim_customer": self.dim_customer(),
            "analytics_db.dim_product": self.dim_product(),
            "analytics_db.fct_orders": self.fct_orders(),
            "analytics_db.quality_results": self.quality_results(),
        }

    def customer_table(self) -> Table:
        columns = ("customer_id", *CUSTOMER_FACTS, "source_file")
        rows = [(*_facts(version, columns), version.version_at) for version in self.customers.values()]
        return Table((*columns, "updated_at"), rows)

    def version_table(self) -> Table:
        columns = ("customer_id", "is_delete", *CUSTOMER_FACTS, "source_file")
        rows = []
        for changes in self.history.values():
            for change, following in zip(changes, [*changes[1:], None], strict=True):
                ended = following is not None and following.facts["is_delete"]
                rows.append((*_facts(change, columns), change.version_at, following and following.version_at, ended))
        return Table((*columns, "version_at", "next_version_at", "ended_by_delete"), rows)

    def standing(self, dataset: str, key: str | None) -> Version | None:
        tables = {
            "orders": self.orders,
            "users": self.users,
            "products": self.products,
            "events": self.events,
            "api_events": self.events,
            "customers": self.customers,
        }
        return tables[dataset].get(key) if key is not None else None

    def quarantine(self) -> Table:
        rows: list[Row] = [
            (file.dataset, None, file.reason, None, file.key, file.arrived, False) for file in self.files if file.reason
        ]
        for dataset, versions in self.versions.items():
            for version in versions:
                if not version.reasons:
                    continue
                stands = self.standing(dataset, version.key)
                rows.append(
                    (
                        dataset,
                        version.key,
                        ",".join(version.reasons),
                        version.record.text,
                        version.file.key,
                        version.file.arrived,
                        stands is not None and _is_older(stands, version),
                    )
                )
        columns = ("dataset", "record_key", "reasons", "raw_record", "source_file", "arrived", "older_version_stands")
        return Table(columns, rows)

    def reconciliation(self) -> Table:
        curated = {
            "orders": list(self.orders.values()),
            "users": list(self.users.values()),
            "products": list(self.products.values()),
            "customers": list(self.customers.values()),
            "events": [version for version in self.events.values() if version.file.dataset == "events"],
            "api_events": [version for version in self.events.values() if version.file.dataset == "api_events"],
        }
        rows = []
        for dataset in sorted({*MODELLED, *(file.dataset for file in self.files)}):
            broken_files = sum(file.dataset == dataset and file.reason is not None for file in self.files)
            versions = self.versions.get(dataset, [])
            sound = sum(not version.reasons for version in versions)
            current = len(curated.get(dataset, []))
            deleted = self.deleted_rows() if dataset == "customers" else 0
            quarantined = len(versions) - sound + broken_files
            superseded = sound - current - deleted
            rows.append((dataset, len(versions) + broken_files, current, superseded, deleted, quarantined, 0, 0))
        columns = "raw_rows curated_rows superseded_rows deleted_rows quarantined_rows expired_rows unexplained_rows"
        return Table(("dataset", *columns.split()), rows)

    def deleted_rows(self) -> int:
        """Count the deletes and the versions that they ended."""
        count = 0
        for changes in self.history.values():
            for change, following in zip(changes, [*changes[1:], None], strict=True):
                count += change.facts["is_delete"] or (following is not None and following.facts["is_delete"])
        return count

    def daily_sales(self) -> Table:
        rows = []
        for day, orders in _grouped(self.orders.values(), "order_date").items():
            revenue = _sum(orders, "total")
            rows.append(
                (
                    *(day, len(orders), _different(orders, "customer_id"), _sum(orders, "quantity")),
                    *(_sum(orders, "discount"), revenue, float(revenue) / len(orders)),
                )
            )
        return Table(
            (
                "order_date",
                "order_count",
                "customer_count",
                "items_sold",
                "total_discount",
                "revenue",
                "average_order_value",
            ),
            rows,
        )

    def orders_by_product(self) -> dict[str, list[Version]]:
        groups: dict[str, list[Version]] = defaultdict(list)
        for order in self.orders.values():
            groups[order.facts["product_id"] or UNKNOWN].append(order)
        return groups

    def product_metrics(self) -> Table:
        rows = []
        for product_id, of_product in self.orders_by_product().items():
            for day, orders in _grouped(of_product, "order_date").items():
                rows.append(
                    (
                        *(day, product_id, len(orders), _different(orders, "customer_id"), _sum(orders, "quantity")),
                        *(_sum(orders, "discount"), _sum(orders, "total")),
                    )
                )
        return Table(
            ("order_date", "product_id", "order_count", "customer_count", "items_sold", "total_discount", "revenue"),
            rows,
        )

    def product_performance(self) -> Table:
        rows = []
        for product_id, orders in self.orders_by_product().items():
            product = self.products.get(product_id)
            days = {order.facts["order_date"] for order in orders}
            told = _facts(product, PRODUCT_COLUMNS[1:6]) if product else (None,) * 5
            rows.append(
                (
                    *(product_id, *told, len(orders), _sum(orders, "quantity"), _sum(orders, "discount")),
                    *(_sum(orders, "total"), len(days), min(days), max(days)),
                )
            )
        columns = (
            "product_id name category department brand list_price order_count items_sold total_discount revenue "
            "days_sold first_sold_on last_sold_on"
        )
        return Table(tuple(columns.split()), rows)

    def customer_360(self) -> Table:
        orders_of = _grouped(self.orders.values(), "customer_id")
        users_of = _grouped(self.users.values(), "customer_id")
        events_of = _grouped(self.events.values(), "customer_id")
        rows = []
        for customer_id in {*self.customers, *orders_of}:
            customer = self.customers.get(customer_id)
            orders, events = orders_of.get(customer_id, []), events_of.get(customer_id, [])
            days = {order.facts["order_date"] for order in orders}
            rows.append(
                (
                    customer_id,
                    customer is not None,
                    *(_facts(customer, ("segment", "region")) if customer else (None, None)),
                    any(user.facts["newsletter"] for user in users_of.get(customer_id, [])),
                    *(len(orders), _sum(orders, "total"), _different(orders, "product_id"), len(days)),
                    *(min(days, default=None), max(days, default=None), len(events)),
                    sum(event.facts["event_type"] == "coupon_redeemed" for event in events),
                )
            )
        columns = (
            "customer_id is_in_customer_database segment region takes_newsletter order_count total_spent product_count "
            "days_ordered first_order_on last_order_on event_count coupons_redeemed"
        )
        return Table(tuple(columns.split()), rows)

    def dim_date(self) -> Table:
        start, end = self.settings.calendar_start, self.settings.calendar_end
        days = [start + timedelta(days=number) for number in range((end - start).days + 1)]
        rows: list[Row] = [(0, *[None] * 7)]
        for day in days:
            parts = (day.year, (day.month + 2) // 3, day.month, day.day)
            rows.append((_date_key(day), day, *parts, day.isoweekday(), day.isoweekday() > 5))
        columns = (
            "date_key calendar_date calendar_year calendar_quarter calendar_month day_of_month day_of_week is_weekend"
        )
        return Table(tuple(columns.split()), rows)

    def validities(self) -> Iterator[tuple[str, Version, datetime, datetime | None]]:
        """Yield each version of a customer that is not a delete: its key, and from when until when it counts."""
        for customer_id, changes in self.history.items():
            number = 0
            for change, following in zip(changes, [*changes[1:], None], strict=True):
                if change.facts["is_delete"]:
                    continue
                number += 1
                since = BEGINNING_OF_TIME if change is changes[0] else change.version_at
                assert since is not None
                yield f"{customer_id}-{number}", change, since, following.version_at if following else None

    def dim_customer(self) -> Table:
        facts = ("customer_id", "segment", "region", "age", "income")
        rows: list[Row] = [(UNKNOWN, *[None] * 5, BEGINNING_OF_TIME, None, True)]
        for key, version, since, until in self.validities():
            rows.append((key, *_facts(version, facts), since, until, until is None))
        return Table(("customer_key", *facts, "valid_from", "valid_to", "is_current"), rows)

    def dim_product(self) -> Table:
        facts = PRODUCT_COLUMNS[:6]
        rows: list[Row] = [(UNKNOWN, *[None] * 6)]
        rows += [(key, *_facts(product, facts)) for key, product in self.products.items()]
        return Table(("product_key", *facts[:5], "list_price"), rows)

    def fct_orders(self) -> Table:
        facts = (
            *("order_id", "order_date", "customer_id", "product_id", "created_at"),
            *("quantity", "price", "discount", "total"),
        )
        validities = defaultdict(list)
        for key, version, since, until in self.validities():
            validities[version.key].append((key, since, until))
        rows = []
        for order in self.orders.values():
            day, created_at = order.facts["order_date"], order.facts["created_at"]
            in_calendar = self.settings.calendar_start <= day <= self.settings.calendar_end
            customer_keys = [
                key
                for key, since, until in validities[order.facts["customer_id"]]
                if since <= created_at and (until is None or created_at < until)
            ]
            product_id = order.facts["product_id"]
            rows.append(
                (
                    *_facts(order, facts),
                    _date_key(day) if in_calendar else 0,
                    customer_keys[0] if customer_keys else UNKNOWN,
                    product_id if product_id in self.products else UNKNOWN,
                )
            )
        return Table((*facts, "date_key", "customer_key", "product_key"), rows)

    def quality_results(self) -> Table:
        rows = []
        stages = {"incoming": self.versions["orders"], "curated": list(self.orders.values())}
        for stage, orders in stages.items():
            of_key: dict[str, list[Version]] = defaultdict(list)
            for order in orders:
                if order.key is not None:
                    of_key[order.key].append(order)
            single = sum(len(same) == 1 for same in of_key.values())
            with_key = sum(map(len, of_key.values()))
            repeated = [key for key, same in of_key.items() if len(same) > 1]
            share = self._share
            settings = self.settings
            rules = [
                ("order_id_is_never_null", 1.0, False, share(orders, lambda o: o.facts["order_id"] is not None)),
                ("total_is_above_zero", 1.0, False, share(orders, lambda o: (o.facts["total"] or 0) > 0)),
                (
                    "order_date_looks_like_a_date",
                    1.0,
                    False,
                    share(orders, lambda o: o.facts["order_date"] is not None),
                ),
                (
                    *("customer_id_is_complete", settings.completeness_of_customer_id, True),
                    share(orders, lambda o: o.facts["customer_id"] is not None),
                ),
                (
                    *("order_id_is_unique", settings.uniqueness_of_order_id, True),
                    (single / with_key if with_key else 1.0, len(repeated), _examples(repeated)),
                ),
                (
                    "has_enough_rows",
                    float(settings.row_count),
                    True,
                    (float(len(orders)), int(len(orders) <= settings.row_count), None),
                ),
            ]
            for rule, threshold, strictly, (measured, violations, examples) in rules:
                passed = measured > threshold if strictly else measured >= threshold
                rows.append(("orders", stage, rule, passed, violations, threshold, measured, examples))
        columns = "model stage rule passed violation_count threshold measured examples"
        return Table(tuple(columns.split()), rows)

    @staticmethod
    def _share(orders: list[Version], holds: Callable[[Version], bool]) -> tuple[float, int, str | None]:
        offending = [order for order in orders if not holds(order)]
        measured = (len(orders) - len(offending)) / len(orders) if orders else 1.0
        return measured, len(offending), _examples([order.key for order in offending if order.key is not None])


def _is_older(standing: Version, broken: Version) -> bool:
    """Tell whether a version is older than a broken one: by their times, by arrival where those do not tell."""
    has_versions = standing.file.dataset not in ("events", "api_events")
    if has_versions and standing.version_at and broken.version_at and standing.version_at != broken.version_at:
        return standing.version_at < broken.version_at
    return standing.arrival < broken.arrival


def _newest(versions: Iterable[Version]) -> dict[str, Version]:
    """Return the newest version of each key: by its time, then by arrival."""
    newest: dict[str, Version] = {}
    for version in versions:
        assert version.key is not None
        if version.key not in newest or newest[version.key].recency < version.recency:
            newest[version.key] = version
    return newest


def _history(changes: Iterable[Version]) -> dict[str, list[Version]]:
    """Return each customer's changes in the order of their commits; of several at one moment the last to arrive."""
    of_customer: dict[str, dict[datetime, Version]] = defaultdict(dict)
    for change in sorted(changes, key=lambda change: change.recency):
        assert change.key is not None
        assert change.version_at is not None
        of_customer[change.key][change.version_at] = change
    return {key: [moments[at] for at in sorted(moments)] for key, moments in of_customer.items()}


def _current(versions: dict[str, Version], columns: str) -> Table:
    names = tuple(columns.split())
    return Table(names, [_facts(version, names) for version in versions.values()])


def _facts(version: Version, names: Iterable[str]) -> Row:
    return tuple(version.facts[name] for name in names)


def _grouped(versions: Iterable[Version], name: str) -> dict[Any, list[Version]]:
    """Return the versions by the value of a fact, those without a value left out."""
    groups: dict[Any, list[Version]] = defaultdict(list)
    for version in versions:
        if version.facts[name] is not None:
            groups[version.facts[name]].append(version)
    return groups


def _sum(versions: Iterable[Version], name: str) -> Any:
    return sum(version.facts[name] for version in versions)


def _different(versions: Iterable[Version], name: str) -> int:
    return len({version.facts[name] for version in versions} - {None})


def _examples(keys: Iterable[str]) -> str | None:
    return ", ".join(sorted(keys)[:5]) or None


def _date_key(day: date) -> int:
    return day.year * 10_000 + day.month * 100 + day.day
