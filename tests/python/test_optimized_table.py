"""The statements of optimized tables: what they say, and that no text of a caller says anything else."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pytest
import sqlglot
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sqlglot import exp
from typer.testing import CliRunner

from datalake.cli import app
from datalake.errors import TableDefinitionError
from datalake.optimized_table import (
    LONGEST_STATEMENT,
    ByCategory,
    ByDate,
    ByHash,
    Column,
    Derived,
    Part,
    Strategy,
    TableFormat,
    ddl,
    derived_column,
)

NAME = "curated_db.returns"
LOCATION = "s3://lake/curated_db/returns/"
SCHEMA = (
    Column("return_id", "string"),
    Column("segment", "varchar(20)"),
    Column("returned_on", "date"),
    Column("created_at", "timestamp"),
    Column("price", "decimal(10, 2)"),
)
ICEBERG_SCHEMA = (Column("return_id", "string"), Column("segment", "string"), *SCHEMA[2:])


def hive(strategy: Strategy, schema: tuple[Column, ...] = SCHEMA, **more: Any) -> str:
    return ddl(
        more.pop("name", NAME), schema, strategy, **({"location": LOCATION} | more), table_format=TableFormat.hive
    )


def iceberg(strategy: Strategy, schema: tuple[Column, ...] = ICEBERG_SCHEMA, **more: Any) -> str:
    return ddl(more.pop("name", NAME), schema, strategy, **({"location": LOCATION} | more))


def partition(statement: str) -> str:
    (line,) = (line for line in statement.splitlines() if line.startswith("partitioned by"))
    return line.removeprefix("partitioned by (").removesuffix(")")


def test_iceberg_statement() -> None:
    assert iceberg(ByDate("returned_on", Part.month)) == (
        "create table `curated_db`.`returns` (\n"
        "    `return_id` string,\n"
        "    `segment` string,\n"
        "    `returned_on` date,\n"
        "    `created_at` timestamp,\n"
        "    `price` decimal(10,2)\n"
        ")\n"
        "partitioned by (month(`returned_on`))\n"
        "location 's3://lake/curated_db/returns/'\n"
        "tblproperties ('table_type' = 'ICEBERG', 'format' = 'PARQUET', 'write_compression' = 'SNAPPY')"
    )


def test_hive_statement() -> None:
    assert hive(ByCategory("segment"), location=LOCATION.rstrip("/")) == (
        "create external table `curated_db`.`returns` (\n"
        "    `return_id` string,\n"
        "    `returned_on` date,\n"
        "    `created_at` timestamp,\n"
        "    `price` decimal(10,2)\n"
        ")\n"
        "partitioned by (`segment` varchar(20))\n"
        "stored as parquet\n"
        "location 's3://lake/curated_db/returns/'\n"
        "tblproperties ('parquet.compression' = 'SNAPPY')"
    )


@pytest.mark.parametrize(
    ("strategy", "in_iceberg", "in_hive", "expression"),
    [
        (ByDate("returned_on"), "day(`returned_on`)", "`returned_on` date", '"returned_on"'),
        (
            ByDate("returned_on", Part.month),
            "month(`returned_on`)",
            "`returned_on_month` string",
            "date_format(\"returned_on\", '%Y-%m')",
        ),
        (
            ByDate("created_at"),
            "day(`created_at`)",
            "`created_at_day` string",
            "date_format(\"created_at\", '%Y-%m-%d')",
        ),
        (
            ByDate("created_at", Part.year),
            "year(`created_at`)",
            "`created_at_year` string",
            "date_format(\"created_at\", '%Y')",
        ),
        (ByCategory("segment"), "`segment`", "`segment` varchar(20)", '"segment"'),
        (
            ByHash("return_id", 16),
            "bucket(16, `return_id`)",
            "`return_id_bucket` int",
            'cast(crc32(to_utf8(cast("return_id" as varchar))) % 16 as integer)',
        ),
    ],
)
def test_strategy_becomes_a_partition(strategy: Strategy, in_iceberg: str, in_hive: str, expression: str) -> None:
    assert partition(iceberg(strategy)) == in_iceberg
    assert partition(hive(strategy)) == in_hive
    name, type_ = in_hive.replace("`", "").split(" ")
    assert derived_column(SCHEMA, strategy) == Derived(name, type_, expression)


def test_bucket_of_a_value_is_that_of_its_text() -> None:
    strategy = ByHash("return_id", 16)
    assert strategy.bucket_of("c7") == 4  # select crc32(to_utf8('c7')) % 16
    assert strategy.bucket_of(7) == strategy.bucket_of("7")
    assert strategy.bucket_of(date(2024, 1, 15)) == strategy.bucket_of("2024-01-15")
    assert strategy.bucket_of(None) is None


def test_reserved_words_are_names() -> None:
    statement = iceberg(
        ByDate("date"), (Column("date", "date"), Column("select", "struct<end:int,`table`:string>")), name="order.table"
    )
    assert "`order`.`table`" in statement
    assert "day(`date`)" in statement
    assert "`select` struct<`end`:int,`table`:string>" in statement


@pytest.mark.parametrize(
    ("type_", "written"),
    [
        ("INTEGER", "int"),
        ("decimal(38,38)", "decimal(38,38)"),
        ("decimal(5)", "decimal(5,0)"),
        ("char(255)", "char(255)"),
        ("varchar( 65535 )", "varchar(65535)"),
        (
            "Array< map<string , struct<a:ARRAY<int>,b:decimal(3,1)>> >",
            "array<map<string,struct<`a`:array<int>,`b`:decimal(3,1)>>>",
        ),
    ],
)
def test_type_is_written_anew(type_: str, written: str) -> None:
    assert f"`x` {written}\n" in hive(ByCategory("segment"), (Column("segment", "string"), Column("x", type_)))


@pytest.mark.parametrize(
    ("type_", "says"),
    [
        ("", "it ends where a type is expected"),
        ("text", "there is no type text; there are boolean"),
        ("uuid", "there is no type uuid"),
        ("varchar", "it ends where '\\(' is expected"),
        ("varchar(0)", "'0' is no number from 1 to 65,535"),
        ("varchar(65536)", "no number from 1"),
        ("char(256)", "no number from 1 to 255"),
        ("decimal", "it ends where"),
        ("decimal(39,2)", "'39' is no number from 1 to 38"),
        ("decimal(4,5)", "'5' is no number from 0 to 4"),
        ("decimal(4,2", "it ends where '\\)' is expected"),
        ("int(11)", "'\\(' is too much"),
        ("int not null", "'not' is too much"),
        ("int comment 'x'", '"\'" has no place in it'),
        ("array<int", "it ends where '>' is expected"),
        ("array int", "'int' stands where '<' is expected"),
        ("map<int>", "'>' stands where ',' is expected"),
        ("map<array<int>,int>", "the key of a map can't be a array"),
        ("struct<>", "'>' can't name a field"),
        ("struct<a int>", "'int' stands where ':' is expected"),
        ("struct<a:int,a:int>", "the field a is there twice"),
        ("struct<A:int>", "'A' can't name a field"),
        ("struct<`a:int>", "':' stands where '`' is expected"),
        ("int) location", "'\\)' is too much"),
        ("int) location 's3://evil/'", '"\'" has no place in it'),
        ("int--", "'-' has no place in it"),
        ("int;drop table x", "';' has no place in it"),
        ("array<" * 33 + "int" + ">" * 33, "nested more than 32 deep"),
        ("array<" * 100_000, "nested more than 32 deep"),
        ("string\x00", "has no place in it"),
        ("string\u037e", "has no place in it"),
        ("\u017ftring", "has no place in it"),
    ],
)
def test_text_that_is_no_type_is_refused(type_: str, says: str) -> None:
    with pytest.raises(TableDefinitionError, match=f"(?s)^The column x has no type .*{says}"):
        hive(ByCategory("segment"), (Column("segment", "string"), Column("x", type_)))


@pytest.mark.parametrize(
    ("type_", "instead"), [("varchar(10)", "string"), ("char(3)", "string"), ("array<smallint>", "int")]
)
def test_type_that_iceberg_lacks_is_refused_with_another(type_: str, instead: str) -> None:
    with pytest.raises(TableDefinitionError, match=f"take {instead}"):
        iceberg(ByCategory("segment"), (Column("segment", "string"), Column("x", type_)))


NO_NAMES = [
    "", "Orders", "1st", "a-b", "a b", "a.b", "a`b", 'a"b', "a'b", "a;b", "a--", "a/*", "a\n", "é", "\uff41", "x" * 256,
    "t` (`a` string) location 's3://evil/'; drop table `x",
]  # fmt: skip


@pytest.mark.parametrize("name", NO_NAMES)
def test_text_that_is_no_name_is_refused(name: str) -> None:
    for table in (f"{name}.t", f"db.{name}", f"a.b.{name}"):
        with pytest.raises(TableDefinitionError, match="name"):
            iceberg(ByCategory("segment"), name=table)
    with pytest.raises(TableDefinitionError, match="can't name a column"):
        iceberg(ByCategory(name), (Column(name, "string"), Column("x", "int")))
    with pytest.raises(TableDefinitionError, match="none of its columns"):
        iceberg(ByHash(name, 4))


def test_table_is_named_with_its_database() -> None:
    with pytest.raises(TableDefinitionError, match=r"name it as database\.table"):
        iceberg(ByCategory("segment"), name="returns")


@pytest.mark.parametrize(
    "location",
    [
        "", "s3://lake", "s3://lake/", "s3://lake//a/", "s3://lake/a//b/", "s3://lake/../a/", "s3://lake/./a/",
        "s3://LAKE/a/", "http://lake/a/", "lake/a/", "s3://lake/a'b/", 's3://lake/a"b/', "s3://lake/a b/",
        "s3://lake/a\n/", "s3://lake/a/\n", "s3://lake/a\\/", "s3://lake/${x}/",
        "s3://lake/a/' tblproperties ('x'='y')",
        "s3://lake/é/", "s3://lake/a;b/", "s3://-l/a/",
    ],
)  # fmt: skip
def test_text_that_is_no_location_is_refused(location: str) -> None:
    with pytest.raises(TableDefinitionError, match="is no folder for a table"):
        iceberg(ByCategory("segment"), location=location)


@pytest.mark.parametrize(
    ("strategy", "says"),
    [
        (ByDate("segment"), "by date of segment, a string; it can be of date, timestamp"),
        (ByDate("returned_on", "week"), "a day, month or year, not 'week'"),  # type: ignore[arg-type]
        (ByCategory("price"), "by category of price, a decimal"),
        (ByCategory("created_at"), "by category of created_at"),
        (ByHash("price", 4), "by hash of price"),
        (ByHash("return_id", 1), "2 to 1,000,000 buckets, not 1"),
        (ByHash("return_id", 1_000_001), "buckets"),
        (ByHash("return_id", True), "buckets, not True"),
        (ByHash("return_id", "4) x ("), "buckets"),  # type: ignore[arg-type]
        (ByCategory("nope"), "'nope', which is none of its columns: return_id"),
    ],
)
def test_strategy_that_fits_no_column_is_refused(strategy: Strategy, says: str) -> None:
    with pytest.raises(TableDefinitionError, match=says):
        iceberg(strategy)


def test_columns_that_make_no_table_are_refused() -> None:
    for schema, strategy, says in (
        ((), ByCategory("a"), "needs a column"),
        ((Column("a", "string"), Column("a", "int")), ByCategory("a"), "a is there twice"),
        ((Column("a", "string"),), ByCategory("a"), "needs a column beside a"),
        ((Column("a", "string"), Column("a_bucket", "int")), ByHash("a", 4), "has a column of that name"),
        ((Column("a" * 250, "string"),), ByHash("a" * 250, 4), "can't name the partition column"),
    ):
        with pytest.raises(TableDefinitionError, match=says):
            hive(strategy, schema)


def test_statement_that_athena_does_not_take_is_refused() -> None:
    columns = tuple(Column(f"c{number:0250}", "string") for number in range(1_000))
    with pytest.raises(TableDefinitionError, match=r"has 26\d,\d{3} bytes; Athena takes 262,144"):
        hive(ByCategory("segment"), (*SCHEMA, *columns))
    assert len(hive(ByCategory("segment"), (*SCHEMA, *columns[:980])).encode()) <= LONGEST_STATEMENT


# The command

RETURNS = ("table", "create", NAME, "--column", "id:string", "--column", "s: struct<at:timestamp>")


def test_command_prints_the_statement_and_runs_nothing() -> None:
    done = CliRunner().invoke(app, [*RETURNS, "--by-hash", "id", "--buckets", "4", "--location", LOCATION, "--dry-run"])
    schema = (Column("id", "string"), Column("s", "struct<at:timestamp>"))
    assert done.stdout == iceberg(ByHash("id", 4), schema) + "\n"
    bucket = {"DATALAKE_BUCKET": "lake"}
    assert (
        CliRunner(env=bucket).invoke(app, [*RETURNS, "--by-hash", "id", "--buckets", "4", "--dry-run"]).stdout
        == done.stdout
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--dry-run"], "Name one strategy"),
        (["--by-hash", "id", "--by-category", "id", "--dry-run"], "Name one strategy"),
        (["--column", "x", "--by-hash", "id", "--dry-run"], "The column x has no type"),
        (["--by-hash", "id"], "`datalake table create` is about tables on Athena"),
    ],
)
def test_command_says_what_it_lacks(arguments: list[str], says: str) -> None:
    done = CliRunner(env={"DATALAKE_TARGET": "local"}).invoke(app, [*RETURNS, "--location", LOCATION, *arguments])
    assert says in str(done.exception)
    assert done.stdout == ""


# Any text at all

SOUND_NAME = st.from_regex(r"[a-z_][a-z0-9_]{0,9}", fullmatch=True)
SOUND_TYPE = st.recursive(
    st.sampled_from(["string", "int", "date", "timestamp", "decimal(9,2)", "boolean", "binary"]),
    lambda inner: (
        inner.map(lambda item: f"array<{item}>")
        | inner.map(lambda item: f"map<string, {item}>")
        | st.tuples(SOUND_NAME, inner).map(lambda field: f"struct<{field[0]}:{field[1]}>")
    ),
    max_leaves=4,
)
HOSTILE = (
    st.text(max_size=30)
    | st.text(alphabet="ab_1`'\";()<>,:.- \n\\/*", max_size=30)
    | st.sampled_from(NO_NAMES)
    | st.sampled_from(["int) location 's3://evil/' --", "string`; drop table x", "a/' tblproperties ('x' = 'y') --"])
)


@dataclass(frozen=True)
class Table:
    database: str
    name: str
    columns: tuple[Column, ...]
    strategy: Strategy
    location: str
    table_format: TableFormat

    def ddl(self) -> str:
        name = f"{self.database}.{self.name}"
        return ddl(name, self.columns, self.strategy, location=self.location, table_format=self.table_format)


@st.composite
def sound_tables(draw: st.DrawFn) -> Table:
    names = draw(st.lists(SOUND_NAME, min_size=2, max_size=4, unique=True))
    fitting: list[tuple[Strategy, str]] = [
        *((ByDate(names[0], part), type_) for part in Part for type_ in ("date", "timestamp")),
        (ByCategory(names[0]), "string"),
        (ByHash(names[0], 7), "bigint"),
    ]
    strategy, type_ = draw(st.sampled_from(fitting))
    columns = (Column(names[0], type_), *(Column(name, draw(SOUND_TYPE)) for name in names[1:]))
    table_format = draw(st.sampled_from(TableFormat))
    return Table(draw(SOUND_NAME), draw(SOUND_NAME), columns, strategy, LOCATION, table_format)


@st.composite
def hostile_tables(draw: st.DrawFn) -> Table:
    """A sound table but for one text."""
    table = draw(sound_tables())
    text = draw(HOSTILE)
    first, second, *others = table.columns
    changes: dict[str, Any] = draw(
        st.sampled_from(
            [
                {"database": text},
                {"name": text},
                {"columns": (replace(first, name=text), second), "strategy": replace(table.strategy, column=text)},
                {"columns": (first, replace(second, name=text), *others)},
                {"columns": (first, replace(second, type=text), *others)},
                {"columns": (first, replace(second, type=f"array<{text}>"), *others)},
                {"columns": (first, replace(second, type=f"struct<{text}:int>"), *others)},
                {"strategy": replace(table.strategy, column=text)},
                {"location": text},
                {"location": f"s3://lake/{text}/"},
            ]
        )
    )
    return replace(table, **changes)


def check_statement(table: Table) -> None:
    """Make sure that a table's statement is one CREATE, and names what the table names."""
    (parsed,) = sqlglot.parse(table.ddl(), dialect="athena")
    assert isinstance(parsed, exp.Create)
    target = parsed.find(exp.Table)
    assert target is not None
    assert (target.db, target.name) == (table.database, table.name)
    is_hive = table.table_format is TableFormat.hive
    partition = derived_column(table.columns, table.strategy).name if is_hive else table.strategy.column
    names = [column.name for column in table.columns]
    assert [found.name for found in parsed.this.expressions] == [
        name for name in names if not is_hive or name != partition
    ]
    (partitioned,) = parsed.find_all(exp.PartitionedByProperty)
    assert {found.name for found in partitioned.find_all(exp.Identifier)} == {partition}
    (place,) = parsed.find_all(exp.LocationProperty)
    assert place.this.name.rstrip("/") == table.location.rstrip("/")
    fields = {field.name for found in parsed.find_all(exp.DataType) for field in found.find_all(exp.ColumnDef)}
    types = " ".join(column.type for column in table.columns)
    assert all(re.search(rf"\b{field}\b", types) for field in fields)
    assert {found.name for found in parsed.find_all(exp.Identifier)} == {
        table.database, table.name, partition, *fields, *(found.name for found in parsed.this.expressions)
    }  # fmt: skip
    properties = {"parquet.compression"} if is_hive else {"table_type", "format", "write_compression"}
    assert {found.name for found in parsed.args["properties"].expressions if type(found) is exp.Property} == properties


@settings(deadline=None)
@given(sound_tables())
def test_sound_texts_are_named_in_one_create(table: Table) -> None:
    assume(
        f"{table.strategy.column}_" not in [column.name[: len(table.strategy.column) + 1] for column in table.columns]
    )
    check_statement(table)


@settings(deadline=None)
@given(hostile_tables())
def test_any_text_is_refused_or_named_in_one_create(table: Table) -> None:
    with suppress(TableDefinitionError):
        check_statement(table)
