"""Raw objects as they arrive: each is in the ledger once, however its events are repeated, reordered or lost midway."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aws_lambda_powertools.utilities.data_classes import SQSEvent
from faulty_s3 import Fault, FaultyS3, faulty_s3
from lakes import Row, raw_table
from lambda_events import TEST_EVENT, event_of_event_bridge, notification, queue_event

from datalake.arrivals import Change, ObjectEvent, Taken, read_events, take
from datalake.errors import DeclarationError, EventError, RawChangedError
from datalake.inspect import Inspection
from datalake.lake import open_lake
from datalake.ledger import Checked, DuckDBLedger, check
from datalake.storage import FolderStore, S3Store, StoredObject

NOW = datetime(2024, 1, 20, 3, tzinfo=UTC)
DAY = "year=2024/month=01/day=15/"
ORDER = b'{"order_id":"A","price":1}\n'
TABLES = {
    table.name: table
    for table in (
        raw_table("orders", "json", "order_id", "price", "updated_at", optional=["updated_at"]),
        raw_table("products", "csv", "id", "name"),
        raw_table("customers", "parquet", "customer_id"),
        raw_table("api_events", "json", "event_id", by_source=True),
    )
}
LAKES = 16


@pytest.fixture(scope="module")
def s3() -> Iterator[FaultyS3]:
    with faulty_s3() as server:
        yield server


class Lake:
    """A bucket whose ledger is a local one."""

    def __init__(self, s3: Any, connection: duckdb.DuckDBPyConnection) -> None:
        bucket = f"lake-{uuid4()}"
        s3.create_bucket(Bucket=bucket)
        self.s3 = s3
        self.store = S3Store.open(s3, bucket)
        self.connection = connection
        self.ledger = DuckDBLedger(connection)
        self.ledger.create()

    def created(self, *keys: str) -> dict[str, Any]:
        return notification(self.store.bucket, *keys)

    def take(self, *bodies: dict[str, Any] | str, ledger: DuckDBLedger | None = None) -> Taken:
        messages = list(SQSEvent(queue_event(bodies)).records)
        return take(messages, self.store, ledger or self.ledger, TABLES, NOW)

    def entries(self, columns: str = "* exclude (file_id, checked_at)") -> list[Row]:
        return self.connection.execute(f"select {columns} from curated_db.raw_files order by file").fetchall()

    def copies(self) -> dict[str, tuple[bytes, dict[str, str]]]:
        return {copy.key: self.copy(copy.key) for copy in self.store.list("errors/")}

    def copy(self, key: str) -> tuple[bytes, dict[str, str]]:
        found = self.s3.get_object(Bucket=self.store.bucket, Key=key)
        return found["Body"].read(), found["Metadata"]


@pytest.fixture(scope="module")
def s3_client(s3: FaultyS3) -> Any:
    return s3.client()


@pytest.fixture
def lake(s3_client: Any) -> Iterator[Lake]:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield Lake(s3_client, connection)


def order(name: str) -> str:
    return f"raw/orders/{DAY}{name}.json"


def test_object_that_arrived_is_entered_with_what_it_holds(lake: Lake) -> None:
    lake.store.put(order("a"), ORDER * 2)
    taken = lake.take(lake.created(order("a")))
    assert taken.arrived.checked == Checked(files=1, rows=2, broken=())
    assert taken.failed == {}
    assert lake.entries() == [
        ("orders", order("a"), None, DAY.rstrip("/"), 2 * len(ORDER), 2, "sound", None, None),
    ]


def test_size_is_that_of_the_object_and_not_the_events(lake: Lake) -> None:
    lake.store.put(order("a"), ORDER)
    lake.take(notification(lake.store.bucket, order("a"), size=7))
    assert lake.entries("bytes") == [(len(ORDER),)]


ODD = f"raw/orders/{DAY}hour=10/a b+c%20ä=é.json"


def test_key_of_a_notification_is_decoded_and_that_of_event_bridge_is_not() -> None:
    assert read_events(json.dumps(notification("lake", ODD))) == [ObjectEvent(Change.created, "lake", ODD)]
    assert "%3D" in json.dumps(notification("lake", ODD))
    assert read_events(json.dumps(event_of_event_bridge("lake", ODD))) == [ObjectEvent(Change.created, "lake", ODD)]


def test_object_with_an_odd_key_is_entered_under_it(lake: Lake) -> None:
    lake.store.put(ODD, ORDER)
    taken = lake.take(lake.created(ODD), event_of_event_bridge(lake.store.bucket, ODD))
    assert (taken.failed, lake.entries("file")) == ({}, [(ODD,)])


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("ObjectCreated:Put", Change.created),
        ("ObjectCreated:Post", Change.created),
        ("ObjectCreated:Copy", Change.created),
        ("ObjectCreated:CompleteMultipartUpload", Change.created),
        ("ObjectRemoved:Delete", Change.removed),
        ("ObjectRemoved:DeleteMarkerCreated", Change.removed),
        ("LifecycleExpiration:Delete", Change.removed),
        ("ReducedRedundancyLostObject", Change.removed),
        ("ObjectRestore:Completed", Change.other),
        ("ObjectTagging:Put", Change.other),
    ],
)
def test_name_of_a_notification_tells_what_happened(name: str, change: Change) -> None:
    assert read_events(json.dumps(notification("lake", "raw/a", name=name))) == [ObjectEvent(change, "lake", "raw/a")]


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("Object Created", Change.created),
        ("Object Deleted", Change.removed),
        ("Object Storage Class Changed", Change.other),
    ],
)
def test_kind_of_an_event_of_event_bridge_tells_what_happened(kind: str, change: Change) -> None:
    sent = json.dumps(event_of_event_bridge("lake", "raw/a", kind))
    assert read_events(sent) == [ObjectEvent(change, "lake", "raw/a")]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "null",
        "7",
        "{}",
        '{"Records": 1}',
        '{"Records": [1]}',
        '{"Records": [{"eventName": "ObjectCreated:Put"}]}',
        '{"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": 1}, "object": {"key": "a"}}}]}',
        '{"source": "aws.s3", "detail-type": "Object Created"}',
        '{"source": "aws.s3", "detail-type": "Object Created", '
        '"detail": {"bucket": {"name": "b"}, "object": {"key": ["raw/a"]}}}',
        '{"source": "aws.s3", "detail-type": "Object Created", '
        '"detail": {"bucket": {"name": "b"}, "object": {"key": "raw/\\ud800"}}}',
        "[" * 100_000,
    ],
)
def test_message_that_is_no_event_of_s3_fails_alone(lake: Lake, body: str) -> None:
    with pytest.raises(EventError, match=r"^The message is no event of S3"):
        read_events(body)
    lake.store.put(order("a"), ORDER)
    taken = lake.take(body, lake.created(order("a")))
    assert (list(taken.failed), lake.entries("file")) == (["m1"], [(order("a"),)])


def test_test_message_of_s3_is_passed_over(lake: Lake) -> None:
    taken = lake.take(TEST_EVENT)
    assert (taken.failed, taken.ignored, lake.entries()) == ({}, 0, [])


def test_events_of_other_places_are_passed_over_and_counted(lake: Lake) -> None:
    for key in ("errors/a.json", "raw/orders/_SUCCESS", "raw/orders/", f"raw/orders/{DAY}.partial", "rawest/a"):
        lake.store.put(key, ORDER)
    taken = lake.take(
        notification("another-bucket", order("a")),
        lake.created("errors/a.json", "raw/orders/_SUCCESS", "raw/orders/", f"raw/orders/{DAY}.partial", "rawest/a"),
        notification(lake.store.bucket, order("a"), name="ObjectTagging:Put"),
    )
    assert (taken.failed, taken.ignored, lake.entries()) == ({}, 7, [])


def test_object_that_is_named_twice_in_a_batch_is_entered_once(lake: Lake) -> None:
    lake.store.put(order("a"), ORDER)
    bodies = [lake.created(order("a"), order("a")), event_of_event_bridge(lake.store.bucket, order("a"))]
    assert lake.take(*bodies, *bodies).arrived.checked.files == 1
    assert len(lake.entries()) == 1


def test_object_that_the_ledger_knows_changes_nothing(lake: Lake) -> None:
    lake.store.put(order("a"), ORDER)
    lake.take(lake.created(order("a")))
    before = lake.entries("*")
    taken = lake.take(lake.created(order("a")))
    assert (taken.arrived.known, taken.arrived.checked.files, taken.failed) == ((order("a"),), 0, {})
    assert lake.entries("*") == before


def test_object_of_another_size_than_the_ledger_knows_fails_and_is_named(lake: Lake) -> None:
    lake.store.put(order("a"), ORDER)
    lake.store.put(order("b"), ORDER)
    lake.take(lake.created(order("a")))
    before = lake.entries("*")
    lake.store.put(order("a"), ORDER * 2)
    taken = lake.take(lake.created(order("b")), lake.created(order("a")))
    assert isinstance(taken.failed["m2"], RawChangedError)
    assert str(taken.failed["m2"]).startswith(f"{order('a')} had {len(ORDER)} bytes when it was checked")
    assert list(taken.failed) == ["m2"]
    assert lake.entries("*")[:1] == before
    assert [file for (file,) in lake.entries("file")] == [order("a"), order("b")]


def test_object_that_is_gone_fails_and_is_named_and_the_others_are_entered(lake: Lake) -> None:
    lake.store.put(order("a"), ORDER)
    taken = lake.take(lake.created(order("a"), order("gone")), lake.created(order("a")))
    assert list(taken.failed) == ["m1"]
    assert isinstance(taken.failed["m1"], RawChangedError)
    assert str(taken.failed["m1"]).startswith(f"{order('gone')} has arrived and is gone now.")
    assert lake.entries("file") == [(order("a"),)]


def test_removed_raw_object_is_told_and_its_entry_stays(lake: Lake) -> None:
    lake.store.put(order("a"), ORDER)
    lake.take(lake.created(order("a")))
    taken = lake.take(
        notification(lake.store.bucket, order("a"), name="ObjectRemoved:Delete"),
        event_of_event_bridge(lake.store.bucket, order("b"), "Object Deleted"),
    )
    assert (taken.removed, taken.failed) == ((order("a"), order("b")), {})
    assert lake.entries("file") == [(order("a"),)]


def test_broken_object_is_copied_with_its_reason_and_stays_where_it_is(lake: Lake) -> None:
    key = f"raw/products/{DAY}é.csv"
    lake.store.put(key, "näme,id\n1,2\n".encode())
    taken = lake.take(lake.created(key))
    assert taken.arrived.checked.broken == ((key, "The header is näme,id, but the source YAML declares id,name."),)
    assert lake.copies() == {
        key.replace("raw/", "errors/", 1): (
            "näme,id\n1,2\n".encode(),
            {
                "reason": "unlike_header",
                "detail": r"The header is n\xe4me,id, but the source YAML declares id,name.",
            },
        )
    }
    assert lake.store.exists(key)
    assert lake.entries("state, reason") == [("broken", "unlike_header")]


def test_reason_of_any_length_and_with_line_breaks_goes_with_the_copy(lake: Lake) -> None:
    lake.store.put(f"raw/products/{DAY}a.csv", b'id,"na\nme"\n')
    lake.store.put(f"raw/products/{DAY}b.csv", "é".encode() * 5_000 + b",id\n")
    lake.take(lake.created(f"raw/products/{DAY}a.csv", f"raw/products/{DAY}b.csv"))
    first, second = (metadata["detail"] for _, metadata in lake.copies().values())
    assert first == r"The header is id,na\nme, but the source YAML declares id,name."
    assert len(second) == 1500
    assert len(lake.entries()) == 2


def test_check_leaves_the_same_reason_with_a_copy(lake: Lake) -> None:
    lake.store.put(order("a"), b"\xff")
    check(lake.store, lake.ledger, TABLES, NOW)
    assert lake.copy(order("a").replace("raw/", "errors/", 1)) == (
        b"\xff",
        {"reason": "not_utf8", "detail": "Line 1 is not UTF-8 (byte 0xff)."},
    )


def test_object_without_a_declared_column_waits_for_one_that_has_it(lake: Lake) -> None:
    lake.store.put(order("a"), b'{"order_id":"A"}\n')
    lake.store.put(order("broken"), b"\xff")
    lake.store.put(f"raw/products/{DAY}p.csv", b"id,name\n")
    bodies = [lake.created(order("a")), lake.created(order("broken")), lake.created(f"raw/products/{DAY}p.csv")]
    taken = lake.take(*bodies)
    assert list(taken.failed) == ["m1"]
    assert isinstance(taken.failed["m1"], DeclarationError)
    assert str(taken.failed["m1"]).startswith("models/raw/ declares the column price for orders, which no file of")
    assert lake.entries("file") == [(order("broken"),), (f"raw/products/{DAY}p.csv",)]
    lake.store.put(order("b"), ORDER)
    assert lake.take(lake.created(order("b"))).failed == {}
    assert lake.take(lake.created(order("a"))).failed == {}
    assert len(lake.entries()) == 4


def test_fault_at_one_object_keeps_no_other_out(lake: Lake, s3: FaultyS3) -> None:
    for name in "abc":
        lake.store.put(order(name), ORDER)
    faults = iter([Fault.failed])
    s3.choose = lambda: next(faults, None)
    taken = lake.take(*(lake.created(order(name)) for name in "abc"))
    s3.choose = lambda: None
    assert len(taken.failed) == 1
    assert len(lake.entries()) == 2
    assert lake.take(*(lake.created(order(name)) for name in "abc")).failed == {}
    assert len(lake.entries()) == 3


class KilledLedger(DuckDBLedger):
    """A ledger whose process ends as it is about to enter files, or as soon as it has."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, enters: bool) -> None:
        super().__init__(connection)
        self.enters = enters

    def enter(self, files: Sequence[StoredObject], inspections: Sequence[Inspection], now: datetime) -> None:
        if self.enters:
            super().enter(files, inspections, now)
        raise KeyboardInterrupt


