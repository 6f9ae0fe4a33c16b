"""Landing records: an object an hour, immutable, the same bytes for the same records."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalake.encode import Record, csv_file, ndjson, parquet
from datalake.errors import RecordError
from datalake.landing import Encode, Landed, land_hourly
from datalake.storage import FolderStore

TEN = datetime(2024, 1, 15, 10, tzinfo=UTC)

TIMED = [
    (TEN, {"order_id": "A"}),
    (TEN + timedelta(minutes=59), {"order_id": "B"}),
    (TEN + timedelta(hours=1), {"order_id": "C"}),
    (TEN + timedelta(days=1), {"order_id": "D"}),
]

KEYS = [
    "raw/orders/year=2024/month=01/day=15/hour=10/orders-2024-01-15-10.json.gz",
    "raw/orders/year=2024/month=01/day=15/hour=11/orders-2024-01-15-11.json.gz",
    "raw/orders/year=2024/month=01/day=16/hour=10/orders-2024-01-16-10.json.gz",
]

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
json_records = st.lists(st.dictionaries(st.text(), json_values, max_size=4), max_size=5)

# A line break inside a value is one that no raw CSV file may have.
cells = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"))


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore.open(tmp_path)


def land(store: FolderStore, records: Iterable[tuple[datetime, Record]]) -> Landed:
    return land_hourly(store, "orders", records, ndjson, ".json.gz")


def contents(store: FolderStore) -> dict[str, list[Any]]:
    found = {}
    for stored in store.list("raw/"):
        with store.read(stored.key) as file:
            found[stored.key] = [json.loads(line) for line in gzip.decompress(file.read()).splitlines()]
    return found


def test_each_hour_with_records_gets_one_object(store: FolderStore) -> None:
    assert land(store, TIMED) == Landed(written=3, present=0, records=4)
    assert contents(store) == {
        KEYS[0]: [{"order_id": "A"}, {"order_id": "B"}],
        KEYS[1]: [{"order_id": "C"}],
        KEYS[2]: [{"order_id": "D"}],
    }


def test_landing_twice_adds_nothing(store: FolderStore) -> None:
    land(store, TIMED)
    before = contents(store)
    assert land(store, TIMED) == Landed(written=0, present=3, records=0)
    assert contents(store) == before


def test_hour_that_is_there_is_left_alone(store: FolderStore) -> None:
    land(store, TIMED[2:3])
    assert land(store, [(when, {"order_id": "other"}) for when, _ in TIMED]) == Landed(written=2, present=1, records=3)
    assert contents(store)[KEYS[1]] == [{"order_id": "C"}]


def test_hour_is_told_in_utc(store: FolderStore) -> None:
    west = timezone(timedelta(hours=-2))
    land(store, [(datetime(2024, 1, 15, 8, tzinfo=west), {"order_id": "A"}), (TEN, {"order_id": "B"})])
    assert contents(store) == {KEYS[0]: [{"order_id": "A"}, {"order_id": "B"}]}


def test_hour_of_a_zone_half_an_hour_off_is_told_in_utc(store: FolderStore) -> None:
    india = timezone(timedelta(hours=5, minutes=30))
    land(store, [(datetime(2024, 1, 15, 15, minute, tzinfo=india), {"order_id": f"{minute}"}) for minute in (30, 59)])
    assert contents(store) == {KEYS[0]: [{"order_id": "30"}, {"order_id": "59"}]}


def test_hour_that_is_there_is_not_encoded_again(store: FolderStore) -> None:
    def never(records: Sequence[Record]) -> bytes:
        raise AssertionError(records)

    land(store, TIMED)
    assert land_hourly(store, "orders", TIMED, never, ".json.gz") == Landed(present=3)


def test_arrival_without_a_time_zone_is_refused(store: FolderStore) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        land(store, [(TEN.replace(tzinfo=None), {"order_id": "A"})])
    assert contents(store) == {}


def test_landing_that_breaks_off_leaves_only_whole_hours(store: FolderStore) -> None:
    def broken_off() -> Iterator[tuple[datetime, Record]]:
        yield from TIMED[:3]
        raise ConnectionError("the source is gone")

    with pytest.raises(ConnectionError):
        land(store, broken_off())
    assert list(contents(store)) == KEYS[:1]
    assert land(store, TIMED) == Landed(written=2, present=1, records=2)


def test_source_is_in_the_key(store: FolderStore) -> None:
    land_hourly(store, "api_events", TIMED[:1], ndjson, ".json.gz", source="coupons")
    assert list(contents(store)) == [
        "raw/api_events/source=coupons/year=2024/month=01/day=15/hour=10/api_events-2024-01-15-10.json.gz"
    ]


def test_progress_is_told_of_every_record(store: FolderStore) -> None:
    passed: list[int] = []
    for _ in range(2):
        land_hourly(store, "orders", TIMED, ndjson, ".json.gz", progress=passed.append)
    assert passed == [2, 1, 1, 2, 1, 1]


def test_sums_of_landings_add_up() -> None:
    assert Landed(1, 2, 3) + Landed(10, 20, 30) == Landed(11, 22, 33)


@given(json_records)
def test_records_come_back_from_json_lines(records: list[dict[str, Any]]) -> None:
    text = gzip.decompress(ndjson(records))
    assert text.count(b"\n") == len(records)
    assert [json.loads(line) for line in text.split(b"\n")[:-1]] == records


@pytest.mark.parametrize("encode", [ndjson, csv_file, parquet])
def test_same_records_give_the_same_bytes(encode: Encode) -> None:
    records = [{"order_id": f"{number}", "note": "ä, b"} for number in range(500)]
    assert encode(records) == encode([dict(record) for record in records])


def test_gzip_holds_no_time_of_writing() -> None:
    assert ndjson([{"order_id": "A"}])[4:8] == bytes(4)


@pytest.mark.parametrize("record", [["order_id"], "order", 1, None])
def test_record_that_is_no_object_is_refused_by_its_position(record: Any) -> None:
    with pytest.raises(RecordError, match=f"^Record 2 is a {type(record).__name__}, not an object"):
        ndjson([{"order_id": "A"}, record])


@pytest.mark.parametrize(
    "value",
    [Decimal("NaN"), b"bytes", {1}, 2**64, "\ud800", {1: "key"}, object()],
    ids=[
        "decimal_that_is_no_number",
        "bytes",
        "set",
        "integer_past_64_bits",
        "lone_surrogate",
        "key_that_is_no_text",
        "object",
    ],
)
def test_value_that_json_cannot_hold_is_refused_by_its_position(value: Any) -> None:
    with pytest.raises(RecordError, match=r"^Record 3 has a value that JSON can't hold"):
        ndjson([{"a": 1}, {"a": 2}, {"a": value}])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_number_that_json_cannot_hold_is_refused_rather_than_lost(value: float) -> None:
    with pytest.raises(RecordError, match=r"^Record 1 has a value that JSON can't hold"):
        ndjson([{"price": value}])


def test_refused_record_leaves_its_hour_unwritten(store: FolderStore) -> None:
    with pytest.raises(RecordError, match=r"^Record 2 "):
        land(store, [(TEN, {"order_id": "A"}), (TEN, {"order_id": object()})])
    assert contents(store) == {}


def test_parquet_is_all_text_in_snappy() -> None:
    records: list[Record] = [{"Op": "I", "name": "ä"}, {"Op": None, "name": ""}]
    file = pq.ParquetFile(io.BytesIO(parquet(records)))
    assert file.schema_arrow.types == [pa.string(), pa.string()]
    assert file.read().to_pylist() == records
    assert {file.metadata.row_group(0).column(column).compression for column in range(2)} == {"SNAPPY"}


def test_parquet_goes_by_the_names_of_the_columns() -> None:
    body = parquet([{"Op": "I", "name": "a"}, {"name": "b", "Op": "U"}])
    assert pq.read_table(io.BytesIO(body)).to_pylist() == [{"Op": "I", "name": "a"}, {"Op": "U", "name": "b"}]


def test_parquet_column_without_any_value_is_text() -> None:
    assert pq.read_schema(io.BytesIO(parquet([{"age": None}]))).types == [pa.string()]


@given(st.lists(st.fixed_dictionaries({"id": cells, "name, with comma": cells}), min_size=1, max_size=5))
def test_values_come_back_from_csv(records: list[dict[str, str]]) -> None:
    text = csv_file(records).decode()
    assert list(csv.DictReader(io.StringIO(text, newline=""), strict=True)) == records


def test_csv_has_a_header_lf_and_nothing_for_none() -> None:
    assert csv_file([{"id": 1, "name": 'a "b", c'}, {"id": 2, "name": None}]) == b'id,name\n1,"a ""b"", c"\n2,\n'


def test_record_of_an_hour_that_has_passed_is_refused(tmp_path: Path) -> None:
    store = FolderStore.open(tmp_path)
    later, earlier = datetime(2024, 1, 15, 11, tzinfo=UTC), datetime(2024, 1, 15, 10, tzinfo=UTC)
    with pytest.raises(RecordError, match="A record of 2024-01-15 10h comes after one of 11h"):
        land_hourly(store, "orders", [(later, {"a": 1}), (earlier, {"a": 2})], ndjson, ".json.gz")
