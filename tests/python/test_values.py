"""The texts that Athena writes come back as the values that they were."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalake.values import as_json, reader

PLAIN = {
    ("boolean", "true"): True,
    ("boolean", "false"): False,
    ("tinyint", "-1"): -1,
    ("bigint", "9223372036854775807"): 9223372036854775807,
    ("double", "1.0E10"): 1e10,
    ("float", "Infinity"): float("inf"),
    ("decimal(10,2)", "1.10"): Decimal("1.10"),
    ("decimal(38,0)", "12345678901234567890123456789012345678"): Decimal("12345678901234567890123456789012345678"),
    ("varchar", ""): "",
    ("char(3)", "a  "): "a  ",
    ("string", "null"): "null",
    ("date", "2024-02-29"): date(2024, 2, 29),
    ("time", "10:00:00.123"): time(10, 0, 0, 123000),
    ("timestamp", "2024-01-15 10:00:00.000"): datetime(2024, 1, 15, 10),
    ("timestamp", "2024-01-15 10:00:00.123456"): datetime(2024, 1, 15, 10, 0, 0, 123456),
    ("timestamp with time zone", "2024-01-15 10:00:00.000 UTC"): datetime(2024, 1, 15, 10, tzinfo=UTC),
    ("timestamp with time zone", "2024-01-15 10:00:00.000 +05:30"): datetime(
        2024, 1, 15, 10, tzinfo=timezone(timedelta(hours=5, minutes=30))
    ),
    ("timestamp with time zone", "2024-07-15 10:00:00.000 Europe/Vienna"): datetime(
        2024, 7, 15, 10, tzinfo=ZoneInfo("Europe/Vienna")
    ),
    ("varbinary", "68 65"): b"he",
    ("json", '{"a": [1, null]}'): {"a": [1, None]},
    ("ipaddress", "10.0.0.1"): "10.0.0.1",
}


@pytest.mark.parametrize(("type_", "text"), PLAIN)
def test_plain_value_has_its_type(type_: str, text: str) -> None:
    value = reader(type_)(text)
    assert (value, type(value)) == (PLAIN[type_, text], type(PLAIN[type_, text]))


NESTED = {
    ("array", "[]"): [],
    ("array", "[1, null, a b]"): ["1", None, "a b"],
    ("array", "[[1, 2], [], [3]]"): [["1", "2"], [], ["3"]],
    ("map", "{}"): {},
    ("map", "{a=1, b={c=2}}"): {"a": "1", "b": {"c": "2"}},
    ("row", "{name=Ann, tags=[x, y], age=null}"): {"name": "Ann", "tags": ["x", "y"], "age": None},
    ("array(integer)", "[1, null, 3]"): [1, None, 3],
    ("array(varchar)", "[007, null]"): ["007", None],
    ("map(integer, array(decimal(4,2)))", "{1=[1.50], 2=null}"): {1: [Decimal("1.50")], 2: None},
    ("row(name varchar, born date)", "{name=a=b, born=2024-02-29}"): {"name": "a=b", "born": date(2024, 2, 29)},
    ("array(row(at timestamp(3) with time zone))", "[{at=2024-01-15 10:00:00.000 UTC}]"): [
        {"at": datetime(2024, 1, 15, 10, tzinfo=UTC)}
    ],
    ('row("Two Words" boolean, b double)', "{Two Words=true, b=-Infinity}"): {"Two Words": True, "b": float("-inf")},
}


@pytest.mark.parametrize(("type_", "text"), NESTED)
def test_nested_value_has_its_shape(type_: str, text: str) -> None:
    assert reader(type_)(text) == NESTED[type_, text]


@pytest.mark.parametrize(
    ("type_", "text"),
    [("array", "[a, b]]"), ("map", "{a=1, a=2}"), ("map", "{plain}"), ("row", "unlike"), ("array", "[{a=1]")],
)
def test_nested_text_that_can_not_be_told_apart_stays_as_it_is(type_: str, text: str) -> None:
    value = reader(type_)(text)
    assert text in (value, f"[{value[0]}]")


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        ("boolean", "yes"),
        ("date", "12024-01-01"),
        ("array(integer)", "[a]"),
        ("array(varchar)", "[a]]"),
        ("row(a integer)", "{b=1}"),
        ("row(a integer, b integer)", "{a=1}"),
        ("map(varchar, integer)", "{a=1, a=2}"),
        ("map(varchar, integer)", "{a}"),
        ("array(varchar)", "{a=1}"),
    ],
)
def test_text_that_is_not_of_its_type_is_refused(type_: str, text: str) -> None:
    with pytest.raises((ValueError, LookupError)):
        reader(type_)(text)


@pytest.mark.parametrize("type_", ["array(bogus type here)", "map(", "row(a)"])
def test_type_that_is_none_is_refused(type_: str) -> None:
    with pytest.raises(ValueError, match=f"^'{re.escape(type_)}' is no type of Athena$"):
        reader(type_)


TEXTS = st.text(st.characters(exclude_characters="[]{},=", exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: text != "null"
)


def written(value: Any) -> str:
    """Return a value as Athena writes it."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case list():
            return f"[{', '.join(map(written, value))}]"
        case dict():
            return f"{{{', '.join(f'{name}={written(of)}' for name, of in value.items())}}}"
        case _:
            return str(value)


@given(st.recursive(st.none() | TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=20))
def test_shape_of_any_nested_value_is_found_by_its_look(value: Any) -> None:
    assert reader("array")(written([value])) == [value]


@given(st.lists(st.dictionaries(TEXTS, st.none() | st.lists(st.none() | st.integers()))))
def test_any_value_of_a_given_type_comes_back(value: Any) -> None:
    assert reader("array(map(varchar, array(bigint)))")(written(value)) == value


def test_values_in_json_lose_nothing() -> None:
    assert as_json(
        {
            "price": Decimal("1.10"),
            "large": Decimal("1E+3"),
            "day": date(2024, 2, 29),
            "at": datetime(2024, 1, 15, 10, tzinfo=UTC),
            "bytes": b"he",
            "none": float("nan"),
            "list": [1, None, True, (1.5, "a")],
            3: ZoneInfo("UTC"),
        }
    ) == {
        "price": "1.10",
        "large": "1000",
        "day": "2024-02-29",
        "at": "2024-01-15T10:00:00+00:00",
        "bytes": "6865",
        "none": "nan",
        "list": [1, None, True, [1.5, "a"]],
        "3": "UTC",
    }
