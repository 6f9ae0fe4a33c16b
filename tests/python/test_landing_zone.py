"""Deliveries of DMS and AppFlow: each is in the raw layout once, byte for byte, however often its event comes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import duckdb
import pytest
from aws_lambda_powertools.utilities.data_classes import SQSEvent
from faulty_s3 import Fault, FaultyS3, faulty_s3
from lakes import raw_table
from lambda_events import notification, queue_event

from datalake.arrivals import Taken, take
from datalake.errors import LandingError
from datalake.landing_zone import bring_in
from datalake.layout import parse_key, raw_folder
from datalake.ledger import DuckDBLedger
from datalake.storage import S3Store

TABLES = {
    table.name: table
    for table in (
        raw_table("accounts", "json", "account_id"),
        raw_table("customers", "parquet", "customer_id"),
        raw_table("api_events", "json", "event_id", by_source=True),
    )
}
FULL_LOAD = "landing/dms/customers/LOAD00000001.parquet"
ACCOUNT = b'{"account_id":"A"}\n'


@pytest.fixture(scope="module")
def s3() -> Iterator[FaultyS3]:
    with faulty_s3() as server:
        yield server


@pytest.fixture
def store(s3: FaultyS3) -> S3Store:
    client, bucket = s3.client(), f"lake-{uuid4()}"
    client.create_bucket(Bucket=bucket)
    return S3Store(client, bucket)


def landed(store: S3Store) -> list[str]:
    return [found.key for found in store.list("raw/")]


def body(store: S3Store, key: str) -> bytes:
    with store.read(key) as file:
        return file.read()


def test_delivery_lies_in_the_folder_of_the_hour_of_its_delivery(store: S3Store) -> None:
    store.put(FULL_LOAD, b"bytes")
    key = bring_in(store, TABLES, FULL_LOAD)
    stamp = store.stamp(FULL_LOAD)
    assert stamp is not None
    assert (datetime.now(UTC) - stamp.modified).total_seconds() < 60
    digest = hashlib.sha256(f"{FULL_LOAD}\n{stamp.etag}".encode()).hexdigest()[:12]
    folder = raw_folder("customers", stamp.modified)
    assert key == f"{folder}customers-{stamp.modified:%Y-%m-%d-%H}-LOAD00000001-{digest}.parquet"
    assert landed(store) == [key]
    assert body(store, key) == b"bytes"
    assert store.exists(FULL_LOAD)


@pytest.mark.parametrize(
    ("key", "ending"),
    [
        ("landing/appflow/accounts/datalake-dev-accounts/2024-01-15T10:00:00-1b4e", ".json"),
        ("landing/appflow/accounts/a/b/part.json", ".json"),
        ("landing/appflow/accounts/a/b/part.json.gz", ".json.gz"),
        ("landing/appflow/accounts/ä ?*[x].jsonl", ".json"),
        (f"landing/appflow/accounts/{'n' * 900}", ".json"),
        ("landing/dms/customers/20240115-101530123.parquet", ".parquet"),
    ],
)
def test_any_name_that_a_service_gives_becomes_one_of_the_layout(store: S3Store, key: str, ending: str) -> None:
    store.put(key, ACCOUNT)
    target = bring_in(store, TABLES, key)
    place = parse_key(target)
    assert place is not None
    assert f"landing/{key.split('/')[1]}/{place.dataset}/" in key
    assert target.endswith(ending)
    assert target.count(".") == ending.count(".")
    assert target.isascii()
    assert not set("*?[\n :") & set(target)
    assert len(target) < 300


def test_changes_of_one_hour_stand_in_the_order_in_which_dms_names_them(store: S3Store) -> None:
    names = ["20240115-101530123", "20240115-101030123", "20240115-101530124", "20240115-101030124"]
    keys = {}
    for name in names:
        store.put(f"landing/dms/customers/{name}.parquet", b"bytes")
        keys[name] = bring_in(store, TABLES, f"landing/dms/customers/{name}.parquet")
    hours = {key.rpartition("/")[0] for key in keys.values()}
    assert len(hours) > 1 or sorted(keys.values()) == [keys[name] for name in sorted(names)]


def test_delivery_that_is_told_twice_is_landed_once(store: S3Store) -> None:
    store.put(FULL_LOAD, b"bytes")
    first = bring_in(store, TABLES, FULL_LOAD)
    written = store.stamp(first)
    assert bring_in(store, TABLES, FULL_LOAD) == first
    assert landed(store) == [first]
    assert store.stamp(first) == written


def test_delivery_anew_under_its_old_name_is_landed_beside_the_first(store: S3Store) -> None:
    store.put(FULL_LOAD, b"first")
    first = bring_in(store, TABLES, FULL_LOAD)
    store.put(FULL_LOAD, b"second")
    second = bring_in(store, TABLES, FULL_LOAD)
    assert [body(store, key) for key in (first, second)] == [b"first", b"second"]
    assert sorted(landed(store)) == sorted([first, second])


def test_equal_bytes_under_two_names_are_two_deliveries(store: S3Store) -> None:
    keys = [f"landing/appflow/accounts/{name}/part" for name in "ab"]
    for key in keys:
        store.put(key, ACCOUNT)
    assert len({bring_in(store, TABLES, key) for key in keys}) == 2


def test_copy_asks_s3_to_refuse_a_delivery_that_changed_meanwhile(s3: FaultyS3, store: S3Store) -> None:
    """moto copies whatever the condition says, so it is looked for in the request."""
    store.put(FULL_LOAD, b"first")
    stamp = store.stamp(FULL_LOAD)
    assert stamp is not None
    client = s3.client()
    conditions = []
    client.meta.events.register(
        "before-send.s3.CopyObject",
        lambda request, **_: conditions.append(request.headers["x-amz-copy-source-if-match"]),
    )
    bring_in(S3Store(client, store.bucket), TABLES, FULL_LOAD)
    assert [bytes(each).decode() for each in conditions] == [stamp.etag]


@pytest.mark.parametrize(
    "key",
    [
        "landing/dms/orders/LOAD00000001.parquet",
        "landing/dms/api_events/LOAD00000001.parquet",
        "landing/customers/LOAD00000001.parquet",
        "landing/LOAD00000001.parquet",
    ],
)
def test_delivery_of_no_declared_data_set_fails_and_is_named(store: S3Store, key: str) -> None:
    store.put(key, b"bytes")
    with pytest.raises(LandingError) as error:
        bring_in(store, TABLES, key)
    assert str(error.value).startswith(f"{key} can't be brought into raw/")
    assert landed(store) == []


def test_delivery_that_is_gone_fails_and_is_named(store: S3Store) -> None:
    with pytest.raises(LandingError) as error:
        bring_in(store, TABLES, FULL_LOAD)
    assert str(error.value) == f"{FULL_LOAD} was delivered and is gone now. Put it back, or have it delivered anew."


@pytest.fixture
def ledger() -> Iterator[DuckDBLedger]:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        made = DuckDBLedger(connection)
        made.create()
        yield made


def take_all(store: S3Store, ledger: DuckDBLedger, *bodies: dict[str, Any]) -> Taken:
    return take(list(SQSEvent(queue_event(bodies)).records), store, ledger, TABLES, datetime.now(UTC))


PART = "landing/appflow/accounts/datalake-dev-accounts/part"


def test_event_of_a_delivery_lands_it_and_the_event_of_the_copy_enters_it(store: S3Store, ledger: DuckDBLedger) -> None:
    store.put(PART, ACCOUNT)
    taken = take_all(store, ledger, notification(store.bucket, PART))
    assert (list(taken.landed), taken.failed, taken.arrived.checked.files) == (landed(store), {}, 0)
    taken = take_all(store, ledger, notification(store.bucket, *landed(store)), notification(store.bucket, PART))
    assert (taken.failed, taken.arrived.checked.files) == ({}, 1)
    assert list(ledger.files()) == landed(store)


def test_delivery_that_fails_keeps_no_other_message_out(store: S3Store, ledger: DuckDBLedger) -> None:
    store.put(PART, ACCOUNT)
    taken = take_all(
        store, ledger, notification(store.bucket, "landing/dms/orders/a"), notification(store.bucket, PART)
    )
    assert list(taken.failed) == ["m1"]
    assert isinstance(taken.failed["m1"], LandingError)
    assert list(taken.landed) == landed(store)


@pytest.mark.parametrize("fault", [Fault.failed, Fault.lost])
@pytest.mark.parametrize("request_number", range(3))
def test_delivery_is_landed_once_whichever_request_failed(
    s3: FaultyS3, store: S3Store, ledger: DuckDBLedger, fault: Fault, request_number: int
) -> None:
    store.put(PART, ACCOUNT)
    faults = iter([None] * request_number + [fault])
    s3.choose = lambda: next(faults, None)
    taken = take_all(store, ledger, notification(store.bucket, PART))
    s3.choose = lambda: None
    assert list(taken.failed) == ["m1"]
    assert take_all(store, ledger, notification(store.bucket, PART)).failed == {}
    assert [body(store, key) for key in landed(store)] == [ACCOUNT]


def test_folder_marker_and_hidden_object_are_no_deliveries(store: S3Store, ledger: DuckDBLedger) -> None:
    keys = ("landing/dms/customers/", "landing/dms/customers/_SUCCESS")
    for key in keys:
        store.put(key, b"")
    taken = take_all(store, ledger, notification(store.bucket, *keys))
    assert (taken.ignored, taken.landed, taken.failed) == (2, (), {})
