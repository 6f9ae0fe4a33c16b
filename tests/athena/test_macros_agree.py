"""The engine macros give the same values on DuckDB and on Athena's engine, text by text.

dbt compiles the macros for either target. The texts are those that sources are known for (`dirt.py`), more that lie at
the edge of what a macro takes, and random ones.
"""

from __future__ import annotations

import json
import random
import re
import string
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import duckdb
import pytest
from athena_lakes import AthenaLake
from dirt import BOOLEANS, DECIMALS, EXTRAS, INTEGERS, MALFORMED, MOMENTS, TEXTS, dirty_lines
from lakes import Lake

from athena_bench.bench import Bench
from athena_bench.engine import Engine

pytestmark = pytest.mark.server

Ask = Callable[[str], list[list[str | None]]]

RANDOM_TEXTS = 2_000
RANDOM_LINES = 6_000
LINE_COLUMNS = ("order_id", "quantity", "price", "email", "created_at", "properties")
TEXT_MACROS = {
    "to_integer": "{{ to_integer('text') }}",
    "to_decimal": "{{ to_decimal('text') }}",
    "to_utc": "{{ to_utc('text') }}",
    "is_no_key": "{{ is_no_key('text') }}",
    "matches_pattern": "{{ matches_pattern('text', '[a-z]|[+-]?[0-9]+.x?') }}",
    "arrival": "{{ arrival('text') }}",
    "reasons": """{{ reasons({'small': "text < '5'", 'large': "text > '2'", 'empty': "text = ''"}) }}""",
}
QUERIES = {
    "text_macros": "select number, " + ", ".join(TEXT_MACROS.values()) + " from texts",
    "parse_json_lines": "{{ parse_json_lines('lines', " + repr(list(LINE_COLUMNS)) + ") }}",
    "record_as_json": """
        select number, {{ record_as_json('raw_record') }}
        from (
            select source_file as number, {{ pack_record('records', ['b', 'a']) }} as raw_record
            from (select text as b, nullif(text, '') as a, cast(number as varchar) as source_file from texts) as records
        ) as packed
    """,
    "smallest": "select number % 50, {{ smallest('text', 3) }} from texts group by number % 50",
    "smallest_number": "select {{ smallest('number', 5) }} from texts",
    "smallest_of_none": "select {{ smallest('text', 3) }} from texts where number < 0",
    "day_of_week": "select calendar_date, {{ day_of_week('calendar_date') }} from dates",
    "date_key": "select calendar_date, {{ date_key('calendar_date') }} from dates",
    "time_bounds": "select {{ beginning_of_time() }}, {{ end_of_time() }}",
    "ratio": "select {{ ratio('1', '3') }}, {{ ratio('1', '0') }}, {{ ratio('cast(2.10 as decimal(38, 2))', '7') }}",
}
MARK = "\n/* next */\n"


@pytest.fixture(scope="module")
def engine(athena_bench: Bench) -> Engine:
    """The engine that Athena's queries run on."""
    assert athena_bench.engine is not None
    return athena_bench.engine


@pytest.fixture(scope="module")
def statements(tmp_path_factory: pytest.TempPathFactory, athena_bench: Bench) -> dict[str, tuple[str, str]]:
    """What each macro, in a query, is for DuckDB and for Athena."""
    lake = AthenaLake(athena_bench, tmp_path_factory.mktemp("compiled"))
    inline = ("compile", "--quiet", "--no-populate-cache", "--inline", MARK.join(QUERIES.values()))
    local, athena = (dbt(*inline).split(MARK.strip()) for dbt in (Lake(lake.folder).dbt, lake.dbt))
    return dict(zip(QUERIES, zip(local, athena, strict=True), strict=True))


