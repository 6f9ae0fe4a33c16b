"""After a fix and a replay the lake is what it would be had the fix been there from the start."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pytest
from lakes import PROJECT, Lake, Row
from test_dirt import FILES, FIRST_ORDERS, THRESHOLDS, day, lines, parquet

pytestmark = pytest.mark.server

TRUNCATED = day("orders", 17, 1) + ".json.gz"
NOT_GZIP = day("orders", 17, 2) + ".json.gz"
FIRST = day("orders", 15) + ".json.gz"
MOVED_COLUMNS = day("products", 16) + ".csv"
LAST_CUSTOMERS = day("customers", 16) + ".parquet"
SOUND_PRODUCTS = day("products", 15) + ".csv"

MORE_ORDERS = lines(
    '{"order_id":"K","customer_id":"c1","product_id":"p1","quantity":2,"price":8,"created_at":"2024-01-16T03:00:00Z"}',
    # Newer than the version that stands, and of another day.
    '{"order_id":"B","customer_id":"c1","product_id":"p2","quantity":1,"price":11,"created_at":"2024-01-14T03:00:00Z","updated_at":"2024-01-17T03:00:00Z"}',
)

CORRECTED_ORDERS = lines(
    # Without A, which was sound; C, D and E are sound now; B and the order without a key are as they were.
    FIRST_ORDERS.decode().splitlines()[2],
    '{"order_id":"C","customer_id":"c4","product_id":"p2","price":3,"quantity":1,"created_at":"2024-01-15T10:03:00Z"}',
    '{"order_id":"D","customer_id":"c1","product_id":"p1","quantity":4,"price":5,"discount":1,"created_at":"2024-01-15T10:05:00Z"}',
    FIRST_ORDERS.decode().splitlines()[5],
    '{"order_id":"E","quantity":2,"price":"1e2","created_at":"2024-01-15T10:00:00Z"}',
)

FIXES: dict[str, dict[str, tuple[bytes, tuple[str, ...]]]] = {
    "orders": {
        # Truncated before, whole now.
        TRUNCATED: (gzip.compress(MORE_ORDERS), ("--reason", "truncated_gzip")),
        # Malformed lines are corrected, and a sound key is gone.
        FIRST: (gzip.compress(CORRECTED_ORDERS), ()),
    },
    "products": {
        # The columns are in order now.
        MOVED_COLUMNS: (
            lines(
                "product_id,name,category,department,brand,price,updated_at",
                "p1,Bread,Bakery,Food,Private,9,2024-01-18",
                "p3,Salt,Spices,Food,Private,1,2024-01-16",
            ),
            ("--file", MOVED_COLUMNS),
        ),
        # Sound before, now without a product that orders refer to.
        SOUND_PRODUCTS: (
            lines(
                "product_id,name,category,department,brand,price,updated_at",
                'p1,"Bread, sliced",Bakery,Food,Private,3.50,2024-01-15T02:00:00Z',
            ),
            ("--file", SOUND_PRODUCTS),
        ),
    },
    "customers": {
        # A change log, now without a customer's end and with another's.
        LAST_CUSTOMERS: (
            parquet(
                Op=["D", "U"],
                commit_ts=["2024-01-15 12:00:00.000000", "2024-01-16 06:00:00.000000"],
                customer_id=["c1", "c2"],
                name=["One", "Two"],
                segment=["new", "loyal"],
                region=["North", "East"],
                email=[None] * 2,
                phone=[None] * 2,
                address=[None] * 2,
                age=[None] * 2,
                income=[None] * 2,
            ),
            (),
        )
    },
}
"""By data set what the source delivers anew under names that the ledger knows, and the options of its replay."""


def land(root: Path, fixed: Mapping[str, bytes]) -> Lake:
    """Return a lake with three arrivals, checked one after the other, each file fixed where it is."""
    lake = Lake(root)
    for files in FILES:
        for key, body in files.items():
            lake.put(key, fixed.get(key, body))
        lake.check()
    return lake


def run(lake: Lake, *arguments: str) -> None:
    lake.dbt("run", *arguments, variables=THRESHOLDS)


def replay(lake: Lake, *arguments: str) -> str:
    return lake.datalake("replay", *arguments)


def fix(lake: Lake, dataset: str) -> None:
    """Put each fixed file of a data set where it was, and replay it."""
    for key, (body, options) in FIXES[dataset].items():
        lake.put(key, body)
        assert "Run `dbt build`" in replay(lake, dataset, *options)


def copies(lake: Lake) -> list[str]:
    errors = lake.root / "errors"
    return sorted(path.relative_to(errors).as_posix() for path in errors.rglob("*") if path.is_file())


def raw_counts(lake: Lake) -> list[Row]:
    return lake.rows("from (select count(*) from raw_db.orders), (select count(*) from raw_db.products)")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The lake before any fix. Tests leave it as it is."""
    lake = land(tmp_path_factory.mktemp("built") / "lake", fixed={})
    run(lake)
    return lake