def test_kill_between_copy_and_entry_is_made_good_by_the_next_try(lake: Lake) -> None:
    lake.store.put(order("a"), ORDER)
    lake.store.put(order("broken"), b"\xff")
    bodies = [lake.created(order("a")), lake.created(order("broken"))]
    with pytest.raises(KeyboardInterrupt):
        lake.take(*bodies, ledger=KilledLedger(lake.connection, enters=False))
    assert (len(lake.copies()), lake.entries()) == (1, [])
    copies = lake.copies()
    assert lake.take(*bodies).failed == {}
    assert (lake.copies(), len(lake.entries())) == (copies, 2)


def parquet_file(name: str) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({name: ["a", None]}), file)
    return file.getvalue()


WHOLE = {"raw/orders/year=2024/month=01/day=01/whole.json": ORDER}
"""What has every column, so that no file waits for ever."""

KINDS: tuple[tuple[str, bytes], ...] = (
    (f"raw/orders/{DAY}hour=10/{{}}.json.gz", gzip.compress(ORDER * 3, mtime=0)),
    (f"raw/orders/{DAY}hour=10/{{}} +%é.json", ORDER),
    (f"raw/orders/{DAY}{{}}.json", b'{"order_id":"no price"}\n'),
    (f"raw/orders/{DAY}{{}}.json", b""),
    (f"raw/orders/{DAY}{{}}.json.gz", gzip.compress(ORDER * 3, mtime=0)[:-9]),
    (f"raw/orders/{DAY}{{}}*.json", ORDER),
    (f"raw/orders/{DAY}{{}}.json", ORDER + b"\xff\n"),
    ("raw/orders/{}.json", ORDER),
    (f"raw/products/{DAY}{{}}.csv", b"id,name\n1,a\n2,b\n"),
    (f"raw/products/{DAY}{{}}.csv", b"name,id\n1,a\n"),
    (f"raw/customers/{DAY}{{}}.parquet", parquet_file("customer_id")),
    (f"raw/customers/{DAY}{{}}.parquet", parquet_file("customer_id")[:-5]),
    (f"raw/api_events/source=shop/{DAY}{{}}.json", b'{"event_id":"1"}\n'),
    (f"raw/api_events/{DAY}{{}}.json", b'{"event_id":"1"}\n'),
    (f"raw/returns/{DAY}{{}}.json", ORDER),
    (f"raw/orders/{DAY}_{{}}.json", ORDER),
    ("curated_db/{}", ORDER),
)


