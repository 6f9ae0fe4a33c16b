"""A small folder of hand-made dirt, and every table as a person wrote it down."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lakes import Lake, as_text, text_table

pytestmark = pytest.mark.server

THRESHOLDS = {
    "orders_row_count": 3,
    "orders_completeness_of_customer_id": 0.5,
    "share_of_known_customers": 0.5,
    "share_of_known_products": 0.5,
    "calendar_start": "2024-01-14",
    "calendar_end": "2024-01-16",
}


def day(dataset: str, number: int, hour: int = 10, source: str = "") -> str:
    return f"raw/{dataset}/{source}year=2024/month=01/day={number}/hour={hour:02}/{dataset}-2024-01-{number}-{hour:02}"


def lines(*records: str) -> bytes:
    return ("\n".join(records) + "\n").encode()


def parquet(**columns: list[str | None]) -> bytes:
    body = BytesIO()
    pq.write_table(pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()}), body)
    return body.getvalue()


FIRST_ORDERS = lines(
    '{"order_id":"A","customer_id":"c1","product_id":"p1","quantity":2,"price":3.50,"discount":1,"created_at":"2024-01-15T10:00:00Z"}',
    # A second version in the same file.
    '{"order_id":"A","customer_id":"c1","product_id":"p1","quantity":3,"price":3.50,"discount":1,"created_at":"2024-01-15T10:00:00Z","updated_at":"2024-01-16T08:00:00Z"}',
    # The next day by UTC; text where numbers are expected; half a cent.
    '{"order_id":"B","customer_id":"c2","product_id":"p2","quantity":"1","price":"10.005","created_at":"2024-01-15T23:30:00-02:00"}',
    '{"order_id":"C","price":',
    '{"order_id":"D","customer_id":"c1","product_id":"p1","quantity":0,"price":5,"created_at":"2024-01-15T10:05:00Z"}',
    '{"customer_id":"c1","quantity":1,"price":1,"created_at":"2024-01-15T10:06:00Z"}',
    "  ",
    '{"order_id":"E","quantity":"two","price":"1e2","created_at":"2024-02-30T10:00:00Z"}',
)

LATE_ORDERS = lines(
    # Neither its customer nor its product is known.
    '{"order_id":"F","customer_id":"c3","product_id":"p3","quantity":1,"price":7,"created_at":"2024-01-14T05:00:00+05:00"}',
    # An older version, in a folder before the newer one's.
    '{"order_id":"B","customer_id":"c2","product_id":"p2","quantity":1,"price":99,"created_at":"2024-01-16T01:30:00Z","updated_at":"2024-01-10T00:00:00Z"}',
    '{"order_id":"H","customer_id":"c1","product_id":"p2","quantity":1,"price":5,"created_at":"2024-01-14T09:00:00Z"}',
)

LAST_ORDERS = lines(
    # A broken version: the older sound one stands.
    '{"order_id":"A","customer_id":"c1","product_id":"p1","quantity":3,"price":-4,"created_at":"2024-01-15T10:00:00Z","updated_at":"2024-01-17T00:00:00Z"}',
    # A field nobody declared; a day the calendar does not hold; no customer.
    '{"order_id":"G","product_id":"p1","quantity":1,"price":4,"created_at":"2024-01-17T00:10:00Z","note":"schön {}"}',
    # Its date moves.
    '{"order_id":"H","customer_id":"c1","product_id":"p2","quantity":1,"price":6,"created_at":"2024-01-16T09:00:00Z","updated_at":"2024-01-17T00:00:00Z"}',
    # Ordered while the customer was deleted.
    '{"order_id":"I","customer_id":"c2","product_id":"p1","quantity":1,"price":2,"created_at":"2024-01-15T22:00:00Z"}',
)

FILES: tuple[dict[str, bytes], ...] = (
    {
        day("orders", 15) + ".json.gz": gzip.compress(FIRST_ORDERS),
        day("users", 15) + ".json": lines(
            '{"user_id":"u1","customer_id":"c1","email":"a@example.com","phone":"1","newsletter":false,"created_at":"2024-01-15T09:00:00Z","updated_at":"2024-01-15T09:00:00Z"}',
            '{"user_id":"u2","customer_id":"c2","newsletter":"maybe","created_at":"2024-01-15T09:00:00Z"}',
        ),
        day("products", 15) + ".csv": lines(
            "product_id,name,category,department,brand,price,updated_at",
            'p1,"Bread, sliced",Bakery,Food,Private,3.50,2024-01-15T02:00:00Z',
            "p2,Wine,Drinks,Food,National,,2024-01-15T02:00:00Z",
        ),
        day("customers", 15, 0) + "-full.parquet": parquet(
            commit_ts=["2024-01-15 00:00:00.000000"] * 3,
            customer_id=["c1", "c2", "c4"],
            name=["One", "Two", "Four"],
            segment=["new", "new", "new"],
            region=["North", "East", "West"],
            email=["1@example.com", None, None],
            phone=["1", "2", "4"],
            address=["A", "B", "C"],
            age=[None, None, None],
            income=[None, None, None],
        ),
        day("events", 15) + ".parquet": parquet(
            event_id=["e1", "e2"],
            customer_id=["c1", "c1"],
            event_type=["checkout", "checkout"],
            product_id=[None, None],
            occurred_at=["2024-01-15T10:00:00Z", None],
            session_id=["s1", "s2"],
            properties=["{}", "{}"],
        ),
    },
    {
        day("orders", 14, 5) + ".json": LATE_ORDERS,
        day("products", 16) + ".csv": lines(
            "product_id,category,name,department,brand,price,updated_at", "p1,Bakery,Bread,Food,Private,9,2024-01-16"
        ),
        day("customers", 16) + ".parquet": parquet(
            Op=["D", "I", "U", "D", "X", "U"],
            commit_ts=[
                "2024-01-15 20:00:00.000000",
                "2024-01-16 01:00:00.000000",
                "2024-01-16 00:00:00.000000",
                "2024-01-16 05:00:00.000000",
                "2024-01-16 06:00:00.000000",
                "2024-01-16 06:00:00.000000",
            ],
            customer_id=["c2", "c2", "c1", "c4", "c1", None],
            name=["Two", "Two again", "One", "Four", "One", "Nobody"],
            segment=["new", "back", "loyal", "new", "odd", "odd"],
            region=["East", "South", "North", "West", "North", "North"],
            email=[None] * 6,
            phone=[None] * 6,
            address=[None] * 6,
            age=[None] * 6,
            income=[None] * 6,
        ),
    },
    {
        day("orders", 17, 0) + ".json.gz": gzip.compress(LAST_ORDERS),
        day("orders", 17, 1) + ".json.gz": gzip.compress(LAST_ORDERS)[:-20],
        day("orders", 17, 2) + ".json.gz": LAST_ORDERS,
        day("orders", 17, 3) + ".json": b"",
        "raw/orders/orders.json": LAST_ORDERS,
        day("users", 17) + ".json": lines(
            '{"user_id":"u1","customer_id":"c1","email":"b@example.com","phone":"1","newsletter":true,"created_at":"2024-01-15T09:00:00Z","updated_at":"2024-01-17T09:00:00Z"}'
        ),
        day("products", 17) + ".csv": lines(
            "product_id,name,category,department,brand,price,updated_at",
            "p1,Bread,Bakery,Food,Private,3.75,2024-01-17T02:00:00Z",
            "p5,Cheese,Dairy,Food,Private,free,2024-01-17T02:00:00Z",
        ),
        day("events", 17) + ".parquet": b"event_id,customer_id\n",
        day("events", 17, 11) + ".parquet": b"",
        day("api_events", 17, source="source=coupons/") + ".json": lines(
            '{"event_id":"e3","customer_id":"c1","event_type":"coupon_redeemed","product_id":"p1","occurred_at":"2024-01-17T08:00:00+01:00","properties":{"coupon":7}}',
            # The same event through the other way in, later.
            '{"event_id":"e1","customer_id":"c2","event_type":"checkout","occurred_at":"2024-01-15T10:00:00Z"}',
        ),
    },
)
"""Three arrivals, one after the other."""

EXPECTED = {
    "select order_id, customer_id, product_id, quantity, price, discount, total, order_date, created_at, updated_at "
    "from curated_db.orders": """
        A | c1 | p1 | 3 | 3.50  | 1.00 | 9.50  | 2024-01-15 | 2024-01-15 10:00:00 | 2024-01-16 08:00:00
        B | c2 | p2 | 1 | 10.01 | 0.00 | 10.01 | 2024-01-16 | 2024-01-16 01:30:00 | -
        F | c3 | p3 | 1 | 7.00  | 0.00 | 7.00  | 2024-01-14 | 2024-01-14 00:00:00 | -
        G | -  | p1 | 1 | 4.00  | 0.00 | 4.00  | 2024-01-17 | 2024-01-17 00:10:00 | -
        H | c1 | p2 | 1 | 6.00  | 0.00 | 6.00  | 2024-01-16 | 2024-01-16 09:00:00 | 2024-01-17 00:00:00
        I | c2 | p1 | 1 | 2.00  | 0.00 | 2.00  | 2024-01-15 | 2024-01-15 22:00:00 | -
    """,
    "select user_id, customer_id, email, newsletter, updated_at from curated_db.users": """
        u1 | c1 | b@example.com | true | 2024-01-17 09:00:00
    """,
    "select product_id, name, category, price, updated_at from curated_db.products": """
        p1 | Bread | Bakery | 3.75 | 2024-01-17 02:00:00
        p2 | Wine  | Drinks | -    | 2024-01-15 02:00:00
    """,
    "select customer_id, name, segment, region, updated_at from curated_db.customers": """
        c1 | One       | loyal | North | 2024-01-16 00:00:00
        c2 | Two again | back  | South | 2024-01-16 01:00:00
    """,
    "select event_id, source, customer_id, event_type, product_id, occurred_at, properties from curated_db.events": """
        e1 | coupons | c2 | checkout        | -  | 2024-01-15 10:00:00 | -
        e3 | coupons | c1 | coupon_redeemed | p1 | 2024-01-17 07:00:00 | {"coupon":7}
    """,
    "select dataset, record_key, reasons, arrived, older_version_stands from curated_db.quarantine": """
        customers | c1 | bad_op                             | year=2024/month=01/day=16 | true
        customers | -  | missing_customer_id                | year=2024/month=01/day=16 | false
        events    | e2 | missing_occurred_at                | year=2024/month=01/day=15 | false
        events    | -  | not_parquet                        | year=2024/month=01/day=17 | false
        orders    | -  | malformed_json                     | year=2024/month=01/day=15 | false
        orders    | -  | missing_order_id                   | year=2024/month=01/day=15 | false
        orders    | -  | not_gzip                           | year=2024/month=01/day=17 | false
        orders    | -  | outside_layout                     | -                         | false
        orders    | -  | truncated_gzip                     | year=2024/month=01/day=17 | false
        orders    | A  | total_not_above_zero               | year=2024/month=01/day=17 | true
        orders    | D  | total_not_above_zero               | year=2024/month=01/day=15 | false
        orders    | E  | bad_quantity,bad_price,bad_created_at | year=2024/month=01/day=15 | false
        products  | -  | unlike_header                      | year=2024/month=01/day=16 | false
        products  | p5 | bad_price                          | year=2024/month=01/day=17 | false
        users     | u2 | bad_newsletter                     | year=2024/month=01/day=15 | false
    """,
    "select dataset, raw_rows, curated_rows, superseded_rows, deleted_rows, quarantined_rows, expired_rows, "
    "unexplained_rows from curated_db.reconciliation": """
        api_events | 2  | 2 | 0 | 0 | 0 | 0 | 0
        customers  | 9  | 2 | 1 | 4 | 2 | 0 | 0
        events     | 3  | 0 | 1 | 0 | 2 | 0 | 0
        orders     | 17 | 6 | 3 | 0 | 8 | 0 | 0
        products   | 5  | 2 | 1 | 0 | 2 | 0 | 0
        users      | 3  | 1 | 1 | 0 | 1 | 0 | 0
    """,
    "select order_date, order_count, customer_count, items_sold, total_discount, revenue, average_order_value "
    "from analytics_db.daily_sales": """
        2024-01-14 | 1 | 1 | 1 | 0.00 | 7.00  | 7.0
        2024-01-15 | 2 | 2 | 4 | 1.00 | 11.50 | 5.75
        2024-01-16 | 2 | 2 | 2 | 0.00 | 16.01 | 8.005
        2024-01-17 | 1 | 0 | 1 | 0.00 | 4.00  | 4.0
    """,
    "select order_date, product_id, order_count, customer_count, items_sold, revenue "
    "from analytics_db.product_metrics": """
        2024-01-14 | p3 | 1 | 1 | 1 | 7.00
        2024-01-15 | p1 | 2 | 2 | 4 | 11.50
        2024-01-16 | p2 | 2 | 2 | 2 | 16.01
        2024-01-17 | p1 | 1 | 0 | 1 | 4.00
    """,
    "select product_id, name, list_price, order_count, items_sold, revenue, days_sold, first_sold_on, last_sold_on "
    "from analytics_db.product_performance": """
        p1 | Bread | 3.75 | 3 | 5 | 15.50 | 2 | 2024-01-15 | 2024-01-17
        p2 | Wine  | -    | 2 | 2 | 16.01 | 1 | 2024-01-16 | 2024-01-16
        p3 | -     | -    | 1 | 1 | 7.00  | 1 | 2024-01-14 | 2024-01-14
    """,
    "select customer_id, is_in_customer_database, segment, takes_newsletter, order_count, total_spent, "
    "first_order_on, last_order_on, event_count, coupons_redeemed from analytics_db.customer_360": """
        c1 | true  | loyal | true  | 2 | 15.50 | 2024-01-15 | 2024-01-16 | 1 | 1
        c2 | true  | back  | false | 2 | 12.01 | 2024-01-15 | 2024-01-16 | 1 | 0
        c3 | false | -     | false | 1 | 7.00  | 2024-01-14 | 2024-01-14 | 0 | 0
    """,
    "select date_key, calendar_date, day_of_week, is_weekend from analytics_db.dim_date": """
        0        | -          | - | -
        20240114 | 2024-01-14 | 7 | true
        20240115 | 2024-01-15 | 1 | false
        20240116 | 2024-01-16 | 2 | false
    """,
    "select customer_key, customer_id, segment, region, valid_from, valid_to, is_current "
    "from analytics_db.dim_customer": """
        (unknown) | -  | -     | -     | 0001-01-01 00:00:00 | -                   | true
        c1-1      | c1 | new   | North | 0001-01-01 00:00:00 | 2024-01-16 00:00:00 | false
        c1-2      | c1 | loyal | North | 2024-01-16 00:00:00 | -                   | true
        c2-1      | c2 | new   | East  | 0001-01-01 00:00:00 | 2024-01-15 20:00:00 | false
        c2-2      | c2 | back  | South | 2024-01-16 01:00:00 | -                   | true
        c4-1      | c4 | new   | West  | 0001-01-01 00:00:00 | 2024-01-16 05:00:00 | false
    """,
    "select product_key, name, list_price from analytics_db.dim_product": """
        (unknown) | -     | -
        p1        | Bread | 3.75
        p2        | Wine  | -
    """,
    "select order_id, date_key, customer_key, product_key, total from analytics_db.fct_orders": """
        A | 20240115 | c1-1      | p1        | 9.50
        B | 20240116 | c2-2      | p2        | 10.01
        F | 20240114 | (unknown) | (unknown) | 7.00
        G | 0        | (unknown) | p1        | 4.00
        H | 20240116 | c1-2      | p2        | 6.00
        I | 20240115 | (unknown) | p1        | 2.00
    """,
    "select stage, rule, passed, violation_count, measured, examples from analytics_db.quality_results": """
        curated  | customer_id_is_complete      | true  | 1 | 0.8333333333333334 | G
        curated  | has_enough_rows              | true  | 0 | 6.0                | -
        curated  | order_date_looks_like_a_date | true  | 0 | 1.0                | -
        curated  | order_id_is_never_null       | true  | 0 | 1.0                | -
        curated  | order_id_is_unique           | true  | 0 | 1.0                | -
        curated  | total_is_above_zero          | true  | 0 | 1.0                | -
        incoming | customer_id_is_complete      | true  | 3 | 0.7857142857142857 | E, G
        incoming | has_enough_rows              | true  | 0 | 14.0               | -
        incoming | order_date_looks_like_a_date | false | 2 | 0.8571428571428571 | E
        incoming | order_id_is_never_null       | false | 2 | 0.8571428571428571 | -
        incoming | order_id_is_unique           | false | 3 | 0.4166666666666667 | A, B, H
        incoming | total_is_above_zero          | false | 4 | 0.7142857142857143 | A, D, E
    """,
}


def take_in(lake: Lake, files: Mapping[str, bytes]) -> None:
    for key, body in files.items():
        lake.put(key, body)
    lake.check()


def copied(lake: Lake, folder: Path) -> Lake:
    return Lake(shutil.copytree(lake.root, folder / "copy"))


@pytest.fixture(scope="module")
def first_arrival(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The dirt's first arrival, checked and built. Tests take a copy of it."""
    lake = Lake(tmp_path_factory.mktemp("first") / "lake")
    take_in(lake, FILES[0])
    lake.build(variables=THRESHOLDS)
    return lake


