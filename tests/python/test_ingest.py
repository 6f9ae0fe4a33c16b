"""Ingesting a batch: immutable objects under the raw layout, once, in a folder as in a bucket."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from os import urandom
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow.parquet as pq
import pytest
from faulty_s3 import faulty_s3
from lakes import PROJECT, raw_table

from datalake.encode import Record
from datalake.errors import BatchError, RecordError
from datalake.ingest import Unfit, ingest
from datalake.inspect import inspect
from datalake.sources import load_sources
from datalake.storage import FolderStore, S3Store, Store

TABLES = load_sources(PROJECT / "models" / "raw")
ORDERS = TABLES["orders"]
TEN = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
FOLDER = "raw/orders/year=2024/month=01/day=15/hour=10/"
RECORDS = [{"order_id": f"o{number}", "price": number} for number in range(5)]


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    with faulty_s3() as server:
        yield server.client()


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path, s3: Any) -> Store:
    if request.param == "folder":
        return FolderStore.open(tmp_path)
    return in_bucket(s3)


def in_bucket(s3: Any) -> S3Store:
    bucket = f"lake-{uuid4()}"
    s3.create_bucket(Bucket=bucket)
    return S3Store.open(s3, bucket)


def keys(store: Store, prefix: str = "raw/") -> list[str]:
    return [stored.key for stored in store.list(prefix)]


def body(store: Store, key: str) -> bytes:
    with store.read(key) as file:
        return file.read()


def lines(store: Store, key: str) -> list[Any]:
    return [json.loads(line) for line in gzip.decompress(body(store, key)).splitlines()]


def test_batch_becomes_one_object_of_the_hour_in_which_it_arrives(store: Store) -> None:
    done = ingest(store, ORDERS, RECORDS, batch="night", now=TEN)
    assert keys(store) == [f"{FOLDER}orders-2024-01-15-10-night-00001.json.gz"] == list(done.keys)
    assert lines(store, done.keys[0]) == RECORDS
    assert (done.batch, done.arrived, done.written, done.records, done.rejected) == ("night", TEN, 1, 5, 0)


def test_folder_is_the_hour_in_utc(store: Store) -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    assert ingest(store, ORDERS, RECORDS, now=TEN.astimezone(east)).keys[0].startswith(FOLDER)


def test_object_says_where_it_is_from_and_what_it_holds(s3: Any) -> None:
    store = in_bucket(s3)
    done = ingest(store, TABLES["api_events"], [{"event_id": "a"}], source="shop", now=TEN)
    found = s3.head_object(Bucket=store.bucket, Key=done.keys[0])
    assert found["Metadata"] == {
        "data-source": "shop",
        "ingestion-timestamp": "2024-01-15T10:30:00+00:00",
        "record-count": "1",
    }
    assert (found["ContentType"], found["ContentEncoding"]) == ("application/x-ndjson", "gzip")


def test_retry_in_a_later_hour_writes_no_second_copy(store: Store) -> None:
    first = ingest(store, ORDERS, RECORDS, batch="night", now=TEN)
    before = body(store, first.keys[0])
    again = ingest(store, ORDERS, RECORDS, batch="night", now=TEN + timedelta(hours=3))
    assert (again.keys, again.arrived, again.written) == (first.keys, TEN, 0)
    assert keys(store) == list(first.keys)
    assert body(store, first.keys[0]) == before


def test_batch_without_a_name_is_known_by_what_it_holds(store: Store) -> None:
    first = ingest(store, ORDERS, RECORDS, now=TEN)
    assert ingest(store, ORDERS, RECORDS, now=TEN + timedelta(days=1)).keys == first.keys
    assert ingest(store, ORDERS, RECORDS[1:], now=TEN).keys != first.keys


def test_other_records_under_the_name_of_a_batch_are_refused(store: Store) -> None:
    ingest(store, ORDERS, RECORDS, batch="night", now=TEN)
    before = keys(store, "")
    with pytest.raises(BatchError, match=r"The batch night of orders was ingested at 2024-01-15T10:30.* other records"):
        ingest(store, ORDERS, RECORDS[1:], batch="night", now=TEN)
    assert keys(store, "") == before


def test_batch_goes_on_in_another_object_at_the_size_limit(store: Store) -> None:
    row = len(json.dumps(RECORDS[0], separators=(",", ":"))) + 1
    done = ingest(store, ORDERS, RECORDS, batch="night", now=TEN, object_bytes=2 * row)
    assert [key[-13:] for key in done.keys] == ["00001.json.gz", "00002.json.gz", "00003.json.gz"]
    assert [record for key in done.keys for record in lines(store, key)] == RECORDS


def test_batch_of_nothing_writes_nothing(store: Store) -> None:
    done = ingest(store, ORDERS, iter([]), now=TEN)
    assert (done.keys, done.records, keys(store, "")) == ((), 0, [])


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (["order_id"], "is a list, not an object"),
        (b"[1]", "is a list, not an object"),
        (b'{"order_id": ', "is not JSON: "),
        ({"price": float("nan")}, "has a value that JSON can't hold"),
        ({"price": object()}, "has a value that JSON can't hold: a object"),
        ({"note": "x" * 2_000_000}, "has 2,000,012 bytes, over 2,000,000"),
        (b'{"note": "' + b"x" * 2_000_000 + b'"}', "has 2,000,013 bytes, over 2,000,000"),
    ],
    ids=["list", "line of a list", "half a line", "no number", "object", "long record", "long line"],
)
def test_unfit_record_is_refused_by_its_position_and_nothing_written(store: Store, record: Any, why: str) -> None:
    with pytest.raises(RecordError, match=rf"^Record 3 {why}"):
        ingest(store, ORDERS, [*RECORDS[:2], record], now=TEN)
    assert keys(store, "") == []


def test_unfit_records_are_kept_with_their_position_and_reason_if_the_caller_chooses(store: Store) -> None:
    records: list[Any] = [["a"], RECORDS[0], b"{\xff", RECORDS[1]]
    done = ingest(store, ORDERS, records, batch="night", now=TEN, unfit=Unfit.reject)
    assert (done.records, done.rejected) == (2, 2)
    assert lines(store, done.keys[0]) == RECORDS[:2]
    assert done.rejects_key == f"{FOLDER}orders-2024-01-15-10-night-00001.json.gz".replace("raw/", "rejects/")
    first, second = lines(store, done.rejects_key)
    assert first == {"position": 1, "reason": "is a list, not an object", "record": "['a']"}
    assert (second["position"], second["record"]) == (3, "{\\xff")
    assert second["reason"].startswith("is not JSON")


def test_line_of_json_is_kept_as_it_is_written(store: Store) -> None:
    line = b'{"price": 1.10, "quantity": 123456789012345678901234567890, "a":\r1} \r\n'
    done = ingest(store, ORDERS, [line], now=TEN)
    kept = b'{"price": 1.10, "quantity": 123456789012345678901234567890, "a": 1} \n'
    assert gzip.decompress(body(store, done.keys[0])) == kept


def test_decimal_is_kept_to_its_last_digit(store: Store) -> None:
    done = ingest(store, ORDERS, [{"price": Decimal("1.10"), "total": Decimal("1E+3")}], now=TEN)
    assert gzip.decompress(body(store, done.keys[0])) == b'{"price":1.10,"total":1000}\n'


def test_csv_data_set_gets_csv_under_the_declared_header(store: Store) -> None:
    table = raw_table("products", "csv", "id", "name", "price")
    records = [{"name": 'a "b", c', "id": 1, "price": Decimal("1.10")}, {"id": True, "name": date(2024, 1, 2)}]
    done = ingest(store, table, records, batch="b", now=TEN)
    assert done.keys[0].endswith("-b-00001.csv")
    assert body(store, done.keys[0]) == b'id,name,price\n1,"a ""b"", c",1.10\ntrue,2024-01-02,\n'


def test_parquet_data_set_gets_columns_of_text(store: Store) -> None:
    table = raw_table("customers", "parquet", "customer_id", "name")
    done = ingest(store, table, [{"customer_id": 7}, {"name": "ä", "customer_id": None}], now=TEN)
    found = pq.read_table(io.BytesIO(body(store, done.keys[0])))
    assert found.schema.names == ["customer_id", "name"]
    assert found.to_pylist() == [{"customer_id": "7", "name": None}, {"customer_id": None, "name": "ä"}]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("record", "why"),
    [
        ({"nmae": "a"}, "has the key 'nmae', which the source YAML does not declare"),
        ({"name": ["a"]}, "has a list in name"),
        ({"name": "\ud800"}, "has a character in name that UTF-8 lacks"),
        ("a", "is a str, not an object"),
    ],
)
def test_record_that_columns_of_text_cannot_hold_is_refused(store: Store, kind: str, record: Any, why: str) -> None:
    with pytest.raises(RecordError, match=f"^Record 1 {why}"):
        ingest(store, raw_table("products", kind, "id", "name"), [record], now=TEN)


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "\x1f\x1e\x1f"])
def test_value_that_a_raw_csv_file_cannot_hold_is_refused(store: Store, value: str) -> None:
    with pytest.raises(RecordError, match=r"^Record 1 has a line break or a reserved character"):
        ingest(store, raw_table("products", "csv", "id"), [{"id": value}], now=TEN)


@pytest.mark.parametrize("dataset", ["orders", "products", "customers"])
def test_what_is_ingested_is_sound_to_the_check(store: Store, dataset: str) -> None:
    table = TABLES[dataset]
    records: list[Record] = [{name: f" {name} " for name in table.column_names}, dict.fromkeys(table.column_names)]
    done = ingest(store, table, records, now=TEN)
    with store.read(done.keys[0]) as file:
        found = inspect(file, done.keys[0], table)
    assert (found.reason, found.rows) == (None, 2)


@pytest.mark.parametrize("batch", ["", "a/b", "ä", "-a", "x" * 101, "a b"])
def test_name_that_no_key_can_hold_is_refused(store: Store, batch: str) -> None:
    with pytest.raises(BatchError, match="can't name a batch"):
        ingest(store, ORDERS, RECORDS, batch=batch, now=TEN)


def test_source_is_asked_for_where_the_data_set_has_several_and_only_there(store: Store) -> None:
    with pytest.raises(BatchError, match="api_events has several producers: name the source"):
        ingest(store, TABLES["api_events"], RECORDS, now=TEN)
    with pytest.raises(BatchError, match="orders has no `source` in its path"):
        ingest(store, ORDERS, RECORDS, source="shop", now=TEN)


def test_arrival_without_a_time_zone_is_refused(store: Store) -> None:
    with pytest.raises(BatchError, match="has no time zone"):
        ingest(store, ORDERS, RECORDS, now=TEN.replace(tzinfo=None))


def test_memory_does_not_grow_with_the_batch(tmp_path: Path) -> None:
    """Random text, which gzip can't shrink much, waits on disk."""

    def peak(megabytes: int) -> int:
        records = ({"note": urandom(5_000).hex()} for _ in range(100 * megabytes))
        tracemalloc.reset_peak()
        done = ingest(FolderStore.open(tmp_path), ORDERS, records, now=TEN)
        assert (tmp_path / done.keys[0]).stat().st_size > megabytes * 500_000
        return tracemalloc.get_traced_memory()[1]

    tracemalloc.start()
    try:
        assert peak(120) < 1.1 * peak(30)
    finally:
        tracemalloc.stop()


def test_large_object_goes_in_parts_and_is_not_written_over(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datalake.storage._PART", 5 << 20)
    store = in_bucket(s3)
    records = [{"note": urandom(18_000).hex()} for _ in range(330)]
    done = ingest(store, ORDERS, records, now=TEN)
    found = s3.head_object(Bucket=store.bucket, Key=done.keys[0])
    assert found["ETag"].endswith('-2"')
    assert (found["ContentType"], found["Metadata"]["record-count"]) == ("application/x-ndjson", "330")
    assert lines(store, done.keys[0]) == records
    with (Path(__file__)).open("rb") as other:
        other_size = other.seek(0, 2)
        monkeypatch.setattr("datalake.storage._PART", other_size - 1)
        assert not store.put_if_absent(done.keys[0], other)
    assert lines(store, done.keys[0]) == records
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=store.bucket)
