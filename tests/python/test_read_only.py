"""A statement that only reads passes; every other is refused, however it is dressed."""

from __future__ import annotations

import pytest

from datalake.errors import NotReadOnlyError
from datalake.read_only import require_read_only

READS = [
    "select 1",
    "SELECT 1;",
    "-- drop table x\nselect 1",
    "/* one */ with a as (select 1 as b) select b from a",
    "(select 1) union all select 2 order by 1",
    "values (1, 'a')",
    "select ';', 'drop table x' as \"insert\"",
    "select * from curated_db.orders for version as of 12",
    "select filter(array[1], x -> x > 1), try(1 / 0), json_query('{}', 'lax $.a')",
    "select * from unnest(array[1, 2]) with ordinality as t(a, b)",
    'select "$path" from raw_db.orders tablesample bernoulli (1)',
    'select * from curated_db."orders$files"',
    "select a from x match_recognize (partition by a order by b measures a.b as m pattern (a b+) define a as a.x = 1)",
    "show tables in raw_db",
    "show create table raw_db.orders;",
    "show partitions raw_db.orders",
    "describe raw_db.orders",
    "desc formatted raw_db.orders",
    "explain select 1",
    "explain (format json) select 1",
    "explain (type io, format json) (select 1)",
    "explain analyze verbose select 1",
]

WRITES = [
    "drop table x",
    "insert into x select 1",
    "create table x as select 1",
    "create view x as select 1",
    "update x set a = 1",
    "delete from x",
    "merge into x using y on x.a = y.a when matched then delete",
    "alter table x add columns (a int)",
    "msck repair table x",
    "optimize x rewrite data using bin_pack",
    "vacuum x",
    "unload (select 1) to 's3://bucket/x' with (format = 'parquet')",
    "execute prepared",
    "prepare p from select 1",
    "deallocate prepare p",
    "call system.x()",
    "set session a = 1",
    "use raw_db",
    "grant select on x to y",
    "using external function f(x int) returns int lambda 'a' select f(1)",
    "select * into x from y",
    "explain analyze delete from x",
    "explain insert into x select 1",
    "explain explain select 1",
    "with a as (delete from x) select 1",
]

SEVERAL = [
    "select 1; drop table x",
    "select 1; select 2",
    "show tables; drop table x",
    "describe x; drop table x",
    "explain select 1; drop table x",
]

DRESSED = [
    # A parser that lets comments hold comments takes all of the first words for one.
    "/* /* */ select 1 --*/ drop table x",
    "/* /* */ show tables --*/; drop table x",
    "select 1 /* /* */ */",
]

UNREADABLE = ["", ";", "-- nothing", "selec 1", "select from where", "select 'open", "explain", "explain ("]
DEEP = f"select {'(' * 5000}1{')' * 5000}"


@pytest.mark.parametrize("sql", READS)
def test_statement_that_reads_passes(sql: str) -> None:
    require_read_only(sql)


@pytest.mark.parametrize("sql", [*WRITES, *SEVERAL, *DRESSED, *UNREADABLE, pytest.param(DEEP, id="deep")])
def test_other_statement_is_refused(sql: str) -> None:
    with pytest.raises(NotReadOnlyError):
        require_read_only(sql)


def test_refusal_says_what_may_be_asked() -> None:
    with pytest.raises(NotReadOnlyError) as refusal:
        require_read_only("drop table x")
    assert str(refusal.value) == (
        "Only one statement that reads may be asked: SELECT, WITH, VALUES, SHOW, DESCRIBE or EXPLAIN of a query; "
        "this is another."
    )