@pytest.mark.parametrize("number", range(LAKES))
def test_events_repeated_reordered_and_cut_off_end_in_what_a_check_makes(
    number: int, lake: Lake, s3: FaultyS3, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    random = Random(f"{request.config.getoption('--seed')}-{number}")
    objects = WHOLE | {
        key.format(f"{place}-{random.randint(0, 99)}"): body
        for place, (key, body) in enumerate(random.choices(KINDS, k=random.randint(1, 14)))
    }
    local = FolderStore.open(tmp_path)
    for key, body in objects.items():
        lake.store.put(key, body)
        local.put(key, body)
    with open_lake(local) as connection:
        checked = check(local, DuckDBLedger(connection), TABLES, NOW)
        columns = "select * exclude (file_id, checked_at) from curated_db.raw_files order by file"
        expected = connection.execute(columns).fetchall()

    queue = _messages(random, lake.store.bucket, list(objects))
    weights = random.choice([(1, 0), (30, 1), (8, 1)])
    s3.choose = lambda: random.choice(list(Fault)) if random.choices([False, True], weights)[0] else None
    for trip in range(200):
        if not queue:
            break
        if trip == 100:
            s3.choose = lambda: None
        random.shuffle(queue)
        batch = queue[: random.randint(1, 10)]
        kill = random.random() if trip < 100 else 1.0
        ledger = KilledLedger(lake.connection, enters=kill < 0.1) if kill < 0.2 else None
        try:
            taken = lake.take(*batch, ledger=ledger)
        except KeyboardInterrupt:
            continue
        for place, message in enumerate(batch, 1):
            # A queue may bring a message again that is done.
            if f"m{place}" not in taken.failed and random.random() < 0.9:
                queue.remove(message)
    s3.choose = lambda: None
    assert queue == []
    assert lake.entries() == expected
    assert lake.connection.execute("select count(distinct file_id) from curated_db.raw_files").fetchone() == (
        checked.files,
    )
    assert {key: body for key, (body, _) in lake.copies().items()} == {
        copy.key: (local.root / copy.key).read_bytes() for copy in local.list("errors/")
    }
    assert check(lake.store, lake.ledger, TABLES, NOW).files == 0


def _messages(random: Random, bucket: str, keys: list[str]) -> list[dict[str, Any]]:
    """Return messages that tell of every key at least once."""
    told = keys + random.choices(keys, k=random.randint(0, 8))
    random.shuffle(told)
    messages: list[dict[str, Any]] = [dict(TEST_EVENT)]
    while told:
        together = [told.pop() for _ in range(min(len(told), random.choice([1, 1, 2, 4])))]
        if random.random() < 0.5:
            messages += [event_of_event_bridge(bucket, key) for key in together]
        else:
            messages.append(notification(bucket, *together))
    return messages
