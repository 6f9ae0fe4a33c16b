"""What a replay does to the ledger, to the parsed rows and to `errors/`, all or none, before any build."""

from __future__ import annotations

import gzip
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import duckdb
import pytest
from lakes import Row, raw_table
from test_ledger import BROKEN, DAY, EVENTS, ORDER, ORDERS, PRODUCTS, Lake, order

from datalake.errors import DeclarationError, NotInLedgerError, RawChangedError
from datalake.lake import open_lake
from datalake.replay import Replayed, replay
from datalake.sources import RawTable
from datalake.storage import FolderStore

LATER = datetime(2024, 1, 21, 3, tzinfo=UTC)

CUT = order("cut") + ".gz"
NOT_UTF8 = order("not-utf8")
SOUND = order("sound")
ROWS = order("with-broken-rows")
COPY_OF_CUT = CUT.replace("raw/", "errors/", 1)

AFTER_A_BUILD = """
create table curated_db.orders_parsed as
    select file_id, 'A' as order_id, cast(null as varchar) as reasons
    from curated_db.raw_files where state = 'sound' and dataset = 'orders';
insert into curated_db.orders_parsed
    select file_id, null, unnest(['bad_price', 'bad_price,missing_order_id'])
    from curated_db.raw_files where file like '%with-broken-rows%';
create table curated_db.model_progress as
    select * from (values ('orders', 'orders', 4), ('fct_orders', 'orders', 4), ('fct_orders', 'customers', 3),
        ('products', 'products', 2)) as progress (model, dataset, file_id);
create schema raw_db;
create view raw_db.orders as select 1 as one;
create view raw_db.products as select 1 as one;
"""

STATE = {
    "ledger": "from curated_db.raw_files order by file_id",
    "parsed": "from curated_db.orders_parsed order by all",
    "progress": "from curated_db.model_progress order by all",
    "views": "select view_name from duckdb_views() where schema_name = 'raw_db' order by all",
}


class ReplayedLake(Lake):
    """A lake whose files are replayed from within this process."""

    def replay(
        self,
        dataset: str = "orders",
        *,
        reasons: Collection[str] = (),
        files: Collection[str] = (),
        tables: Collection[RawTable] = (ORDERS, EVENTS, PRODUCTS),
        store: FolderStore | None = None,
    ) -> Replayed:
        declared = {table.name: table for table in tables}
        with open_lake(self.store) as connection:
            return replay(store or self.store, connection, declared, dataset, LATER, reasons, files)

    def state(self) -> dict[str, list[Row]]:
        with open_lake(self.store, read_only=True) as connection:
            return {name: connection.execute(sql).fetchall() for name, sql in STATE.items()}

    def copies(self) -> dict[str, bytes]:
        return {copy.key: self.store.read(copy.key).read() for copy in self.store.list("errors/")}

    def read_again(self) -> list[Row]:
        with open_lake(self.store, read_only=True) as connection:
            return connection.execute(
                "select file from curated_db.raw_files where checked_at = '2024-01-21 03:00:00' order by file"
            ).fetchall()


@pytest.fixture
def lake(tmp_path: Path) -> ReplayedLake:
    """Two broken files, two sound ones, one of which has broken rows, as they are after a build."""
    lake = ReplayedLake(tmp_path / "lake")
    lake.put(CUT, gzip.compress(ORDER)[:-4])
    lake.put(NOT_UTF8, b"\xff")
    lake.put(SOUND, ORDER)
    lake.put(ROWS, ORDER + b'{"order_id":"B","price":"x"}\n{"price":"x"}\n')
    lake.check()
    with open_lake(lake.store) as connection:
        connection.execute(AFTER_A_BUILD)
    return lake


def test_entry_of_a_mended_file_is_brought_up_to_date_in_place(lake: ReplayedLake) -> None:
    before = {row[2]: row for row in lake.entries()}
    body = gzip.compress(ORDER * 2)
    lake.put(CUT, body)
    assert lake.replay(files=[CUT]) == Replayed(files=1, quarantined=1, broken=())
    after = {row[2]: row for row in lake.entries()}
    assert after.pop(CUT) == (
        *before.pop(CUT)[:5],
        len(body),
        2,
        "sound",
        None,
        None,
        LATER.replace(tzinfo=None),
    )
    assert after == before
    assert lake.check().files == 0