def texts() -> list[str]:
    """Return what a column may hold that is text in raw."""
    chance = random.Random(7)
    literals = [*INTEGERS, *DECIMALS, *BOOLEANS, *TEXTS]
    known = literals + [str(json.loads(each)) for each in literals if re.fullmatch(r'"[^\\]*"', each)]
    moments = [
        f"{day}{clock}{offset}"
        for day in ("2024-02-29", "2023-02-29", "1582-10-10", "1000-01-01", "9998-12-31", "1900-02-29", "2024-12-31")
        for clock in ("", "T00:00", " 23:59", "T23:59:59", "T12:00:00.1", "T23:59:59.999999999", " 00:00:00.0000019")
        for offset in ("", "Z", "+14:59", "-14:59", "+0530", "-09", "+00:00", "-00:30", "z", "+15", "+1:00")
    ]
    edges = [
        *(
            "5\n",
            "\n5",
            "5\r",
            "5\r\n",
            "\t",
            "\x0b",
            "\x0c",
            "\x1c",
            "\x1f",
            "\u00a0",
            "\u2003",
            " \t\r\n",
            " a",
            "!",
            "~",
        ),
        *(
            "{",
            "}",
            "{}",
            "[]",
            "{]",
            "[x]",
            "{a",
            "[",
            "'",
            "''",
            "\\",
            "\\n",
            "%",
            "_",
            "\u0000",
            "a\u0000",
            "\u0000a",
        ),
        *("raw/a/year=2024/x", "year=", "xyear=2024year=1", "👍year=1", "a" * 5_000, "2" * 39, "0." + "3" * 60),
        *("2147483647.0", "-2147483648.00", "2147483648", "+0", "-0", "00000000000000000005", "9" * 60 + ".0"),
        *("0.005", "-0.005", "0.0049999999999999999999", "0.015", "1.995", "-1.995", "99999999.994999", "99999999.995"),
        *(
            "\uff10",
            "٣",
            "1٣",
            "½",
            "²",
            "é",
            "e\u0301",
            "👩\u200d👩\u200d👧",
            "😀",
            "\U0010ffff",
            "\ufffd",
            "\u2028",
            "\u0085",
        ),
    ]
    alphabets = ("0123456789.+-", "0123456789-T:Z+. ", string.printable, 'aé😀 "\\\u0001\u2028{}[]')
    scribbles = [
        "".join(chance.choices(chance.choice(alphabets), k=chance.randrange(1, 24))) for _ in range(RANDOM_TEXTS)
    ]
    decimals = [
        f"{chance.choice(['', '-', '+'])}{chance.randrange(10 ** chance.randrange(1, 10))}.{chance.randrange(10**6)}"
        for _ in range(RANDOM_TEXTS)
    ]
    return list(dict.fromkeys(["", *known, *MOMENTS, *moments, *edges, *scribbles, *decimals]))


def lines() -> list[str]:
    """Return lines of files of JSON, many of them none."""
    chance = random.Random(11)
    values = [
        *INTEGERS,
        *DECIMALS,
        *BOOLEANS,
        *TEXTS,
        "1.50",
        "1.00",
        "-0.0",
        "-0",
        "0.0",
        "0.10",
        "-12.340",
        "1.50e2",
        "1E400",
        "123456789012345.6700",
        "0.00001",
        "12345678.5",
        "1" * 400,
        "-0.00",
        "100",
        '"1.50"',
        '"-0"',
        '"s1"',
        '"n1"',
        '"\\u0001\\u0002"',
        '"\\u001f\\b\\f\\/"',
        '"a\\\\ud800"',
        '"\\\\\\ud83d\\ude00"',
        '"\\ud83d"',
        '"\\ude00\\ud83d"',
        '"\\uD83D\\uDE00"',
        '"\\ud83d\\\\ude00"',
        '"😀"',
        '{"😀":"\\ud83d\\ude00","n":[1.50,-0,1e2,"1.50","n5","s"]}',
        '[{"a":1,"a":2.0,"b":{"c":"\\"n5\\"","d":"\\\\"}}]',
        '{"z":1,"a":12345678.5,"m":0.00001,"e":1E-2}',
        "[ ]",
        "{ }",
        '"NaN"',
        '["x,]"]',
        '"nan"',
        '{"inf":",}"}',
        '"2024-01-15T10:00:00Z"',
        "[null,true,false]",
        '"\u2028\u007f"',
    ]
    for _ in range(300):
        digits = "".join(chance.choices("0123456789", k=chance.randrange(1, 20))).lstrip("0") or "0"
        fraction = chance.choice(["", "." + "".join(chance.choices("0012345", k=chance.randrange(1, 8)))])
        values.append(chance.choice(["", "-"]) + digits + fraction + chance.choice(["", "", "", "e5", "E-3", "e+0"]))
    names = [*LINE_COLUMNS, *LINE_COLUMNS, *LINE_COLUMNS, "other", "Price", "pr\\u0069ce", "s", "", "email "]
    made = []
    for _ in range(RANDOM_LINES):
        glue, colon = chance.choice([(",", ":"), (", ", ": "), (" ,\t", " : ")])
        members = [f'"{chance.choice(names)}"{colon}{chance.choice(values)}' for _ in range(chance.randrange(6))]
        line = "{" + glue.join([*members, *([chance.choice(EXTRAS)] if chance.random() < 0.1 else [])]) + "}"
        made.append(chance.choice(MALFORMED)(line) if chance.random() < 0.2 else line)
    dirty = [*dirty_lines(chance, "orders", 1_500), *dirty_lines(chance, "users", 1_000)]
    return list(dict.fromkeys([*made, *dirty, "{}", " {} ", "\t{}\t", "{", "}", "", "x", "\\N", "{}{}"]))