@pytest.fixture(scope="module")
def dirty_lake(first_arrival: Lake, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The dirt in three arrivals, each checked and built as it comes."""
    lake = copied(first_arrival, tmp_path_factory.mktemp("dirt"))
    for files in FILES[1:]:
        take_in(lake, files)
        lake.build(variables=THRESHOLDS)
    return lake


@pytest.mark.parametrize("query", EXPECTED, ids=lambda query: query.rpartition(" ")[2])
def test_table_is_what_a_person_wrote_down(dirty_lake: Lake, query: str) -> None:
    assert as_text(dirty_lake.rows(query)) == text_table(EXPECTED[query])


def test_quarantine_keeps_the_text_as_it_arrived(dirty_lake: Lake) -> None:
    kept: dict[str, str] = dict(
        dirty_lake.rows("select reasons, raw_record from curated_db.quarantine where dataset = 'orders'")
    )
    arrived = FIRST_ORDERS.decode().splitlines()
    assert kept["malformed_json"] == arrived[3]
    assert kept["missing_order_id"] == arrived[5]
    assert kept["bad_quantity,bad_price,bad_created_at"] == arrived[7]


def test_broken_file_is_kept_whole_under_errors(dirty_lake: Lake) -> None:
    key = day("orders", 17, 2) + ".json.gz"
    assert (dirty_lake.root / key.replace("raw/", "errors/")).read_bytes() == LAST_ORDERS


def test_raw_view_that_lacks_files_says_how_to_renew_it(first_arrival: Lake, tmp_path: Path) -> None:
    lake = copied(first_arrival, tmp_path)
    assert lake.rows("select count(*) from raw_db.orders") == [(7,)]
    take_in(lake, FILES[1])
    with pytest.raises(duckdb.InvalidInputException, match="dbt run-operation create_raw_views"):
        lake.rows("select count(*) from raw_db.orders")


def test_raw_views_show_the_sound_files(dirty_lake: Lake) -> None:
    dirty_lake.dbt("run-operation", "create_raw_views")
    counts = {
        name: dirty_lake.rows(f"select count(*) from raw_db.{name}")[0][0]
        for name in ("orders", "users", "products", "customers", "events", "api_events", "accounts")
    }
    # A line of blanks is no row; the malformed line is one, of NULLs.
    assert counts == {
        "orders": 14,
        "users": 3,
        "products": 4,
        "customers": 9,
        "events": 2,
        "api_events": 2,
        "accounts": 0,
    }


def test_full_refresh_equals_the_three_increments(dirty_lake: Lake) -> None:
    increments = dirty_lake.content()
    dirty_lake.dbt("run", "--full-refresh", variables=THRESHOLDS)
    assert dirty_lake.content() == increments


def test_reconciliation_is_computed_although_a_rule_fails(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for files in FILES:
        for key, body in files.items():
            lake.put(key, body)
    lake.check()
    said = lake.build(variables={"orders_completeness_of_customer_id": 0.99}, fails=True)
    assert "orders_customer_id_is_complete" in said
    assert lake.rows("select sum(unexplained_rows) from curated_db.reconciliation") == [(0,)]


def test_models_that_fell_behind_take_all_they_missed(first_arrival: Lake, dirty_lake: Lake, tmp_path: Path) -> None:
    lake = copied(first_arrival, tmp_path)
    behind = ("daily_sales", "product_metrics", "customer_months", "fct_orders", "order_tallies", "repeated_orders")
    for left_out, files in zip((behind, ()), FILES[1:], strict=True):
        take_in(lake, files)
        lake.dbt("run", *(["--exclude", *left_out] if left_out else []), variables=THRESHOLDS)
    assert lake.content_without_times() == dirty_lake.content_without_times()


def test_orders_are_counted_anew_where_a_rule_is_new_and_on_request(dirty_lake: Lake, tmp_path: Path) -> None:
    lake = copied(dirty_lake, tmp_path)
    counting = ("--select", "order_tallies", "repeated_orders", "quality_results", "reconciliation")
    tallies = "select stage, tally, sum(amount) from curated_db.order_tallies group by all order by all"
    counted = lake.rows(tallies)

    with duckdb.connect(str(lake.root / "lake.duckdb")) as connection:  # as before the rule was declared
        connection.execute("delete from curated_db.order_tallies where tally = 'completeness(customer_id)'")
    lake.dbt("run", *counting, variables=THRESHOLDS)
    assert lake.rows(tallies) == counted

    unexplained = "select sum(unexplained_rows) from curated_db.reconciliation"
    repeated = """
        select violation_count from analytics_db.quality_results where stage = 'curated' and rule = 'order_id_is_unique'
    """
    ((versions,),) = lake.rows("select version_count from curated_db.orders where order_id = 'A'")
    with duckdb.connect(str(lake.root / "lake.duckdb")) as connection:
        connection.execute("delete from curated_db.orders where order_id = 'A'")
        connection.execute("insert into curated_db.orders select * from curated_db.orders where order_id = 'F'")
    lake.dbt("run", *counting, variables=THRESHOLDS)
    assert (lake.rows(unexplained), lake.rows(repeated)) == ([(0,)], [(0,)])
    lake.dbt("run", "--full-refresh", *counting, variables=THRESHOLDS)
    assert (lake.rows(unexplained), lake.rows(repeated)) == ([(versions - 1,)], [(1,)])
