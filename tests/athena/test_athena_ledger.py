"""The ledger as an Iceberg table: what `datalake check` enters on Athena."""

from __future__ import annotations

import gzip
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest
from athena_lakes import NOW, TABLES, AthenaLake

from datalake.athena_ledger import AthenaLedger
from datalake.errors import QueryFailedError, RawChangedError
from datalake.inspect import Inspection
from datalake.lake import open_lake
from datalake.ledger import Checked, DuckDBLedger, Entered, check
from datalake.storage import FolderStore, StoredObject

DAY = "year=2024/month=01/day=15/"
ORDER = b'{"order_id":"A","price":1}\n'
FILES = {
    f"raw/orders/{DAY}a.json": ORDER * 3,
    f'raw/orders/{DAY}hour=10/it\'s "b", c.json.gz': gzip.compress(ORDER, mtime=0),
    f"raw/orders/{DAY}broken.json": ORDER + b"\xff\n",
    f"raw/products/{DAY}p.csv": b"id,name\n",
    f"raw/products/{DAY}unlike.csv": b'name,id\nit\'s "x",1\n',
    "raw/returns/r.json": ORDER,
}


def order(name: str) -> str:
    return f"raw/orders/{DAY}{name}.json"


def test_check_enters_what_it_enters_locally(athena_lake: AthenaLake, tmp_path: Path) -> None:
    local = FolderStore.open(tmp_path / "lake")
    for key, body in FILES.items():
        local.put(key, body)
        athena_lake.store.put(key, body)
    with open_lake(local) as connection:
        checked = check(local, DuckDBLedger(connection), TABLES, NOW)
        described = connection.execute("select * from curated_db.raw_files order by file_id")
        expected = described.fetchall()
        names = tuple(column[0] for column in described.description or ())
        known = DuckDBLedger(connection).files()
        sound = DuckDBLedger(connection).sound_files("orders")
    assert athena_lake.check() == checked
    answer = athena_lake.athena.query("select * from curated_db.raw_files")
    assert tuple(column.name for column in answer.columns) == names
    assert sorted(answer.rows) == expected
    assert athena_lake.ledger.files() == known
    assert athena_lake.ledger.sound_files("orders") == sound
    assert athena_lake.keys("errors/") == [found.key for found in local.list("errors/")]


def test_columns_have_the_types_that_the_models_expect(athena_lake: AthenaLake) -> None:
    athena_lake.check()
    assert athena_lake.rows(
        "select column_name, data_type from information_schema.columns "
        "where table_schema = 'curated_db' and table_name = 'raw_files' and data_type <> 'varchar' "
        "order by ordinal_position"
    ) == [("file_id", "bigint"), ("bytes", "bigint"), ("rows", "bigint"), ("checked_at", "timestamp(6)")]


def test_lake_without_files_has_an_empty_ledger(athena_lake: AthenaLake) -> None:
    assert athena_lake.check() == Checked(files=0, rows=0, broken=())
    assert athena_lake.ledger.files() == {}


def test_second_check_finds_nothing_and_numbers_go_on(athena_lake: AthenaLake) -> None:
    athena_lake.store.put(order("b"), ORDER)
    athena_lake.store.put(order("c"), ORDER)
    assert athena_lake.check().files == 2
    assert athena_lake.check().files == 0
    athena_lake.store.put(order("a"), ORDER)
    assert athena_lake.check(NOW + timedelta(days=1)).files == 1
    assert athena_lake.rows("select file_id, file, checked_at from curated_db.raw_files order by file_id") == [
        (1, order("b"), datetime(2024, 1, 20, 3)),
        (2, order("c"), datetime(2024, 1, 20, 3)),
        (3, order("a"), datetime(2024, 1, 21, 3)),
    ]


def test_file_that_changed_stops_the_check(athena_lake: AthenaLake) -> None:
    athena_lake.store.put(order("a"), ORDER)
    athena_lake.check()
    athena_lake.store.put(order("a"), ORDER * 2)
    with pytest.raises(RawChangedError, match="put the old one back"):
        athena_lake.check()


def test_checks_at_once_lose_nothing_and_enter_nothing_twice(athena_lake: AthenaLake) -> None:
    """Four checkers see windows of the files that overlap; each number is that of one file."""
    files = [StoredObject(order(f"{number:02}"), len(ORDER)) for number in range(14)]
    windows = [files[start : start + 8] for start in (0, 2, 4, 6)]
    athena_lake.ledger.create()
    ready = Barrier(len(windows))

    def enter(window: list[StoredObject]) -> None:
        ledger = AthenaLedger(athena_lake.athena, athena_lake.store)
        ready.wait()
        ledger.enter(window, [Inspection(rows=1)] * len(window), NOW)

    with ThreadPoolExecutor(len(windows)) as pool:
        list(pool.map(enter, windows))
    assert athena_lake.ledger.files() == {file.key: Entered(len(ORDER), True) for file in files}
    assert athena_lake.rows(
        "select count(*), count(distinct file), count(distinct file_id) from curated_db.raw_files"
    ) == [(14, 14, 14)]


def staged(athena_lake: AthenaLake) -> tuple[list[str], list[str | None]]:
    """Return the objects and the tables with new entries that are there."""
    tables = [name for (name,) in athena_lake.rows("show tables in curated_db") if name != "raw_files"]
    return athena_lake.keys("ledger-staging/"), tables


def test_nothing_is_left_of_what_was_entered(athena_lake: AthenaLake) -> None:
    athena_lake.store.put(order("a"), ORDER)
    athena_lake.check()
    assert staged(athena_lake) == ([], [])


def test_entries_that_fail_leave_nothing_and_can_be_entered_again(athena_lake: AthenaLake) -> None:
    athena_lake.store.put(order("a"), ORDER)
    athena_lake.ledger.create()
    athena_lake.athena.run("drop table curated_db.raw_files")
    with pytest.raises(QueryFailedError, match="raw_files"):
        athena_lake.ledger.enter(list(athena_lake.store.list("raw/")), [Inspection(rows=1)], NOW)
    assert staged(athena_lake) == ([], [])
    assert athena_lake.check().files == 1


class KilledLedger(AthenaLedger):
    """A ledger whose process ends as soon as its entries are staged."""

    def _run_until_committed(self, statement: str) -> None:
        raise KeyboardInterrupt

    def _remove_staged(self, name: str) -> None:
        return


def test_what_a_killed_check_left_is_removed_after_a_day_and_no_sooner(athena_lake: AthenaLake) -> None:
    athena_lake.store.put(order("a"), ORDER)
    athena_lake.ledger.create()
    with pytest.raises(KeyboardInterrupt):
        KilledLedger(athena_lake.athena, athena_lake.store).enter(
            list(athena_lake.store.list("raw/")), [Inspection(rows=1)], NOW
        )
    left = staged(athena_lake)
    assert [len(part) for part in left] == [1, 1]
    assert athena_lake.check(NOW + timedelta(hours=23)).files == 1
    assert staged(athena_lake) == left
    athena_lake.store.put(order("b"), ORDER)
    assert athena_lake.check(NOW + timedelta(hours=25)).files == 1
    assert staged(athena_lake) == ([], [])