def test_parsed_rows_of_the_replayed_files_are_forgotten_and_no_others(lake: ReplayedLake) -> None:
    parsed = lake.state()["parsed"]
    (file_id,) = next(row for row in lake.entries("file_id, file") if row[1] == ROWS)[:1]
    assert lake.replay(reasons=["missing_order_id"]) == Replayed(files=1, quarantined=2, broken=())
    assert lake.state()["parsed"] == [row for row in parsed if row[0] != file_id]


def test_each_model_is_marked_and_forgets_this_data_set_only(lake: ReplayedLake) -> None:
    marked = [
        ("fct_orders", "customers", 3),
        ("fct_orders", "orders", -1),
        ("orders", "orders", -1),
        ("products", "orders", -1),
        ("products", "products", 2),
    ]
    for _ in range(2):
        lake.replay()
        assert lake.state()["progress"] == marked


def test_raw_view_that_named_the_files_of_before_is_gone(lake: ReplayedLake) -> None:
    lake.replay()
    assert lake.state()["views"] == [("products",)]


@pytest.mark.parametrize(
    ("reasons", "files", "chosen"),
    [
        ((), (), [CUT, NOT_UTF8, ROWS]),
        (["truncated_gzip"], (), [CUT]),
        (["missing_order_id"], (), [ROWS]),
        (["missing_order_id", "truncated_gzip"], (), [CUT, ROWS]),
        ((), [NOT_UTF8, SOUND], [NOT_UTF8, SOUND]),
        (["truncated_gzip"], [NOT_UTF8, CUT], [CUT]),
    ],
    ids=["all", "reason_of_a_file", "reason_of_a_row", "two_reasons", "files", "reason_and_files"],
)
def test_files_are_chosen_by_reason_and_by_name(
    lake: ReplayedLake, reasons: list[str], files: list[str], chosen: list[str]
) -> None:
    lake.replay(reasons=reasons, files=files)
    assert lake.read_again() == [(file,) for file in sorted(chosen)]


@pytest.mark.parametrize(("reasons", "files"), [(["no_such_reason"], ()), (["bad_price"], [SOUND])])
def test_replay_without_a_match_changes_nothing(lake: ReplayedLake, reasons: list[str], files: list[str]) -> None:
    before = lake.state()
    assert lake.replay(reasons=reasons, files=files) == Replayed(files=0, quarantined=0, broken=())
    assert lake.state() == before


def test_lake_that_was_never_built_can_be_replayed(tmp_path: Path) -> None:
    lake = ReplayedLake(tmp_path / "lake")
    lake.put(CUT, gzip.compress(ORDER)[:-4])
    lake.check()
    lake.put(CUT, gzip.compress(ORDER))
    assert lake.replay().files == 1
    assert lake.entries("state") == [("sound",)]


def test_file_of_a_data_set_that_is_declared_by_now_is_taken_in(tmp_path: Path) -> None:
    lake = ReplayedLake(tmp_path / "lake")
    key, body, _ = BROKEN["undeclared_dataset"]
    lake.put(key, body)
    lake.check()
    assert lake.replay("returns", tables=[raw_table("returns", "json", "order_id")]).files == 1


def test_file_whose_data_set_is_no_folder_stays_broken(tmp_path: Path) -> None:
    lake = ReplayedLake(tmp_path / "lake")
    key, body, detail = BROKEN["undeclared_dataset without a folder"]
    lake.put(key, body)
    lake.check()
    assert lake.replay("orders.json").broken == ((key, detail),)


def test_copy_of_a_mended_file_is_removed_and_others_stay(lake: ReplayedLake) -> None:
    copies = lake.copies()
    lake.put(CUT, gzip.compress(ORDER))
    lake.replay()
    assert set(copies) - set(lake.copies()) == {COPY_OF_CUT}


def test_copy_of_a_file_that_is_broken_in_another_way_is_the_new_file(lake: ReplayedLake) -> None:
    lake.put(CUT, b"no gzip")
    replayed = lake.replay(files=[CUT])
    assert (replayed.files, [key for key, _ in replayed.broken]) == (0, [CUT])
    assert lake.copies()[COPY_OF_CUT] == b"no gzip"
    assert ("not_gzip",) in lake.entries("reason")


