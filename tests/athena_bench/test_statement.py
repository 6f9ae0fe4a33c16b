"""What kind of statement a text is, and how it is read."""

import pytest

from athena_bench.errors import RefusedError
from athena_bench.statement import Kind, Reader, engine_type, read, unescape


@pytest.mark.parametrize(
    ("text", "kind", "type_"),
    [
        ('-- /* {"app": "dbt"} */\nselect 1', Kind.SELECT, "DML"),
        ("with a as (select 1) select * from a", Kind.SELECT, "DML"),
        ("(select 1) union (select 2)", Kind.SELECT, "DML"),
        ("insert into t select 1", Kind.INSERT, "DML"),
        ("MERGE INTO t USING s ON a = b WHEN MATCHED THEN DELETE", Kind.MERGE, "DML"),
        ("create table a with (format = 'orc') as select 1", Kind.CREATE_TABLE_AS, "DDL"),
        ("create table if not exists `a`.`b` (c int) location 's3://b/'", Kind.CREATE_TABLE, "DDL"),
        (
            r"create external table a (b string) row format delimited fields terminated by '\'' location 's3://b/'",
            Kind.CREATE_TABLE,
            "DDL",
        ),
        ("create or replace view v as select 1", Kind.CREATE_VIEW, "DDL"),
        ("alter table `a`.`b` add columns (c int)", Kind.ALTER_TABLE, "DDL"),
        ("msck repair table a", Kind.REPAIR_TABLE, "DDL"),
        ("show tables in a", Kind.SHOW, "UTILITY"),
        ("optimize a rewrite data using bin_pack", Kind.OPTIMIZE, "DML"),
        ("unload (select 1) to 's3://b/' with (format = 'json')", Kind.UNLOAD, "DML"),
    ],
)
def test_kind_of_a_statement_is_told(text: str, kind: Kind, type_: str) -> None:
    statement = read(text)
    assert (statement.kind, statement.type) == (kind, type_)


@pytest.mark.parametrize("text", ["grant select on t to u", "set session a = 1", "", "-- nothing", "create index i"])
def test_statement_of_no_known_kind_is_refused(text: str) -> None:
    with pytest.raises(RefusedError, match="mismatched input"):
        read(text)


def test_two_statements_are_refused_and_a_semicolon_at_the_end_is_not() -> None:
    with pytest.raises(RefusedError, match="Only one sql statement"):
        read("select ';'; select 2")
    assert read("select ';' ;").text == "select ';'"


def test_numbers_with_a_point_are_found_outside_of_names_and_strings() -> None:
    text = "select .5, 1.5, .25, -.75, (.5), 2., 1.5e3, 7, t.c5, '0.5', \"0.5\", -- 0.5\n decimal '0.5'"
    assert [text[begin:end] for begin, end in Reader(text, hive=False).numbers()] == [
        ".5",
        "1.5",
        ".25",
        ".75",
        ".5",
        "2.",
    ]


ONE_SHAPE = "select a, 'x' from t where b = 1 and c = date '2024-01-01'"


@pytest.mark.parametrize(
    ("text", "is_of_it"),
    [
        ("select a, 'it''s' from t -- twice\nwhere b = 25\n and c = date '2023-12-31'", True),
        ("select a, 'x' from t where b = 1and c = date '2024-01-01'", False),
        ("select a, x'0' from t where b = 1 and c = date '2024-01-01'", False),
        ("select a, 'x' from t where b = 1.5 and c = date '2024-01-01'", False),
        ("select a, 'x' from t where b = 9999999999999999999 and c = date '2024-01-01'", False),
        ("select \"a\", 'x' from t where b = 1 and c = date '2024-01-01'", False),
    ],
)
def test_texts_that_differ_in_values_alone_are_of_one_shape(text: str, is_of_it: bool) -> None:
    shape = Reader(ONE_SHAPE, hive=False).shape()
    assert (Reader(text, hive=False).shape() == shape) == is_of_it


@pytest.mark.parametrize(("one", "other"), [("x'00'", "x'zz'"), ("U&'00'", "U&'zz'"), ('"a"', '""')])
def test_binary_string_and_name_are_part_of_the_shape(one: str, other: str) -> None:
    assert Reader(f"select {one}", hive=False).shape() != Reader(f"select {other}", hive=False).shape()


@pytest.mark.parametrize(
    ("written", "meant"),
    [(r"'\001'", "\x01"), (r"'don\'t'", "don't"), ("'don''t'", "don't"), (r"'a\\b\t'", "a\\b\t"), (r"'\u00e9'", "é")],
)
def test_strings_of_hives_grammar_are_unescaped(written: str, meant: str) -> None:
    assert unescape(written) == meant


def test_hive_types_become_the_engines() -> None:
    assert engine_type("struct<a:timestamp,b:array<string>>") == "ROW(a TIMESTAMP(6), b ARRAY(VARCHAR))"
    with pytest.raises(RefusedError, match="nonsense"):
        engine_type("nonsense<")
