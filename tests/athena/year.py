"""Raw files of a small shop's year: 365 days of orders, and what they refer to."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq

FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)
ORDERS_A_DAY = 400
CUSTOMERS = 500
PRODUCTS = 1_000


def key(dataset: str, day: datetime, ending: str) -> str:
    return f"raw/{dataset}/{day:year=%Y/month=%m/day=%d}/hour=10/{dataset}{ending}"


def reference_files() -> Iterator[tuple[str, bytes]]:
    """Yield the files of customers, users, products and events, which come on the first day."""
    numbers = range(CUSTOMERS)
    moment = FIRST_DAY.isoformat()
    customers = {
        "op": ["I"] * CUSTOMERS,
        "commit_ts": [moment] * CUSTOMERS,
        "customer_id": [f"c{number}" for number in numbers],
        **{
            column: [f"{column} {number % 7}" for number in numbers]
            for column in ("name", "segment", "region", "email", "phone", "address", "age", "income")
        },
    }
    events = {
        "event_id": [f"e{number}" for number in numbers],
        "customer_id": [f"c{number}" for number in numbers],
        "event_type": ["coupon_redeemed"] * CUSTOMERS,
        "product_id": [f"p{number}" for number in numbers],
        "occurred_at": [moment] * CUSTOMERS,
        "session_id": [f"s{number}" for number in numbers],
        "properties": ["{}"] * CUSTOMERS,
    }
    for dataset, columns in (("customers", customers), ("events", events)):
        body = BytesIO()
        table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
        pq.write_table(table, body)
        yield key(dataset, FIRST_DAY, ".parquet"), body.getvalue()
    users = [
        {"user_id": f"u{number}", "customer_id": f"c{number}", "created_at": moment, "newsletter": number % 2 == 0,
         "email": f"u{number}@example.com", "phone": "1", "updated_at": moment}
        for number in numbers
    ]  # fmt: skip
    yield key("users", FIRST_DAY, ".json.gz"), _lines(users)
    header = "product_id,name,category,department,brand,price,updated_at\n"
    products = "".join(f"p{number},name {number},a,b,c,{number % 50 + 1}.00,{moment}\n" for number in range(PRODUCTS))
    yield key("products", FIRST_DAY, ".csv"), (header + products).encode()
    api_event = {"event_id": "a1", "customer_id": "c1", "event_type": "coupon_redeemed", "occurred_at": moment}
    place = key("api_events", FIRST_DAY, ".json.gz").replace("api_events/", "api_events/source=app/", 1)
    yield place, _lines([api_event | {"product_id": "p1", "session_id": "s1", "properties": {}}])


def orders_of(day_number: int) -> tuple[str, bytes]:
    """Return the file of a day's orders, 0 for the first of January."""
    day = FIRST_DAY + timedelta(days=day_number)
    orders = []
    for number in range(ORDERS_A_DAY):
        # A stride that is prime to them spreads customers and products without chance.
        turn = day_number * ORDERS_A_DAY + number
        orders.append(
            {
                "order_id": f"{3_000_000_000 + turn}-p{turn * 37 % PRODUCTS}",
                "customer_id": f"c{turn * 31 % CUSTOMERS}",
                "product_id": f"p{turn * 37 % PRODUCTS}",
                "quantity": turn % 3 + 1,
                "price": turn * 7 % 5000 / 100 + 1,
                "discount": turn % 5 / 10,
                "created_at": (day + timedelta(seconds=turn * 211 % 86_400)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )
    return key("orders", day, ".json.gz"), _lines(orders)


def _lines(records: list[dict[str, object]]) -> bytes:
    return gzip.compress("".join(json.dumps(record) + "\n" for record in records).encode(), mtime=0)