def test_macros_of_a_text_agree(engine: Engine, statements: dict[str, tuple[str, str]]) -> None:
    given = texts()
    on_duckdb, on_athena = both(engine, statements["text_macros"], given)
    wrong = [
        (name, given[int(local[0] or 0)], value, other)
        for local, athena in zip(on_duckdb, on_athena, strict=True)
        for name, value, other in zip(TEXT_MACROS, local[1:], athena[1:], strict=True)
        if value != other
    ]
    assert wrong == []
    for name, values in zip(TEXT_MACROS, list(zip(*on_duckdb, strict=True))[1:], strict=True):
        assert len(set(values)) > 1, f"the texts tell nothing of {name}"


@pytest.mark.parametrize("name", [name for name in QUERIES if name not in ("text_macros", "parse_json_lines")])
def test_query_agrees(engine: Engine, statements: dict[str, tuple[str, str]], name: str) -> None:
    on_duckdb, on_athena = both(engine, statements[name], texts() if "from texts" in QUERIES[name] else [""])
    assert on_duckdb == on_athena


def test_json_lines_agree(engine: Engine, statements: dict[str, tuple[str, str]]) -> None:
    on_duckdb, on_athena = both(engine, statements["parse_json_lines"], lines())
    assert [pair for pair in zip(on_duckdb, on_athena, strict=True) if pair[0] != pair[1]] == []
    malformed = sum(row[-3] == "true" for row in on_duckdb)
    assert 0 < malformed < len(on_duckdb) / 2


def both(
    engine: Engine, statement: tuple[str, str], given: Sequence[str]
) -> tuple[list[list[str | None]], list[list[str | None]]]:
    """Return the rows that either engine gives, as text, of the same texts."""
    local: list[list[str | None]] = []
    athena: list[list[str | None]] = []
    with duckdb.connect() as connection:
        for literal in literals(given):
            sql = sources(literal, "decode(unhex({}))") + f"select * from ({statement[0]}) as asked"
            local += [[as_text(value) for value in row] for row in connection.execute(sql).fetchall()]
            sql = sources(literal, "from_utf8(from_hex({}))") + f"select * from ({statement[1]}) as asked"
            athena += [[as_text(value) for value in row] for row in engine.run(sql).rows]
    order: Callable[[list[str | None]], list[str]] = lambda row: [value or "" for value in row]  # noqa: E731
    return sorted(local, key=order), sorted(athena, key=order)


def literals(given: Sequence[str], most: int = 150_000) -> Iterator[str]:
    """Yield the texts with their numbers in one literal, so many at a time as fit into a query.

    An engine plans that far faster than a list of rows.
    """
    items: list[str] = []
    length = 0
    for number, text in enumerate(given):
        items.append(f"{number}:{text.encode().hex()}")
        length += len(items[-1])
        if length > most:
            yield ",".join(items)
            items, length = [], 0
    if items:
        yield ",".join(items)


def sources(literal: str, decode: str) -> str:
    text = decode.format("split_part(item, ':', 2)")
    return (
        f"with texts as (select cast(split_part(item, ':', 1) as integer) as number, {text} as text "
        f"from unnest(split('{literal}', ',')) as given (item)), "
        "lines as (select text as line, cast(number as varchar) as source_file from texts), "
        "dates as (select date_day as calendar_date from (values (date '2024-02-29'), (date '0001-01-01'), "
        "(date '1969-12-31'), (date '2029-12-31'), (date '2023-01-01')) as days (date_day)) "
    )


def as_text(value: Any) -> str | None:
    """Return a value as one text, whatever an engine's client makes of it."""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="microseconds")
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value)
