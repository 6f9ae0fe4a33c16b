"""What is ingested is in the raw tables at once, and what they can't see is told."""

from __future__ import annotations

from datetime import UTC, datetime, time

from athena_lakes import BUCKET, DECLARED, AthenaLake

from datalake.catalog import raw_tables, register
from datalake.ingest import ingest
from datalake.layout import FIRST_DAY, LAST_DAY

NOW = datetime(2024, 1, 15, 10, tzinfo=UTC)


def test_raw_tables_see_what_is_ingested_and_register_tells_the_rest(athena_lake: AthenaLake) -> None:
    athena_lake.dbt("run-operation", "create_raw_views")
    ingest(athena_lake.store, DECLARED["orders"], [{"order_id": "A", "price": "2.50"}], now=NOW)
    ingest(athena_lake.store, DECLARED["api_events"], [{"event_id": "E"}], source="web", now=NOW)
    arrived = "arrived = 'year=2024/month=01/day=15'"
    assert athena_lake.rows(f"select order_id, price from raw_db.orders where {arrived}") == [("A", "2.50")]
    lines = athena_lake.rows(f"select line from raw_db.api_events_lines where {arrived} and source = 'web'")
    assert lines == [('{"event_id":"E"}',)]

    # All that ingesting may name lies within the projected range, to the day.
    for number, day in enumerate((FIRST_DAY, LAST_DAY)):
        ingest(
            athena_lake.store, DECLARED["orders"], [{"order_id": str(number)}], now=datetime.combine(day, time.max, UTC)
        )
    clients = athena_lake.bench.client("glue"), athena_lake.bench.client("s3")
    registered = {each.table: each for each in register(*clients, raw_tables(DECLARED))}
    assert registered["raw_db.orders"].known == registered["raw_db.orders_lines"].known == 3
    assert registered["raw_db.api_events"].known == 1
    assert not any(each.outside or each.created for each in registered.values())

    athena_lake.store.put("raw/orders/year=1999/month=12/day=31/hour=23/a.json", b'{"order_id":"B"}\n')
    said = athena_lake.datalake("register", fails=True)
    assert "raw_db.orders: projected, 3 known before." in said
    assert (
        f"no query sees s3://{BUCKET}/raw/orders/year=1999/month=12/day=31/: "
        "1999-12-31 is outside of the projected range, 2000-01-01 to 2099-12-31." in said
    )