def test_file_that_is_broken_now_is_copied_and_its_rows_are_forgotten(lake: ReplayedLake) -> None:
    lake.put(SOUND, b"\xff\xff")
    assert lake.replay(files=[SOUND]).files == 0
    assert lake.copies()[SOUND.replace("raw/", "errors/", 1)] == b"\xff\xff"
    assert len(lake.state()["parsed"]) == 3


class DyingStore(FolderStore):
    """A store whose process dies as it begins to remove copies."""

    def remove(self, key: str) -> None:
        raise KeyboardInterrupt(key)


@pytest.mark.parametrize("again", ["check", "replay"])
def test_copy_that_a_killed_replay_left_is_removed_by_the_next_command(lake: ReplayedLake, again: str) -> None:
    lake.put(CUT, gzip.compress(ORDER))
    with pytest.raises(KeyboardInterrupt):
        lake.replay(files=[CUT], store=DyingStore(lake.store.root))
    assert COPY_OF_CUT in lake.copies()
    if again == "check":
        lake.check()
    else:
        lake.replay(reasons=["no_such_reason"])
    assert COPY_OF_CUT not in lake.copies()


class DyingConnection:
    """A connection whose process dies after so many statements."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, statements: int) -> None:
        self.connection = connection
        self.left = statements

    def execute(self, *arguments: Any) -> duckdb.DuckDBPyConnection:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return self.connection.execute(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


def test_replay_killed_at_any_statement_has_done_all_or_nothing(lake: ReplayedLake) -> None:
    before = lake.state()
    lake.put(CUT, gzip.compress(ORDER))
    declared = {table.name: table for table in (ORDERS, EVENTS, PRODUCTS)}
    killed_inside = 0
    for statements in range(100):
        try:
            with open_lake(lake.store) as connection:
                dying = cast("duckdb.DuckDBPyConnection", DyingConnection(connection, statements))
                replay(lake.store, dying, declared, "orders", LATER)
        except KeyboardInterrupt:
            if lake.state() != before:
                break
            killed_inside += 1
    assert killed_inside > 8
    done = lake.state()
    assert COPY_OF_CUT in lake.copies(), "killed after the commit, before the copies are removed"
    lake.replay()
    assert COPY_OF_CUT not in lake.copies()
    assert lake.replay().quarantined == 0
    assert {name: rows for name, rows in done.items() if name != "ledger"} == {
        name: rows for name, rows in lake.state().items() if name != "ledger"
    }


def test_data_set_without_a_file_is_named_with_those_that_have_one(lake: ReplayedLake) -> None:
    with pytest.raises(NotInLedgerError, match="no file of a data set order; it holds orders"):
        lake.replay("order")


def test_file_that_the_ledger_does_not_know_is_named(lake: ReplayedLake) -> None:
    lake.put(order("new"), ORDER)
    before = lake.state()
    with pytest.raises(NotInLedgerError) as refused:
        lake.replay(files=[CUT, order("new")])
    assert str(refused.value).startswith(f"The ledger holds no file {order('new')} of orders. Name it by its key")
    assert lake.state() == before


def test_file_of_another_data_set_is_not_replayed_with_this_one(lake: ReplayedLake) -> None:
    lake.put(f"raw/products/{DAY}p.csv", b"name,id\n")
    lake.check()
    with pytest.raises(NotInLedgerError):
        lake.replay(files=[f"raw/products/{DAY}p.csv"])


def test_file_that_is_gone_stops_the_replay_and_is_named(lake: ReplayedLake) -> None:
    before = lake.state()
    (lake.store.root / CUT).unlink()
    with pytest.raises(RawChangedError) as refused:
        lake.replay()
    assert str(refused.value).startswith(f"{CUT} was checked and is gone now (files gone: 1).")
    assert lake.state() == before


def test_column_that_no_file_has_any_more_stops_the_replay(lake: ReplayedLake) -> None:
    before = lake.state()
    for file in (SOUND, ROWS):
        lake.put(file, b'{"order_id":"A"}\n')
    with pytest.raises(DeclarationError, match="the column price for orders"):
        lake.replay(files=[SOUND, ROWS])
    assert lake.state() == before


def test_check_of_a_changed_file_names_the_replay_that_takes_it_in(lake: ReplayedLake) -> None:
    lake.put(SOUND, ORDER * 2)
    with pytest.raises(RawChangedError) as refused:
        lake.check()
    assert f"`datalake replay orders --file {SOUND}`" in str(refused.value)
    lake.replay(files=[SOUND])
    assert lake.check().files == 0
