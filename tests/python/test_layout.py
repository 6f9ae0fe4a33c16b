"""Where a raw file lies, and what its key says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalake.layout import RawPlace, parse_key, raw_folder, raw_key

TEN = datetime(2024, 1, 15, 10, 59, 59, tzinfo=UTC)

names = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)
aware_times = st.datetimes(datetime(2000, 1, 3), datetime(2099, 12, 29), timezones=st.timezones())


def test_key_is_the_documented_one() -> None:
    assert raw_key("orders", TEN, ".json.gz") == (
        "raw/orders/year=2024/month=01/day=15/hour=10/orders-2024-01-15-10.json.gz"
    )


@pytest.mark.parametrize(
    ("offset", "folder"),
    [(-2, "year=2024/month=01/day=16/hour=01"), (0, "year=2024/month=01/day=15/hour=23")],
)
def test_folder_is_the_utc_hour_of_the_time(offset: int, folder: str) -> None:
    when = datetime(2024, 1, 15, 23, 30, tzinfo=timezone(timedelta(hours=offset)))
    assert raw_folder("orders", when) == f"raw/orders/{folder}/"
    assert folder.rpartition("=")[2] in raw_key("orders", when, ".json")


@given(names, aware_times, st.none() | names)
def test_instant_has_one_key_in_every_time_zone(dataset: str, when: datetime, source: str | None) -> None:
    assert raw_key(dataset, when, ".json", source) == raw_key(dataset, when.astimezone(UTC), ".json", source)


def test_source_stands_before_the_year() -> None:
    assert raw_folder("api_events", TEN, "coupons") == (
        "raw/api_events/source=coupons/year=2024/month=01/day=15/hour=10/"
    )


def test_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        raw_folder("orders", TEN.replace(tzinfo=None))
    with pytest.raises(ValueError, match="no time zone"):
        raw_key("orders", TEN.replace(tzinfo=None), ".json")


@pytest.mark.parametrize(
    "name", ["", "Orders", "1st", "_orders", "a-b", "a b", "a/b", "..", "a=b", "größe", "orders\n"]
)
def test_name_that_can_name_no_folder_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="can't name a raw folder"):
        raw_folder(name, TEN)
    with pytest.raises(ValueError, match="can't name a raw folder"):
        raw_folder("orders", TEN, source=name)


@given(names, aware_times, st.none() | names, st.sampled_from([".json.gz", ".csv", "-full.parquet", ""]))
def test_key_says_what_it_was_made_of(dataset: str, when: datetime, source: str | None, suffix: str) -> None:
    day = f"{when.astimezone(UTC):year=%Y/month=%m/day=%d}"
    assert parse_key(raw_key(dataset, when, suffix, source)) == RawPlace(dataset, source, day)


@pytest.mark.parametrize("year", [1970, 1999, 2100])
def test_time_of_another_century_is_refused(year: int) -> None:
    with pytest.raises(ValueError, match="between 2000-01-01 and 2099-12-31"):
        raw_folder("orders", datetime(year, 6, 1, tzinfo=UTC))


def test_hour_may_be_missing_in_the_key() -> None:
    assert parse_key("raw/orders/year=2024/month=01/day=15/part-0.parquet") == (
        RawPlace("orders", None, "year=2024/month=01/day=15")
    )


def test_source_of_a_foreign_producer_is_kept_as_it_is() -> None:
    place = parse_key("raw/api_events/source=Shop App-2/year=2024/month=01/day=15/hour=10/x.json")
    assert place == RawPlace("api_events", "Shop App-2", "year=2024/month=01/day=15")


@pytest.mark.parametrize(
    "key",
    [
        "",
        "raw/orders/orders.json",
        "raw/orders/year=2024/month=01/orders.json",
        "raw/orders/year=2024/month=1/day=15/orders.json",
        "raw/orders/year=24/month=01/day=15/orders.json",
        "raw/orders/2024/01/15/orders.json",
        "raw/orders/year=2024/month=02/day=30/orders.json",
        "raw/orders/year=2024/month=13/day=01/orders.json",
        "raw/orders/year=1999/month=12/day=31/orders.json",
        "raw/orders/year=2100/month=01/day=01/orders.json",
        "raw/orders/day=15/month=01/year=2024/orders.json",
        "raw/orders/year=2024/month=01/day=15/",
        "raw/orders/year=2024/month=01/day=15/hour=1/orders.json",
        "raw/orders/year=2024/month=01/day=15/hour=10/minute=30/orders.json",
        "raw/orders/source=/year=2024/month=01/day=15/orders.json",
        "raw/orders/year=2024/source=shop/month=01/day=15/orders.json",
        "raw/Orders/year=2024/month=01/day=15/orders.json",
        "raw/year=2024/month=01/day=15/orders.json",
        "curated/orders/year=2024/month=01/day=15/orders.json",
        "/raw/orders/year=2024/month=01/day=15/orders.json",
        "errors/raw/orders/year=2024/month=01/day=15/orders.json",
    ],
)
def test_foreign_key_says_nothing(key: str) -> None:
    assert parse_key(key) is None


def test_digits_of_another_script_are_foreign() -> None:
    assert parse_key("raw/orders/year=\u0662\u0660\u0662\u0664/month=01/day=15/orders.json") is None
