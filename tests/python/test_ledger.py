"""The ledger: each raw file is read and entered once, all new ones or none."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from lakes import Row, raw_table

from datalake.errors import DeclarationError, RawChangedError
from datalake.lake import open_lake
from datalake.ledger import Checked, DuckDBLedger, check
from datalake.sources import RawTable
from datalake.storage import FolderStore

NOW = datetime(2024, 1, 20, 3, tzinfo=UTC)

ORDERS = raw_table("orders", "json", "order_id", "price", "updated_at", optional=["updated_at"])
EVENTS = raw_table("api_events", "json", "event_id", by_source=True)
PRODUCTS = raw_table("products", "csv", "id", "name")

DAY = "year=2024/month=01/day=15/"
ORDER = b'{"order_id":"A","price":1}\n'


class Lake:
    """A lake that is checked from within this process."""

    def __init__(self, root: Path) -> None:
        self.store = FolderStore.open(root)

    def put(self, key: str, body: bytes) -> None:
        path = self.store.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    def check(
        self,
        *tables: RawTable,
        now: datetime = NOW,
        store: FolderStore | None = None,
        progress: Any = lambda done, of: None,
    ) -> Checked:
        declared = {table.name: table for table in tables or (ORDERS, EVENTS, PRODUCTS)}
        with open_lake(self.store) as connection:
            return check(store or self.store, DuckDBLedger(connection), declared, now, progress)

    def entries(self, columns: str = "*") -> list[Row]:
        with open_lake(self.store, read_only=True) as connection:
            return connection.execute(f"select {columns} from curated_db.raw_files order by file_id").fetchall()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def order(name: str) -> str:
    return f"raw/orders/{DAY}{name}.json"


def test_each_file_is_entered_with_what_it_holds(lake: Lake) -> None:
    lake.put(order("a"), ORDER * 3)
    lake.put(f"raw/api_events/source=coupons/{DAY}hour=10/e.json.gz", gzip.compress(b'{"event_id":"1"}\n', mtime=0))
    lake.put(f"raw/products/{DAY}p.csv", b"id,name\n")
    assert lake.check() == Checked(files=3, rows=4, broken=())
    assert lake.entries("dataset, file, source, arrived, bytes, rows, state, reason, detail") == [
        (
            "api_events",
            f"raw/api_events/source=coupons/{DAY}hour=10/e.json.gz",
            "coupons",
            "year=2024/month=01/day=15",
            len(gzip.compress(b'{"event_id":"1"}\n', mtime=0)),
            1,
            "sound",
            None,
            None,
        ),
        ("orders", order("a"), None, "year=2024/month=01/day=15", 3 * len(ORDER), 3, "sound", None, None),
        ("products", f"raw/products/{DAY}p.csv", None, "year=2024/month=01/day=15", 8, 0, "sound", None, None),
    ]


def test_entry_carries_the_time_of_the_check_in_utc(lake: Lake) -> None:
    lake.put(order("a"), ORDER)
    lake.check(now=datetime(2024, 1, 20, 3, tzinfo=timezone(timedelta(hours=5))))
    assert lake.entries("checked_at") == [(datetime(2024, 1, 19, 22),)]


def test_lake_without_files_has_an_empty_ledger(lake: Lake) -> None:
    assert lake.check() == Checked(files=0, rows=0, broken=())
    assert lake.entries() == []


def test_second_check_finds_nothing_and_changes_nothing(lake: Lake) -> None:
    lake.put(order("a"), ORDER)
    lake.put(order("b"), b"\xff")
    assert lake.check().files == 2
    before = lake.entries()
    assert lake.check(now=NOW + timedelta(days=1)) == Checked(files=0, rows=0, broken=())
    assert lake.entries() == before


def test_file_ids_go_on_from_check_to_check(lake: Lake) -> None:
    lake.put(order("b"), ORDER)
    lake.put(order("c"), ORDER)
    lake.check()
    # A name that sorts before the known ones gets a later number all the same.
    lake.put(order("a"), ORDER)
    lake.check()
    lake.put(order("d"), ORDER)
    lake.check()
    assert lake.entries("file_id, file") == [(1, order("b")), (2, order("c")), (3, order("a")), (4, order("d"))]


def test_refused_check_uses_up_no_file_id(lake: Lake) -> None:
    lake.put(order("a"), b'{"order_id":"A"}\n')
    with pytest.raises(DeclarationError):
        lake.check()
    lake.put(order("b"), ORDER)
    lake.check()
    assert lake.entries("file_id, file") == [(1, order("a")), (2, order("b"))]


def test_progress_is_told_of_every_new_file(lake: Lake) -> None:
    for name in "abc":
        lake.put(order(name), ORDER)
    told: list[tuple[int, int]] = []
    lake.check(progress=lambda done, of: told.append((done, of)))
    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("body", [ORDER + ORDER, ORDER[:-1], b""], ids=["grown", "cut", "emptied"])
def test_file_that_changed_stops_the_check_and_is_named(lake: Lake, body: bytes) -> None:
    lake.put(order("a"), ORDER)
    lake.check()
    before = lake.entries()
    lake.put(order("a"), body)
    lake.put(order("b"), ORDER)
    with pytest.raises(RawChangedError) as refused:
        lake.check()
    assert str(refused.value).startswith(f"{order('a')} had {len(ORDER)} bytes when it was checked and has {len(body)}")
    assert "put the old one back" in str(refused.value)
    assert lake.entries() == before


def test_file_that_is_gone_stops_the_check_and_is_named(lake: Lake) -> None:
    for name in "abc":
        lake.put(order(name), ORDER)
    lake.check()
    before = lake.entries()
    (lake.store.root / order("b")).unlink()
    (lake.store.root / order("c")).unlink()
    lake.put(order("d"), ORDER)
    with pytest.raises(RawChangedError) as refused:
        lake.check()
    assert str(refused.value).startswith(f"{order('b')} was checked and is gone now (files gone: 2).")
    assert "put them back" in str(refused.value)
    assert lake.entries() == before


def test_file_that_was_put_back_lets_the_check_go_on(lake: Lake) -> None:
    lake.put(order("a"), ORDER)
    lake.check()
    lake.put(order("a"), ORDER * 2)
    with pytest.raises(RawChangedError):
        lake.check()
    lake.put(order("a"), ORDER)
    assert lake.check().files == 0


class CutOff(FolderStore):
    """A store that loses its disk at one file."""

    def read(self, key: str) -> BinaryIO:
        if key == order("c"):
            raise OSError("Input/output error")
        return super().read(key)


def test_error_while_reading_leaves_the_ledger_as_it_was(lake: Lake) -> None:
    lake.put(order("a"), ORDER)
    lake.check()
    before = lake.entries()
    for name in "bcd":
        lake.put(order(name), ORDER)
    with pytest.raises(OSError, match="Input/output error"):
        lake.check(store=CutOff(lake.store.root))
    assert lake.entries() == before
    assert lake.check() == Checked(files=3, rows=3, broken=())


def test_error_while_copying_a_broken_file_leaves_the_ledger_as_it_was(lake: Lake) -> None:
    lake.put(order("a"), ORDER)
    lake.put(order("b"), b"\xff")
    lake.put("errors", b"a file where the folder should be")
    with pytest.raises(OSError, match="errors"):
        lake.check()
    assert lake.entries() == []


BROKEN = {
    "undeclared_dataset": (
        f"raw/returns/{DAY}r.json",
        ORDER,
        "No source YAML declares the data set returns.",
    ),
    "undeclared_dataset without a folder": (
        "raw/orders.json",
        ORDER,
        "No source YAML declares the data set orders.json.",
    ),
    "outside_layout": (
        "raw/orders/orders.json",
        ORDER,
        "Not under raw/orders/year=YYYY/month=MM/day=DD/, so no table can see it.",
    ),
    "outside_layout with a source that is not declared": (
        f"raw/orders/source=shop/{DAY}a.json",
        ORDER,
        "Not under raw/orders/year=YYYY/month=MM/day=DD/, so no table can see it.",
    ),
    "outside_layout without the source that is declared": (
        f"raw/api_events/{DAY}a.json",
        b'{"event_id":"1"}\n',
        "Not under raw/api_events/source=NAME/year=YYYY/month=MM/day=DD/, so no table can see it.",
    ),
    "not_gzip": (
        order("a") + ".gz",
        ORDER,
        "Not gzip, though its name says so: Error -3 while decompressing data: incorrect header check.",
    ),
    "unlike_header": (
        f"raw/products/{DAY}p.csv",
        b"name,id\na,1\n",
        "The header is name,id, but the source YAML declares id,name.",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_file_is_one_row_with_its_reason_and_is_kept_whole(lake: Lake, case: str) -> None:
    key, body, detail = BROKEN[case]
    lake.put(key, body)
    lake.put(order("sound"), ORDER)
    assert lake.check() == Checked(files=2, rows=2, broken=((key, detail),))
    assert [entry for entry in lake.entries("file, rows, state, reason, detail") if entry[2] == "broken"] == [
        (key, 1, "broken", case.split()[0], detail)
    ]
    assert (lake.store.root / key.replace("raw/", "errors/", 1)).read_bytes() == body
    assert (lake.store.root / key).read_bytes() == body
    assert [found.key for found in lake.store.list("errors/")] == [key.replace("raw/", "errors/", 1)]


def test_file_outside_the_layout_has_no_day_and_no_source(lake: Lake) -> None:
    lake.put("raw/orders/orders.json", ORDER)
    lake.check()
    assert lake.entries("dataset, source, arrived") == [("orders", None, None)]


def test_column_that_no_file_has_stops_the_check_and_is_named(lake: Lake) -> None:
    lake.put(order("a"), b'{"order_id":"A","cost":1}\n')
    with pytest.raises(DeclarationError) as refused:
        lake.check()
    assert str(refused.value) == (
        "models/raw/ declares the column price for orders, which no file of raw/orders/ has; they hold cost, order_id. "
        "Correct the name, or set `config: {meta: {optional: true}}` if files may lack it."
    )
    assert lake.entries() == []
    assert list(lake.store.list("errors/")) == []


def test_optional_column_may_be_in_no_file(lake: Lake) -> None:
    lake.put(order("a"), ORDER)
    assert b"updated_at" not in ORDER
    assert lake.check().broken == ()


def test_column_may_be_in_one_new_file_only(lake: Lake) -> None:
    lake.put(order("a"), b'{"order_id":"A"}\n')
    lake.put(order("b"), b'{"price":1}\n')
    assert lake.check().files == 2


@pytest.mark.parametrize("later", [1, 25])
def test_column_that_an_older_file_has_may_be_missing_in_new_ones(lake: Lake, later: int) -> None:
    lake.put(order("00"), ORDER)
    lake.check()
    for number in range(1, later + 1):
        lake.put(order(f"{number:02}"), b'{"order_id":"B"}\n')
    assert lake.check().files == later
    lake.put(order("last"), b'{"order_id":"C"}\n')
    assert lake.check().files == 1


@pytest.mark.parametrize(
    ("key", "body"), [(order("a"), ORDER + b"\xff\n"), ("raw/orders/a.json", ORDER)], ids=["text", "place"]
)
def test_column_of_a_broken_older_file_does_not_count(lake: Lake, key: str, body: bytes) -> None:
    lake.put(key, body)
    lake.check()
    lake.put(order("b"), b'{"order_id":"B"}\n')
    with pytest.raises(DeclarationError, match="the column price for orders"):
        lake.check()


def test_files_without_rows_say_nothing_of_columns(lake: Lake) -> None:
    lake.put(order("a"), b"")
    lake.put(order("b"), b"\xff")
    assert lake.check().files == 2


def test_name_that_is_not_utf8_does_not_stop_the_check(lake: Lake) -> None:
    lake.put(order("a"), ORDER)
    lake.put(order("caf\udce9"), ORDER)
    assert lake.check().files == 2


@pytest.mark.parametrize("name", ["o*.json", "o[1].json", "o?.json", "o\n.json"])
def test_name_that_an_engine_would_expand_is_broken(tmp_path: Path, name: str) -> None:
    store = FolderStore.open(tmp_path)
    store.put_if_absent(f"raw/orders/year=2024/month=01/day=15/hour=10/{name}", b'{"order_id": "o1"}\n')
    with open_lake(store) as connection:
        check(store, DuckDBLedger(connection), {"orders": raw_table("orders", "json", "order_id")}, datetime.now(UTC))
        assert connection.execute("select state, reason from curated_db.raw_files").fetchall() == [
            ("broken", "unreadable_name")
        ]