@pytest.fixture
def broken_lake(built: Lake, tmp_path: Path) -> Lake:
    """A copy of the lake before any fix."""
    return Lake(shutil.copytree(built.root, tmp_path / "broken"))


@pytest.fixture(scope="module")
def right_lakes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Lake]:
    """By data set a lake where its fixes were there from the start. Tests leave them as they are."""
    lakes = {}
    for dataset, fixes in FIXES.items():
        fixed = {key: body for key, (body, _) in fixes.items()}
        lakes[dataset] = land(tmp_path_factory.mktemp("right") / dataset, fixed)
        run(lakes[dataset])
    return lakes


@pytest.mark.parametrize("dataset", FIXES)
def test_replayed_lake_equals_one_that_was_right_from_the_start(
    broken_lake: Lake, right_lakes: dict[str, Lake], dataset: str
) -> None:
    fix(broken_lake, dataset)
    run(broken_lake)

    right = right_lakes[dataset]
    assert broken_lake.content_without_times() == right.content_without_times()
    assert copies(broken_lake) == copies(right)
    assert raw_counts(broken_lake) == raw_counts(right)
    assert "Checked 0 new files" in broken_lake.check()
    assert broken_lake.rows("from curated_db.model_progress where file_id = -1") == []


def test_full_refresh_after_a_replay_changes_nothing(broken_lake: Lake) -> None:
    for dataset in FIXES:
        fix(broken_lake, dataset)
    run(broken_lake)
    replayed = broken_lake.content()
    run(broken_lake)
    assert broken_lake.content() == replayed
    run(broken_lake, "--full-refresh")
    assert broken_lake.content() == replayed


def test_rows_that_a_changed_rule_finds_sound_are_taken_in(broken_lake: Lake, tmp_path: Path) -> None:
    project = tmp_path / "project"
    for folder in ("macros", "models", "seeds", "tests"):
        shutil.copytree(PROJECT / folder, project / folder)
    for file in ("dbt_project.yml", ".dbtignore"):
        shutil.copy(PROJECT / file, project)
    model = project / "models" / "curated" / "orders_parsed.sql"
    rule = "'total_not_above_zero': 'exact_total <= 0'"
    assert rule in model.read_text()
    model.write_text(model.read_text().replace(rule, rule.replace("<=", "<")))

    replay(broken_lake, "orders", "--reason", "total_not_above_zero")
    run(broken_lake, "--project-dir", str(project))
    right = land(tmp_path / "right", fixed={})
    run(right, "--project-dir", str(project))
    assert broken_lake.content_without_times() == right.content_without_times()
    assert broken_lake.rows("select total from curated_db.orders where order_id = 'D'") == [(0,)]


def test_replay_without_a_fix_changes_nothing(broken_lake: Lake) -> None:
    before = broken_lake.content_without_times()
    assert f"broken {NOT_GZIP}: Not gzip" in replay(broken_lake, "orders")
    run(broken_lake)
    assert broken_lake.content_without_times() == before


@pytest.mark.parametrize(
    "selections",
    [["orders_parsed"], ["daily_sales fct_orders", "touched_orders orders"], ["orders_parsed fct_orders", "orders"]],
    ids=lambda selections: ", then ".join(selections),
)
def test_build_of_some_models_after_a_replay_is_made_up_for(
    broken_lake: Lake, right_lakes: dict[str, Lake], selections: list[str]
) -> None:
    fix(broken_lake, "orders")
    for selection in selections:
        run(broken_lake, "--select", selection)
    run(broken_lake)
    assert broken_lake.content_without_times() == right_lakes["orders"].content_without_times()


def test_build_after_a_replay_reads_no_other_raw_file_and_makes_no_model_of_other_data_sets_anew(
    broken_lake: Lake,
) -> None:
    """A row that a full rebuild would not make stays where a model only goes on."""
    broken_lake.put(TRUNCATED, gzip.compress(MORE_ORDERS))
    replay(broken_lake, "orders", "--file", TRUNCATED)
    broken_lake.put(day("orders", 14, 5) + ".json", b"not an order\n")
    orders = broken_lake.rows("select order_id from curated_db.orders")
    with duckdb.connect(str(broken_lake.root / "lake.duckdb")) as connection:
        connection.execute("update curated_db.users set email = 'kept'")
        connection.execute("update curated_db.orders set customer_id = 'dropped'")
    run(broken_lake)
    assert set(broken_lake.rows("select order_id from curated_db.orders")) == {*orders, ("K",)}
    assert ("dropped",) not in broken_lake.rows("select customer_id from curated_db.orders")
    assert broken_lake.rows("select distinct email from curated_db.users") == [("kept",)]
